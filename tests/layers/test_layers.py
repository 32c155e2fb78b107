"""Dense, activation, merging and shaping layers: compiled equals interpreted, derivatives, shapes, configurations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autodiff.check import check_gradients
from chainrule.errors import ChainruleError
from chainrule.layers import symbolic
from chainrule.layers.layer import map_shapes, with_batch


def data(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).uniform(-2, 2, shape).astype("float32")


def double(x: Any) -> Any:
    return x + x


ROWS, STEPS = data(3, 4), data(3, 5, 4)
PAIR = [data(3, 4), np.flip(data(3, 4), 0).copy() * 1.3]
LAYERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "activation": (lambda: cr.layers.Activation("mish"), ROWS),
    "activity": (lambda: cr.layers.ActivityRegularization(0.1, 0.2), ROWS),
    "add": (lambda: cr.layers.Add(), PAIR),
    "average": (lambda: cr.layers.Average(), [*PAIR, ROWS]),
    "concatenate": (lambda: cr.layers.Concatenate(axis=1), [STEPS, STEPS[:, :2]]),
    "dense": (lambda: cr.layers.Dense(3, activation="tanh"), STEPS),
    "dot": (lambda: cr.layers.Dot((2, 1), normalize=True), [STEPS, ROWS]),
    "einsum": (lambda: cr.layers.EinsumDense("ab...,bc->ac...", 3, bias_axes="c"), STEPS),
    "elu": (lambda: cr.layers.ELU(0.5), ROWS),
    "flatten": (lambda: cr.layers.Flatten("channels_first"), STEPS),
    "identity": (lambda: cr.layers.Identity(), ROWS),
    "lambda": (lambda: cr.layers.Lambda(double), ROWS),
    "leaky": (lambda: cr.layers.LeakyReLU(), ROWS),
    "masking": (lambda: cr.layers.Masking(9.0), STEPS),
    "maximum": (lambda: cr.layers.Maximum(), PAIR),
    "minimum": (lambda: cr.layers.Minimum(), PAIR),
    "multiply": (lambda: cr.layers.Multiply(), [STEPS, ROWS]),
    "permute": (lambda: cr.layers.Permute((2, 1)), STEPS),
    "prelu": (lambda: cr.layers.PReLU("ones", shared_axes=1), STEPS),
    "relu": (lambda: cr.layers.ReLU(1.5, 0.1, 0.2), ROWS),
    "repeat": (lambda: cr.layers.RepeatVector(3), ROWS),
    "reshape": (lambda: cr.layers.Reshape((2, -1)), STEPS),
    "rrelu": (lambda: cr.layers.RReLU(0.1, 0.4), ROWS),
    "softmax": (lambda: cr.layers.Softmax([1, 2]), STEPS),
    "subtract": (lambda: cr.layers.Subtract(), PAIR),
}


@pytest.mark.parametrize("name", LAYERS)
def test_compiled_equals_interpreted_and_says_its_shape(name: str) -> None:
    make, x = LAYERS[name]
    layer = make()
    wanted = layer(x)
    np.testing.assert_allclose(cr.jit(layer)(x), wanted, rtol=1e-5, atol=1e-6)
    shapes = map_shapes(with_batch, layer.sample_shape)
    assert tuple(layer.compute_output_shape(shapes)) == (None, *wanted.shape[1:])


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_by_the_input(name: str) -> None:
    make, x = LAYERS[name]
    layer = make()
    layer(x)
    leaves = x if isinstance(x, list) else [x]

    def function(*arrays: Any) -> Any:
        return layer(list(arrays) if isinstance(x, list) else arrays[0])

    check_gradients(function, leaves, order=1)


@pytest.mark.parametrize("name", LAYERS)
def test_a_configuration_makes_it_again_in_a_model(name: str) -> None:
    make, x = LAYERS[name]
    inputs = [cr.Input(leaf.shape[1:]) for leaf in x] if isinstance(x, list) else cr.Input(x.shape[1:])
    model = cr.Model(inputs, make()(inputs))
    with cr.registry.custom_object_scope({"double": double}):
        again = cr.Model.from_config(json.loads(json.dumps(model.get_config())))
    again.set_weights(model.get_weights())
    assert again.layers[-1].get_config() == model.layers[-1].get_config()
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_weights_fit_other_lengths() -> None:
    dense, einsum = cr.layers.Dense(3), cr.layers.EinsumDense("...b,bc->...c", 3, bias_axes="c")
    for layer in (dense, einsum):
        assert layer(STEPS).shape == (3, 5, 3) and layer(ROWS).shape == (3, 3)
        with pytest.raises(ChainruleError, match="another shape"):
            layer(data(3, 5))
    embedding = cr.layers.Embedding(6, 3)
    assert embedding(np.zeros((2, 4), int)).shape == (2, 4, 3) and embedding(np.zeros(2, int)).shape == (2, 3)


@pytest.mark.parametrize("name", ["add", "average", "maximum", "minimum", "multiply", "subtract", "concatenate"])
def test_functions_are_their_layers(name: str) -> None:
    kind = getattr(cr.layers, name.capitalize())
    np.testing.assert_array_equal(getattr(cr.layers, name)(PAIR), kind()(PAIR))
    np.testing.assert_allclose(cr.layers.dot(PAIR, axes=1), (PAIR[0] * PAIR[1]).sum(1, keepdims=True), rtol=1e-5)


def test_a_function_is_saved_by_its_name_and_loaded_as_a_custom_object(tmp_path: Path) -> None:
    model = cr.Sequential([cr.Input((4,)), cr.layers.Lambda(double), cr.layers.Dense(2)])
    model.save(tmp_path / "m.chainrule")
    with pytest.raises(ChainruleError, match="custom_objects"):
        cr.models.load_model(tmp_path / "m.chainrule")
    again = cr.models.load_model(tmp_path / "m.chainrule", custom_objects={"double": double})
    np.testing.assert_array_equal(again.predict(ROWS, verbose=0), model.predict(ROWS, verbose=0))


def test_a_lambda_takes_what_it_names() -> None:
    def scaled(x: Any, factor: float, training: bool) -> Any:
        return x * (factor if training else 1.0)

    layer = cr.layers.Lambda(scaled, output_shape=(4,), arguments={"factor": 3.0})
    np.testing.assert_array_equal(layer(ROWS, training=True), ROWS * 3)
    np.testing.assert_array_equal(layer(ROWS), ROWS)
    assert layer.compute_output_shape((None, 4)) == (None, 4)


def test_rrelu_draws_in_training_and_repeats_with_its_seed() -> None:
    x = -np.ones((50, 50), "float32")
    first, second = cr.layers.RReLU(seed=3), cr.layers.RReLU(seed=3)
    drawn = first(x, training=True)
    np.testing.assert_array_equal(drawn, cr.jit(lambda x: second(x, training=True))(x))
    assert (drawn != first(x, training=True)).any()
    assert len(np.unique(first(x))) == 1


def test_masks_go_through_layers_and_into_the_loss() -> None:
    x = data(4, 5, 3)
    x[0, 2:] = x[2, :3] = 0.0
    seen = []

    def steps_that_count(inputs: Any, mask: Any = None) -> Any:
        seen.append(mask is not None)
        return inputs

    inputs = cr.Input((5, 3))
    hidden = cr.layers.Dense(4, activation="relu")(cr.layers.Masking()(inputs))
    joined = cr.layers.Add()([hidden, cr.layers.LeakyReLU()(hidden)])
    outputs = cr.layers.Dense(1)(cr.layers.Lambda(steps_that_count, mask=lambda inputs, mask: mask)(joined))
    model = cr.Model(inputs, outputs)
    model.compile("sgd", "mse")
    y = np.zeros((4, 5, 1), "float32")
    counted = (x != 0).any(-1)
    found = model.evaluate(x, y, verbose=0)
    errors = model.predict(x, verbose=0)[..., 0] ** 2
    np.testing.assert_allclose(found, (errors * counted).sum() / counted.sum(), rtol=1e-5)
    assert seen[-1]


def test_a_mask_of_a_softmax() -> None:
    mask = np.array([[True, True, False, True], [False, False, False, False], [True, False, False, False]])
    p = cr.layers.Softmax()(ROWS, mask=mask)
    np.testing.assert_allclose(p.sum(-1), [1, 0, 1], rtol=1e-6)
    assert (p[~mask] == 0).all()
    by_step = cr.layers.Softmax()(STEPS, mask=np.array([[True, False, True, True, True]] * 3))
    assert (by_step[:, 1] == 0).all()


def test_masks_of_merged_sequences() -> None:
    x = data(2, 3, 4)
    x[0, 1] = 0.0

    def masks(x: Any, y: Any) -> Any:
        masked = cr.layers.Masking()(x)
        both = cr.layers.Maximum()([masked, cr.layers.Masking()(y)])
        one = cr.layers.Concatenate()([masked, y])
        assert symbolic.mask_of(cr.layers.Dot(2)([masked, masked])) is None
        return symbolic.mask_of(both), symbolic.mask_of(one)

    both, one = cr.jit(masks)(x, x)
    np.testing.assert_array_equal(both, (x != 0).any(-1))
    assert np.asarray(one).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.layers.ReLU(max_value=-1), "max_value is out of range"),
        (lambda: cr.layers.LeakyReLU(-0.1), "negative_slope is out of range"),
        (lambda: cr.layers.PReLU(shared_axes=0), "not axes of a sample"),
        (lambda: cr.layers.PReLU(shared_axes=2)(ROWS), "no such axis"),
        (lambda: cr.layers.RReLU(0.5, 0.1), "upper is out of range"),
        (lambda: cr.layers.Softmax("last"), "not an axis"),
        (lambda: cr.layers.Softmax()(ROWS, mask=np.ones((2, 2), bool)), "mask does not fit"),
        (lambda: cr.layers.Add()(ROWS), "several arrays"),
        (lambda: cr.layers.Add()([ROWS, data(3, 3)]), "do not fit together"),
        (lambda: cr.layers.Subtract()([ROWS, ROWS, ROWS]), "wrong number of inputs"),
        (lambda: cr.layers.Concatenate(axis=0)([ROWS, ROWS]), "the axis is the batch"),
        (lambda: cr.layers.Concatenate(axis=1)([STEPS, data(3, 5, 2)]), "do not fit together"),
        (lambda: cr.layers.Dot(axes=(1, 2, 3)), "not axes of two arrays"),
        (lambda: cr.layers.Dot(axes=0)(PAIR), "the axis is the batch"),
        (lambda: cr.layers.Dot(axes=1)([ROWS, data(3, 5)]), "differ in size"),
        (lambda: cr.layers.Flatten("first"), "unknown data format"),
        (lambda: cr.layers.Reshape((-1, -1)), "not the shape of a sample"),
        (lambda: cr.layers.Reshape((3, 3))(ROWS), "number of elements changes"),
        (lambda: cr.layers.Permute((1, 3)), "not an order of axes"),
        (lambda: cr.layers.Permute((2, 1))(ROWS), "number of axes differs"),
        (lambda: cr.layers.RepeatVector(0), "not a number of repeats"),
        (lambda: cr.layers.RepeatVector(2)(STEPS), "not a vector"),
        (lambda: cr.layers.Masking("a"), "mask_value is out of range"),
        (lambda: cr.layers.Lambda("double"), "is not known"),
        (lambda: cr.layers.ActivityRegularization(l1=-1), "l1 is out of range"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        make()


def test_a_layer_built_by_hand_is_not_built_again() -> None:
    class Product(cr.layers.Layer):
        def build(self, input_shape):
            self.factors = self.add_weight((input_shape[-1], 3), name="factors")

        def call(self, x):
            return x @ self.factors

    class Around(cr.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Product()

        def build(self, input_shape):
            self.inner.build(input_shape)

        def call(self, x):
            return self.inner(x)

    for layer in (Product(), Around()):
        layer.build((None, 4))
        assert layer.built and len(layer.get_weights()) == 1
        assert layer(np.ones((2, 4), "f")).shape == (2, 3)
        assert len(layer.get_weights()) == 1
        with pytest.raises(ChainruleError, match="another shape"):
            layer(np.ones((2, 5), "f"))


def test_a_layer_that_is_not_here_says_what_is() -> None:
    with pytest.raises(AttributeError, match=r"(?s)did you mean .*Dense.*no convolution"):
        cr.layers.Dence
    with pytest.raises(AttributeError, match="no convolution, recurrence or attention"):
        cr.layers.Conv2D
    assert not hasattr(cr.layers, "LSTM")
