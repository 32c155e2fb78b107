"""An executable: a compiled program bound to memory, called with arrays.

A `Binding` gives each open dimension a size, places the temporaries and decides which rows of the program are worth
sharing; it is done again only when a larger batch comes. A `Crew` is what a number of workers needs to run it. Which
number is the fastest is for `Pace` to find out. Variables are read and updated where they lie.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import settings
from chainrule.compiler.cost import estimate_work
from chainrule.compiler.kernel import Kernel
from chainrule.compiler.llvm.emit import emit_kernel
from chainrule.compiler.memory import count_bytes, count_workspace, plan_memory
from chainrule.compiler.pipeline import compile_graph
from chainrule.compiler.program import Program
from chainrule.compiler.sharing import find_barriers, find_epochs, is_dealt_by_rows, order_rows
from chainrule.compiler.target import Target
from chainrule.errors import ChainruleError
from chainrule.graph.memory import aligned_empty
from chainrule.graph.shapes import match_sizes
from chainrule.graph.tracing import TracedFunction
from chainrule.graph.types import OpenDim, bind_shape
from chainrule.runtime import cache, engine
from chainrule.runtime.exclusive import ExclusiveLock
from chainrule.runtime.pace import Pace
from chainrule.runtime.runner import Control, RowWord, runner_text
from chainrule.runtime.workers import MOST, pool_for, yield_address

_WORTH_A_BARRIER = 40_000
"""Estimated work of the rows between two barriers above which they are divided over the workers; below, meeting at a
barrier costs more."""

_WORTH_SHARING = 1_000
"""Work of one row of those above which it is divided, if not every worker has rows of its own in it anyway."""

_GAP = 4096 + 128
"""Bytes between what different workers write, so that their lines fall on different places of a cache."""


def choose_shared(program: Program, epochs: Sequence[int], sizes: dict[str, int]) -> list[bool]:
    """Which rows of a program are worth dividing over the workers; the others are left to the first."""
    dealt = [is_dealt_by_rows(kernel) for kernel in program.kernels]
    work = [estimate_work(program.kernels[row.kernel], sizes) for row in program.rows]
    of_epoch: dict[int, int] = {}
    for epoch, amount in zip(epochs, work, strict=True):
        of_epoch[epoch] = of_epoch.get(epoch, 0) + amount
    return [
        of_epoch[epoch] >= _WORTH_A_BARRIER and (dealt[row.kernel] or amount >= _WORTH_SHARING)
        for row, epoch, amount in zip(program.rows, epochs, work, strict=True)
    ]


class Binding:
    """A program's memory, for sizes up to these, and the crews that may work on it."""

    def __init__(self, executable: Executable, capacity: dict[str, int]):
        program = order_rows(executable.compiled, capacity)
        self.executable, self.program, self.capacity = executable, program, capacity
        epochs = find_epochs(program, capacity)
        plan = plan_memory(program, epochs, capacity)
        self.block = aligned_empty((plan.size,))
        self.addresses = np.zeros(len(program.buffers) + 1, dtype=np.int64)
        self.spans: list[tuple[int, int]] = []
        self.keep: list[np.ndarray] = []
        for number, buffer in enumerate(program.buffers):
            if buffer.role == "temporary" and number in plan.offsets:
                start = self.block.ctypes.data + plan.offsets[number]
                self.addresses[number] = start
                self.spans.append((start, start + count_bytes(program, number, capacity)))
                continue
            if buffer.role == "constant":
                assert buffer.array is not None
                array = np.ascontiguousarray(buffer.array)
                self.keep.append(array)
                self.addresses[number] = array.ctypes.data
            # Arguments and results change from call to call; each gets a span that meets no other.
            self.spans.append((-number - 1, -number))
        for slot, variable in executable.variable_slots:
            self.addresses[slot] = variable.memory.ctypes.data
        self.shared = choose_shared(program, epochs, capacity)
        self.barriers = find_barriers(program, epochs, self.spans, [not shared for shared in self.shared])
        self.pace = Pace(executable.workers if any(self.shared) else 1)
        self.crews: dict[int, Crew] = {}

    def fits(self, sizes: dict[str, int]) -> bool:
        return all(sizes[name] <= room for name, room in self.capacity.items())

    def crew(self, size: int) -> Crew:
        """The tables for this number of workers."""
        if size not in self.crews:
            self.crews[size] = Crew(self, size)
        return self.crews[size]


