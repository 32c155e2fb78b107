"""The length of a step that lowers a function enough and leaves little slope: the strong conditions of Wolfe.

Along the direction d, with slope s(t) at length t:

    f(t) <= f(0) + c1 t s(0)          |s(t)| <= c2 |s(0)|

First the length grows until two lengths enclose a good one, then the interval shrinks around it; each next length is
the minimum of the cubic through values and slopes at the ends.

Source: Nocedal and Wright, "Numerical optimization", 2006, algorithms 3.5 and 3.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_C1, _C2 = 1e-4, 0.9
_SHORTEST = 1e-9
"""An interval that moves no weight more than this is not divided further."""


@dataclass(frozen=True)
class Point:
    """A length, and there the function's value, its gradient, and its slope along the direction."""

    t: float
    loss: float
    gradient: np.ndarray
    slope: float


def find_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through both points is lowest, within [low, high]; their middle, where it has no minimum."""
    left, right = (a, b) if a.t <= b.t else (b, a)
    width = right.t - left.t
    if width > 0 and math.isfinite(left.loss) and math.isfinite(right.loss):
        bend = left.slope + right.slope - 3 * (left.loss - right.loss) / -width
        root = bend * bend - left.slope * right.slope
        if root >= 0:
            below = right.slope - left.slope + 2 * math.sqrt(root)
            if below != 0:
                lowest = right.t - width * (right.slope + math.sqrt(root) - bend) / below
                return min(max(lowest, low), high)
    return (low + high) / 2


def search_strong_wolfe(
    evaluate: Callable[[float], tuple[float, np.ndarray]],
    start: Point,
    direction: np.ndarray,
    length: float,
    most: int,
) -> tuple[Point, int]:
    """A point that meets the conditions, and how often `evaluate` was called; the best one met after `most` trials.

    Args:
        evaluate: value and gradient at a length.
        start: the point at length 0.
        direction: along which the function falls.
        length: the first to try.
        most: trials.
    """

    def visit(t: float) -> Point:
        loss, gradient = evaluate(t)
        return Point(t, loss if not math.isnan(loss) else math.inf, gradient, float(gradient @ direction))

    def is_too_high(point: Point) -> bool:
        return point.loss > start.loss + _C1 * point.t * start.slope

    before, now = start, visit(length)
    trials = 0
    while trials < most:
        if is_too_high(now) or (trials > 1 and now.loss >= before.loss):
            break
        if abs(now.slope) <= -_C2 * start.slope:
            return now, trials + 1
        if now.slope >= 0:
            break
        further = find_minimum(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10)
        before, now = now, visit(further)
        trials += 1
    else:
        before = start
    low, high = (before, now) if before.loss <= now.loss else (now, before)
    was_near_end = False
    while trials < most:
        left, right = min(low.t, high.t), max(low.t, high.t)
        if (right - left) * float(np.abs(direction).max()) < _SHORTEST:
            break
        t = find_minimum(low, high, left, right)
        margin = 0.1 * (right - left)
        # Near an end the interval would hardly shrink: accept it once, then keep a distance.
        is_near_end = min(right - t, t - left) < margin
        if is_near_end and (was_near_end or t >= right or t <= left):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            is_near_end = False
        was_near_end = is_near_end
        now = visit(t)
        trials += 1
        if is_too_high(now) or now.loss >= low.loss:
            high = now
            low, high = (low, high) if low.loss <= high.loss else (high, low)
            continue
        if abs(now.slope) <= -_C2 * start.slope:
            return now, trials + 1
        if now.slope * (high.t - low.t) >= 0:
            high = low
        low = now
    return low, trials + 1
