"""Predictions for few rows go through staged memory: same bits, same refusals, no view of it handed out."""

import pickle
import threading

import numpy as np
import pytest

import chainrule as cr


@pytest.fixture
def model():
    return cr.Sequential([cr.Input((30,)), cr.layers.Dense(150, "relu"), cr.layers.Dense(4, "softmax")])


def rows(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 30)).astype("float32")


def test_few_and_many_rows_have_the_same_bits(model):
    x = rows(300)
    together = model.predict(x)
    for count in (1, 2, 3, 5, 63, 64, 65):
        for _ in range(3):
            np.testing.assert_array_equal(model.predict(x[:count]), together[:count])
    np.testing.assert_array_equal(model.predict(x, batch_size=7), together)


def test_a_result_is_not_overwritten_by_the_next(model):
    first = model.predict(rows(1, 1))
    kept = first.copy()
    model.predict(rows(1, 2))
    np.testing.assert_array_equal(first, kept)


def test_new_weights_are_seen(model):
    x = rows(1)
    before = model.predict(x)
    model.set_weights([weight * 2 for weight in model.get_weights()])
    assert not np.array_equal(model.predict(x), before)


@pytest.mark.parametrize("count", [1, 100])
def test_nan_and_infinity_are_refused(model, count):
    model.predict(rows(1))
    for bad in (np.nan, np.inf):
        x = rows(count)
        x[-1, 7] = bad
        with pytest.raises(cr.ChainruleError, match=rf"\[{count - 1}, 7\]"):
            model.predict(x)


def test_other_shapes_and_types(model):
    x = rows(3)
    expected = model.predict(x)
    np.testing.assert_array_equal(model.predict(x.astype("float64")), expected)
    np.testing.assert_array_equal(model.predict(x.tolist()), expected)
    np.testing.assert_array_equal(model.predict(np.asfortranarray(x)), expected)
    np.testing.assert_array_equal(model.predict(rows(6, 1)[::2]), model.predict(rows(6, 1))[::2])
    np.testing.assert_array_equal(model.predict(pickle.loads(pickle.dumps(x))), expected)
    with pytest.raises(cr.ChainruleError, match="do not fit"):
        model.predict(np.zeros((1, 31), "float32"))
    with pytest.raises(cr.ChainruleError, match="no rows"):
        model.predict(np.zeros((0, 30), "float32"))


@pytest.mark.parametrize("size", [0, -1, True, 1.0, "1"])
def test_batch_sizes_that_are_none_are_refused(model, size):
    model.predict(rows(1))
    with pytest.raises(cr.ChainruleError, match="batch_size"):
        model.predict(rows(1), batch_size=size)


def test_while_the_memory_is_in_use_others_get_the_same_answer(model):
    x = rows(3)
    expected = model.predict(x)
    idle = model.predictor.staged.idle  # what a call takes out
    del idle[0]
    np.testing.assert_array_equal(model.predict(x), expected)
    idle.append(None)
    np.testing.assert_array_equal(model.predict(x), expected)


def test_after_an_error_the_memory_is_free_again(model):
    model.predict(rows(1))
    with pytest.raises(cr.ChainruleError, match="NaN"):
        model.predict(np.full((1, 30), np.nan, "float32"))
    assert len(model.predictor.staged.idle) == 1


def test_a_layer_added_later_is_in_the_predictions(model):
    model.predict(rows(1))
    model.add(cr.layers.Dense(2))
    assert model.predict(rows(1)).shape == (1, 2)


def test_several_threads_predict_at_once(model):
    x = rows(64)
    together = model.predict(x)
    wrong = []

    def work(row):
        for _ in range(200):
            if not np.array_equal(model.predict(x[row : row + 1])[0], together[row]):
                wrong.append(row)

    threads = [threading.Thread(target=work, args=(row,)) for row in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_predictions_while_another_model_trains(model, monkeypatch):
    monkeypatch.setenv("CHAINRULE_WORKERS", "2")
    trained = cr.Sequential([cr.Input((30,)), cr.layers.Dense(150, "relu"), cr.layers.Dense(4)])
    trained.compile("adam", "mse")
    x, y = rows(256), rows(256, 1)[:, :4]
    wide = cr.Sequential([cr.Input((30,)), cr.layers.Dense(600, "relu"), cr.layers.Dense(4)])
    together = wide.predict(x)
    thread = threading.Thread(target=lambda: trained.fit(x, y, batch_size=64, epochs=30, verbose=0))
    thread.start()
    for turn in range(1000):
        row = turn % 256
        np.testing.assert_array_equal(wide.predict(x[row : row + 1])[0], together[row])
    thread.join()
