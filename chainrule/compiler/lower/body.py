"""From nodes to a kernel's body: each element as a formula of elements, positions carried through the views.

A movement such as a transpose computes nothing here: it changes the index at which its operand is read. So the body
of a kernel is found by asking for a node's element at an index, and that asks for the operands' elements.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.compiler.kernel import Instruction, Position, Term, make_position
from chainrule.errors import ChainruleError
from chainrule.graph.ir import CONSTANT, INPUT, Node
from chainrule.graph.shapes import contiguous_strides
from chainrule.graph.types import Dim, OpenDim, Shape, int64

Index = tuple[Position, ...]

ZERO = Position(())
VIEWS = frozenset({"broadcast_to", "transpose", "slice", "flip", "reshape"})
"""Movements that only change where an element is read; the others (pad, concatenate) write regions."""


def loop_index(loop: int) -> Position:
    """The index that is a loop's own."""
    return Position(((1, loop, ()),))


def scale_terms(position: Position, factor: Dim) -> list[Term]:
    """The terms of ``position * factor``."""
    if isinstance(factor, OpenDim):
        return [(c * factor.scale, loop, tuple(sorted((*sizes, factor.name)))) for c, loop, sizes in position.terms]
    return [(c * factor, loop, sizes) for c, loop, sizes in position.terms]


def dim_terms(dim: Dim) -> list[Term]:
    """A dimension as a position without loops."""
    return [(dim.scale, -1, (dim.name,))] if isinstance(dim, OpenDim) else [(dim, -1, ())]


def flatten_index(index: Sequence[Position], strides: Sequence[Dim]) -> list[Term]:
    """``sum(index * stride)``: where in a row-major array the element lies."""
    terms: list[Term] = []
    for position, stride in zip(index, strides, strict=True):
        if position.terms:
            terms += scale_terms(position, stride)
    return terms


@functools.lru_cache(maxsize=4096)
def element_position(shape: Shape, index: Index) -> Position:
    """Where the element at `index` lies in a row-major array of this shape."""
    return make_position(flatten_index(index, contiguous_strides(shape)))


@functools.lru_cache(maxsize=4096)
def identity_index(shape: Shape) -> Index:
    """Each axis read by the loop of its own number; an axis of size 1 has no loop to follow."""
    return tuple(ZERO if dim == 1 else loop_index(axis) for axis, dim in enumerate(shape))


def without_ones(shape: Shape) -> tuple[Dim, ...]:
    return tuple(dim for dim in shape if dim != 1)


def is_relabelling(node: Node) -> bool:
    """Whether a reshape only adds or drops axes of size 1."""
    return without_ones(node.shape) == without_ones(node.inputs[0].shape)


def strip_reshapes(node: Node) -> Node:
    """What a chain of reshapes starts from; it has the same elements in the same order."""
    while node.primitive.name == "reshape":
        node = node.inputs[0]
    return node


def view_index(node: Node, index: Index) -> Index:
    """Where a view's operand is read when the view is read at `index` (all but a true reshape)."""
    operand = node.inputs[0]
    name = node.primitive.name
    if name == "broadcast_to":
        tail = index[len(index) - operand.type.rank :]
        return tuple(
            ZERO if dim == 1 and wide != 1 else at
            for at, dim, wide in zip(
                tail, operand.shape, node.shape[len(node.shape) - operand.type.rank :], strict=True
            )
        )
    if name == "transpose":
        result = [ZERO] * len(index)
        for at, axis in zip(index, node.params["axes"], strict=True):
            result[axis] = at
        return tuple(result)
    if name == "slice":
        return tuple(
            make_position([*scale_terms(at, step), *dim_terms(start)])
            for at, start, step in zip(index, node.params["start"], node.params["step"], strict=True)
        )
    if name == "flip":
        return tuple(
            make_position([*scale_terms(at, -1), *dim_terms(dim), (-1, -1, ())]) if axis in node.params["axes"] else at
            for axis, (at, dim) in enumerate(zip(index, node.shape, strict=True))
        )
    kept = iter([at for at, dim in zip(index, node.shape, strict=True) if dim != 1])
    return tuple(ZERO if dim == 1 else next(kept) for dim in operand.shape)


