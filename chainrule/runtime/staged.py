"""Staged calls: a compiled function of one array, for few rows, at the cost of a copy in, a native call and a copy out.

Input, results and tables keep their places in memory from call to call, so nothing is looked up, allocated or entered
again: for one row through a small network that is most of the time.
"""

from __future__ import annotations

import time

from chainrule.graph.memory import aligned_empty
from chainrule.graph.types import OpenDim, bind_shape
from chainrule.runtime.exclusive import ExclusiveLock
from chainrule.runtime.executable import Binding, Executable
from chainrule.runtime.pace import Pace

_CALLS = 50
"""Calls between two that are measured."""


class Staged:
    """An executable of one argument, whose first dimension alone is open, bound to memory for up to `capacity` rows.

    `input` and `results` are that memory; `run` works on their first rows.
    """

    def __init__(self, executable: Executable, capacity: int):
        graph = executable.traced.graph
        argument = graph.inputs[0]
        dim = argument.shape[0]
        assert isinstance(dim, OpenDim) and executable.traced.arguments == 1
        sizes = {dim.name: capacity}
        self.capacity = capacity
        self.input = aligned_empty(bind_shape(argument.shape, sizes), argument.dtype.numpy)
        self.results = []
        self._executable = executable
        self._binding = Binding(executable, sizes)
        slots = executable.program.buffers
        (place,) = [number for number, buffer in enumerate(slots) if buffer.role == "input" and buffer.place == 0]
        self._binding.addresses[place] = self.input.ctypes.data
        for number in range(executable.traced.results):
            node = graph.outputs[number]
            result = aligned_empty(bind_shape(node.shape, sizes), node.dtype.numpy)
            self._binding.addresses[executable.program.outputs[number]] = result.ctypes.data
            self.results.append(result)
        self._paces: dict[int, Pace] = {}
        self._crew = self._binding.crew(max(self._binding.pace.sizes))
        self._rows = 0
        self._calls_left = 0
        self.lock = ExclusiveLock(executable.program.name)

    def run(self, rows: int) -> None:
        """Compute the results of the first `rows` rows of `input`; the caller holds the lock."""
        if self._calls_left and rows == self._rows:
            self._calls_left -= 1
            self._crew.launch()
            return
        self._calls_left = 0
        pace = self._paces.setdefault(rows, Pace(max(self._binding.pace.sizes)))
        size, _ = pace.next_run(1)
        if size != self._crew.size or rows != self._rows:
            self._rows = -1  # should Ctrl-C come before the end, the next call begins anew
            self._crew = self._binding.crew(size)
            self._crew.sizes[:] = rows
            self._rows = rows
        began = time.perf_counter()
        self._crew.launch()
        pace.record(size, 1, time.perf_counter() - began)
        self._calls_left = 0 if pace.trial else _CALLS
