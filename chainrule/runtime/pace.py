"""Pace: how many workers run a program fastest, found by running it.

The result has the same bits for any number of workers, so the choice can be made from the clock, while training goes
on: each number is tried for a moment, the fastest is kept, and the others are tried again now and then, more rarely the
slower they were. So a step too small to share runs on one thread, and a machine that other work has filled, or that a
container's quota holds back, does not make workers wait long for each other.
"""

from __future__ import annotations

_TRIAL_SECONDS = 2e-4
_PATIENCE_SECONDS = 0.25
"""Until another number is tried again; times how many times slower it was, but not more than `_MOST` times."""
_MOST = 20


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
    """Seconds a step for each number of workers, and which comes next."""

    def __init__(self, limit: int):
        self.sizes = team_sizes(limit)
        self.seconds: dict[int, float] = {}
        self.waited: dict[int, float] = dict.fromkeys(self.sizes, 0.0)

    def best(self) -> int:
        """The fastest so far; all of them before anything was measured."""
        return min(self.seconds, key=lambda size: self.seconds[size]) if self.seconds else self.sizes[0]

    def next_trial(self) -> int | None:
        """A number of workers that ought to be measured now."""
        if len(self.sizes) == 1:
            return None
        for size in self.sizes:
            if size not in self.seconds:
                return size
        best = self.best()
        for size in self.sizes:
            slower = min(self.seconds[size] / self.seconds[best], _MOST)
            if size != best and self.waited[size] > _PATIENCE_SECONDS * slower:
                return size
        return None

    def trial_steps(self, size: int) -> int:
        """Steps of a trial: about 0.2 ms of them, going by the last trial of this size."""
        known = self.seconds.get(size) or min(self.seconds.values(), default=0.0)
        return max(2, min(1000, int(_TRIAL_SECONDS / known))) if known else 4

    def record(self, size: int, steps: int, seconds: float) -> None:
        """Take note of a run."""
        self.seconds[size] = seconds / steps
        for other in self.sizes:
            self.waited[other] = 0.0 if other == size else self.waited[other] + seconds
