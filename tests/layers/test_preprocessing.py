"""Preparation of data: scaling, bins, encodings, hashes and lookups, as arrays and as parts of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError, FileError
from chainrule.layers.fingerprints import fingerprint, keyed_hash

MODES = ("int", "one_hot", "multi_hot", "count")


def data(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(3.0, 2.0, shape).astype("float32")


def compiled(layer: Any, x: np.ndarray) -> Any:
    return cr.jit(lambda x: layer(x))(x)


# -- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
def test_adapted_data_have_mean_zero_and_deviation_one(axis: Any) -> None:
    x = data(200, 3, 4)
    layer = cr.layers.Normalization(axis)
    layer.adapt(x)
    y = compiled(layer, x)
    np.testing.assert_allclose(y, layer(x), rtol=1e-5, atol=1e-6)
    kept = () if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = tuple(at for at in range(3) if at not in kept and at - 3 not in kept)
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axes), 1, rtol=1e-5)
    back = cr.layers.Normalization(axis, mean=layer.mean, variance=layer.variance, invert=True)
    np.testing.assert_allclose(back(y), x, rtol=1e-5, atol=1e-5)


def test_batches_teach_the_same_as_all_data_at_once() -> None:
    x = data(100, 4)
    once, parts = cr.layers.Normalization(), cr.layers.Normalization()
    once.adapt(x)
    parts.adapt((batch, None) for batch in (x[:7], x[7:60], x[60:]))
    np.testing.assert_allclose(parts.mean, once.mean, rtol=1e-6)
    np.testing.assert_allclose(parts.variance, once.variance, rtol=1e-6)
    with pytest.raises(DataError, match="no batches"):
        parts.adapt(iter([]))


def test_statistics_are_saved_with_the_model(tmp_path: Path) -> None:
    x = data(64, 4)
    norm, bins = cr.layers.Normalization(), cr.layers.Discretization(num_bins=4, output_mode="one_hot")
    norm.adapt(x)
    bins.adapt(norm(x))
    model = cr.Sequential([cr.Input((4,)), norm, bins, cr.layers.Flatten(), cr.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, x[:, :1], epochs=1, verbose=0)
    model.save(tmp_path / "model.chain")
    loaded = cr.load_model(tmp_path / "model.chain")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert len(model.trainable_variables) == 2


@pytest.mark.parametrize("mode", MODES)
def test_bins(mode: str) -> None:
    x = np.array([[-9.0, 0.0, 0.5], [1.0, 99.0, np.nan]], "float32")
    layer = cr.layers.Discretization([0.0, 1.0], output_mode=mode)
    numbers = np.array([[0, 1, 1], [2, 2, 2]])
    hot = np.eye(3, dtype="float32")[numbers]
    expected = {"int": numbers, "one_hot": hot, "multi_hot": hot.max(1), "count": hot.sum(1)}[mode]
    np.testing.assert_array_equal(layer(x), expected)
    np.testing.assert_array_equal(compiled(layer, x), expected)
    assert layer.compute_output_shape((None, 3)) == (None, *expected.shape[1:])


def test_adapted_bins_hold_equally_many() -> None:
    x = data(10_000, 1)
    layer = cr.layers.Discretization(num_bins=8, epsilon=0.001)
    layer.adapt(x)
    counts = np.bincount(layer(x).ravel())
    assert len(counts) == 8 and np.abs(counts - 1250).max() < 60


@pytest.mark.parametrize("mode", MODES[1:])
def test_categories(mode: str) -> None:
    x = np.array([[0, 2], [1, 1], [3, -1]], "int32")
    layer = cr.layers.CategoryEncoding(4, output_mode=mode)
    hot = np.stack([x == number for number in range(4)], -1).astype("float32")
    expected = {"one_hot": hot, "multi_hot": hot.max(1), "count": hot.sum(1)}[mode]
    np.testing.assert_array_equal(layer(x), expected)
    np.testing.assert_array_equal(layer(x.tolist()), expected)
    np.testing.assert_array_equal(compiled(layer, x), expected)
    assert layer.compute_output_shape((None, 2)) == (None, *expected.shape[1:])


def test_counts_have_weights() -> None:
    layer = cr.layers.CategoryEncoding(3, output_mode="count")
    y = layer([[0, 2], [2, 2]], count_weights=[[0.5, 2.0], [1.0, 3.0]])
    np.testing.assert_array_equal(y, [[0.5, 0.0, 2.0], [0.0, 0.0, 4.0]])


def test_rescaling_takes_numbers_and_arrays() -> None:
    x = np.array([[0, 255], [51, 102]], "uint8")
    np.testing.assert_allclose(compiled(cr.layers.Rescaling(1 / 255, 1.0), x), x / 255 + 1, rtol=1e-6)
    layer = cr.layers.Rescaling([1.0, 2.0], offset=[0.0, -1.0])
    np.testing.assert_allclose(compiled(layer, x), x * [1.0, 2.0] + [0.0, -1.0], rtol=1e-6)


# -- hashes -------------------------------------------------------------------------------------------------------


def test_fingerprints_are_those_of_farmhash_and_siphash() -> None:
    """The buckets that Keras documents, and the test vector of SipHash's authors for the empty string."""
    letters = np.array(["A", "B", "C", "D", "E"])
    assert (fingerprint(letters) % 3).tolist() == [1, 0, 1, 1, 2]
    assert (keyed_hash(letters, (133, 137)) % 3).tolist() == [1, 2, 1, 0, 2]
    key = tuple(int.from_bytes(bytes(range(start, start + 8)), "little") for start in (0, 8))
    assert int(keyed_hash(np.array([""]), key)[0]) == 0x726FDB47DD0E0E31


