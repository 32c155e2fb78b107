"""Noise: the distribution, the seed, inference, derivatives, configurations, refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError

LAYERS: dict[str, Any] = {
    "Dropout": lambda **options: cr.layers.Dropout(0.3, **options),
    "AlphaDropout": lambda **options: cr.layers.AlphaDropout(0.3, **options),
    "GaussianDropout": lambda **options: cr.layers.GaussianDropout(0.3, **options),
    "GaussianNoise": lambda **options: cr.layers.GaussianNoise(0.3, **options),
}
ROWS = 20_000


def standard_normal() -> np.ndarray:
    x = np.random.default_rng(1).normal(size=(ROWS, 8))
    return ((x - x.mean()) / x.std()).astype("float32")


@pytest.mark.parametrize("name", LAYERS)
def test_inference_leaves_the_input_as_it_is(name: str) -> None:
    x = standard_normal()[:5]
    np.testing.assert_array_equal(LAYERS[name]()(x), x)
    np.testing.assert_array_equal(cr.jit(LAYERS[name]())(x), x)


@pytest.mark.parametrize("name", LAYERS)
def test_the_seed_decides_compiled_and_interpreted(name: str) -> None:
    x = standard_normal()[:50]
    eager, compiled, other = LAYERS[name](seed=3), LAYERS[name](seed=3), LAYERS[name](seed=4)
    run = cr.jit(lambda x: compiled(x, training=True))
    first = eager(x, training=True)
    np.testing.assert_allclose(run(x), first, rtol=1e-5, atol=1e-6)
    second = eager(x, training=True)
    np.testing.assert_allclose(run(x), second, rtol=1e-5, atol=1e-6)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other(x, training=True))
    assert len(eager.state) == 1 and eager.weights == []


@pytest.mark.parametrize(
    ("name", "arguments", "x", "mean", "deviation"),
    [
        ("Dropout", (0.25,), np.ones((ROWS, 8), "float32"), 1.0, math.sqrt(1 / 3)),
        ("AlphaDropout", (0.25,), standard_normal(), 0.0, 1.0),
        ("GaussianDropout", (0.2,), np.ones((ROWS, 8), "float32"), 1.0, 0.5),
        ("GaussianNoise", (0.5,), np.ones((ROWS, 8), "float32"), 1.0, 0.5),
    ],
)
def test_mean_and_deviation(name: str, arguments: Any, x: np.ndarray, mean: float, deviation: float) -> None:
    y = getattr(cr.layers, name)(*arguments, seed=8)(x, training=True)
    # Six standard errors; that of the deviation is at most sqrt(2) times that of the mean for a kurtosis below 9.
    error = 6 * deviation / math.sqrt(x.size)
    assert y.mean(dtype="float64") == pytest.approx(mean, abs=error)
    assert y.std(dtype="float64") == pytest.approx(deviation, abs=math.sqrt(2) * error)


@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout"])
def test_draws_are_shared_along_axes_of_size_one(name: str) -> None:
    x = np.ones((300, 4, 5), "float32")
    layer = LAYERS[name](noise_shape=[None, 1, 5], seed=2)
    y = cr.jit(lambda x: layer(x, training=True))(x)
    assert np.ptp(y, axis=1).max() == 0 and np.ptp(y) > 0
    with pytest.raises(ChainruleError, match="does not fit the input"):
        layer(np.ones((3, 4), "float32"), training=True)


def test_extreme_rates() -> None:
    x = np.ones((3, 4), "float32")
    assert not cr.layers.Dropout(1.0)(x, training=True).any()
    for layer in (cr.layers.Dropout(0.0), cr.layers.AlphaDropout(0.0), cr.layers.GaussianNoise(0.0)):
        np.testing.assert_array_equal(layer(x, training=True), x)


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives_are_those_of_the_draw(name: str) -> None:
    """For one draw the layer is ``a * x + b`` element by element: the slope is what a unit step changes."""
    x = standard_normal()[:6]

    def run(x: Any) -> Any:
        return LAYERS[name](seed=5)(x, training=True)

    slope = cr.grad(lambda x: cr.ops.sum(run(x)))(x)
    np.testing.assert_allclose(slope, run(x + 1) - run(x), rtol=1e-4, atol=1e-5)


def test_training_with_noise_is_repeatable() -> None:
    x = standard_normal()[:64]

    def train() -> np.ndarray:
        cr.set_random_seed(4)
        noise = [make() for make in LAYERS.values()]
        model = cr.Sequential([cr.Input((8,)), cr.layers.Dense(8, "selu"), *noise, cr.layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(x, x[:, :1], epochs=2, batch_size=16, verbose=0)
        return model.predict(x, verbose=0)

    np.testing.assert_array_equal(train(), train())


@pytest.mark.parametrize("name", LAYERS)
def test_configurations_make_equal_layers(name: str) -> None:
    layer = LAYERS[name](seed=7)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = standard_normal()[:5]
    np.testing.assert_array_equal(again(x, training=True), layer(x, training=True))


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: cr.layers.Dropout(1.1), "rate is out of range"),
        (lambda: cr.layers.Dropout(0.5, noise_shape="all"), "not a shape of draws"),
        (lambda: cr.layers.Dropout(0.5, noise_shape=(0, 1)), "not a shape of draws"),
        (lambda: cr.layers.AlphaDropout(1.0), "rate is out of range"),
        (lambda: cr.layers.GaussianDropout(1.0), "rate is out of range"),
        (lambda: cr.layers.GaussianNoise(-0.1), "stddev is out of range"),
    ],
)
def test_mistakes_are_refused(make_layer: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        make_layer()
