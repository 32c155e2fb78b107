"""Measures of representations against their formulas in NumPy and SciPy, and against cases known by hand."""

import numpy as np
import pytest
from scipy.linalg import svdvals

from chainrule import activations
from chainrule.inspect.microscope.measures import (
    cka_matrix,
    class_separation,
    dead_units,
    effective_rank,
    find_bounds,
    linear_cka,
    make_histogram,
    principal_components,
    saturated_units,
)

RNG = np.random.default_rng(7)

SHAPES = [(30, 4, 6), (12, 40, 5), (12, 5, 40), (10, 25, 31), (20, 20, 20)]
"""Rows and the features of two representations: fewer and more features than rows."""


def pair(rows, first, second):
    x = RNG.standard_normal((rows, first)) + 5
    return x, x[:, : min(first, second)] @ RNG.standard_normal((min(first, second), second)) + RNG.standard_normal(
        second
    )


def hsic(k, m, centring=True):
    """The Hilbert-Schmidt independence criterion of two Gram matrices (Gretton et al. 2005)."""
    n = len(k)
    h = np.eye(n) - (1 / n if centring else 0)
    return np.trace(k @ h @ m @ h) / (n - 1) ** 2


def cka_of_grams(x, y, centring=True):
    k, m = x @ x.T, y @ y.T
    return hsic(k, m, centring) / np.sqrt(hsic(k, k, centring) * hsic(m, m, centring))


@pytest.mark.parametrize("shape", SHAPES)
def test_cka_is_that_of_gram_matrices(shape):
    x, y = pair(*shape)
    assert linear_cka(x, y) == pytest.approx(cka_of_grams(x, y), rel=1e-9)
    assert linear_cka(x, y) != pytest.approx(cka_of_grams(x, y, centring=False), rel=1e-3)  # the check can fail


def test_cka_does_not_see_turns_scales_and_shifts():
    x = RNG.standard_normal((50, 8))
    turn, _ = np.linalg.qr(RNG.standard_normal((8, 8)))
    assert linear_cka(x, -3 * x @ turn + 11) == pytest.approx(1)
    assert linear_cka(x, x * np.logspace(0, 2, 8)) < 0.9  # but it sees what stretches one direction


def test_cka_of_independent_noise_is_small():
    x, y = RNG.standard_normal((4000, 5)), RNG.standard_normal((4000, 7))
    assert linear_cka(x, y) < 0.01


def test_cka_of_each_with_each():
    found = [RNG.standard_normal((15, width)) for width in (3, 40, 8, 22)]
    matrix = cka_matrix(found)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    for row, x in enumerate(found):
        for column, y in enumerate(found):
            assert matrix[row, column] == pytest.approx(cka_of_grams(x, y))


def test_cka_with_a_constant_is_unknown():
    assert np.isnan(linear_cka(np.ones((5, 2)), RNG.standard_normal((5, 2))))
    assert np.isnan(cka_matrix([np.ones((5, 2))])).all()


@pytest.mark.parametrize("shape", [(40, 9), (9, 40), (20, 20)])
def test_effective_rank_is_the_entropy_of_singular_values(shape):
    matrix = RNG.standard_normal(shape) @ np.diag(np.logspace(0, -3, shape[1]))
    shares = svdvals(matrix) / svdvals(matrix).sum()
    assert effective_rank(matrix) == pytest.approx(np.exp(-np.sum(shares * np.log(shares))), rel=1e-6)


def test_effective_rank_of_known_matrices():
    assert effective_rank(np.eye(6)) == pytest.approx(6)
    assert effective_rank(4 * np.linalg.qr(RNG.standard_normal((30, 5)))[0]) == pytest.approx(5)
    assert effective_rank(np.outer(np.arange(7.0), np.ones(30))) == pytest.approx(1)
    assert effective_rank(np.zeros((4, 3))) == 0
    # Two directions, of singular values 3 and 1: e to -(3/4 log 3/4 + 1/4 log 1/4).
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(4 / 3**0.75)


