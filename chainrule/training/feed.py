"""Feeds: where a step's rows come from.

`ArrayFeed` holds arrays and runs many steps in one native call. `BatchFeed` takes batch after batch from an iterable: a
generator, a data loader, a `PyDataset`; every batch is checked when it comes, and what was trained before stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.data.arrays import check_count
from chainrule.errors import DataError
from chainrule.graph.tree import flatten
from chainrule.training.prepare import Data, prepare
from chainrule.training.step import record


def executable_for(model: Any, step: Any, data: Data) -> Any:
    """The compiled step for data of these types, kept with the model."""
    leaves, tree = flatten(data)
    trained = tuple(map(id, model.trainable_variables)) if step.__name__ == "train_step" else ()
    key = (step.__name__, tree, tuple((str(leaf.dtype), leaf.shape[1:]) for leaf in leaves), trained)
    if key not in model.executables:
        from chainrule.runtime.jit import build

        model.executables[key] = build(record(model, step, data), eager=model.run_eagerly)
    return model.executables[key]


class ArrayFeed:
    """All rows in memory, or in files mapped into it."""

    def __init__(self, model: Any, step: Any, data: Data, batch_size: int, steps: int | None = None):
        self.leaves = flatten(data)[0]
        self.rows = len(self.leaves[0])
        self.batch_size = batch_size
        self.steps = -(-self.rows // batch_size)
        if steps is not None:
            self.steps = min(self.steps, check_count("steps_per_epoch", steps))
        self.executable = executable_for(model, step, data)
        self.order = np.arange(self.rows, dtype=np.int32)

    def begin(self, generator: Any = None) -> None:
        """A new epoch, in an order drawn from `generator` where there is one."""
        if generator is not None:
            self.order = generator.permutation(self.rows).astype(np.int32)

    def run(self, done: int, count: int) -> int:
        """Run steps from step `done`; how many there were."""
        self.executable.run_steps([*self.leaves, self.order], batch_size=self.batch_size, first=done, count=count)
        return count


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
        self.ended = False

    @property
    def steps(self) -> int | None:
        """Steps an epoch, where they are known."""
        if self.given_steps is not None:
            return self.given_steps
        return len(self.batches) if hasattr(self.batches, "__len__") else None

    def begin(self, generator: Any = None) -> None:
        if self.iterator is None or not self.is_iterator and self.given_steps is None:
            self.iterator = iterate(self.batches)
        self.ended = False

    def run(self, done: int, count: int) -> int:
        """Run one step on the next batch; 0 where there is none."""
        batch = self.next_batch(done)
        if batch is None:
            return 0
        data = prepare(self.model, *unpack(batch), self.class_weight, prefix=f"{self.name}batch {done}, ")
        leaves = flatten(data)[0]
        rows = len(leaves[0])
        executable = executable_for(self.model, self.step, data)
        executable.run_steps([*leaves, np.arange(rows, dtype=np.int32)], batch_size=rows, first=0, count=1)
        return 1

    def next_batch(self, done: int) -> Any:
        assert self.iterator is not None
        try:
            return next(self.iterator)
        except StopIteration:
            if self.given_steps is None:
                self.ended = True
                return None
        if not self.is_iterator:  # shorter than an epoch: from the beginning again
            self.iterator = iterate(self.batches)
            try:
                return next(self.iterator)
            except StopIteration:
                pass
        raise DataError(
            "the generator ended early",
            where=f"{self.name or 'x, '}batch {done}",
            expected=f"{self.given_steps} batches an epoch",
            got=done,
            fix="let it go on for ever, or give fewer steps; what was trained so far is kept",
        )


def iterate(batches: Any) -> Iterator[Any]:
    """A turn through batches; those that are reached by number are asked one after the other."""
    if hasattr(batches, "__iter__"):
        return iter(batches)
    return (batches[place] for place in range(len(batches)))


def unpack(batch: Any) -> tuple[Any, Any, Any]:
    """x, y and sample weights of a batch.

    Raises:
        DataError: for more than three parts.
    """
    if not isinstance(batch, tuple | list) or isinstance(batch, list) and len(batch) not in (2, 3):
        return batch, None, None
    if len(batch) > 3 or not batch:
        raise DataError("not a batch", expected="x, (x, y) or (x, y, sample_weight)", got=f"{len(batch)} parts")
    x, y, weight = (*batch, None, None)[:3]
    return x, y, weight


def is_iterable_of_batches(x: Any) -> bool:
    """Whether x gives batches one after the other, rather than being the data."""
    if hasattr(x, "shape") or isinstance(x, list | tuple | dict | str):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or hasattr(x, "__getitem__") and hasattr(x, "__len__")
