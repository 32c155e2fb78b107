"""Sharing: which rows of a program the workers run without waiting for each other, and in which order that is most.

A kernel is divided over the workers along one of its loops, in units of a few steps of it. Where the outermost loop of
two kernels is the batch, and both touch an array only in the rows at hand, a worker finds there what it wrote itself:

    h = relu(x @ w1)   →   row 0: rows 0-31 of h by worker 0, rows 32-63 by worker 1
    y = h @ w2         →   row 1: the same rows of h, so nobody waits
    dw = h.T @ dy      →   row 2: every row of h: the workers wait before it

Goes in: a scheduled program. Comes out: its rows in an order in which those that need no wait stand together, and the
epochs between waits. The arithmetic is the same in any order.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.compiler.kernel import Accumulation, Kernel, MatrixProduct, Position, Reduction
from chainrule.compiler.memory import count_bytes
from chainrule.compiler.program import Program
from chainrule.graph.types import Dim, OpenDim

_WINDOW = 24
"""Rows that a row may be moved ahead by, so that arrays do not live much longer."""

_NEW_BYTES = 1 << 20
"""An epoch ends when its new arrays outgrow the second cache: after so much work a wait costs little, and behind it the
memory of arrays that are no longer needed is used again."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Portion:
    """How an array is dealt out: of `size` bytes (times an open size) each worker touches whole units of `unit` bytes.

    Two kernels with the same portion of the same array touch the same bytes in each worker.
    """

    open_size: str
    size: int
    unit: int


def find_portions(kernel: Kernel) -> tuple[Portion | None, ...]:
    """For each operand the portion that a worker keeps to; None where it may touch any part of the array."""
    schedule, core = kernel.schedule, kernel.core
    assert schedule is not None
    nothing = (None,) * len(kernel.operands)
    if schedule.split_loop < 0 or not schedule.unit or isinstance(core, Accumulation):
        return nothing
    extents: list[Dim] = list(kernel.loops)
    accesses: list[tuple[int, Position | None]] = [(store.operand, store.position) for store in kernel.stores]
    steps = kernel.body
    if isinstance(core, MatrixProduct):
        extents.append(core.depth)
        accesses += [(core.a, core.a_position), (core.b, core.b_position)]
    elif isinstance(core, Reduction):
        extents += core.extents
        steps += core.body
    if kernel.beside is not None:
        accesses += [(store.operand, None) for store in kernel.beside.stores]
        accesses += [(step.operand, None) for step in kernel.beside.body if step.op == "load"]
    accesses += [(step.operand, None if step.args else step.position) for step in steps if step.op == "load"]
    found: dict[int, Portion | None] = {}
    for operand, position in accesses:
        stride = None if position is None else _row_of(position, schedule.split_loop, extents)
        portion = None
        if stride is not None:
            extent = extents[schedule.split_loop]
            row = stride * kernel.operands[operand].dtype.bytes
            if isinstance(extent, OpenDim):
                portion = Portion(extent.name, extent.scale * row, schedule.unit * row)
            else:
                portion = Portion("", extent * row, schedule.unit * row)
        found[operand] = portion if found.get(operand, portion) == portion else None
    return tuple(found.get(operand) for operand in range(len(kernel.operands)))


def _row_of(position: Position, loop: int, extents: Sequence[Dim]) -> int | None:
    """The elements of a row, if a step of `loop` goes on by a row and the other loops stay within it."""
    stride, most = 0, 0
    for coefficient, at, sizes in position.terms:
        extent = extents[at] if at >= 0 else 2  # a constant is added once, as a loop of two steps would
        if sizes or coefficient < 0 or isinstance(extent, OpenDim) and at != loop:
            return None
        if at == loop:
            stride = coefficient
        else:
            assert isinstance(extent, int)
            most += coefficient * (extent - 1)
    return stride if most < stride else None


@dataclass
class Touch:
    """What rows did to an array since the last wait: in which portion, and whether one wrote it."""

    portion: Portion | None
    written: bool

    def clashes(self, portion: Portion | None, written: bool) -> bool:
        """Whether another row that touches the array must wait."""
        return (written or self.written) and (portion is None or portion != self.portion)

    def add(self, portion: Portion | None, written: bool) -> None:
        self.portion = portion if portion == self.portion else None
        self.written = self.written or written


