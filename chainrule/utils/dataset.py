"""`PyDataset`: batches reached by their number, loaded ahead by several workers where asked for."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future


class PyDataset:
    """A data set that gives a whole batch for a number: define `__getitem__` and `__len__`.

    ``dataset[i]`` is ``x``, ``(x, y)`` or ``(x, y, sample_weight)``. `fit` takes the batches in an order that it draws
    (with ``shuffle=True``), and calls `on_epoch_begin` and `on_epoch_end` around each epoch. As `__getitem__` knows the
    number, no batch is lost or seen twice, however many workers load them.

    Args:
        workers: how many batches are loaded at the same time.
        use_multiprocessing: whether the workers are processes, for loading that is slow in Python itself; the data set
            is copied to each of them once.
        max_queue_size: how many batches are loaded ahead, at most.

    Example:
        >>> import numpy as np
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         x = np.arange(4) + 4 * index
        ...         return x, x**2
        >>> [int(y[0]) for _, y in Squares(workers=2)]
        [0, 16, 64]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        for name, value, low in (("workers", workers, 0), ("max_queue_size", max_queue_size, 1)):
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise ChainruleError(
                    f"{name} is not a count",
                    where=type(self).__name__,
                    expected=f"a whole number from {low}",
                    got=repr(value),
                )
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        """The batch of this number."""
        raise NotImplementedError

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None where they do not end. `__len__` says so by default."""
        if not hasattr(self, "__len__"):
            raise ChainruleError(
                "the data set does not say how many batches it has",
                where=type(self).__name__,
                fix="define __len__, or num_batches, which may return None",
            )
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch: a place to change the data set."""

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        return self.in_order(itertools.count() if count is None else range(count))

    def in_order(self, indices: Iterable[int]) -> Iterator[Any]:
        """The batches of these numbers, in this order, loaded ahead by the workers."""
        if vars(self).get("workers", 1) <= 1 and not vars(self).get("use_multiprocessing", False):
            for index in indices:
                yield self[int(index)]
            return
        waiting: deque[Future[Any]] = deque()
        executor = self._executor()
        try:
            for index in indices:
                waiting.append(self._submit(executor, int(index)))
                if len(waiting) >= self.max_queue_size:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _executor(self) -> Executor:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

        workers = max(1, self.workers)
        if not self.use_multiprocessing:
            return ThreadPoolExecutor(workers, thread_name_prefix="dataset")
        # Not forked: the threads that train would be missing in a copy, with what they hold locked for ever.
        return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), keep_dataset, (self,))

    def _submit(self, executor: Executor, index: int) -> Future[Any]:
        if self.use_multiprocessing:
            return executor.submit(load_batch, index)
        return executor.submit(self.__getitem__, index)


_kept: list[PyDataset] = []
"""The data set of a process that loads batches."""


def keep_dataset(dataset: PyDataset) -> None:
    """Begin a process that loads batches."""
    _kept.append(dataset)


def load_batch(index: int) -> Any:
    """A batch, in a process that loads them."""
    return _kept[-1][index]