@pytest.mark.parametrize("shape", [(40, 9), (9, 40), (500, 400), (400, 500)])
def test_principal_components_are_those_of_the_singular_value_decomposition(shape):
    x = RNG.standard_normal(shape) * np.linspace(1, 4, shape[1]) + 3
    x[:, :3] *= [40, 30, 20]  # large matrices are iterated, which these few directions make quick …
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    found = principal_components(x, 3)
    np.testing.assert_allclose(np.abs(found), np.abs((u * s)[:, :3]), atol=1e-6 * s[0])
    assert all(column[np.argmax(np.abs(column))] > 0 for column in found.T)


def test_principal_components_where_no_direction_leads():
    x = np.random.default_rng(1).standard_normal((500, 400))  # … and which is given up here
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(principal_components(x)), np.abs((u * s)[:, :2]), atol=1e-6 * s[0])


def test_missing_components_are_zero():
    assert np.all(principal_components(np.arange(5.0)[:, None])[:, 1] == 0)
    assert np.all(principal_components(np.ones((4, 3))) == 0)


def test_class_separation_is_the_ratio_of_scatters():
    x, labels = RNG.standard_normal((60, 4)), RNG.integers(0, 3, 60)
    x += labels[:, None] * [1, 0, 2, 0]
    mean = x.mean(axis=0)
    between = sum(
        (labels == k).sum() * np.outer(x[labels == k].mean(0) - mean, x[labels == k].mean(0) - mean) for k in range(3)
    )
    total = sum(np.outer(row - mean, row - mean) for row in x)
    assert class_separation(x, labels) == pytest.approx(np.trace(between) / np.trace(total))
    assert class_separation(np.eye(3)[labels], labels) == pytest.approx(1)
    assert class_separation(x, np.zeros(60, int)) == pytest.approx(0)
    assert np.isnan(class_separation(np.ones((60, 4)), labels))


def test_dead_units_give_one_number():
    activations_ = np.maximum(RNG.standard_normal((20, 5)), 0)
    activations_[:, 1] = 0
    activations_[:, 4] = 0.5
    np.testing.assert_array_equal(dead_units(activations_), [False, True, False, False, True])
    places = RNG.standard_normal((4, 3, 2))  # a unit that is dead at one place of a row is not dead
    places[:, 0, 0] = 0
    assert not dead_units(places).any()


def test_saturated_units_are_at_a_bound_for_most_rows():
    values = np.zeros((100, 3))
    values[:, 0] = np.where(np.arange(100) < 50, 0.99, -0.99)  # at one bound or the other: a way of 2, 1 % of it 0.02
    values[:95, 1] = 1
    values[:94, 2] = 1
    np.testing.assert_array_equal(saturated_units(values, -1, 1), [True, True, False])
    np.testing.assert_array_equal(saturated_units(values * 0.97, -1, 1), [False, False, False])


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("sigmoid", (0, 1)), ("tanh", (-1, 1)), ("hard_sigmoid", (0, 1)), ("hard_tanh", (-1, 1)), ("softsign", (-1, 1)),
        ("sparse_sigmoid", (0, 1)), ("relu6", (0, 6)),
    ],
)  # fmt: skip
def test_bounds_are_found(name, bounds):
    assert find_bounds(getattr(activations, name), (4,)) == pytest.approx(bounds, abs=1e-3)


@pytest.mark.parametrize(
    "name", sorted({*activations.FUNCTIONS} - {"sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign",
                                               "sparse_sigmoid", "relu6", "threshold"})
)  # fmt: skip
def test_other_activations_have_no_bounds_on_both_sides(name):
    assert find_bounds(activations.FUNCTIONS[name], (4,)) is None


def test_an_activation_that_takes_another_shape_has_no_bounds():
    assert find_bounds(activations.glu, (3,)) is None


def test_a_histogram_counts_what_is_finite():
    values = np.array([0.0, 0.1, 0.9, 1.0, np.nan, np.inf])
    found = make_histogram(values, bins=2)
    np.testing.assert_array_equal(found.counts, [2, 2])
    np.testing.assert_allclose(found.edges, [0, 0.5, 1])
    assert make_histogram([np.nan]).counts.sum() == 0
