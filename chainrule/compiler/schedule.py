"""Schedules: how each kernel runs on a target, chosen from its loops and positions.

Goes in: a kernel and a target. Comes out: the kernel with loops merged where they are one in memory, and a `Schedule`.
The order in which the terms of a sum are added follows from the kernel and the target alone, never from the number of
workers nor from the other rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.compiler.kernel import (
    Accumulation,
    Instruction,
    Kernel,
    MatrixProduct,
    Position,
    Reduction,
    Schedule,
    Store,
    Term,
    make_position,
)
from chainrule.compiler.target import Target
from chainrule.compiler.tiles import FEW_COLUMNS, choose_kept, choose_tile
from chainrule.graph.shapes import multiply_dims
from chainrule.graph.types import Dim, OpenDim

ROWS = 4
"""Rows of a batch that stay with one worker: in all kernels, so that each finds there what it wrote itself."""


def schedule_kernel(kernel: Kernel, target: Target) -> Kernel:
    """Choose the schedule of a kernel."""
    kernel = simplify_product(kernel)
    if isinstance(kernel.core, MatrixProduct):
        lanes = target.lanes(kernel.core.dtype)
        tile = choose_tile(kernel, target, lanes)
        kept = choose_kept(kernel, tile, lanes)
        unit = tile[0] if kept else choose_rows(kernel, tile[1] * lanes)
        return kernel.scheduled(Schedule("tiles", lanes, kernel.rank - 1, 0, unit, tile, kept))
    if not isinstance(kernel.core, Accumulation):
        kernel = merge_loops(kernel)
    lanes = count_lanes(kernel, target)
    last = kernel.rank - 1
    split = 0 if kernel.rank else -1
    if isinstance(kernel.core, Reduction):
        inner = kernel.rank + len(kernel.core.extents) - 1
        if not kernel.rank or reads_along(kernel.core.body, inner, last):
            return kernel.scheduled(Schedule("inner", lanes, inner, split, choose_unit(kernel, 1)))
    style = {Accumulation: "rows", Reduction: "outer"}.get(type(kernel.core), "loops")
    if is_transposition(kernel):
        return kernel.scheduled(Schedule("transpose", lanes, last, split, lanes))
    return kernel.scheduled(Schedule(style, lanes, last, split, choose_unit(kernel, 1 if last else lanes)))


def choose_unit(kernel: Kernel, unit: int) -> int:
    """Steps of the outermost loop that stay with one worker: whole rows of a batch, else `unit`."""
    outermost = kernel.loops[0] if kernel.rank else 1
    return ROWS * outermost.scale if isinstance(outermost, OpenDim) else unit


def choose_rows(kernel: Kernel, width: int) -> int:
    """How many rows of a product one worker takes together; 0: its tiles of so many columns are dealt out one by one.

    A batch is dealt out by rows if there are few columns. So is a matrix of weights if the columns fill no two tiles,
    since single tiles could not be dealt out evenly.
    """
    assert isinstance(kernel.core, MatrixProduct)
    rows, columns = kernel.loops[-2:]
    if kernel.rank > 2:
        return 1
    if isinstance(columns, OpenDim) or columns > FEW_COLUMNS or kernel.core.narrow:
        return 0
    return ROWS if isinstance(rows, OpenDim) or columns <= width or columns % width else 0


def simplify_product(kernel: Kernel) -> Kernel:
    """A product with a single column is a sum, and one with a single term is no sum: neither needs tiles.

    Before: ``core = sum over k of a[m, k] * b[k, 0]`` as a matrix product; after: the same as a reduction.
    """
    core = kernel.core
    if not isinstance(core, MatrixProduct) or core.narrow or core.depth != 1 and kernel.loops[-1] != 1:
        return kernel
    product = (
        Instruction("load", core.dtype, operand=core.a, position=core.a_position),
        Instruction("load", core.dtype, operand=core.b, position=core.b_position),
        Instruction("compute", core.dtype, (0, 1), primitive="multiply"),
    )
    if core.depth != 1:
        return replace(kernel, core=Reduction("sum", core.dtype, (core.depth,), product))
    still = tuple(
        step if step.position is None else replace(step, position=_without_loop(step.position, kernel.rank))
        for step in product
    )
    # The three steps stand in front; where the body asked for the core's value, it gets the product.
    number = next(place for place, step in enumerate(kernel.body) if step.op == "core")
    places = {place: place + len(still) for place in range(len(kernel.body))} | {number: len(still) - 1}
    rest = tuple(
        replace(step, args=tuple(places[arg] for arg in step.args)) if step.op != "core" else still[-1]
        for step in kernel.body
    )
    stores = tuple(replace(store, value=places[store.value]) for store in kernel.stores)
    return replace(kernel, core=None, body=(*still, *rest), stores=stores)


def _without_loop(position: Position, loop: int) -> Position:
    """The position at the start of a loop."""
    return make_position(term for term in position.terms if term[1] != loop)


def count_lanes(kernel: Kernel, target: Target) -> int:
    """Lanes that fit the widest element the kernel computes with, at least 32 bits."""
    steps = list(kernel.body)
    if isinstance(kernel.core, Reduction | Accumulation):
        steps += kernel.core.body
    widest = max((step.dtype.bits for step in steps if step.op not in ("position", "size")), default=32)
    return target.vector_bits // max(32, widest)


def reads_along(body: Sequence[Instruction], inner: int, kept: int) -> bool:
    """Whether lanes should run along the reduced loop `inner` rather than along the kept one.

    The way with fewer loads from all over memory is taken, then that with more loads of neighbours.
    """

    def judge(loop: int) -> tuple[int, int]:
        loads = [step.position for step in body if step.op == "load" and step.position is not None]
        units = sum(position.is_unit(loop) for position in loads)
        return sum(position.depends_on(loop) for position in loads) - units, -units

    return judge(inner) <= judge(kept)


def is_transposition(kernel: Kernel) -> bool:
    """Whether the kernel only copies a matrix into its transpose."""
    if kernel.rank != 2 or len(kernel.body) != 1 or len(kernel.stores) != 1:
        return False
    load, store = kernel.body[0], kernel.stores[0]
    if load.op != "load" or load.args or load.position is None or load.dtype.bits != 32:
        return False
    return load.position.is_unit(0) and store.position.is_unit(1) and not load.position.is_unit(1)


def merge_loops(kernel: Kernel) -> Kernel:
    """Drop loops of extent 1 and merge neighbours that are one run in all memory they touch.

    Before: ``for i0 < batch, for i1 < 512: p0[512*i0 + i1]``; after: ``for i0 < 512*batch: p0[i0]``.
    """
    extents: list[Dim] = list(kernel.loops)
    core = kernel.core
    body = list(kernel.body)
    if isinstance(core, Reduction):
        extents += core.extents
        body += core.body
    positions = [step.position for step in body if step.position is not None]
    positions += [store.position for store in kernel.stores]
    boundary = kernel.rank
    kept = [loop for loop, extent in enumerate(extents) if extent != 1]
    merged: list[list[int]] = []  # each new loop: the old loops in it, outermost first
    for loop in kept:
        same_side = bool(merged) and (merged[-1][-1] < boundary) == (loop < boundary)
        open_twice = (
            same_side
            and isinstance(extents[loop], OpenDim)
            and any(isinstance(extents[old], OpenDim) for old in merged[-1])
        )
        if same_side and not open_twice and _is_one_run(positions, merged[-1][-1], loop, extents[loop]):
            merged[-1].append(loop)
        else:
            merged.append([loop])
    numbers = {old[-1]: new for new, old in enumerate(merged)}
    sizes = [multiply_dims(extents[old] for old in group) for group in merged]
    outer = sum(1 for group in merged if group[-1] < boundary)

    def renumber(position: Position) -> Position:
        terms: list[Term] = []
        for coefficient, loop, names in position.terms:
            if loop == -1:
                terms.append((coefficient, -1, names))
            elif loop in numbers:
                terms.append((coefficient, numbers[loop], names))
        return make_position(terms)

    def move(step: Instruction) -> Instruction:
        return step if step.position is None else replace(step, position=renumber(step.position))

    if isinstance(core, Reduction):
        inner = tuple(sizes[outer:]) or (1,)
        core = replace(core, extents=inner, body=tuple(map(move, core.body)))
    stores = tuple(Store(store.operand, renumber(store.position), store.value) for store in kernel.stores)
    return replace(kernel, loops=tuple(sizes[:outer]), core=core, body=tuple(map(move, kernel.body)), stores=stores)


def _is_one_run(positions: Sequence[Position], outer: int, inner: int, extent: Dim) -> bool:
    for position in positions:
        wide = make_position((c, -1, sizes) for c, sizes in position.stride(outer))
        scaled: list[Term] = []
        for coefficient, sizes in position.stride(inner):
            if isinstance(extent, OpenDim):
                scaled.append((coefficient * extent.scale, -1, tuple(sorted((*sizes, extent.name)))))
            else:
                scaled.append((coefficient * extent, -1, sizes))
        if wide != make_position(scaled):
            return False
    return True
