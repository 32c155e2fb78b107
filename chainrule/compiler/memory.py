"""Memory: where each temporary of a program lies in one block, so that those never alive together share bytes."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.compiler.cost import bind_dim
from chainrule.compiler.kernel import MatrixProduct
from chainrule.compiler.program import Program
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


def find_epochs(program: Program) -> list[int]:
    """Between which barriers each row runs if each array has its own memory: rows of one epoch are independent."""
    epochs = []
    epoch = 0
    read: set[int] = set()
    written: set[int] = set()
    for row in program.rows:
        operands = program.kernels[row.kernel].operands
        writes = {buffer for operand, buffer in zip(operands, row.buffers, strict=True) if operand.written}
        if written & set(row.buffers) or read & writes:
            epoch += 1
            read, written = set(), set()
        read |= set(row.buffers)
        written |= writes
        epochs.append(epoch)
    return epochs


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
            most = max(most, words * core.dtype.bytes)
    return most


def find_barriers(program: Program, spans: Sequence[tuple[int, int]], alone: Sequence[bool]) -> list[bool]:
    """Before which rows the workers must wait for each other.

    `spans[buffer]` is the memory a buffer occupies, `alone[row]` whether only the first worker runs the row. A row must
    wait if it touches memory that a row since the last wait wrote, or writes what one has read, unless the first
    worker ran both alone.
    """
    barriers = []
    by_all: dict[tuple[int, int], bool] = {}  # memory that shared rows touched since, and whether one wrote it
    by_first: dict[tuple[int, int], bool] = {}  # the same of rows that the first worker ran
    for number, row in enumerate(program.rows):
        kernel = program.kernels[row.kernel]
        mine = [(spans[buffer], operand.written) for operand, buffer in zip(kernel.operands, row.buffers, strict=True)]
        others = [by_all] if alone[number] else [by_all, by_first]
        clash = any(_clashes(mine, touched) for touched in others)
        barriers.append(clash)
        if clash:
            by_all, by_first = {}, {}
        into = by_first if alone[number] else by_all
        for span, written in mine:
            into[span] = into.get(span, False) or written
    return barriers


def _clashes(mine: Sequence[tuple[tuple[int, int], bool]], touched: Mapping[tuple[int, int], bool]) -> bool:
    """Whether memory is touched in both, and written in one of them."""
    return any(
        start < other_end and other_start < end and (written or other_written)
        for (start, end), written in mine
        for (other_start, other_end), other_written in touched.items()
    )
