"""Staged calls: a compiled function of one array, for few rows, at the cost of a copy in, a native call and a copy out.

Input, results and tables keep their places in memory from call to call, so nothing is looked up, allocated or entered
again: for one row through a small network that is most of the time.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.compiler.cost import estimate_work
from chainrule.graph.memory import aligned_empty
from chainrule.graph.types import OpenDim, bind_shape
from chainrule.runtime.executable import Binding, Crew, Executable
from chainrule.runtime.launch import can_launch, make_launch
from chainrule.runtime.pace import Pace

_CALLS = 50
"""Calls between two that are measured."""

_BRIEF = 300_000
"""Estimated work up to which a call keeps Python's lock: some 50 µs of one worker.

To give that lock away costs more than a small network and, where another thread runs Python, 5 ms until it is back.
"""


class Staged:
    """An executable of one argument, whose first dimension alone is open, bound to memory for up to `capacity` rows.

    Its last result is an int32, the status. One call at a time may use it: that which could take the only element out
    of `idle`.
    """

    def __init__(self, executable: Executable, capacity: int):
        graph = executable.traced.graph
        self.nodes = [graph.inputs[0], *graph.outputs[: executable.traced.results]]
        dim = self.nodes[0].shape[0]
        assert isinstance(dim, OpenDim) and executable.traced.arguments == 1
        self.executable, self.capacity, self.dim = executable, capacity, dim.name
        sizes = {dim.name: capacity}
        self.binding = Binding(executable, sizes)
        program = self.binding.program
        (place,) = [slot for slot, buffer in enumerate(program.buffers) if buffer.role == "input" and not buffer.place]
        self.memory = [aligned_empty(bind_shape(node.shape, sizes), node.dtype.numpy) for node in self.nodes]
        for slot, array in zip([place, *program.outputs], self.memory, strict=False):
            self.binding.addresses[slot] = array.ctypes.data
        self.idle: list[None] = [None]
        self.prepared: Rows | None = None
        self._rows: dict[tuple[int, ...], Rows] = {}

    def run(self, x: Any) -> Rows | None:
        """The rows that hold the results for x; None if x is no array of a few such rows, or the status is not 0."""
        memory = self.memory[0]
        if type(x) is not np.ndarray or x.dtype != memory.dtype or x.shape[1:] != memory.shape[1:]:
            return None
        if x.shape not in self._rows:
            if not 0 < len(x) <= self.capacity:
                return None
            self._rows[x.shape] = Rows(self, len(x))
        rows = self._rows[x.shape]
        return None if rows.run(x) else rows


class Rows:
    """The first rows of staged memory.

    `launch` computes the results for an array and gives the status, or -1 where only `run` will do: for other arrays,
    while the tables are not prepared for these rows, for calls that are measured, that are long, that must wait.
    """

    def __init__(self, staged: Staged, count: int):
        self.staged, self.count = staged, count
        sizes = {staged.dim: count}
        self.input, *self.results = [
            beginning(array, bind_shape(node.shape, sizes))
            for array, node in zip(staged.memory, staged.nodes, strict=True)
        ]
        program = staged.binding.program
        work = sum(estimate_work(program.kernels[row.kernel], sizes) for row in program.rows)
        self._brief = can_launch() and work <= _BRIEF
        self._pace = Pace(max(staged.binding.pace.sizes))
        self._unmeasured = _CALLS if len(self._pace.sizes) > 1 else sys.maxsize  # calls, unless there is no choice
        self._calls = np.zeros(1, dtype=np.int64)  # left until one is measured; 0 unless the tables are prepared
        self._launches: dict[int, Callable[[Any], int]] = {}  # by the number of workers
        self.launch: Callable[[Any], int] = refuse

    def run(self, x: np.ndarray) -> int:
        """Compute the results for an array of these rows; the status."""
        self.input[...] = x
        if self._calls[0]:
            self._compute()
        else:
            size, _ = self._pace.next_run(1)
            self._prepare(size)
            if size > 1:
                self._crew.pool.make_way()
            calls = 1 if self._pace.trial else 1 + _CALLS  # that this one stands for
            began = time.perf_counter()
            self._compute()
            self._pace.record(size, calls, calls * (time.perf_counter() - began))
            self._calls[0] = 0 if self._pace.trial else self._unmeasured
        return int(self.results[-1])

    def _compute(self) -> None:
        """Compute the results for what was copied to `input`."""
        if self.launch(self.input) < 0:
            self._calls[0] -= 1
            self._crew.launch()

    def _prepare(self, size: int) -> None:
        """Have the tables for so many workers hold this number of rows, for one call."""
        before = self.staged.prepared
        if before is not None:
            before._calls[0] = 0
        self.staged.prepared = self
        self._crew = self.staged.binding.crew(size)
        if self._brief and size not in self._launches:
            self._launches[size] = self._make_launch(self._crew)
        self.launch = self._launches.get(size, refuse)
        self._crew.sizes[:] = self.count
        self._calls[0] = 1

    def _make_launch(self, crew: Crew) -> Callable[[Any], int]:
        """A launch of the native loop by these workers, while nobody else has them."""
        pool, control = crew.pool, crew.control
        job = pool.address, self.staged.executable.runner, control.ctypes.data, control.strides[0], crew.size, 0
        gate = pool.ready, crew.size
        target = self.staged.executable.target
        return make_launch(target, pool.code, job, self.input, self.results[-1], self._calls, gate, crew.counter)


def refuse(x: Any) -> int:
    """The launch of what takes long."""
    return -1


def beginning(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The first elements of an array's memory, as an array of this shape."""
    return array.reshape(-1)[: math.prod(shape)].reshape(shape)