class Crew:
    """The tables that the native loop reads, for one number of workers.

    Each worker has a row of its own in `buffers`, `sizes` and `control`, since the place and the size of a batch
    change from step to step while the workers are not always at the same row of the program.
    """

    def __init__(self, binding: Binding, size: int):
        program, executable = binding.program, binding.executable
        self.size = size
        self.pool = pool_for(executable.target)
        count = len(program.buffers)
        arguments: list[int] = []
        starts = []
        size_place = {name: place for place, name in enumerate(program.sizes)}
        for row in program.rows:
            starts.append(len(arguments))
            arguments += row.buffers
            arguments += [size_place[name] for name in program.kernels[row.kernel].size_names]
            arguments.append(count)  # the worker's workspace stands behind the buffers
        self.arguments = np.array(arguments, dtype=np.int64)
        self.table = np.zeros((len(program.rows), RowWord.WORDS), dtype=np.int64)
        for number, row in enumerate(program.rows):
            self.table[number] = (
                executable.functions[row.kernel],
                self.arguments.ctypes.data + 8 * starts[number],
                size if binding.shared[number] else 1,
                binding.barriers[number],
            )
        self.counter = np.zeros(16, dtype=np.int64)
        self.workspace = aligned_empty((size, count_workspace(program, binding.capacity) + _GAP))
        self.buffers = np.tile(binding.addresses, (size, 1))
        self.buffers[:, count] = [part.ctypes.data for part in self.workspace]
        self.sizes = np.zeros((size, max(1, len(program.sizes))), dtype=np.int64)
        self.control = np.zeros((size, Control.WORDS), dtype=np.int64)
        self.control[:, Control.ROWS] = len(self.table)
        self.control[:, Control.TABLE] = self.table.ctypes.data
        for worker in range(size):
            self.control[worker, Control.BUFFERS] = self.buffers[worker].ctypes.data
            self.control[worker, Control.SIZES] = self.sizes[worker].ctypes.data
        self.control[:, Control.WORKERS] = size
        self.control[:, Control.BARRIER] = self.counter.ctypes.data
        self.control[:, Control.YIELD] = yield_address()
        self.control[:, Control.ORDER_BYTES] = 4
        self.set_steps(0, 1)
        self._launch = (executable.runner, self.control.ctypes.data, self.control.strides[0], size)

    def set_steps(
        self, first: int, stop: int, place: int = -1, batch: int = 0, total: int = 0, slot: int = 0, order: int = 0
    ) -> None:
        """Which steps to run, and how each finds its batch; without a batch the one step is the whole call."""
        self.control[:, Control.FIRST : Control.ORDER + 1] = (first, stop, place, batch, total, slot, order)

    def launch(self) -> None:
        """Run the program."""
        self.counter[0] = 0
        self.pool.run(*self._launch)

    def launch_timed(self, times: np.ndarray) -> None:
        """Run the program and add the ticks of its rows to `times`, one part for each worker."""
        try:
            self.control[:, Control.TIMES] = [part.ctypes.data for part in times]
            self.launch()
        finally:  # Ctrl-C may come here: nothing must write to `times` later
            self.control[:, Control.TIMES] = 0


