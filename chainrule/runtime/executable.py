"""An executable: a compiled program bound to memory, called with arrays.

Binding gives each open dimension a size, places the temporaries, decides which rows are shared by the workers and
where these must wait; it is done again only when a larger batch comes. Variables are read and updated where they lie.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import settings
from chainrule.compiler.kernel import Kernel, MatrixProduct, Reduction
from chainrule.compiler.llvm.emit import emit_kernel
from chainrule.compiler.memory import count_bytes, find_barriers, plan_memory
from chainrule.compiler.pipeline import compile_graph
from chainrule.compiler.program import Program
from chainrule.compiler.target import Target
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import match_sizes
from chainrule.graph.tracing import TracedFunction
from chainrule.graph.types import Dim, OpenDim, bind_shape
from chainrule.runtime import cache, engine, workers
from chainrule.runtime.runner import Control, RowWord, runner_text

_WORTH_SHARING = 40_000
"""Arithmetic operations above which a row is divided over the workers; below, waking them costs more."""


def aligned_empty(size: int) -> np.ndarray:
    """`size` bytes that begin at a multiple of 64."""
    raw = np.empty(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


def estimate_work(kernel: Kernel, sizes: dict[str, int]) -> int:
    """About how many arithmetic operations a call takes."""

    def product(dims: Sequence[Dim]) -> int:
        count = 1
        for dim in dims:
            count *= dim.bind(sizes) if isinstance(dim, OpenDim) else dim
        return count

    points = product(kernel.loops)
    steps = len(kernel.body) + len(kernel.stores)
    if isinstance(kernel.core, MatrixProduct):
        steps += product([kernel.core.depth]) // 4
    elif isinstance(kernel.core, Reduction):
        steps += product(kernel.core.extents) * len(kernel.core.body)
    return points * steps


class Binding:
    """A program's memory for certain sizes, and its table of rows.

    Args:
        workers: threads to use where the work is worth it.
    """

    def __init__(self, executable: Executable, sizes: dict[str, int]):
        program = executable.program
        self.sizes = sizes
        plan = plan_memory(program, sizes)
        self.block = aligned_empty(plan.size)
        count = len(program.buffers)
        addresses = np.zeros(count, dtype=np.int64)
        spans: list[tuple[int, int]] = []
        self.keep: list[np.ndarray] = []
        for number, buffer in enumerate(program.buffers):
            length = count_bytes(program, number, sizes)
            if buffer.role == "temporary" and number in plan.offsets:
                addresses[number] = self.block.ctypes.data + plan.offsets[number]
                spans.append((int(addresses[number]), int(addresses[number]) + length))
            else:
                if buffer.role == "constant":
                    assert buffer.array is not None
                    array = np.ascontiguousarray(buffer.array)
                    self.keep.append(array)
                    addresses[number] = array.ctypes.data
                # Arguments and results change from call to call; each gets a span that meets no other.
                spans.append((-number - 1, -number))
        self.addresses = addresses
        work = [estimate_work(program.kernels[row.kernel], sizes) for row in program.rows]
        limit = executable.workers
        team = [limit if amount >= _WORTH_SHARING else 1 for amount in work]
        self.workers = limit if any(size > 1 for size in team) else 1
        barriers = find_barriers(program, spans, [size == 1 for size in team])
        arguments: list[int] = []
        starts = []
        size_place = {name: place for place, name in enumerate(program.sizes)}
        for row in program.rows:
            starts.append(len(arguments))
            arguments += row.buffers
            arguments += [size_place[name] for name in program.kernels[row.kernel].size_names]
        self.arguments = np.array(arguments, dtype=np.int64)
        table = np.zeros((len(program.rows), RowWord.WORDS), dtype=np.int64)
        for number, row in enumerate(program.rows):
            table[number] = (
                executable.functions[row.kernel],
                self.arguments.ctypes.data + 8 * starts[number],
                team[number],
                barriers[number],
            )
        self.table = table


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
        self.workers = worker_count or settings.count_workers()
        graph = traced.graph
        places = {variable: traced.arguments + place for place, variable in enumerate(traced.variables)}
        updates = {traced.results + number: places[variable] for number, variable in enumerate(traced.assigned)}
        self.updates = updates
        self.program: Program = compile_graph(graph, updates, target)
        version = cache.compiler_version()
        identity = f"{target.cpu} {target.features} {version}"

        def writer(kernel: Kernel, name: str) -> Any:
            return lambda: emit_kernel(kernel, target, f"k_{name}")

        entries = []
        for kernel in self.program.kernels:
            key = cache.make_key(str(kernel), identity)
            entries.append((key, writer(kernel, key)))
        runner_key = cache.make_key("runner", identity)
        entries.append((runner_key, lambda: runner_text(target, f"k_{runner_key}")))
        *self.functions, runner = engine.functions_for(entries, target)
        self._run = _as_function(runner)
        self._binding: Binding | None = None
        self._lock = threading.Lock()
        self._inputs = [number for number, buffer in enumerate(self.program.buffers) if buffer.role == "input"]

    # -- what can be printed ------------------------------------------------------------------------------------

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        return self.program.kernels

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
            binding = self._bind(sizes)
            addresses = binding.addresses.copy()
            results = self._place(addresses, inputs, sizes)
            self._start(binding, addresses, sizes, 0, 1, -1, 0, 0, 0, 0)
            return results

    def run_steps(self, arrays: Sequence[Any], *, batch_size: int, first: int, count: int) -> None:
        """Run `count` steps from step `first`, each on its slice of the last argument, with no Python between.

        The last of `arrays` is an int32 order of rows of length n; step s sees
        ``order[s * batch_size : min(n, (s + 1) * batch_size)]``. Results are dropped; Variables carry everything.
        """
        if count <= 0:
            return
        with self._lock:
            inputs = self._check(arrays)
            order = inputs[self.traced.arguments - 1]
            total = len(order)
            if first < 0 or (first + count - 1) * batch_size >= total:
                raise ChainruleError("a step lies beyond the data", expected=f"{total} rows", got=(first, count))
            narrowed = list(inputs)
            narrowed[self.traced.arguments - 1] = order[: min(batch_size, total)]
            sizes = self._match(narrowed)
            binding = self._bind(sizes)
            addresses = binding.addresses.copy()
            self._place(addresses, narrowed, sizes)
            (dim,) = self.traced.graph.inputs[self.traced.arguments - 1].shape
            assert isinstance(dim, OpenDim)
            slot = self._inputs[self.traced.arguments - 1]
            place = self.program.sizes.index(dim.name)
            self._start(
                binding, addresses, sizes, first, first + count, place, batch_size, total, slot, order.ctypes.data
            )

    def _check(self, arrays: Sequence[Any]) -> list[np.ndarray]:
        nodes = self.traced.graph.inputs
        if len(arrays) != self.traced.arguments:
            raise ChainruleError(
                "wrong number of arrays", where=self.program.name, expected=self.traced.arguments, got=len(arrays)
            )
        inputs = [
            np.ascontiguousarray(array, dtype=node.dtype.numpy).reshape(np.shape(array))
            for array, node in zip(arrays, nodes, strict=False)
        ]
        return inputs + [variable.memory for variable in self.traced.variables]

    def _match(self, inputs: Sequence[np.ndarray]) -> dict[str, int]:
        nodes = self.traced.graph.inputs
        return match_sizes(
            [node.type for node in nodes], [array.shape for array in inputs], [node.params["name"] for node in nodes]
        )

    def _bind(self, sizes: dict[str, int]) -> Binding:
        bound = self._binding
        if bound is None or any(sizes[name] > bound.sizes[name] for name in sizes):
            room = sizes if bound is None else {name: max(sizes[name], bound.sizes[name]) for name in sizes}
            bound = self._binding = Binding(self, dict(room))
        return bound

    def _place(self, addresses: np.ndarray, inputs: Sequence[np.ndarray], sizes: dict[str, int]) -> list[np.ndarray]:
        """Enter the addresses of inputs and fresh results; the results are returned."""
        for slot, array in zip(self._inputs, inputs, strict=True):
            addresses[slot] = array.ctypes.data
        results = []
        for place in range(self.traced.results):
            node = self.traced.graph.outputs[place]
            array = np.empty(bind_shape(node.shape, sizes), dtype=node.dtype.numpy)
            addresses[self.program.outputs[place]] = array.ctypes.data
            results.append(array)
        return results

    def _start(
        self,
        binding: Binding,
        addresses: np.ndarray,
        sizes: dict[str, int],
        first: int,
        stop: int,
        batch_place: int,
        batch: int,
        total: int,
        order_slot: int,
        order: int,
    ) -> None:
        team = binding.workers
        buffers = np.tile(addresses, (team, 1))
        size_rows = np.tile(np.array([sizes[name] for name in self.program.sizes], dtype=np.int64), (team, 1))
        counter = np.zeros(16, dtype=np.int64)
        control = np.zeros((team, Control.WORDS), dtype=np.int64)
        for worker in range(team):
            control[worker] = (
                len(binding.table),
                binding.table.ctypes.data,
                buffers[worker].ctypes.data,
                size_rows[worker].ctypes.data,
                first,
                stop,
                batch_place,
                batch,
                total,
                order_slot,
                order,
                4,
                team,
                counter.ctypes.data,
                workers.yield_address(),
            )
        start = control.ctypes.data
        stride = 8 * Control.WORDS
        workers.run_together(lambda worker: self._run(start + stride * worker, worker), team)


def _as_function(address: int) -> Any:
    import ctypes

    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(address)
