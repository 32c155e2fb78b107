"""Pace: how many workers run a program fastest, found by running it.

The result has the same bits for any number of workers, so the choice can be made from the clock, while training goes
on: each number is tried for a moment, the fastest is kept, and the others are tried again now and then, more rarely the
more often they lost. So a step too small to share runs on one thread, and on a machine that other work has filled, or
that a container's quota holds back, workers do not wait long for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_TRIAL_SECONDS = 2e-4
_LONGER_SECONDS = 2e-3
"""A trial may take so long where it lost before: a few steps after waking up are slower than those that follow."""
_WAKING_SECONDS = 5e-4
"""So long do steps not count where a trial wakes workers: their CPUs may have slept, with nothing in their caches."""
_SMALL_SECONDS = 1e-3
"""A first trial that costs less is made at once."""
_PATIENCE = (0.002, 0.1, 2.0)
"""Seconds of running until another number is tried again: at first, at most, and at most for one far behind."""
_MEMORY_SECONDS = 0.05
"""So far back, in seconds of running, reaches the mean of the fastest, and so long may it run until the next choice."""
_SHARE = 40
"""So many times as long as a trial costs must have been run since the last, for all other numbers together."""
_FAR_SHARE, _LARGE_SECONDS = 200, 1e-2
"""The same of a number that was far behind, where a trial costs more than this."""


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


@dataclass
class Trial:
    """A number of workers that is being measured, over one run or several.

    Args:
        warm: steps left that do not count: they wake the workers and bring the data into their caches.
        steps: steps left that count.
    """

    size: int
    warm: int
    steps: int
    counted: int = 0
    seconds: float = 0.0

    def count(self, steps: int, seconds: float) -> None:
        self.counted += steps
        self.seconds += seconds


class Pace:
    """Seconds a step for each number of workers, as the mean over how many, and which comes next.

    Time is that of the runs: how long the caller did other things between them does not count.

    Args:
        limit: the most workers.
    """

    def __init__(self, limit: int):
        self.now = 0.0
        self.sizes = team_sizes(limit)
        self.seconds: dict[int, float] = {}
        self.counted: dict[int, float] = {}
        self.patience: dict[int, float] = dict.fromkeys(self.sizes, 0.0)
        self.tried: dict[int, float] = dict.fromkeys(self.sizes, 0.0)
        self.trial: Trial | None = None
        self.held: Trial | None = None
        self._best = self.sizes[0]

    def best(self) -> int:
        """The fastest so far; all of them before anything was measured."""
        return self._best

    def next_run(self, most: int) -> tuple[int, int]:
        """With how many workers to run, and how many steps, at most so many; `record` what it took."""
        if self.held is not None:
            return self.held.size, most
        if len(self.sizes) == 1:
            return self.sizes[0], most
        if self.trial is None:
            self.trial = self._find_trial()
        if self.trial is not None:
            return self.trial.size, min(most, self.trial.warm or self.trial.steps)
        best = self.best()
        return best, min(most, max(1, int(_MEMORY_SECONDS / self.seconds[best])))

    def record(self, size: int, steps: int, seconds: float) -> None:
        """Take note of a run."""
        if self.held is not None:
            self.held.count(steps, seconds)
            return
        self.now += seconds
        trial = self.trial
        if trial is None or trial.size != size:
            self._learn(size, steps, seconds)
        elif trial.warm:
            trial.warm = max(0, trial.warm - steps)
        else:
            trial.steps -= steps
            trial.count(steps, seconds)
            if trial.steps <= 0:
                self.trial = None
                self._learn(size, trial.counted, trial.seconds)

    @contextmanager
    def hold(self, size: int) -> Iterator[Trial]:
        """Inside, runs have so many workers and count for the trial that this gives, not for the choice."""
        self.held = Trial(size, 0, 0)
        try:
            yield self.held
        finally:
            self.held = None

    def _find_trial(self) -> Trial | None:
        """A number of workers that ought to be measured now."""
        if not self.seconds:
            return Trial(self.sizes[0], 1, 3)
        best = self.best()
        for size in self.sizes:
            waited = self.now - self.tried[size]
            if size != best and waited >= self.patience[size]:
                steps = self._trial_steps(size)
                trial = Trial(size, self._warm_steps(size, steps), steps)
                cost = (trial.warm + steps) * self._expected(size)
                first = size not in self.seconds and cost < _SMALL_SECONDS
                share = _FAR_SHARE if cost > _LARGE_SECONDS and self._is_far_behind(size) else _SHARE
                if first or waited > share * (len(self.sizes) - 1) * cost:
                    return trial
        return None

    def _is_far_behind(self, size: int) -> bool:
        """Whether this number was far slower than the fastest."""
        return self.seconds.get(size, 0.0) > 1.5 * self.seconds[self.best()]

    def _expected(self, size: int) -> float:
        """Seconds a step: as measured last, or as if the workers had nothing to wait for."""
        best = self.best()
        return self.seconds[size] if size in self.seconds else self.seconds[best] * max(1.0, best / size)

    def _trial_steps(self, size: int) -> int:
        """As many steps as the fastest makes in 0.2 ms, unless this number was far slower."""
        step = max(self._expected(size), 1e-9)
        if step > _SMALL_SECONDS:
            return 1
        wanted = _TRIAL_SECONDS / max(self.seconds[self.best()], 1e-9)
        return max(2, min(1000, int(max(_TRIAL_SECONDS / step, min(wanted, _LONGER_SECONDS / step)))))

    def _warm_steps(self, size: int, steps: int) -> int:
        """How many steps should run before so many that count."""
        if steps == 1:
            return 0
        return max(steps // 4 + 1, int(_WAKING_SECONDS / self._expected(size)) if size > self.best() else 0)

    def _learn(self, size: int, steps: int, seconds: float) -> None:
        """Keep what a step took: of the fastest the mean over its last steps, of another what its last trial found.

        So a step that something interrupted counts as one of many. Nothing makes steps twice as fast as they are: where
        they seem to be, those before had cold caches, or workers asleep, and are forgotten.
        """
        before = self.best()
        known = self.seconds.get(size, 0.0)
        lasting = size == before and 0 < known * steps < 2 * seconds
        counted = min(self.counted[size], _MEMORY_SECONDS / known) if lasting else 0.0
        self.seconds[size] = (known * counted + seconds) / (counted + steps)
        self.counted[size] = counted + steps
        self.tried[size] = self.now
        best = self._best = min(self.seconds, key=self.seconds.__getitem__)
        lost = before if best == size else size
        if lost != best:
            least, near, far = _PATIENCE
            most = far if self._is_far_behind(lost) else near
            self.patience[lost] = min(max(2 * self.patience[lost], least), most)
        self.patience[best] = 0.0
