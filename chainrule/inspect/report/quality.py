"""How good answers are, in numbers with their uncertainty.

In: arrays of truth and answers. Out: shares, errors, tables of counts, and intervals in which the true value lies
with a probability of 95 %, as far as the rows are a fair sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_NORMAL_QUANTILE = 1.959963984540054  # 97.5 % of a normal distribution lie below
_RESAMPLES = 400
_MOST_RESAMPLED = 4_000_000  # numbers drawn at most for one interval


@dataclass(frozen=True)
class Interval:
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(successes: int, count: int) -> Interval:
    """A share with the score interval.

        p̃ = (p + z²/2N) / (1 + z²/N),  half its length z/(1 + z²/N) · √(p(1−p)/N + z²/4N²)

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Example:
        >>> share = wilson(90, 100)
        >>> round(share.low, 4), round(share.high, 4)
        (0.8256, 0.9448)
    """
    if count == 0:
        return Interval(math.nan, math.nan, math.nan)
    p, z = successes / count, _NORMAL_QUANTILE
    centre = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return Interval(p, min(p, max(0.0, centre - half)), max(p, min(1.0, centre + half)))


def mean_interval(values: np.ndarray) -> Interval:
    """A mean, and 1.96 standard errors to both sides: of many rows a mean is near a normal distribution.

    Example:
        >>> mean_interval(np.array([0.0, 1.0, 2.0]))
        Interval(value=1.0, low=-0.1315..., high=2.1315...)
    """
    mean = float(values.mean())
    half = _NORMAL_QUANTILE * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Interval(mean, mean - half, mean + half)


def bootstrap(statistic: Callable[[np.ndarray], np.ndarray], parts: np.ndarray) -> Interval:
    """A statistic of sums over rows with its percentile interval, from rows drawn anew with a fixed seed.

    Args:
        statistic: of means (…, P) to values (…).
        parts: (N, P), what each row adds.

    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979.

    Example:
        >>> found = bootstrap(lambda means: means[..., 0], np.arange(100.0)[:, None])
        >>> found.value, 40 < found.low < found.value < found.high < 59
        (49.5, True)
    """
    rows = len(parts)
    rng = np.random.default_rng(0)
    rounds = max(50, min(_RESAMPLES, _MOST_RESAMPLED // rows))
    # How often each row is drawn: one row after the other would hold rounds × N indices at once.
    means = np.stack([rng.multinomial(rows, np.full(rows, 1 / rows)) @ parts for _ in range(rounds)]) / rows
    with np.errstate(invalid="ignore", over="ignore"):  # a loss may be infinite
        low, high = np.nanquantile(statistic(means), [0.025, 0.975])
        return Interval(float(statistic(parts.mean(axis=0))), float(low), float(high))


@dataclass(frozen=True)
class ClassQuality:
    """How one class fares: recall, precision, and their harmonic mean, F1."""

    rows: int
    recall: Interval
    precision: float
    f1: float


def judge_classes(confusions: np.ndarray) -> list[ClassQuality]:
    """Recall, precision and F1 of each class, from how many rows of each (down) were given each (across), (K, K)."""
    found = []
    for k, hits in enumerate(np.diag(confusions)):
        rows, named = int(confusions[k].sum()), int(confusions[:, k].sum())
        f1 = 2 * hits / (rows + named) if rows + named else math.nan
        found.append(ClassQuality(rows, wilson(int(hits), rows), hits / named if named else math.nan, float(f1)))
    return found


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive row has a larger score than a negative one, ties counting half.

    Source: Mann and Whitney, 1947; it is the area under the receiver operating characteristic.

    Example:
        >>> area_under_curve(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
        0.75
    """
    count = int(positive.sum())
    if count in (0, len(positive)):
        return math.nan
    _, place, rows = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(rows) - (rows - 1) / 2)[place]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


@dataclass(frozen=True)
class NumberQuality:
    """How well numbers are met: mean absolute error, root of the mean square, and R², the variance explained."""

    absolute: Interval
    root_square: Interval
    explained: Interval


def judge_numbers(truth: np.ndarray, answers: np.ndarray) -> NumberQuality:
    """Errors of a column of numbers.

    MAE = mean \\|ŷ − y\\|,  RMSE = √mean (ŷ − y)²,  R² = 1 − mean (ŷ − y)² / (mean y² − (mean y)²)
    """
    error = answers - truth
    centred = truth - truth.mean()  # squares of large numbers would lose the variance
    parts = np.stack([np.abs(error), error**2, centred, centred**2], axis=1)

    def explain(means: np.ndarray) -> np.ndarray:
        variance = means[..., 3] - means[..., 2] ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(variance > 0, 1 - means[..., 1] / variance, np.nan)

    return NumberQuality(
        bootstrap(lambda means: means[..., 0], parts),
        bootstrap(lambda means: np.sqrt(means[..., 1]), parts),
        bootstrap(explain, parts) if centred.any() else Interval(math.nan, math.nan, math.nan),
    )


__all__ = [
    "ClassQuality",
    "Interval",
    "NumberQuality",
    "area_under_curve",
    "bootstrap",
    "judge_classes",
    "judge_numbers",
    "mean_interval",
    "wilson",
]
