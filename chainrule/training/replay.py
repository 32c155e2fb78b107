"""Replay: the last steps of a training once more, after one of them went wrong.

In: a `Rewind`. Out: the Variables as they were before any step since its copy, to the bit.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from chainrule.graph.variable import Variable
from chainrule.training.feed import Stretch
from chainrule.training.rewind import RESET, Assigned, Program, Rewind, all_finite, is_float


class Ran(NamedTuple):
    """Steps that ran: the epoch, counted from 0, and how many of its steps came before."""

    stretch: Stretch
    epoch: int
    done: int


class Place(NamedTuple):
    """A step: its epoch and number, both counted from 0, the stretch that it ran in, and its number there."""

    epoch: int
    step: int
    stretch: Stretch
    offset: int


def unfold(rewind: Rewind) -> list[Ran | Assigned | str]:
    """What happened since the copy, one after the other."""
    found: list[Ran | Assigned | str] = []
    epoch, done = rewind.start
    program = Program(None, (), 0)

    def run_rows(last: int, step: int) -> None:
        """The steps of an `ArrayFeed` up to one of an epoch."""
        nonlocal epoch, done
        executable, arrays, size = program
        while (epoch, done) < (last, step):
            feed = rewind.run.feed
            until = step if epoch == last else feed.steps
            if until > done:
                order = feed.order_of(epoch, rewind.run.order)
                found.append(Ran(Stretch(executable, [*arrays, order], size, done, until - done), epoch, done))
            done = until
            if epoch < last:
                epoch, done = epoch + 1, 0
                found.append(RESET)

    for event in rewind.events:
        if isinstance(event, Program):
            program = event
        elif isinstance(event, Assigned):
            if rewind.by_row:
                run_rows(event.epoch, event.step)
            found.append(event)
        elif isinstance(event, str):
            epoch, done = epoch + 1, 0
            found.append(event)
        else:
            found.append(Ran(Stretch(program.executable, event, len(event[-1]), 0, 1), epoch, done))
            done += 1
    if rewind.by_row:
        run_rows(rewind.epoch, rewind.done)
    return found


class Replay:
    """The steps since the copy, again; they are numbered from 0. It changes the Variables, which `restore` puts back.

    `count` is how many steps there are.
    """

    def __init__(self, rewind: Rewind):
        self.rewind = rewind
        self.events = unfold(rewind)
        self.after = snapshot(rewind.copy)
        self._runs = [at for at, event in enumerate(self.events) if isinstance(event, Ran)]
        self._starts: list[int] = []
        self.count = 0
        for at in self._runs:
            self._starts.append(self.count)
            self.count += self._ran(at).stretch.steps
        self._at = 0  # steps that the Variables have behind them since the copy
        self._event, self._offset = 0, 0
        self._marks: list[tuple[int, int, int, Mapping[Variable, np.ndarray]]] = [(0, 0, 0, rewind.copy)]
        put_back(rewind.copy)

    def _ran(self, at: int) -> Ran:
        event = self.events[at]
        assert isinstance(event, Ran)
        return event

    def place(self, number: int) -> Place:
        """Where a step was."""
        run = bisect.bisect_right(self._starts, number) - 1
        ran, offset = self._ran(self._runs[run]), number - self._starts[run]
        return Place(ran.epoch, ran.done + offset, ran.stretch, offset)

    def go_to(self, number: int) -> None:
        """Come to the state before a step, with what Python assigned before it."""
        nearest = max((mark for mark in self._marks if mark[0] <= number), key=lambda mark: mark[0])
        if number < self._at or nearest[0] > self._at:
            self._at, self._event, self._offset, values = nearest
            put_back(values)
        while self._event < len(self.events):
            event = self.events[self._event]
            if isinstance(event, Ran):
                if self._at == number:
                    return
                self._run(event, min(event.stretch.steps - self._offset, number - self._at))
            else:
                if isinstance(event, Assigned):
                    event.variable.memory[...] = event.value
                else:
                    self.rewind.model.reset_metrics()
                self._event += 1

    def step(self) -> None:
        """Run the next step, and no more: what Python assigned after it is not done yet."""
        while not isinstance(self.events[self._event], Ran):
            self.go_to(self._at)
        self._run(self._ran(self._event), 1)

    def _run(self, event: Ran, count: int) -> None:
        event.stretch.part(self._offset, count).run()
        self._at += count
        self._offset += count
        if self._offset == event.stretch.steps:
            self._event, self._offset = self._event + 1, 0

    def mark(self) -> None:
        """Keep the state here, so that it need not be come to from the copy."""
        self._marks.append((self._at, self._event, self._offset, snapshot(self.rewind.copy)))

    def repeats(self) -> bool:
        """Whether the steps come to the same bits as in training: those of the running loss before the last steps, at
        the end those of all Variables."""
        self.go_to(self.count - self.rewind.last)
        model = self.rewind.model
        if not np.array_equal(model.watch.loss.total.memory, self.rewind.witness, equal_nan=True):
            return False
        self.go_to(self.count)
        return all(
            np.array_equal(variable.memory, self.after[variable], equal_nan=is_float(variable))
            for variable in self.rewind.watched
            if variable is not model.watch.first_bad_step
        )

    def first_bad(self, variable: Variable, before: int) -> int | None:
        """The step, below `before`, after which a Variable is no longer finite; None where the copy is not.

        What Python assigned between this step and the next counts as the step's.
        """
        if not all_finite(self.rewind.copy[variable]):
            return None
        low, high, reach = 0, before, 8
        while high - reach > 0:  # most often it was not long ago
            self.go_to(before - reach)
            if all_finite(variable.memory):
                low = before - reach
                self.mark()
                break
            high, reach = before - reach, reach * 8
        while high - low > 1:
            middle = (low + high) // 2
            self.go_to(middle)
            low, high = (middle, high) if all_finite(variable.memory) else (low, middle)
        return low

    def restore(self) -> None:
        """The Variables as training left them."""
        put_back(self.after)


def snapshot(variables: Iterable[Variable]) -> dict[Variable, np.ndarray]:
    """The values at this moment."""
    return {variable: variable.numpy() for variable in variables}


def put_back(values: Mapping[Variable, np.ndarray]) -> None:
    """Give Variables these values."""
    for variable, value in values.items():
        variable.memory[...] = value