def test_hashes_depend_on_the_text_alone() -> None:
    texts = np.array([["x" * size for size in range(40)], ["é" * size for size in range(40)]])
    together = fingerprint(texts)
    assert together.shape == texts.shape and len(np.unique(together)) == 79
    for place in np.ndindex(texts.shape):
        assert fingerprint(texts[place : place + 1] if texts.ndim == 1 else texts[place]) == together[place]


def test_bins_of_hashes_fill_evenly() -> None:
    counts = np.bincount(cr.layers.Hashing(10)(np.arange(20_000)))
    assert len(counts) == 10 and np.abs(counts - 2000).max() < 6 * np.sqrt(1800)


def test_a_crossing_of_features() -> None:
    layer = cr.layers.HashedCrossing(5)
    pair = [np.array(["A", "B", "A", "B", "A"]), np.array([101, 101, 101, 102, 102])]
    assert layer(pair).tolist() == [1, 4, 1, 1, 3]
    hot = cr.layers.HashedCrossing(5, "one_hot")(pair)
    assert hot.argmax(1).tolist() == [1, 4, 1, 1, 3] and hot.shape == (5, 5)


# -- lookups ------------------------------------------------------------------------------------------------------

WORDS = [["sun", "moon", ""], ["star", "sun", "sun"]]


def test_words_and_back() -> None:
    layer = cr.layers.StringLookup(mask_token="")
    layer.adapt(WORDS)
    assert layer.get_vocabulary() == ["", "[UNK]", "sun", "star", "moon"]
    numbers = layer(WORDS)
    assert numbers.tolist() == [[2, 4, 0], [3, 2, 2]] and numbers.dtype == np.int64
    back = cr.layers.StringLookup(vocabulary=layer.get_vocabulary(), mask_token="", invert=True)
    assert back(numbers).tolist() == WORDS
    assert layer(np.array(["moon", b"comet"], dtype=object)).tolist() == [4, 1]


def test_weights_of_frequent_words_are_small() -> None:
    layer = cr.layers.StringLookup(output_mode="tf_idf")
    layer.adapt(WORDS)
    weights = dict(zip(layer.get_vocabulary(), layer.weights_of_tokens, strict=True))
    assert weights["sun"] == pytest.approx(np.log(1 + 2 / 3)) and weights["moon"] == pytest.approx(np.log(2))
    np.testing.assert_allclose(layer([["sun", "sun"]])[0, 1:3], [2 * weights["sun"], 0.0], rtol=1e-6)


def test_a_vocabulary_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("sun\nmoon\n", "utf-8")
    assert cr.layers.StringLookup(vocabulary=str(path))(["moon"]).tolist() == [2]
    with pytest.raises(FileError, match="cannot be read"):
        cr.layers.StringLookup(vocabulary=str(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"mask_token": 0},
        {"num_oov_indices": 3},
        {"output_mode": "one_hot"},
        {"output_mode": "count", "mask_token": 0},
        {"output_mode": "multi_hot", "max_tokens": 9, "pad_to_max_tokens": True},
        {"output_mode": "tf_idf", "idf_weights": [0.5, 1.0, 2.0]},
        {"invert": True},
        {"invert": True, "mask_token": 0},
    ],
)
def test_integers_compiled_and_as_arrays(arguments: dict[str, Any]) -> None:
    layer = cr.layers.IntegerLookup(vocabulary=[5, 2, 99], **arguments)
    x = np.array([[0, 2, 3], [99, -4, 5]], "int32")
    np.testing.assert_array_equal(compiled(layer, x), layer(x))
    assert layer.compute_output_shape((None, 3)) == (None, *layer(x).shape[1:])


def test_a_lookup_is_a_part_of_a_saved_model(tmp_path: Path) -> None:
    lookup = cr.layers.IntegerLookup(output_mode="count")
    x = np.array([[7, 7, 8], [9, 7, 8]] * 8, "int32")
    lookup.adapt(x)
    model = cr.Sequential([cr.Input((3,), dtype="int32"), lookup, cr.layers.Dense(2)])
    model.save(tmp_path / "model.chain")
    loaded = cr.load_model(tmp_path / "model.chain")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


# -- all ----------------------------------------------------------------------------------------------------------

