"""Activations: compiled equals interpreted, derivatives, values that follow from the definition, names, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.activations import FUNCTIONS
from chainrule.autodiff.check import check_gradients
from chainrule.errors import ChainruleError


def threshold(x: Any) -> Any:
    return cr.activations.threshold(x, 0.2, -3.0)


CALLABLE: dict[str, Callable[..., Any]] = FUNCTIONS | {"threshold": threshold}


def data(*shape: int) -> np.ndarray:
    """Numbers on both sides of every kink, and on none."""
    return np.random.default_rng(2).uniform(-4, 4, shape).astype("float32") + np.float32(0.013)


@pytest.mark.parametrize("name", CALLABLE)
def test_compiled_equals_interpreted(name: str) -> None:
    x = data(5, 8)
    found = cr.jit(CALLABLE[name])(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, CALLABLE[name](x), rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("name", CALLABLE)
def test_gradients(name: str) -> None:
    check_gradients(CALLABLE[name], [data(3, 4)], order=1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_name_is_read_back(name: str) -> None:
    function = cr.activations.get(name)
    assert cr.activations.get(cr.activations.serialize(function)) is function


def test_layers_stand_for_activations() -> None:
    layer = cr.layers.Dense(3, activation=cr.layers.LeakyReLU(0.4))
    again = cr.layers.Dense.from_config(layer.get_config())
    assert again.activation.negative_slope == 0.4
    assert cr.activations.get(cr.activations.relu) is cr.activations.relu


def test_none_is_linear_and_unknown_names_are_refused() -> None:
    assert cr.activations.get(None) is cr.activations.linear
    with pytest.raises(ChainruleError, match="did you mean 'gelu'"):
        cr.activations.get("gelo")


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sparsemax_is_the_nearest_point_of_the_simplex(axis: int) -> None:
    x = data(6, 9)
    p = cr.activations.sparsemax(x, axis)
    np.testing.assert_allclose(p.sum(axis), 1, rtol=1e-5)
    assert (p >= 0).all() and (p == 0).any()
    # Where it is not zero, x - p is one number, the largest of all of the line.
    distance = x - p
    np.testing.assert_allclose(np.where(p > 0, distance, -np.inf).max(axis), distance.max(axis), rtol=1e-5)


def test_rrelu_draws_slopes_in_training_only() -> None:
    x = -np.ones((100, 100), "float32")
    assert len(np.unique(cr.activations.rrelu(x))) == 1
    drawn = -cr.activations.rrelu(x, 0.2, 0.3, training=True, seed=1)
    assert len(np.unique(drawn)) > 9000 and drawn.min() >= 0.2 and drawn.max() < 0.3
    np.testing.assert_array_equal(drawn, -cr.activations.rrelu(x, 0.2, 0.3, training=True, seed=1))


def test_relu_with_all_arguments_is_its_formula() -> None:
    x = np.array([-2.0, 0.5, 1.5, 9.0], "float32")
    np.testing.assert_allclose(cr.activations.relu(x, 0.5, 4.0, 1.0), [-1.5, -0.25, 1.5, 4.0])


def test_refusals() -> None:
    with pytest.raises(ChainruleError, match="cannot be halved"):
        cr.activations.glu(data(2, 3))
    with pytest.raises(ChainruleError, match="upper is out of range"):
        cr.activations.rrelu(data(2, 3), 0.5, 0.2)
