"""Probes against least squares with added rows, and against leaving each row out in turn."""

import numpy as np
import pytest

from chainrule.inspect.microscope.probes import (
    PENALTIES,
    fit_ridge,
    linear_probe,
    linear_probe_r2,
    r_squared,
    split_rows,
)

RNG = np.random.default_rng(11)


def ridge_by_added_rows(x, y, penalty):
    """A ridge is least squares with a row of √penalty for each weight; the column of ones is the intercept."""
    rows, features = x.shape
    left = np.block(
        [[x, np.ones((rows, 1))], [np.sqrt(penalty) * np.eye(features), np.zeros((features, 1))]],
    )
    right = np.concatenate([y, np.zeros((features, y.shape[1]))])
    found, *_ = np.linalg.lstsq(left, right, rcond=None)
    return found[:-1], found[-1]


def data(rows=24, features=5, targets=2, noise=0.5):
    x = RNG.standard_normal((rows, features)) * np.linspace(1, 3, features) + 2
    return x, x @ RNG.standard_normal((features, targets)) + noise * RNG.standard_normal((rows, targets)) - 4


@pytest.mark.parametrize("shape", [(24, 5), (10, 30)])
def test_a_ridge_is_least_squares_with_added_rows(shape):
    x, y = data(*shape)
    found = fit_ridge(x, y)
    weights, intercept = ridge_by_added_rows(x, y, found.penalty)
    np.testing.assert_allclose(found.weights, weights, atol=1e-8)
    np.testing.assert_allclose(found.intercept, intercept, atol=1e-8)
    wrong, _ = ridge_by_added_rows(x, y, 2 * found.penalty)
    assert not np.allclose(found.weights, wrong, atol=1e-8)


@pytest.mark.parametrize(("rows", "features", "noise"), [(24, 5, 0.1), (24, 5, 8.0), (14, 20, 0.5)])
def test_the_penalty_is_the_one_that_leaving_out_rows_chooses(rows, features, noise):
    x, y = data(rows, features, noise=noise)
    centred = x - x.mean(axis=0)
    squares = np.linalg.svd(centred, compute_uv=False)[: min(features, rows - 1)] ** 2
    errors = []
    for part in PENALTIES:
        missed = 0.0
        for out in range(rows):
            kept = np.arange(rows) != out
            weights, intercept = ridge_by_added_rows(x[kept], y[kept], part * squares.mean())
            missed += np.sum((x[out] @ weights + intercept - y[out]) ** 2)
        errors.append(missed)
    assert fit_ridge(x, y).penalty == pytest.approx(PENALTIES[int(np.argmin(errors))] * squares.mean())


def test_a_constant_representation_predicts_the_mean():
    found = fit_ridge(np.ones((6, 3)), np.arange(6.0)[:, None])
    np.testing.assert_allclose(found(np.ones((2, 3))), 2.5)


def test_a_probe_is_a_ridge_to_one_target_a_class_on_the_other_half():
    labels = RNG.choice([2, 5, 9], 80)
    x = RNG.standard_normal((80, 4)) + np.eye(10)[labels][:, :4] + (labels == 5)[:, None]
    fitted, held = split_rows(80)
    signs = np.stack([np.where(labels == k, 1.0, -1.0) for k in (2, 5, 9)], axis=1)
    penalty = fit_ridge(x[fitted], signs[fitted]).penalty
    weights, intercept = ridge_by_added_rows(x[fitted], signs[fitted], penalty)
    answers = np.array([2, 5, 9])[np.argmax(x[held] @ weights + intercept, axis=1)]
    expected = np.mean(answers == labels[held])
    assert linear_probe(x, labels) == expected
    assert 0.4 < expected < 1


def test_halves_are_halves_the_same_each_time_and_follow_no_order():
    fitted, held = split_rows(1001)
    np.testing.assert_array_equal(np.sort(np.concatenate([fitted, held])), np.arange(1001))
    assert len(fitted) == 500
    np.testing.assert_array_equal(fitted, split_rows(1001)[0])
    for labels in (np.arange(1001) % 2, np.arange(1001) > 500):  # one class in turn, one after the other
        assert 0.4 < labels[fitted].mean() < 0.6


def test_a_probe_reads_what_is_there_and_nothing_else():
    labels = np.arange(400) % 4
    assert linear_probe(np.eye(4)[labels], labels) == 1
    assert linear_probe(RNG.standard_normal((400, 6)), labels) < 0.4
    circle = np.stack([np.cos(np.arange(400.0)), np.sin(np.arange(400.0))], axis=1) * (1 + labels % 2)[:, None]
    assert linear_probe(circle, labels % 2) < 0.65  # a ring around a ring is not linear …
    assert linear_probe(np.sum(circle**2, axis=1), labels % 2) == 1  # … but its radius is


def test_a_probe_of_numbers():
    x, y = data(200, 5, 1, noise=0)
    assert linear_probe_r2(x, y) == pytest.approx(1, abs=1e-6)
    assert linear_probe_r2(RNG.standard_normal((200, 5)), y[:, 0]) < 0.2
    both = np.concatenate([y, RNG.standard_normal((200, 1)) * y.std()], axis=1)  # half of the variance can be read
    assert linear_probe_r2(x, both) == pytest.approx(0.5, abs=0.1)


def test_r_squared():
    assert r_squared([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]) == 0
    assert r_squared([[1.0], [2.0], [6.0]], [[1.0], [2.0], [6.0]]) == 1
    assert r_squared([0.0, 2.0], [2.0, 4.0]) == -3  # missed by 2 and 2, spread 1 and 1: 1 - 8 / 2
    assert np.isnan(r_squared([1.0, 1.0], [0.0, 1.0]))


def test_what_cannot_be_probed_is_unknown():
    assert np.isnan(linear_probe(np.eye(3), [0, 1, 2]))
    assert np.isnan(linear_probe(np.eye(8), np.zeros(8)))
    assert np.isnan(linear_probe_r2(np.eye(3), [0.0, 1.0, 2.0]))
    assert np.isnan(linear_probe_r2(np.eye(8), np.ones(8)))


def test_wide_representations_take_no_longer_than_their_rows():
    x = RNG.standard_normal((60, 5000))
    labels = (x[:, :40].sum(axis=1) > 0).astype(int)
    assert fit_ridge(x, labels[:, None]).weights.shape == (5000, 1)
    assert 0 <= linear_probe(x, labels) <= 1
