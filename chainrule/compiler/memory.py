"""Memory: where each temporary of a program lies in one block, so that those never alive together share bytes."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.compiler.cost import bind_dim
from chainrule.compiler.kernel import MatrixProduct
from chainrule.compiler.program import Program
from chainrule.compiler.tiles import count_kept
from chainrule.graph.memory import ALIGNMENT
from chainrule.graph.types import bind_shape


@dataclass(frozen=True)
class MemoryPlan:
    """`offsets[buffer]` in bytes for each temporary, and the size of the block that holds them."""

    offsets: Mapping[int, int]
    size: int


def count_bytes(program: Program, buffer: int, sizes: Mapping[str, int]) -> int:
    """The bytes of a buffer for these sizes of the open dimensions."""
    array_type = program.buffers[buffer].type
    count = array_type.dtype.bytes
    for dim in bind_shape(array_type.shape, sizes):
        count *= dim
    return count


def find_lifetimes(program: Program, epochs: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The first and the last epoch in which each temporary is touched."""
    lifetimes: dict[int, tuple[int, int]] = {}
    for epoch, row in zip(epochs, program.rows, strict=True):
        for buffer in row.buffers:
            if program.buffers[buffer].role == "temporary":
                first, _ = lifetimes.get(buffer, (epoch, epoch))
                lifetimes[buffer] = (first, epoch)
    return lifetimes


def plan_memory(program: Program, epochs: Sequence[int], sizes: Mapping[str, int]) -> MemoryPlan:
    """Place the largest first, each at the lowest offset free in all epochs of its life."""
    lifetimes = find_lifetimes(program, epochs)
    rounded = {buffer: -(-count_bytes(program, buffer, sizes) // ALIGNMENT) * ALIGNMENT for buffer in lifetimes}
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first epoch, last epoch; by offset
    offsets: dict[int, int] = {}
    for buffer in sorted(lifetimes, key=lambda number: (-rounded[number], number)):
        first, last = lifetimes[buffer]
        offset = 0
        for start, end, born, died in placed:
            if born <= last and died >= first:
                if start - offset >= rounded[buffer]:
                    break
                if end > offset:  # faster than max, and this is the innermost line of deep networks
                    offset = end
        offsets[buffer] = offset
        bisect.insort(placed, (offset, offset + rounded[buffer], first, last))
    return MemoryPlan(offsets, max((end for _, end, _, _ in placed), default=0))


def count_workspace(program: Program, sizes: Mapping[str, int]) -> int:
    """Bytes that each worker needs beside the buffers: room to pack what a matrix product packs."""
    most = 0
    for kernel in program.kernels:
        core, schedule = kernel.core, kernel.schedule
        if isinstance(core, MatrixProduct) and schedule is not None:
            depth, width = bind_dim(core.depth, sizes), schedule.tile[1] * schedule.lanes
            words = depth * width
            if core.narrow:  # pairs of the panel, and of all rows of the left matrix, as `llvm.narrow` lays them out
                rows = -(-bind_dim(kernel.loops[-2], sizes) // 16) * 16
                words = (-(-depth // 32) + 1) * 16 * (width + rows)
            if schedule.kept:
                words += count_kept(depth, schedule.tile[0], schedule.kept)
            most = max(most, words * core.dtype.bytes)
    return most
