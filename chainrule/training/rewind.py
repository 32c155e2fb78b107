"""Rewind: what must be kept while training runs, so that a step that went wrong can be run again.

In: each stretch of steps, before it runs. Kept: a copy of the Variables, what ran since, and what Python assigned in
between; a step is a pure function of its batch and the Variables, so `replay.Replay` comes from these to the same bits.
A copy is taken before the first step and again when so much time has passed that copying is a small part of it.

Not kept are numbers that were written to a Variable's memory directly, or by another compiled function. A replay then
comes to other bits than the training did, which it tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from chainrule.graph.tracing import TracedFunction
from chainrule.graph.variable import Variable, last_assignment
from chainrule.training.feed import ArrayFeed, Stretch

_SHARE = 200
"""Between two copies lies at least so many times the time that a copy takes,"""
_LEAST_SECONDS = 0.1
"""and at least so much."""
_FULL_SHARE = 100
"""The same where the batches since the copy fill the memory that is meant for them:"""
_MOST_BYTES = 64 << 20
_MOST_DELAYS = 20
"""How often a copy is put off because a number is no longer finite: the last one that is whole shows how that came."""


class Program(NamedTuple):
    """From here on, steps run this program; those of an `ArrayFeed` on these arrays, with so many rows a step."""

    executable: Any
    arrays: tuple[np.ndarray, ...]
    batch_size: int


class Assigned(NamedTuple):
    """Before a step of an epoch, Python gave a Variable another value."""

    epoch: int
    step: int
    variable: Variable
    value: np.ndarray


Batch = list[np.ndarray]
"""A step on these arrays, the last the order of their rows."""

RESET = "an epoch began, and the metrics were reset"
Event = Program | Assigned | Batch | str


def all_finite(array: np.ndarray) -> bool:
    """Whether there is neither NaN nor infinity."""
    return not find_not_finite([array])


def find_not_finite(arrays: Iterable[np.ndarray]) -> list[int]:
    """Which of the arrays hold NaN or infinity; a sum is quicker than a look at each, and finite only if all are."""
    with np.errstate(all="ignore"):
        return [
            place
            for place, array in enumerate(arrays)
            if not (math.isfinite(np.add.reduce(array, axis=None)) or np.isfinite(array).all())
        ]


class Rewind:
    """What is needed to run the last steps of a training again.

    Of an `ArrayFeed` nothing is kept, as the order of an epoch's rows can be drawn again. Batches of other feeds are
    kept, and copied where a generator fills the same memory again and again.

    Args:
        run: the training; None for `train_on_batch`, whose batches may be parts of large arrays: such are copied, so
            that these are not kept alive.
    """

    def __init__(self, model: Any, run: Any = None):
        self.model, self.run = model, run
        self.by_row = run is not None and isinstance(run.feed, ArrayFeed)
        self.copy: dict[Variable, np.ndarray] = {}
        self.start = (0, 0)  # epoch and step of the copy, both counted from 0
        self.from_beginning = False  # whether no step ran before the copy
        self.events: list[Event] = []  # since the copy
        self.epoch = self.done = 0  # where the last steps ended
        self.watched: list[Variable] = []  # all Variables that a step reads or updates
        self.last = 0  # how many steps ran in the last native call,
        self.witness = 0.0  # and the running loss before them
        self._updated: set[Variable] = set()  # by the steps themselves
        self._judged: list[Variable] = []  # those of them that should stay finite
        self._tainted: set[Variable] = set()  # not finite in the copy
        self._known: list[TracedFunction] = []
        self._program = Program(None, (), 0)
        self._executable: Any = None
        self._total = model.watch.loss.total.memory
        self._due = self._full_due = 0.0
        self._size = self._most = 1  # bytes of an event, and how many may be kept
        self._delays = 0
        self._seen = self._copied_at = 0  # numbers of assignments
        self._first: tuple[np.ndarray, ...] = ()  # the first batch since the copy, until its memory is met again
        self._was: tuple[np.ndarray, ...] = ()  # what was in it
        self._looks = self._copies = self._refilled = False

    def begin_epoch(self, run: Any, epoch: int) -> None:
        """Let the run begin an epoch; that resets the metrics, and assigns nothing else."""
        if last_assignment() != self._seen:
            self._note_assigned(self.epoch, self.done)
        run.begin_epoch(epoch)
        self._seen = last_assignment()

    def renew(self) -> None:
        """Other steps changed the Variables, such as those of a `fit` within a callback: begin with a fresh copy."""
        self._delays, self._due, self._copied_at = _MOST_DELAYS, 0.0, -1

    def before(self, stretch: Stretch, epoch: int, done: int, now: float) -> None:
        """Keep what is needed to run these steps again; they run next.

        Args:
            epoch, done: the epoch, and how many of its steps came before.
            now: what `perf_counter` says.
        """
        if last_assignment() != self._seen:
            self._note_assigned(epoch, done)
        if stretch.executable is not self._executable:
            self._take_up(stretch)
        if now >= self._due:
            self._take_copy(stretch, epoch, done)
        if not self.by_row:
            if done != self.done:
                self.events.append(RESET)
            arrays = stretch.arrays
            if self._looks and (arrays[0] is self._first[0] or arrays[0].base is self._first[0].base is not None):
                self._look(stretch, epoch, done)
            self.events.append([array.copy() for array in arrays] if self._copies else arrays)
            if len(self.events) > self._most:
                self._due = min(self._due, self._full_due)
        self.epoch, self.done = epoch, done + stretch.steps
        self.last, self.witness = stretch.steps, self._total.item()

    def _note_assigned(self, epoch: int, done: int) -> None:
        """Keep what Python assigned since the last look."""
        for variable in [variable for variable in self.watched if variable.assignment > self._seen]:
            self.events.append(Assigned(epoch, done, variable, variable.numpy()))
            self._most -= variable.memory.nbytes // self._size
        if len(self.events) > self._most:
            self._due = min(self._due, self._full_due)
        self._seen = last_assignment()

    def _take_up(self, stretch: Stretch) -> None:
        """From here on another program runs; Variables that it brings are copied as well."""
        self._executable = stretch.executable
        self._program = Program(stretch.executable, tuple(stretch.arrays[:-1]), stretch.batch_size)
        self.events.append(self._program)
        traced = stretch.executable.traced
        if any(traced is known for known in self._known):
            return
        self._known.append(traced)
        counts = {*self.model.metric_variables, self.model.watch.first_bad_step}
        self.watched = list(dict.fromkeys(variable for known in self._known for variable in known.variables))
        self._updated = {variable for known in self._known for variable in known.assigned}
        self._judged = [variable for variable in self._updated if is_float(variable) and variable not in counts]
        # Memory that was never touched takes far longer to copy to than what an earlier training of the model has left;
        # that one's copies, were it still to go on, are of no use once the steps of this one have come in between.
        left = self.model.rewind_copies
        self.copy = {
            variable: left[variable] if variable in left else np.empty_like(variable.memory)
            for variable in self.watched
        }
        self.model.rewind_copies = self.copy
        self.renew()

    def _take_copy(self, stretch: Stretch, epoch: int, done: int) -> None:
        """Copy the Variables, unless a number just went wrong that the loss does not show yet."""
        began = perf_counter()
        bad = find_not_finite(variable.memory for variable in self._judged)
        tainted = {self._judged[place] for place in bad}
        if tainted - self._tainted and self._delays < _MOST_DELAYS:
            self._delays += 1
        else:
            for variable, value in self.copy.items():
                if variable in self._updated or variable.assignment > self._copied_at:
                    value[...] = variable.memory
            self._tainted, self._delays, self._copied_at = tainted, 0, self._seen
            self.start, self.done, self.events = (epoch, done), done, [self._program]
            self.from_beginning = self.last == 0
            self._begin_keeping(stretch)
        now = perf_counter()
        self._due = now + max(_LEAST_SECONDS, _SHARE * (now - began))
        self._full_due = now + _FULL_SHARE * (now - began)

    def _begin_keeping(self, stretch: Stretch) -> None:
        """Batches are kept from this one on."""
        arrays = stretch.arrays[:-1]
        self._size = 100 + (0 if self.by_row else sum(array.nbytes for array in arrays))
        self._most = _MOST_BYTES // self._size
        self._copies = self._refilled or self.run is None and any(is_part_of_much(array) for array in arrays)
        self._looks = not self.by_row and not self._copies
        if self._looks:
            self._first, self._was = tuple(arrays), tuple([array.copy() for array in arrays])

    def _look(self, stretch: Stretch, epoch: int, done: int) -> None:
        """A batch may lie where the first one lay: see whether this one's numbers are still there."""
        if (epoch, done) == self.start or not np.may_share_memory(stretch.arrays[0], self._first[0]):
            return
        self._looks = False
        pairs = zip(self._first, self._was, strict=True)
        if not all(np.array_equal(first, was) for first, was in pairs):
            self._refilled, self._delays = True, _MOST_DELAYS
            self._take_copy(stretch, epoch, done)  # the batches before this one are lost


def is_float(variable: Variable) -> bool:
    return variable.dtype.is_float


def is_part_of_much(array: np.ndarray) -> bool:
    """Whether keeping an array would keep a large one alive."""
    return getattr(array.base, "nbytes", 0) > _MOST_BYTES
