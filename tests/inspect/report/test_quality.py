"""Shares, errors and their intervals, against formulas written down otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.inspect.report.quality import (
    area_under_curve,
    bootstrap,
    judge_classes,
    judge_numbers,
    mean_interval,
    wilson,
)


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (5, 10), (983, 1000), (1, 3)])
def test_wilson_bounds_solve_the_equation_they_come_from(hits: int, count: int) -> None:
    """A bound q is where the observed share lies 1.96 standard errors of q away from q."""
    found = wilson(hits, count)
    for bound in (found.low, found.high):
        left, right = (hits / count - bound) ** 2, 1.959963984540054**2 * bound * (1 - bound) / count
        assert left == pytest.approx(right, abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_wilson_holds_its_promise() -> None:
    rng = np.random.default_rng(0)
    hits = rng.binomial(200, 0.9, 2000)
    inside = [wilson(int(hit), 200).low <= 0.9 <= wilson(int(hit), 200).high for hit in hits]
    assert 0.93 < np.mean(inside) < 0.97


def test_nothing_gives_nothing() -> None:
    assert math.isnan(wilson(0, 0).value)
    assert math.isnan(area_under_curve(np.array([1.0, 2.0]), np.array([True, True])))
    assert math.isnan(mean_interval(np.array([1.0])).low)


def test_bootstrap_agrees_with_the_standard_error() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, (900, 1))
    found = bootstrap(lambda means: means[..., 0], values)
    exact = mean_interval(values[:, 0])
    assert found.value == pytest.approx(exact.value)
    assert found.low == pytest.approx(exact.low, abs=0.03) and found.high == pytest.approx(exact.high, abs=0.03)
    assert bootstrap(lambda means: means[..., 0], values) == found


def test_classes_by_hand() -> None:
    first, second, third = judge_classes(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]]))
    assert (first.rows, first.recall.value, first.precision) == (4, 0.75, 0.6)
    assert first.f1 == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))
    assert second.precision == 0.8 and second.recall.value == pytest.approx(4 / 6)
    assert third.rows == 0 and math.isnan(third.precision) and math.isnan(third.f1)


def test_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(2)
    scores, positive = rng.integers(0, 20, 60).astype(float), rng.random(60) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert area_under_curve(scores, positive) == pytest.approx(np.mean(pairs))


def test_numbers_against_their_definitions() -> None:
    rng = np.random.default_rng(3)
    truth = 1e6 + rng.standard_normal(500)
    answers = truth + 0.5 * rng.standard_normal(500)
    found = judge_numbers(truth, answers)
    error = answers - truth
    assert found.absolute.value == pytest.approx(np.abs(error).mean())
    assert found.root_square.value == pytest.approx(np.sqrt((error**2).mean()))
    r2 = 1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert found.explained.value == pytest.approx(r2)
    assert found.explained.low < r2 < found.explained.high < 1
    assert math.isnan(judge_numbers(np.ones(9), np.zeros(9)).explained.value)
