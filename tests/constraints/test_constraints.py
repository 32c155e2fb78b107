"""Constraints: compiled equals interpreted, what they promise of norms, configurations, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.constraints import CLASSES
from chainrule.errors import ChainruleError

KERNEL = np.random.default_rng(1).normal(0, 2, (5, 7)).astype("float32")


@pytest.mark.parametrize("name", CLASSES)
def test_compiled_equals_interpreted_and_a_configuration_makes_it_again(name: str) -> None:
    made = cr.constraints.get(name)
    again = cr.constraints.get({"class_name": type(made).__name__, "config": made.get_config()})
    np.testing.assert_allclose(cr.jit(again)(KERNEL), made(KERNEL), rtol=1e-6, atol=1e-7)


def test_norms() -> None:
    def norms(w: Any, axis: int = 0) -> Any:
        return np.sqrt((np.asarray(w, "float64") ** 2).sum(axis))

    assert (norms(cr.constraints.MaxNorm(1.5)(KERNEL)) <= 1.5 + 1e-6).all()
    np.testing.assert_allclose(norms(cr.constraints.UnitNorm(axis=1)(KERNEL), 1), 1, rtol=1e-5)
    bounded = norms(cr.constraints.MinMaxNorm(1.0, 3.0)(KERNEL))
    assert (bounded >= 1 - 1e-5).all() and (bounded <= 3 + 1e-6).all()
    half = norms(cr.constraints.MinMaxNorm(0.0, 1.0, rate=0.5)(KERNEL))
    np.testing.assert_allclose(half, (norms(KERNEL) + np.minimum(norms(KERNEL), 1)) / 2, rtol=1e-5)
    assert (cr.constraints.NonNeg()(KERNEL) >= 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.constraints.MaxNorm(-1), "max_value is out of range"),
        (lambda: cr.constraints.MinMaxNorm(2.0, 1.0), "max_value is out of range"),
        (lambda: cr.constraints.MinMaxNorm(rate=1.5), "rate is out of range"),
        (lambda: cr.constraints.get("max"), "unknown constraint"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        make()
