"""Initializers: shapes and types, repeatability, configurations, what each promises, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.initializers import CLASSES
from chainrule.initializers.scaling import count_fans

RANDOM = sorted({kind for kind in CLASSES.values() if "seed" in kind().get_config()}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("name", CLASSES)
def test_a_configuration_makes_it_again(name: str) -> None:
    made = cr.initializers.get(name)
    again = cr.initializers.get({"class_name": type(made).__name__, "config": made.get_config()})
    assert type(again) is type(made) and again.get_config() == made.get_config()
    values = made((4, 3), "float64")
    assert values.shape == (4, 3) and values.dtype == np.float64 and made((4, 3)).dtype == np.float32


@pytest.mark.parametrize("kind", RANDOM)
def test_a_seed_repeats_and_no_seed_does_not(kind: Any) -> None:
    np.testing.assert_array_equal(kind(seed=3)((20, 20)), kind(seed=3)((20, 20)))
    assert (kind(seed=3)((20, 20)) != kind(seed=4)((20, 20))).any()
    unseeded = kind()
    assert (unseeded((20, 20)) != unseeded((20, 20))).any()
    cr.set_random_seed(5)
    first = kind()((20, 20))
    cr.set_random_seed(5)
    np.testing.assert_array_equal(first, kind()((20, 20)))


@pytest.mark.parametrize("shape", [(30, 30), (40, 10), (10, 40), (2, 3, 5)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    q = cr.initializers.Orthogonal(gain=2.0, seed=1)(shape).astype("float64").reshape(-1, shape[-1])
    gram = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-6)


def test_sparse_has_its_share_of_zeros_in_each_column() -> None:
    values = cr.initializers.Sparse(0.25, seed=1)((10, 50))
    np.testing.assert_array_equal((values == 0).sum(axis=0), 3)


def test_fans_by_axes() -> None:
    assert count_fans((3, 3, 16, 32)) == (144, 288)
    assert count_fans((8, 4, 2), (0,), (1, 2)) == (8, 8)
    assert count_fans((7,)) == (7, 7) and count_fans(()) == (1, 1)


def test_values_and_arrays() -> None:
    np.testing.assert_array_equal(cr.initializers.get(np.arange(3.0))((2, 3)), [[0, 1, 2], [0, 1, 2]])
    assert cr.initializers.Constant([1.0, 2.0]).get_config() == {"value": [1.0, 2.0]}
    assert cr.initializers.get(None) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.initializers.Identity()((2, 2, 2)), "matrices only"),
        (lambda: cr.initializers.Orthogonal()((2,)), "matrices only"),
        (lambda: cr.initializers.VarianceScaling(scale=0), "scale is out of range"),
        (lambda: cr.initializers.VarianceScaling(mode="fan"), "unknown mode"),
        (lambda: cr.initializers.VarianceScaling(distribution="laplace"), "unknown distribution"),
        (lambda: cr.initializers.RandomNormal(stddev=-1), "stddev is out of range"),
        (lambda: cr.initializers.RandomUniform(1, 0), "maxval is out of range"),
        (lambda: cr.initializers.GlorotUniform(seed="a"), "not a seed"),
        (lambda: cr.initializers.Constant("a"), "not a number"),
        (lambda: cr.initializers.Constant([1, 2])((3,)), "do not fit"),
        (lambda: cr.initializers.calculate_gain("relo"), "unknown nonlinearity"),
        (lambda: cr.initializers.get("glorot"), "did you mean"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        make()