class Executable:
    """A traced function as machine code.

    Args:
        traced: the recorded function.
        target: the processor to compile for; the host by default.
        workers: threads; the CPUs that the process may use by default.

    Raises:
        ChainruleError: at a call whose arrays do not have the types that the function was traced with.
    """

    def __init__(self, traced: TracedFunction, target: Target, worker_count: int | None = None):
        self.traced = traced
        self.target = target
        self.workers = min(worker_count or settings.count_workers(), MOST)
        graph = traced.graph
        places = {variable: traced.arguments + place for place, variable in enumerate(traced.variables)}
        updates = {traced.results + number: places[variable] for number, variable in enumerate(traced.assigned)}
        self.updates = updates
        self.compiled: Program = compile_graph(graph, updates, target)
        version = cache.compiler_version()
        identity = f"{target.cpu} {target.features} {version}"

        def writer(kernel: Kernel, name: str) -> Any:
            return lambda: emit_kernel(kernel, target, f"k_{name}")

        entries = []
        for kernel in self.compiled.kernels:
            key = cache.make_key(str(kernel), identity)
            entries.append((key, writer(kernel, key)))
        runner_key = cache.make_key("runner", identity)
        entries.append((runner_key, lambda: runner_text(target, f"k_{runner_key}")))
        *self.functions, self.runner = engine.functions_for(entries, target)
        self._binding: Binding | None = None
        self._matched: tuple[list[tuple[int, ...]], dict[str, int]] = ([], {})  # the shapes of the last call, and sizes
        self._lock = ExclusiveLock(self.compiled.name)
        inputs = [number for number, buffer in enumerate(self.compiled.buffers) if buffer.role == "input"]
        self._arguments = inputs[: traced.arguments]
        self.variable_slots = list(zip(inputs[traced.arguments :], traced.variables, strict=True))

    # -- what can be printed ------------------------------------------------------------------------------------

    @property
    def program(self) -> Program:
        """The program, with its rows in the order in which they ran last."""
        return self.compiled if self._binding is None else self._binding.program

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        return self.compiled.kernels

    def llvm(self, kernel: int | None = None) -> str:
        """The LLVM text of one kernel, or of all."""
        chosen = self.kernels if kernel is None else (self.kernels[kernel],)
        return "\n".join(emit_kernel(value, self.target, f"kernel_{place}") for place, value in enumerate(chosen))

    # -- calls --------------------------------------------------------------------------------------------------

    def __call__(self, *arrays: Any) -> list[np.ndarray]:
        """One run: the results' leaves; assigned Variables hold their new values."""
        with self._lock:
            inputs = self._check(arrays)
            sizes = self._match(inputs)
            pace = self._bind(sizes).pace
            crew = self._crew(pace.next_run(1)[0])
            results = self._place(crew, inputs, sizes)
            crew.set_steps(0, 1)
            began = time.perf_counter()
            crew.launch()
            pace.record(crew.size, 1, time.perf_counter() - began)
            return results

    def run_steps(
        self, arrays: Sequence[Any], *, batch_size: int, first: int, count: int, times: np.ndarray | None = None
    ) -> None:
        """Run `count` steps from step `first`, each on its slice of the last argument, with no Python between.

        The last of `arrays` is an int32 order of rows of length n; step s sees
        ``order[s * batch_size : min(n, (s + 1) * batch_size)]``. Results are dropped; Variables carry everything.

        Args:
            times: int64 of shape (workers, 2, rows of the program), to which the processor's ticks in each row's
                kernel, and those waiting before it, are added. It fixes the number of workers.
        """
        if count <= 0:
            return
        with self._lock:
            inputs = self._check(arrays)
            order = inputs[-1]
            total = len(order)
            if first < 0 or (first + count - 1) * batch_size >= total:
                raise ChainruleError("a step lies beyond the data", expected=f"{total} rows", got=(first, count))
            inputs[-1] = order[: min(batch_size, total)]
            sizes = self._match(inputs)
            pace = self._bind(sizes).pace
            (dim,) = self.traced.graph.inputs[self.traced.arguments - 1].shape
            assert isinstance(dim, OpenDim)
            batch = (self.compiled.sizes.index(dim.name), batch_size, total, self._arguments[-1], order.ctypes.data)
            stop = first + count
            while first < stop:
                size, most = pace.next_run(stop - first) if times is None else (len(times), stop - first)
                crew = self._crew(size)
                self._place(crew, inputs, sizes)
                crew.set_steps(first, first + most, *batch)
                if times is not None:
                    crew.launch_timed(times)
                    return
                began = time.perf_counter()
                crew.launch()
                pace.record(size, most, time.perf_counter() - began)
                first += most

    def _crew(self, size: int) -> Crew:
        assert self._binding is not None
        return self._binding.crew(size)

    @property
    def capacity(self) -> dict[str, int]:
        """The sizes that the memory bound at the last call has room for."""
        assert self._binding is not None
        return self._binding.capacity

    @property
    def pace(self) -> Pace:
        """Which number of workers was found the fastest, as bound at the last call."""
        assert self._binding is not None
        return self._binding.pace

    def team(self, row: int, workers: int) -> int:
        """How many of so many workers take part in a row of the program."""
        assert self._binding is not None
        return workers if self._binding.shared[row] else 1

    def _check(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        nodes = self.traced.graph.inputs
        if len(arrays) != self.traced.arguments:
            raise ChainruleError(
                "wrong number of arrays", where=self.compiled.name, expected=self.traced.arguments, got=len(arrays)
            )
        return [
            np.ascontiguousarray(array, dtype=node.dtype.numpy).reshape(np.shape(array))
            for array, node in zip(arrays, nodes, strict=False)
        ]

    def _match(self, inputs: Sequence[np.ndarray]) -> dict[str, int]:
        shapes = [array.shape for array in inputs]
        if shapes != self._matched[0]:
            nodes = self.traced.graph.inputs[: self.traced.arguments]
            sizes = match_sizes([node.type for node in nodes], shapes, [node.params["name"] for node in nodes])
            self._matched = shapes, sizes
        return self._matched[1]

    def _bind(self, sizes: dict[str, int]) -> Binding:
        bound = self._binding
        if bound is None or not bound.fits(sizes):
            room = sizes if bound is None else {name: max(sizes[name], bound.capacity[name]) for name in sizes}
            bound = self._binding = Binding(self, dict(room))
        return bound

    def _place(self, crew: Crew, inputs: Sequence[np.ndarray], sizes: dict[str, int]) -> list[np.ndarray]:
        """Enter sizes and the addresses of inputs and fresh results; the results are returned."""
        for slot, array in zip(self._arguments, inputs, strict=True):
            crew.buffers[:, slot] = array.ctypes.data
        for place, name in enumerate(self.compiled.sizes):
            crew.sizes[:, place] = sizes[name]
        results = []
        for place in range(self.traced.results):
            node = self.traced.graph.outputs[place]
            array = np.empty(bind_shape(node.shape, sizes), dtype=node.dtype.numpy)
            crew.buffers[:, self.compiled.outputs[place]] = array.ctypes.data
            results.append(array)
        return results
