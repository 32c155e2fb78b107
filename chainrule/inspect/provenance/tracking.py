"""Tracking: from what is not finite at a step's end back to where that began.

In: a step's program, the arrays that it ran on, and the nodes that were found not finite. The way leads back, number
by number, through operands that are not finite, to an operation whose operands all are, or to a Variable that was so
before the step. What is not finite but hidden again, by a `where` or as 1 / inf, lies on no such way.

    look_at(traced, arrays) → Look         what is not finite, how large each node is
    trace_back(look, ends)  → origins      in the order of computation
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.graph.evaluate import evaluate_each
from chainrule.graph.ir import Graph, Node, reachable
from chainrule.graph.tracing import TracedFunction
from chainrule.graph.variable import Variable
from chainrule.training.rewind import all_finite

_FIXED = {"constant", "iota", "dim_size"}


@dataclass(frozen=True, eq=False)
class Look:
    """A step as the interpreter saw it.

    Args:
        largest: of every node of floats, the largest size of a number.
        bad: of every node that is not finite, where it is not.
        chosen: the conditions by which a `where` chose.
    """

    traced: TracedFunction
    largest: Mapping[Node, float]
    bad: Mapping[Node, np.ndarray]
    chosen: Mapping[Node, np.ndarray]

    @property
    def variables(self) -> dict[Node, Variable]:
        """The Variables by their nodes."""
        return dict(zip(self.traced.graph.inputs[self.traced.arguments :], self.traced.variables, strict=True))

    def output_of(self, variable: Variable) -> Node:
        """The node of a Variable's new value."""
        updates = self.traced.graph.outputs[self.traced.results :]
        return dict(zip(self.traced.assigned, updates, strict=True))[variable]


def look_at(traced: TracedFunction, arrays: Sequence[np.ndarray]) -> Look:
    """Interpret a step."""
    nodes = traced.graph.nodes
    data = set(traced.graph.inputs[: traced.arguments])  # the whole data set, which was checked before
    conditions = {node.inputs[0] for node in nodes if node.primitive.name == "select"}
    largest: dict[Node, float] = {}
    bad: dict[Node, np.ndarray] = {}
    chosen: dict[Node, np.ndarray] = {}
    for node, value in evaluate_each(traced.graph, arrays):
        if node in conditions:
            chosen[node] = value
        if node in data or not node.dtype.is_float:
            continue
        largest[node] = float(np.max([value.max(), -value.min()])) + 0.0 if value.size else 0.0  # and not -0
        if not all_finite(value):
            where = ~np.isfinite(value)
            bad[node] = np.broadcast_to(np.True_, value.shape) if where.all() else where  # this one takes no memory
    return Look(traced, largest, bad, chosen)


def losses_of(look: Look, flag: Variable) -> list[Node]:
    """The losses that a step looked at to set the flag that one was no number."""
    found, stack = [], [look.output_of(flag)]
    while stack:
        node = stack.pop()
        if not node.dtype.is_float:
            stack.extend(node.inputs)
        elif node.primitive.name == "absolute":  # isfinite(x) is |x| < inf
            found.append(node.inputs[0])
    return found


def fixed_nodes(graph: Graph) -> set[Node]:
    """Nodes that depend on constants alone: what is not finite among them was meant so."""
    fixed: set[Node] = set()
    for node in graph.nodes:
        if node.primitive.name in _FIXED or node.inputs and all(operand in fixed for operand in node.inputs):
            fixed.add(node)
    return fixed


def trace_back(look: Look, ends: Iterable[Node]) -> dict[Node, np.ndarray]:
    """Where what is not finite in `ends` began: operations on finite numbers, and Variables, in order; and where there.

    Each number that is not finite is followed to those of the operands that it was made of.
    """
    fixed = fixed_nodes(look.traced.graph)
    wanted = {node: look.bad[node] for node in ends if node in look.bad}
    origins: dict[Node, np.ndarray] = {}
    for node in reversed(reachable(wanted)):
        if node not in wanted:
            continue
        unexplained = wanted[node]
        for operand in dict.fromkeys(node.inputs):
            if operand not in look.bad or operand in fixed:
                continue
            used = numbers_used(node, operand, wanted[node], look) & look.bad[operand]
            if used.any():
                wanted[operand] = wanted[operand] | used if operand in wanted else used
                if node.primitive.family == "elementwise" and operand.shape:
                    unexplained = unexplained & ~used
                else:
                    unexplained = np.zeros_like(unexplained)
        if unexplained.any():
            origins[node] = unexplained
    return dict(sorted(origins.items(), key=lambda pair: pair[0].number))


def numbers_used(node: Node, operand: Node, wanted: np.ndarray, look: Look) -> np.ndarray:
    """Which numbers of an operand those of the result are made of; all, where that is not known."""
    shape = look.bad[operand].shape
    if node.primitive.family == "elementwise":
        if node.primitive.name == "select":
            condition = look.chosen[node.inputs[0]]
            first, second = (operand is given for given in node.inputs[1:])
            wanted = wanted & (condition if first and not second else ~condition if second and not first else True)
        return wanted if shape else np.asarray(wanted.any())
    if node.primitive.family == "reduction":
        axes = node.params["axes"]
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
        return np.broadcast_to(wanted.reshape(kept), shape)
    if node.primitive.name == "broadcast_to":
        lead = np.asarray(np.any(wanted, axis=tuple(range(wanted.ndim - len(shape)))))
        stretched = tuple(axis for axis, size in enumerate(shape) if size == 1)
        return np.asarray(np.any(lead, axis=stretched, keepdims=True)).reshape(shape)
    if node.primitive.name == "reshape":
        return wanted.reshape(shape)
    if node.primitive.name == "transpose":
        order = node.params["axes"]
        return wanted.transpose(np.argsort(order))
    if node.primitive.name == "matmul" and node.inputs[0] is not node.inputs[1]:
        return lines_used(node, operand, wanted, shape)
    return np.broadcast_to(np.True_, shape)


def lines_used(node: Node, operand: Node, wanted: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Of a matrix product's operand the rows, of the second the columns, that the wanted numbers are made of."""
    if operand is node.inputs[0]:
        lines = np.asarray(wanted.any(axis=-1))
        lines = lines[..., None, :] if node.params["transpose_a"] else lines[..., None]
    else:
        lines = np.asarray(wanted.any(axis=-2))
        lines = lines[..., None] if node.params["transpose_b"] else lines[..., None, :]
    return np.broadcast_to(lines, shape)
