"""Feeds: where a step's rows come from.

`ArrayFeed` holds arrays and runs many steps in one native call. `BatchFeed` takes batch after batch from an iterable: a
generator, a data loader, a `PyDataset`; every batch is checked when it comes, and what was trained before stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.arrays import check_count
from chainrule.errors import DataError
from chainrule.graph.garbage import collection_paused
from chainrule.graph.tree import flatten
from chainrule.training.prepare import Data, prepare
from chainrule.training.step import record
from chainrule.utils.arrays import unpack_x_y_sample_weight
from chainrule.utils.dataset import PyDataset

Order = Callable[[int], Any]
"""What draws the order of a turn through the data, by the turn's number; of None, there is no order."""


def executable_for(model: Any, step: Any, data: Data) -> Any:
    """The compiled step for data of these types, kept with the model."""
    leaves, tree = flatten(data)
    kinds = tuple([(leaf.dtype.char, leaf.shape[1:]) for leaf in leaves])
    key = (step.__name__, tree, kinds, model.trainable_key())
    if key not in model.executables:
        from chainrule.runtime.jit import build

        with collection_paused():
            model.executables[key] = build(record(model, step, data), eager=model.run_eagerly)
    return model.executables[key]


class Stretch(NamedTuple):
    """Steps that run in one native call; run again from the same Variables, they give the same bits.

    Args:
        executable: the compiled step.
        arrays: the data's leaves, and last the order of their rows.
        batch_size: rows a step.
        first: the first step, counted from the beginning of the order.
        steps: how many.
    """

    executable: Any
    arrays: list[np.ndarray]
    batch_size: int
    first: int
    steps: int

    def run(self) -> None:
        """Run the steps; Variables carry everything."""
        executable, arrays, batch_size, first, steps = self
        executable.run_steps(arrays, batch_size=batch_size, first=first, count=steps)

    def part(self, skip: int, steps: int) -> Stretch:
        """Some of the steps, without those before them."""
        return self._replace(first=self.first + skip, steps=steps)

    def rows(self, step: int) -> np.ndarray:
        """Which rows of the arrays a step sees, counted from the first step of the stretch."""
        start = (self.first + step) * self.batch_size
        rows: np.ndarray = self.arrays[-1][start : start + self.batch_size]
        return rows


