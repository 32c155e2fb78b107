"""Regularizers: compiled equals interpreted, derivatives, configurations, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autodiff.check import check_gradients
from chainrule.errors import ChainruleError
from chainrule.regularizers import CLASSES

MADE = [
    cr.regularizers.L1(0.2),
    cr.regularizers.L2(0.3),
    cr.regularizers.L1L2(0.1, 0.2),
    cr.regularizers.OrthogonalRegularizer(0.5),
    cr.regularizers.OrthogonalRegularizer(0.5, "columns"),
]
KERNEL = np.random.default_rng(1).normal(0, 1, (4, 3)).astype("float32")


@pytest.mark.parametrize("made", MADE)
def test_compiled_equals_interpreted_and_the_gradient_that_of_differences(made: Any) -> None:
    np.testing.assert_allclose(cr.jit(made)(KERNEL), made(KERNEL), rtol=1e-6)
    check_gradients(made, [KERNEL], order=1)


@pytest.mark.parametrize("name", CLASSES)
def test_a_configuration_makes_it_again(name: str) -> None:
    made = cr.regularizers.get(name)
    again = cr.regularizers.get({"class_name": type(made).__name__, "config": made.get_config()})
    assert type(again) is type(made) and again.get_config() == made.get_config()


def test_equal_directions_cost_the_factor_and_no_direction_nothing() -> None:
    same = np.ones((3, 2), "float32")
    np.testing.assert_allclose(cr.regularizers.OrthogonalRegularizer(0.5)(same), 0.5, rtol=1e-6)
    assert np.isfinite(cr.grad(cr.regularizers.OrthogonalRegularizer())(np.zeros((3, 2), "float32"))).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.regularizers.L1(-1), "l1 is out of range"),
        (lambda: cr.regularizers.L2(float("inf")), "l2 is out of range"),
        (lambda: cr.regularizers.OrthogonalRegularizer(mode="both"), "unknown mode"),
        (lambda: cr.regularizers.OrthogonalRegularizer()(np.ones(3, "float32")), "not a matrix"),
        (lambda: cr.regularizers.get("l3"), "unknown regularizer"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        make()
