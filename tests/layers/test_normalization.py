"""Normalizations: compiled equals interpreted, derivatives, what training changes, configurations, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autodiff.check import check_gradients
from chainrule.errors import ChainruleError

LAYERS: dict[str, Any] = {
    "batch": lambda: cr.layers.BatchNormalization(momentum=0.9),
    "batch, axis 1": lambda: cr.layers.BatchNormalization(axis=1),
    "batch, corrected": lambda: cr.layers.BatchNormalization(renorm=True, renorm_clipping={"rmax": 1.2, "dmax": 0.5}),
    "batch, frozen": lambda: cr.layers.BatchNormalization(trainable=False),
    "layer": lambda: cr.layers.LayerNormalization(),
    "layer, two axes": lambda: cr.layers.LayerNormalization(axis=[1, 2], center=False),
    "layer, axis 1": lambda: cr.layers.LayerNormalization(axis=1, scale=False),
    "group": lambda: cr.layers.GroupNormalization(groups=3),
    "group, axis 1": lambda: cr.layers.GroupNormalization(groups=2, axis=1),
    "instance": lambda: cr.layers.GroupNormalization(groups=-1),
    "root mean square": lambda: cr.layers.RMSNormalization(),
    "unit": lambda: cr.layers.UnitNormalization(axis=(1, 2)),
    "spectral": lambda: cr.layers.SpectralNormalization(cr.layers.Dense(5), power_iterations=2),
}


def data(*shape: int, mean: float = 0.3) -> np.ndarray:
    return np.random.default_rng(0).normal(mean, 1.5, shape).astype("float32")


def make(name: str, x: np.ndarray) -> Any:
    """A built layer whose weights are the same each time and nowhere special."""
    layer = LAYERS[name]()
    layer(x)
    layer.set_weights(
        [
            0.5 + np.linspace(0, 1, value.size).reshape(value.shape) ** (1 + place)
            for place, value in enumerate(layer.get_weights())
        ]
    )
    return layer


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_compiled_equals_interpreted(name: str, training: bool) -> None:
    x = data(7, 4, 6)
    eager, compiled = make(name, x), make(name, x)
    expected = eager(x, training=training)
    result = cr.jit(lambda x: compiled(x, training=training))(x)
    np.testing.assert_allclose(result, expected, rtol=2e-5, atol=2e-6)
    for mine, other in zip(compiled.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", [name for name in LAYERS if name not in ("batch, corrected", "spectral")])
def test_derivatives(name: str, training: bool) -> None:
    x = data(5, 4, 6)
    layer = make(name, x)
    check_gradients(lambda x: layer(x, training=training), [x], order=2)


def test_results_have_mean_and_deviation_of_their_weights() -> None:
    x = data(2000, 3, mean=1000.0)
    y = cr.layers.BatchNormalization(epsilon=0.0)(x, training=True)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-5)
    y = cr.layers.LayerNormalization(epsilon=0.0)(x)
    np.testing.assert_allclose(y.mean(1), 0, atol=1e-5)


def test_masked_positions_do_not_count() -> None:
    x = data(6, 4)
    mask = np.array([True, True, False, True, False, True])
    layer, other = cr.layers.BatchNormalization(), cr.layers.BatchNormalization()
    y = layer(x, training=True, mask=mask)
    np.testing.assert_allclose(y[mask], other(x[mask], training=True), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), other.moving_variance.numpy(), rtol=1e-5)
    with pytest.raises(ChainruleError, match="mask does not fit"):
        layer(x, training=True, mask=np.ones((6, 4), bool))


def test_a_row_of_zeros_has_a_derivative() -> None:
    layer = cr.layers.UnitNormalization()
    slope = cr.grad(lambda x: cr.ops.sum(layer(x)))(np.zeros((1, 3), "float32"))
    assert np.isfinite(slope).all() and not layer(np.zeros((1, 3), "float32")).any()


def make_model(**options: Any) -> Any:
    cr.set_random_seed(1)
    norm = cr.layers.BatchNormalization(momentum=0.5, **options)
    model = cr.Sequential(
        [cr.Input((4,)), cr.layers.Dense(8), norm, cr.layers.LayerNormalization(), cr.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model, norm


def test_training_moves_the_averages_and_predicting_uses_them(tmp_path: Path) -> None:
    x = data(64, 4, mean=2.0)
    model, norm = make_model()
    model.fit(x, x[:, :1], epochs=3, batch_size=16, verbose=0)
    assert np.abs(norm.moving_mean.numpy()).max() > 0.1
    hidden = model.layers[0](x) if not isinstance(model.layers[0], cr.layers.InputLayer) else model.layers[1](x)
    expected = (hidden - norm.moving_mean.numpy()) / np.sqrt(norm.moving_variance.numpy() + 1e-3)
    expected = expected * norm.gamma.numpy() + norm.beta.numpy()
    np.testing.assert_allclose(norm(hidden), expected, rtol=1e-4, atol=1e-5)
    path = tmp_path / "model.chain"
    model.save(path)
    loaded = cr.load_model(path)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    before = loaded.get_weights()
    loaded.predict(x, verbose=0)
    loaded.evaluate(x, x[:, :1], verbose=0)
    assert all(np.array_equal(one, other) for one, other in zip(before, loaded.get_weights(), strict=True))


def test_a_frozen_layer_stays_as_it_is() -> None:
    x = data(64, 4)
    model, norm = make_model(trainable=False)
    model.fit(x, x[:, :1], epochs=2, batch_size=16, verbose=0)
    assert not norm.moving_mean.numpy().any() and (norm.gamma.numpy() == 1).all()
    assert norm.trainable_variables == [] and len(norm.weights) == 4


def test_weights_are_in_the_order_of_keras() -> None:
    layer = cr.layers.BatchNormalization()
    layer(data(3, 4))
    assert [weight.name.split("/")[-1] for weight in layer.weights] == [
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    ]
    assert len(layer.trainable_variables) == 2


def test_spectral_norm_becomes_one() -> None:
    inner = cr.layers.Dense(6)
    layer = cr.layers.SpectralNormalization(inner, power_iterations=50)
    x = data(3, 4)
    layer(x)
    layer(x, training=True)
    assert np.linalg.svd(inner.kernel.numpy(), compute_uv=False)[0] == pytest.approx(1.0, rel=1e-5)
    kernel = inner.kernel.numpy()
    layer(x)
    np.testing.assert_array_equal(inner.kernel.numpy(), kernel)


def test_a_wrapped_layer_trains_and_is_saved(tmp_path: Path) -> None:
    x = data(32, 4)
    wrapped = cr.layers.SpectralNormalization(cr.layers.Dense(3, "tanh"))
    model = cr.Sequential([cr.Input((4,)), wrapped, cr.layers.Dense(1)])
    model.compile("adam", "mse")
    assert len(model.trainable_variables) == 4
    model.fit(x, x[:, :1], epochs=2, batch_size=8, verbose=0)
    model.save(tmp_path / "model.chain")
    loaded = cr.load_model(tmp_path / "model.chain")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("name", LAYERS)
def test_configurations_make_equal_layers(name: str) -> None:
    layer = LAYERS[name]()
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    assert again(data(3, 4, 6)).shape == layer(data(3, 4, 6)).shape


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: cr.layers.BatchNormalization(axis=[1]), "not an axis"),
        (lambda: cr.layers.BatchNormalization(momentum=2.0), "momentum is out of range"),
        (lambda: cr.layers.BatchNormalization(renorm_clipping={"rmid": 1}), "not limits"),
        (lambda: cr.layers.BatchNormalization(renorm_clipping={"rmin": 2.0, "rmax": 1.0}), "contradict"),
        (lambda: cr.layers.LayerNormalization(axis="last"), "not an axis"),
        (lambda: cr.layers.LayerNormalization(epsilon=-1.0), "epsilon is out of range"),
        (lambda: cr.layers.GroupNormalization(groups=0), "not a number of groups"),
        (lambda: cr.layers.SpectralNormalization("dense"), "not a layer"),
        (lambda: cr.layers.SpectralNormalization(cr.layers.Dense(2), 0), "power_iterations"),
        (lambda: cr.layers.SpectralNormalization(cr.layers.Flatten())(data(3, 4)), "no weight to normalize"),
        (lambda: cr.layers.BatchNormalization(axis=0)(data(3, 4)), "the axis is the batch"),
        (lambda: cr.layers.LayerNormalization(axis=2)(data(3, 4)), "axis 2 is out of range"),
        (lambda: cr.layers.GroupNormalization(groups=3)(data(3, 4)), "divided evenly"),
    ],
)
def test_mistakes_are_refused(make_layer: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        make_layer()