class ArrayFeed:
    """All rows in memory, or in files mapped into it."""

    def __init__(self, model: Any, step: Any, data: Data, batch_size: int, steps: int | None = None):
        self.model, self.step = model, step
        self.leaves = flatten(data)[0]
        self.rows = len(self.leaves[0])
        self.batch_size = batch_size
        self.steps = -(-self.rows // batch_size)
        if steps is not None:
            self.steps = min(self.steps, check_count("steps_per_epoch", steps))
        self.executable = executable_for(model, step, data)
        self.order = self.rising = np.arange(self.rows, dtype=np.int32)

    def begin(self, epoch: int = 0, order: Order | None = None) -> None:
        """A new epoch, its rows in an order where one is drawn."""
        self.order = self.order_of(epoch, order)

    def order_of(self, epoch: int, order: Order | None) -> np.ndarray:
        """The order of an epoch's rows."""
        generator = None if order is None else order(epoch)
        if generator is None:
            return self.rising
        drawn: np.ndarray = generator.permutation(self.rows).astype(np.int32)
        return drawn

    def take(self, done: int, count: int) -> Stretch:
        """The steps from step `done`, ready to run."""
        self.model.watch.step = self.step.__name__
        return Stretch(self.executable, [*self.leaves, self.order], self.batch_size, done, count)

    def end(self) -> None:
        """The epoch is over."""

    def pass_over(self) -> None:
        """An epoch that was trained before."""

    def taken(self, done: int) -> int:
        """How many batches would have to be taken again to come here: any row can be reached at once."""
        return 0

    def skip(self, count: int) -> None:
        """Take batches that were trained before."""

    def describe(self) -> dict[str, Any]:
        """What must be equal for a place in an epoch to mean the same."""
        return {"rows": self.rows, "batch_size": self.batch_size}


class BatchFeed:
    """Batches from an iterable of ``x``, ``(x, y)`` or ``(x, y, sample_weight)``.

    Args:
        steps: of an epoch; without it an epoch is a turn of the iterable. An iterator is taken up where it was left.
    """

    def __init__(
        self, model: Any, step: Any, batches: Any, steps: int | None, class_weight: Any = None, name: str = ""
    ):
        self.model, self.step, self.batches, self.name = model, step, batches, name
        self.class_weight = class_weight
        self.given_steps = None if steps is None else check_count(f"{name}steps", steps)
        self.is_iterator = iter(batches) is batches if hasattr(batches, "__iter__") else False
        self.iterator: Iterator[Any] | None = None
        self.held: list[Any] = []  # a batch that was looked at before its time
        self.turn, self.count = 0, 0  # turns begun, batches taken
        self.draw_order: Order | None = None
        self.rising = np.arange(0, dtype=np.int32)

    @property
    def steps(self) -> int | None:
        """Steps an epoch, where they are known."""
        if self.given_steps is not None:
            return self.given_steps
        return count_batches(self.batches)

    @property
    def lasts(self) -> bool:
        """Whether the next epoch takes up the iterator where this one leaves it."""
        return self.is_iterator or self.given_steps is not None

    def begin(self, epoch: int = 0, order: Order | None = None) -> None:
        """A new epoch: a new turn, unless the last one goes on."""
        self.tell("on_epoch_begin")
        self.draw_order = order
        if self.iterator is None or not self.lasts:
            self.turn = 0 if self.lasts else epoch
            self.begin_turn()
            self.count = 0

    def begin_turn(self) -> None:
        generator = None if self.draw_order is None else self.draw_order(self.turn)
        self.iterator = iterate(self.batches, generator)
        self.turn += 1

    def end(self) -> None:
        """The epoch is over."""
        self.tell("on_epoch_end")

    def pass_over(self) -> None:
        """An epoch that was trained before: a data set that changes between epochs is told of it."""
        self.tell("on_epoch_begin")
        self.tell("on_epoch_end")

    def tell(self, hook: str) -> None:
        if isinstance(self.batches, PyDataset):
            getattr(self.batches, hook)()

    def taken(self, done: int) -> int:
        """How many batches would have to be taken again to come here."""
        return self.count if self.lasts else done

    def skip(self, count: int) -> None:
        """Take batches that were trained before; build all that the next one needs."""
        known = None
        for done in range(count):
            known = self.next_batch(done)
        if count == 0:
            assert self.iterator is not None
            known = next(self.iterator, None)
            self.held = [] if known is None else [known]
        if known is not None:
            executable_for(self.model, self.step, self.prepare(known, count))

    def describe(self) -> dict[str, Any]:
        """What must be equal for a place among the batches to mean the same."""
        return {"steps": self.steps}

    def prepare(self, batch: Any, done: int) -> Data:
        return prepare(self.model, *unpack(batch), self.class_weight, prefix=f"{self.name}batch {done}, ")

    def take(self, done: int, count: int) -> Stretch | None:
        """One step on the next batch, ready to run; None where there is none."""
        batch = self.next_batch(done)
        if batch is None:
            return None
        data = self.prepare(batch, done)
        leaves = flatten(data)[0]
        rows = len(leaves[0])
        if len(self.rising) != rows:
            self.rising = np.arange(rows, dtype=np.int32)
        executable = executable_for(self.model, self.step, data)
        self.model.watch.step = self.step.__name__
        return Stretch(executable, [*leaves, self.rising], rows, 0, 1)

    def next_batch(self, done: int) -> Any:
        """The next batch; None where the turn, and so the epoch, is over."""
        if self.held:
            self.count += 1
            return self.held.pop()
        assert self.iterator is not None
        found = next(self.iterator, None)
        if found is None and self.given_steps is None:
            return None
        if found is None and not self.is_iterator:  # shorter than an epoch: from the beginning again
            self.begin_turn()
            found = next(self.iterator, None)
        if found is None:
            raise DataError(
                "the generator ended early",
                where=f"{self.name or 'x, '}batch {done}",
                expected=f"{self.given_steps} batches an epoch",
                got=done,
                fix="let it go on for ever, or give fewer steps; what was trained so far is kept",
            )
        self.count += 1
        return found


def count_batches(batches: Any) -> int | None:
    """How many batches there are, where that is known."""
    if isinstance(batches, PyDataset):
        return batches.num_batches
    return len(batches) if hasattr(batches, "__len__") else None


def iterate(batches: Any, generator: Any = None) -> Iterator[Any]:
    """A turn through batches; those that are reached by number are asked one after the other.

    Args:
        generator: draws the order of a `PyDataset`'s batches.
    """
    if isinstance(batches, PyDataset) and generator is not None and batches.num_batches is not None:
        return batches.in_order(generator.permutation(batches.num_batches))
    if hasattr(batches, "__iter__"):
        return iter(batches)
    return (batches[place] for place in range(len(batches)))


def unpack(batch: Any) -> tuple[Any, Any, Any]:
    """x, y and sample weights of a batch; a list of another length than 2 or 3 is x.

    Raises:
        DataError: for more than three parts.
    """
    if not isinstance(batch, tuple | list) or isinstance(batch, list) and len(batch) not in (2, 3):
        return batch, None, None
    return unpack_x_y_sample_weight(batch)


def is_iterable_of_batches(x: Any) -> bool:
    """Whether x gives batches one after the other, rather than being the data."""
    if hasattr(x, "shape") or isinstance(x, list | tuple | dict | str):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or hasattr(x, "__getitem__") and hasattr(x, "__len__")