class _Access:
    """What each row of a program touches: buffer, portion, whether it is written."""

    def __init__(self, program: Program):
        portions = [find_portions(kernel) for kernel in program.kernels]
        written = [[operand.written for operand in kernel.operands] for kernel in program.kernels]
        self.of_row = [
            list(zip(row.buffers, portions[row.kernel], written[row.kernel], strict=True)) for row in program.rows
        ]


def order_rows(program: Program, sizes: Mapping[str, int]) -> Program:
    """The program with its rows in an order in which the workers seldom wait, for these open sizes.

    Before: dx2 | dw2 | dx1 | dw1, each of which needs all that the one before wrote, but dx1 only its own rows of dx2;
    after: dx2, dx1 | dw2, dw1. A row comes at most `_WINDOW` places before the first that waits, and none does once the
    new arrays of the epoch outgrow the second cache: they would live on until what waits has read them.
    """
    before = _find_predecessors(program)
    followers: list[list[int]] = [[] for _ in program.rows]
    for row, earlier in enumerate(before):
        for number, _ in earlier:
            followers[number].append(row)
    missing = [len(earlier) for earlier in before]
    epoch_of = [-1] * len(before)
    now = [row for row, count in enumerate(missing) if not count]
    later: list[int] = []
    order: list[int] = []
    epoch = first = 0
    new = _NewBytes(program, sizes)
    while now or later:
        if not now or now[0] > first + (0 if new.many else _WINDOW):
            epoch += 1
            new.begin()
            now += later
            heapq.heapify(now)
            later = []
        row = heapq.heappop(now)
        order.append(row)
        epoch_of[row] = epoch
        new.add(program.rows[row].buffers)
        while first < len(before) and epoch_of[first] >= 0:
            first += 1
        for follower in followers[row]:
            missing[follower] -= 1
            if not missing[follower]:
                waits = any(epoch_of[number] == epoch and not own for number, own in before[follower])
                if waits:
                    later.append(follower)
                else:
                    heapq.heappush(now, follower)
    assert len(order) == len(before), "the rows depend on each other in a circle"
    return replace(program, rows=tuple(program.rows[row] for row in order))


class _NewBytes:
    """Bytes of the temporary arrays that rows of an epoch are the first to touch."""

    def __init__(self, program: Program, sizes: Mapping[str, int]):
        self.left = {
            number: count_bytes(program, number, sizes)
            for number, buffer in enumerate(program.buffers)
            if buffer.role == "temporary"
        }
        self.count = 0

    @property
    def many(self) -> bool:
        return self.count > _NEW_BYTES

    def begin(self) -> None:
        self.count = 0

    def add(self, buffers: Sequence[int]) -> None:
        self.count += sum(self.left.pop(buffer, 0) for buffer in buffers)


def _find_predecessors(program: Program) -> list[list[tuple[int, bool]]]:
    """For each row those that must run before it, and whether a worker needs of each only what it did itself."""
    before: list[list[tuple[int, bool]]] = []
    writer: dict[int, tuple[int, Portion | None]] = {}
    readers: dict[int, list[tuple[int, Portion | None]]] = {}  # since the buffer was written
    for row, touches in enumerate(_Access(program).of_row):
        found: dict[int, bool] = {}
        for buffer, portion, written in touches:
            earlier = [writer[buffer]] if buffer in writer else []
            if written:
                earlier += readers.get(buffer, [])
            for number, theirs in earlier:
                found[number] = found.get(number, True) and portion is not None and portion == theirs
            if written:
                writer[buffer], readers[buffer] = (row, portion), []
            else:
                readers.setdefault(buffer, []).append((row, portion))
        before.append(list(found.items()))
    return before


