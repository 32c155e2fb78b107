"""Kernels: loop nests with loads, stores and one core, as plain values.

    kernel ::= loops, core?, body, stores
    core   ::= a reduction over further loops, or a matrix product

For every point of `loops` a kernel computes its core (if any), then its `body`, one scalar instruction after the
other, and stores. The first loops are the result's axes; a reduction's own loops are numbered after them. All that
the emitter needs is in the value, so equal kernels, such as those of equal layers, are equal values and are compiled
once. Extents may be open; they are read from the program's table of sizes at the call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from chainrule.graph.types import Dim, DType, OpenDim

# One term of a position: coefficient * loop index (-1: none) * product of open sizes.
Term = tuple[int, int, tuple[str, ...]]


@dataclass(frozen=True)
class Position:
    """An integer that is linear in the loop indices: ``sum(coefficient * loop * sizes)``.

    Printed as ``512*i0 + i1``.
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.terms))

    def __hash__(self) -> int:  # kernels are told apart by what is in them, so this is asked very often
        return self._hash  # type: ignore[attr-defined, no-any-return]

    def stride(self, loop: int) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """How far the position moves when `loop` advances by one, as a sum of coefficient * sizes."""
        return tuple((coefficient, sizes) for coefficient, at, sizes in self.terms if at == loop)

    def depends_on(self, loop: int) -> bool:
        return any(at == loop for _, at, _ in self.terms)

    def is_unit(self, loop: int) -> bool:
        return self.stride(loop) == ((1, ()),)

    def __str__(self) -> str:
        parts = []
        for coefficient, loop, sizes in self.terms:
            factors = [*sizes, *([f"i{loop}"] if loop >= 0 else [])]
            if coefficient != 1 or not factors:
                factors.insert(0, str(coefficient))
            parts.append("*".join(factors))
        return " + ".join(parts) or "0"


def make_position(terms: Iterable[Term]) -> Position:
    """Terms with equal loop and sizes added up, zeros dropped, in a canonical order."""
    sums: dict[tuple[int, tuple[str, ...]], int] = {}
    for coefficient, loop, sizes in terms:
        sums[loop, sizes] = sums.get((loop, sizes), 0) + coefficient
    return Position(tuple((c, loop, sizes) for (loop, sizes), c in sorted(sums.items()) if c))


@dataclass(frozen=True)
class Operand:
    """A buffer that the kernel touches."""

    dtype: DType
    written: bool


@dataclass(frozen=True)
class Instruction:
    """One scalar step of a body; `args` are the numbers of earlier steps.

    op is a primitive's name (``compute``), or one of ``load``, ``position``, ``size``, ``literal``, ``core``.
    """

    op: str
    dtype: DType
    args: tuple[int, ...] = ()
    primitive: str = ""
    params: tuple[tuple[str, Any], ...] = ()
    operand: int = -1
    position: Position | None = None
    row_stride: tuple[Term, ...] = ()
    row_count: Dim = 0
    value: Any = None
    dim: Dim = 0

    def __str__(self) -> str:
        inputs = " ".join(f"%{arg}" for arg in self.args)
        if self.op == "load":
            indirect = f" + row(%{self.args[0]})" if self.args else ""
            return f"load p{self.operand}[{self.position}{indirect}]"
        if self.op == "position":
            return f"position {self.position}"
        if self.op == "size":
            return f"size {self.dim}"
        if self.op == "literal":
            return f"literal {self.value!r}"
        if self.op == "core":
            return "core"
        return f"{self.primitive} {inputs}"


@dataclass(frozen=True)
class Store:
    """Write the value of a step of the body."""

    operand: int
    position: Position
    value: int

    def __str__(self) -> str:
        return f"store p{self.operand}[{self.position}] = %{self.value}"


@dataclass(frozen=True)
class Reduction:
    """The core ``combine over reduced loops of element``; the element is the last step of `body`."""

    primitive: str
    dtype: DType
    extents: tuple[Dim, ...]
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class MatrixProduct:
    """The core ``sum over k of a[.., m, k] * b[.., k, n]``; the last two loops are m and n, loop number `rank` is k.

    With `narrow` the factors are rounded to bfloat16 first.
    """

    dtype: DType
    depth: Dim
    a: int
    b: int
    a_position: Position
    b_position: Position
    narrow: bool = False


@dataclass(frozen=True)
class ColumnSums:
    """Beside a matrix product ``sum over k of b[k, n]``, for which the product reads b anyway.

    So the gradient of a bias comes with that of the weights. The core of `body` is the sum; the loop is the product's
    n.
    """

    body: tuple[Instruction, ...]
    stores: tuple[Store, ...]


@dataclass(frozen=True)
class Accumulation:
    """The core ``out[index[r], ...] += update[r, ...]`` for rows in order; loops are the columns of a row.

    `index` and `update` are read by the two steps of `body`; loop number `rank` is r.
    """

    dtype: DType
    rows: Dim
    body: tuple[Instruction, ...]
    operand: int
    position: Position
    row_stride: tuple[Term, ...]
    row_count: Dim


