"""Slopes at the places where a formula is put together."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


@pytest.mark.parametrize("compiled", [False, True])
def test_the_softplus_has_its_slope_at_zero_too(compiled: bool) -> None:
    slope = cr.grad(lambda x: cr.ops.sum(cr.ops.softplus(x)))
    x = np.array([-2.0, -0.0, 0.0, 2.0], "float32")
    found = (cr.jit(slope) if compiled else slope)(x)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-x.astype("float64"))), rtol=1e-6)
    falling = cr.grad(lambda x: cr.ops.sum(cr.ops.log_sigmoid(x)))
    np.testing.assert_allclose((cr.jit(falling) if compiled else falling)(x), 1 - found, rtol=1e-6)


@pytest.mark.parametrize(("target", "expected"), [(0.0, 0.5), (1.0, -0.5)])
def test_a_logit_of_zero_learns(target: float, expected: float) -> None:
    loss = cr.losses.BinaryCrossentropy(from_logits=True)
    y = np.array([[target]], "float32")
    assert cr.grad(lambda z: loss(y, z))(np.zeros((1, 1), "float32")) == pytest.approx(expected)


def test_the_softplus_of_what_is_large_or_no_number() -> None:
    x = np.array([-1000.0, 1000.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(cr.ops.softplus(x), [0.0, 1000.0, np.inf, 0.0, np.nan])