def find_epochs(program: Program, sizes: Mapping[str, int]) -> list[int]:
    """Between which waits each row runs if each array has its own memory: rows of one epoch need no wait."""
    epochs = []
    epoch = 0
    touched: dict[int, Touch] = {}
    new = _NewBytes(program, sizes)
    for touches in _Access(program).of_row:
        clash = any(
            buffer in touched and touched[buffer].clashes(portion, written) for buffer, portion, written in touches
        )
        if clash or new.many:
            epoch += 1
            new.begin()
            touched = {}
        for buffer, portion, written in touches:
            if buffer in touched:
                touched[buffer].add(portion, written)
            else:
                touched[buffer] = Touch(portion, written)
        new.add([buffer for buffer, _, _ in touches])
        epochs.append(epoch)
    return epochs


def is_dealt_by_rows(kernel: Kernel) -> bool:
    """Whether each worker keeps to its own rows of all that the kernel writes."""
    portions = find_portions(kernel)
    written = [portion for operand, portion in zip(kernel.operands, portions, strict=True) if operand.written]
    return bool(written) and all(portion is not None and portion.open_size for portion in written)


def find_barriers(program: Program, epochs: Sequence[int], spans: Sequence[Span], alone: Sequence[bool]) -> list[bool]:
    """Before which rows the workers must wait for each other.

    `spans[buffer]` is the memory a buffer occupies, `alone[row]` whether only the first worker runs the row. A row must
    wait if it touches memory that a row since the last wait wrote, or writes what one has read, unless the first
    worker ran both alone or each worker keeps to the same part of it in both.
    """
    barriers = []
    overlaps = _find_overlaps(spans)
    by_all, by_first = _Touched(overlaps), _Touched(overlaps)
    epoch = -1
    for number, touches in enumerate(_Access(program).of_row):
        if epochs[number] != epoch:
            epoch = epochs[number]
            by_all.age()
            by_first.age()
        mine = [(spans[buffer], portion, written) for buffer, portion, written in touches]
        wait = by_all.clash(mine, shared=not alone[number])
        if not alone[number]:
            wait = wait or by_first.clash(mine, shared=False)
        barriers.append(wait)
        if wait:
            by_all, by_first = _Touched(overlaps), _Touched(overlaps)
        (by_first if alone[number] else by_all).add(mine)
    return barriers


def _find_overlaps(spans: Sequence[Span]) -> dict[Span, list[Span]]:
    """For each piece of memory the others that have bytes in common with it."""
    overlaps: dict[Span, list[Span]] = {}
    open_spans: list[Span] = []  # those that begin before, and do not end before, the one at hand
    for span in sorted(set(spans)):
        open_spans = [other for other in open_spans if other[1] > span[0]]
        overlaps[span] = list(open_spans)
        for other in open_spans:
            overlaps[other].append(span)
        open_spans.append(span)
    return overlaps


class _Touched:
    """Memory that rows touched since the last wait.

    Arrays of one epoch lie apart, so there the whole span tells which it is; those of an epoch before may have lain
    anywhere over it.

    Args:
        overlaps: what `_find_overlaps` found.
    """

    def __init__(self, overlaps: Mapping[Span, Sequence[Span]]) -> None:
        self.overlaps = overlaps
        self.now: dict[Span, Touch] = {}
        self.before: dict[Span, Touch] = {}

    def age(self) -> None:
        """A new epoch begins."""
        for span, touch in self.now.items():
            _note(self.before, span, touch.portion, touch.written)
        self.now = {}

    def clash(self, mine: Sequence[tuple[Span, Portion | None, bool]], shared: bool) -> bool:
        """Whether a row must wait; without `shared` one worker did all of it, and no portion is another's own."""
        for span, portion, written in mine:
            own = portion if shared else None
            for touch in self._at(span):
                if touch.clashes(own, written):
                    return True
        return False

    def _at(self, span: Span) -> Iterator[Touch]:
        if span in self.now:
            yield self.now[span]
        if span in self.before:
            yield self.before[span]
        for other in self.overlaps[span]:
            if other in self.before:
                yield Touch(None, self.before[other].written)

    def add(self, mine: Sequence[tuple[Span, Portion | None, bool]]) -> None:
        for span, portion, written in mine:
            _note(self.now, span, portion, written)


def _note(touched: dict[Span, Touch], span: Span, portion: Portion | None, written: bool) -> None:
    if span in touched:
        touched[span].add(portion, written)
    else:
        touched[span] = Touch(portion, written)