class BodyBuilder:
    """Collects the steps of one kernel's body.

    Args:
        is_stored: whether a node's value lies in a buffer by the time this kernel runs (or in a register of it).
        operand_of: the kernel's number for a node's buffer, made at first use.
    """

    def __init__(self, is_stored: Callable[[Node], bool], operand_of: Callable[[Node], int]):
        self.is_stored = is_stored
        self.operand_of = operand_of
        self.steps: list[Instruction] = []
        self._numbers: dict[Instruction, int] = {}
        self._values: dict[tuple[Node, Index], int] = {}

    def add(self, step: Instruction) -> int:
        number = self._numbers.setdefault(step, len(self.steps))
        if number == len(self.steps):
            self.steps.append(step)
        return number

    def define(self, node: Node, index: Index, number: int) -> None:
        """From here on `node` at `index` is the value of a step."""
        self._values[node, index] = number

    def address(self, node: Node, index: Index) -> tuple[Node, Position]:
        """The buffer and the position at which an element of a stored node, or of a view of one, lies."""
        while not self.is_stored(node):
            if node.primitive.name not in VIEWS:
                raise ChainruleError("the compiler reads a value that has no buffer", where=repr(node))
            if node.primitive.name == "reshape" and not is_relabelling(node):
                terms = flatten_index(index, contiguous_strides(node.shape))
                return node.inputs[0], make_position(terms)
            index = view_index(node, index)
            node = node.inputs[0]
        return node, element_position(node.shape, index)

    def value(self, node: Node, index: Index) -> int:
        """The step that computes `node` at `index`."""
        key = (node, index)
        number = self._values.get(key)
        if number is None:
            number = self._values[key] = self._compute(node, index)
        return number

    def _compute(self, node: Node, index: Index) -> int:
        primitive = node.primitive
        if primitive is CONSTANT and node.params["value"].array.size == 1:
            return self.add(Instruction("literal", node.dtype, value=node.params["value"].array.reshape(()).item()))
        if primitive in (INPUT, CONSTANT) or self.is_stored(node):
            operand = self.operand_of(node)
            position = element_position(node.shape, index)
            return self.add(Instruction("load", node.dtype, operand=operand, position=position))
        name = primitive.name
        if name in VIEWS:
            if name == "reshape" and not is_relabelling(node):
                base, position = self.address(node, index)
                return self.add(Instruction("load", node.dtype, operand=self.operand_of(base), position=position))
            return self.value(node.inputs[0], view_index(node, index))
        if name in ("identity", "stop_gradient"):
            return self.value(node.inputs[0], index)
        if name == "iota":
            return self._number(index[node.params["axis"]], node)
        if name == "dim_size":
            size = self.add(Instruction("size", int64, dim=node.params["dim"]))
            return self._cast(size, node)
        if name == "take":
            return self._take(node, index)
        if name == "random_bits":
            place = element_position(node.shape, index)
            at = self.add(Instruction("position", int64, position=place))
            keys = tuple(self.value(operand, ()) for operand in node.inputs)
            return self._primitive(node, (*keys, at))
        if primitive.family != "elementwise":
            raise ChainruleError("the compiler reads a value that has no buffer", where=repr(node))
        args = tuple(self.value(operand, index if operand.shape else ()) for operand in node.inputs)
        return self._primitive(node, args)

    def _primitive(self, node: Node, args: tuple[int, ...]) -> int:
        params: tuple[tuple[str, Any], ...] = tuple(
            (key, value) for key, value in sorted(node.params.items()) if key != "shape"
        )
        return self.add(Instruction("compute", node.dtype, args, primitive=node.primitive.name, params=params))

    def _cast(self, number: int, node: Node) -> int:
        return self.add(
            Instruction("compute", node.dtype, (number,), primitive="cast", params=(("dtype", node.dtype),))
        )

    def _number(self, position: Position, node: Node) -> int:
        return self._cast(self.add(Instruction("position", int64, position=position)), node)

    def _take(self, node: Node, index: Index) -> int:
        array, rows = node.inputs
        row = self.value(rows, index[: rows.type.rank])
        strides = contiguous_strides(array.shape)
        rest = make_position(flatten_index(index[rows.type.rank :], strides[1:]))
        return self.add(
            Instruction(
                "load",
                node.dtype,
                (row,),
                operand=self.operand_of(strip_reshapes(array)),
                position=rest,
                row_stride=tuple(dim_terms(strides[0])),
                row_count=array.shape[0],
            )
        )
