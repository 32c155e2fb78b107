"""Pace: how many workers run a program fastest, found by running it.

The result has the same bits for any number of workers, so the choice can be made from the clock, while training goes
on: each number is tried for a moment, the fastest is kept, and the others are tried again now and then, more rarely the
more often they lost. So a step too small to share runs on one thread, and on a machine that other work has filled, or
that a container's quota holds back, workers do not wait long for each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_TRIAL_SECONDS = 2e-4
_SMALL_SECONDS = 1e-3
"""A first trial that costs less is made at once."""
_PATIENCE = (0.002, 0.1, 2.0)
"""Seconds until another number is tried again: at first, at most, and at most for one that was far behind."""
_MEMORY_SECONDS = 0.05
_SHARE = 40
"""So many times as long as a trial costs must have passed since the last, for all other numbers together."""


def team_sizes(limit: int) -> list[int]:
    """The numbers of workers to choose from: all, halves of it, one.

    Example:
        >>> team_sizes(12)
        [12, 6, 3, 1]
    """
    sizes = [limit]
    while sizes[-1] > 1:
        sizes.append(sizes[-1] // 2)
    return sizes


class Pace:
    """Seconds a step for each number of workers, and which comes next.

    Args:
        limit: the most workers.
        clock: seconds, from wherever.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.perf_counter):
        self.clock = clock
        self.began = clock()
        self.sizes = team_sizes(limit)
        self.seconds: dict[int, float] = {}
        self.patience: dict[int, float] = dict.fromkeys(self.sizes, 0.0)
        self.tried: dict[int, float] = dict.fromkeys(self.sizes, -1e9)

    def best(self) -> int:
        """The fastest so far; all of them before anything was measured."""
        return min(self.seconds, key=lambda size: self.seconds[size]) if self.seconds else self.sizes[0]

    def next_trial(self) -> int | None:
        """A number of workers that ought to be measured now."""
        if len(self.sizes) == 1:
            return None
        if not self.seconds:
            return self.sizes[0]
        best, now = self.best(), self.clock()
        for size in self.sizes:
            waited = now - max(self.tried[size], self.began)
            if size != best and waited >= self.patience[size]:
                cost = self.trial_steps(size) * self.expected(size)
                first = size not in self.seconds and cost < _SMALL_SECONDS
                if first or waited > _SHARE * (len(self.sizes) - 1) * cost:
                    return size
        return None

    def expected(self, size: int) -> float:
        """Seconds a step: as measured last, or as if the workers had nothing to wait for."""
        best = self.best()
        return self.seconds[size] if size in self.seconds else self.seconds[best] * max(1.0, best / size)

    def trial_steps(self, size: int) -> int:
        """Steps of a trial: about 0.2 ms of them, after one that does not count where steps are short."""
        if not self.seconds:
            return 4
        step = self.expected(size)
        return 1 if step > _SMALL_SECONDS else max(2, min(1000, int(_TRIAL_SECONDS / max(step, 1e-9))))

    def record(self, size: int, steps: int, seconds: float) -> None:
        """Take note of a run; a short one changes what is known of the fastest only a little.

        A first step after a pause finds cold caches and workers asleep, and says nothing about the next thousand.
        """
        before = self.best()
        known = self.seconds.get(size)
        weight = 1.0 if known is None or size != before else min(1.0, seconds / _MEMORY_SECONDS)
        self.seconds[size] = seconds / steps if known is None else known + weight * (seconds / steps - known)
        self.tried[size] = self.clock()
        lost = before if self.best() == size else size
        if lost != self.best():
            least, near, far = _PATIENCE
            most = far if self.seconds.get(lost, 0.0) > 2 * self.seconds[self.best()] else near
            self.patience[lost] = min(max(2 * self.patience[lost], least), most)
        self.patience[self.best()] = 0.0