@dataclass(frozen=True)
class Schedule:
    """How a kernel runs, as numbers.

    Args:
        lanes: elements a vector.
        vector_loop: the loop that runs along the lanes (-1: none, scalars).
        split_loop: the loop whose range is divided over the workers (-1: one worker).
        unit: steps of that loop that one worker does together; 0 where a product's tiles are dealt out one by one.
        tile: rows and vectors of a matrix product's register tile.
        style: ``loops``, ``transpose``, ``inner`` or ``outer`` reduction, ``tiles``, ``rows``.
        kept: of how many tiles' rows a product keeps copies of its left matrix (0: it reads it as it lies).
    """

    style: str
    lanes: int
    vector_loop: int = -1
    split_loop: int = -1
    unit: int = 0
    tile: tuple[int, int] = (0, 0)
    kept: int = 0

    def __str__(self) -> str:
        shared = f"workers along i{self.split_loop} by {self.unit}" if self.unit else "workers share tiles"
        if self.split_loop < 0:
            shared = "one worker"
        tile = f", tile {self.tile[0]}x{self.tile[1]}" if self.style == "tiles" else ""
        tile += f", copies of {self.kept} blocks of the left matrix" if self.kept else ""
        return f"{self.style}: {self.lanes} lanes along i{self.vector_loop}, {shared}{tile}"


@dataclass(frozen=True)
class Kernel:
    """A loop nest. `schedule` is None until `choose_schedules`; `beside` is what a product does on its way."""

    operands: tuple[Operand, ...]
    loops: tuple[Dim, ...]
    core: Reduction | MatrixProduct | Accumulation | None
    body: tuple[Instruction, ...]
    stores: tuple[Store, ...]
    schedule: Schedule | None = None
    beside: ColumnSums | None = None

    @property
    def rank(self) -> int:
        return len(self.loops)

    @property
    def family(self) -> str:
        if self.core is None:
            return "loop"
        return {Reduction: "reduce", MatrixProduct: "matmul", Accumulation: "accumulate"}[type(self.core)]

    def scheduled(self, schedule: Schedule) -> Kernel:
        return replace(self, schedule=schedule)

    @cached_property
    def size_names(self) -> tuple[str, ...]:
        """The open dimensions that the kernel reads, in a fixed order."""
        names: set[str] = set()

        def add_dims(dims: Iterable[Any]) -> None:
            names.update(dim.name for dim in dims if isinstance(dim, OpenDim))

        def add_terms(terms: Iterable[Term]) -> None:
            for _, _, sizes in terms:
                names.update(sizes)

        steps = list(self.body)
        stores = list(self.stores)
        if self.beside is not None:
            steps += self.beside.body
            stores += self.beside.stores
        add_dims(self.loops)
        core = self.core
        if isinstance(core, Reduction):
            add_dims(core.extents)
            steps += core.body
        elif isinstance(core, MatrixProduct):
            add_dims([core.depth])
            add_terms(core.a_position.terms + core.b_position.terms)
        elif isinstance(core, Accumulation):
            add_dims([core.rows, core.row_count])
            add_terms(core.position.terms + core.row_stride)
            steps += core.body
        for step in steps:
            add_dims([step.dim, step.row_count])
            add_terms(step.row_stride)
            if step.position is not None:
                add_terms(step.position.terms)
        for store in stores:
            add_terms(store.position.terms)
        return tuple(sorted(names))

    def __str__(self) -> str:
        """The kernel as a loop nest, for people and as a part of the cache's key."""
        pointers = ", ".join(f"p{k}: {o.dtype}{'!' if o.written else ''}" for k, o in enumerate(self.operands))
        lines = [f"{self.family}({pointers})"]
        lines += [f"for i{loop} < {extent}" for loop, extent in enumerate(self.loops)]
        core = self.core
        if isinstance(core, Reduction):
            inner = ", ".join(f"i{self.rank + at} < {extent}" for at, extent in enumerate(core.extents))
            lines.append(f"  core = {core.primitive}:{core.dtype} over {inner} of")
            lines += [f"    %{number}:{step.dtype} = {_full(step)}" for number, step in enumerate(core.body)]
        elif isinstance(core, MatrixProduct):
            a, b = f"p{core.a}[{core.a_position}]", f"p{core.b}[{core.b_position}]"
            kind = " in bfloat16" if core.narrow else ""
            lines.append(f"  core = sum:{core.dtype} over i{self.rank} < {core.depth} of {a} * {b}{kind}")
        elif isinstance(core, Accumulation):
            lines.append(
                f"  for i{self.rank} < {core.rows}: p{core.operand}[{core.position} + row {core.row_stride}"
                f" of {core.row_count}] += {core.dtype}"
            )
            lines += [f"    %{number}:{step.dtype} = {_full(step)}" for number, step in enumerate(core.body)]
        lines += [f"  %{number}:{step.dtype} = {_full(step)}" for number, step in enumerate(self.body)]
        lines += [f"  {store}" for store in self.stores]
        if self.beside is not None:
            assert isinstance(core, MatrixProduct)
            lines.append(f"  beside: core = sum over i{self.rank} < {core.depth} of p{core.b}[{core.b_position}]")
            lines += [f"    %{number}:{step.dtype} = {_full(step)}" for number, step in enumerate(self.beside.body)]
            lines += [f"    {store}" for store in self.beside.stores]
        if self.schedule:
            lines.append(f"schedule {self.schedule}")
        return "\n".join(lines)


def _full(step: Instruction) -> str:
    extra = " ".join(f"{key}={value}" for key, value in step.params)
    if step.op == "load" and step.args:
        extra += f" stride {step.row_stride} of {step.row_count}"
    return f"{step} {{{extra}}}" if extra else str(step)