NUMBERS = np.array([[1.0, 2.0], [0.0, 7.0]], "float32")
LAYERS: dict[str, tuple[Any, Any, Any]] = {
    "Rescaling": (lambda: cr.layers.Rescaling(2.0, [1.0, 2.0]), None, NUMBERS),
    "Normalization": (lambda: cr.layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0]), None, NUMBERS),
    "Discretization": (lambda: cr.layers.Discretization([0.5, 1.0]), None, NUMBERS),
    "Discretization, adapted": (lambda: cr.layers.Discretization(num_bins=2), NUMBERS, NUMBERS),
    "CategoryEncoding": (lambda: cr.layers.CategoryEncoding(8), None, NUMBERS.astype("int32")),
    "Hashing": (lambda: cr.layers.Hashing(4, mask_value="", salt=3), None, WORDS),
    "HashedCrossing": (lambda: cr.layers.HashedCrossing(4), None, [np.array(["a", "b"]), np.array([1, 2])]),
    "StringLookup": (lambda: cr.layers.StringLookup(vocabulary=["sun"], num_oov_indices=2), None, WORDS),
    "StringLookup, adapted": (lambda: cr.layers.StringLookup(output_mode="tf_idf"), WORDS, WORDS),
    "StringLookup, given weights": (
        lambda: cr.layers.StringLookup(output_mode="tf_idf", vocabulary=["[UNK]", "sun"], idf_weights=[2.0, 1.0]),
        None,
        WORDS,
    ),
    "IntegerLookup": (lambda: cr.layers.IntegerLookup(vocabulary=[2, 1], mask_token=0), None, NUMBERS.astype("int32")),
}


@pytest.mark.parametrize("name", LAYERS)
def test_configurations_make_equal_layers(name: str) -> None:
    make, learn_from, x = LAYERS[name]
    layer = make()
    if learn_from is not None:
        layer.adapt(learn_from)
    expected = layer(x)
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(x), expected)
    if learn_from is not None:
        again.adapt(learn_from)


def as_part_of_a_model(layer: Any) -> Any:
    return layer(cr.Input((2,), dtype="int32"))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: cr.layers.Rescaling("big"), "not a number"),
        (lambda: cr.layers.Normalization(mean=1.0), "belong together"),
        (lambda: cr.layers.Normalization(mean=[[1.0]], variance=[[1.0]]), "more axes"),
        (lambda: cr.layers.Normalization(axis=0)(NUMBERS), "the axis is the batch"),
        (lambda: cr.layers.Normalization(mean=1.0, variance=1.0).adapt(NUMBERS), "were given"),
        (lambda: cr.layers.Discretization(), "one of two ways"),
        (lambda: cr.layers.Discretization([1.0, 0.0]), "not boundaries"),
        (lambda: cr.layers.Discretization(num_bins=0), "not a number of bins"),
        (lambda: cr.layers.Discretization([1.0], output_mode="hot"), "unknown output mode"),
        (lambda: cr.layers.Discretization(num_bins=3)(NUMBERS), "not known yet"),
        (lambda: cr.layers.Discretization([1.0]).adapt(NUMBERS), "were given"),
        (lambda: cr.layers.CategoryEncoding(), "not a number of categories"),
        (lambda: cr.layers.CategoryEncoding(3)([[1]], count_weights=[[1.0]]), "for the mode 'count'"),
        (lambda: cr.layers.CategoryEncoding(3, sparse=True), "no sparse arrays"),
        (lambda: cr.layers.Hashing(0), "not a number of bins"),
        (lambda: cr.layers.Hashing(3, salt="x"), "not a salt"),
        (lambda: as_part_of_a_model(cr.layers.Hashing(3)), "NumPy arrays alone"),
        (lambda: cr.layers.HashedCrossing(3)(["a"]), "two features"),
        (lambda: cr.layers.HashedCrossing(3)([NUMBERS, NUMBERS]), "cannot be crossed"),
        (lambda: cr.layers.StringLookup()(WORDS), "not known yet"),
        (lambda: cr.layers.StringLookup(vocabulary=["a", "a"]), "there twice"),
        (lambda: cr.layers.StringLookup(vocabulary=[]), "is empty"),
        (lambda: cr.layers.StringLookup(vocabulary=["a", ""], mask_token=""), "among the others"),
        (lambda: cr.layers.StringLookup(vocabulary=["a", "b"], max_tokens=2), "too large"),
        (lambda: cr.layers.StringLookup(vocabulary=["a"], output_mode="tf_idf"), "a weight for each token"),
        (lambda: cr.layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]), "does not have"),
        (lambda: cr.layers.StringLookup(vocabulary=["a"])([1.0]), "not strings"),
        (lambda: cr.layers.StringLookup(vocabulary=["a"]).adapt(["b"]), "was given"),
        (lambda: cr.layers.StringLookup(invert=True, output_mode="count"), "tokens have no vectors"),
        (lambda: cr.layers.StringLookup(max_tokens=1), "not a size"),
        (lambda: cr.layers.StringLookup(pad_to_max_tokens=True), "max_tokens is needed"),
        (lambda: cr.layers.IntegerLookup(vocabulary=[1], salt=3), "a salt is for the hash"),
        (lambda: cr.layers.IntegerLookup(oov_method="sum"), "unknown output mode"),
    ],
)
def test_mistakes_are_refused(act: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        act()
