"""Rewrites that keep every bit: each is one function with its algebra, tried on each node once, inputs first.

Only what holds for every IEEE number is here: ``x + 0`` is not x for x = -0, and ``x * 0`` is not 0 for x = inf.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from chainrule.graph.ir import CONSTANT, INPUT, Graph, Node, make_constant, reachable
from chainrule.graph.types import OpenDim

_FOLD = 1024  # elements of the largest constant computed at compile time


def _is_number(node: Node, value: float) -> bool:
    return node.primitive is CONSTANT and node.type.shape == () and node.params["value"].array == value


def drop_marks(node: Node) -> Node | None:
    """identity(x) = x, stop_gradient(x) = x."""
    return node.inputs[0] if node.primitive.name in ("identity", "stop_gradient") else None


def drop_neutral(node: Node) -> Node | None:
    """x * 1 = 1 * x = x, x / 1 = x, x - 0 = x; and -(-x) = x."""
    name = node.primitive.name
    if name in ("multiply", "divide") and _is_number(node.inputs[1], 1) and node.inputs[0].type == node.type:
        return node.inputs[0]
    if name == "multiply" and _is_number(node.inputs[0], 1) and node.inputs[1].type == node.type:
        return node.inputs[1]
    if name == "subtract" and node.inputs[0].type == node.type and _is_positive_zero(node.inputs[1]):
        return node.inputs[0]
    if name == "negative" and node.inputs[0].primitive.name == "negative":
        return node.inputs[0].inputs[0]
    return None


def _is_positive_zero(node: Node) -> bool:
    return _is_number(node, 0) and not np.signbit(node.params["value"].array)


def drop_still_movement(node: Node) -> Node | None:
    """A reshape, broadcast, slice, cast or transpose that changes nothing is its operand."""
    name = node.primitive.name
    if name in ("reshape", "broadcast_to", "cast", "slice") and node.inputs[0].type == node.type:
        if name != "slice" or all(step == 1 for step in node.params["step"]):
            return node.inputs[0]
    if name == "transpose" and node.params["axes"] == tuple(range(node.type.rank)):
        return node.inputs[0]
    return None


def join_movement(node: Node) -> Node | None:
    """reshape(reshape(x)) = reshape(x); transpose(transpose(x)) = one transpose."""
    name = node.primitive.name
    if name not in ("reshape", "transpose") or node.inputs[0].primitive is not node.primitive:
        return None
    inner = node.inputs[0]
    if name == "reshape":
        return Node(node.primitive, inner.inputs, node.params, node.type, node.scope)
    axes = tuple(inner.params["axes"][axis] for axis in node.params["axes"])
    return Node(node.primitive, inner.inputs, {"axes": axes}, node.type, node.scope)


def use_scalars(node: Node) -> Node | None:
    """An elementwise operation takes a scalar as it is: f(x, broadcast_to(c)) = f(x, c) where x has the shape."""
    if node.primitive.family != "elementwise" or len(node.inputs) < 2:
        return None
    whole = [operand for operand in node.inputs if operand.type.shape and not _spread_scalar(operand)]
    if not whole:
        return None
    inputs = tuple(operand.inputs[0] if _spread_scalar(operand) else operand for operand in node.inputs)
    changed = node.with_inputs(inputs)
    return None if changed is node else changed


def _spread_scalar(node: Node) -> bool:
    return node.primitive.name == "broadcast_to" and node.inputs[0].type.shape == ()


def fold_constants(node: Node) -> Node | None:
    """A function of constants alone is a constant."""
    if not node.inputs or not node.type.is_static or any(operand.primitive is not CONSTANT for operand in node.inputs):
        return None
    size = math.prod(dim for dim in node.type.shape if isinstance(dim, int))
    if size > _FOLD or any(isinstance(v, OpenDim) for v in node.params.values()):
        return None
    with np.errstate(all="ignore"):
        value = node.primitive.evaluate(*(operand.params["value"].array for operand in node.inputs), **node.params)
    return make_constant(np.asarray(value, dtype=node.dtype.numpy))


def turn_in_product(node: Node) -> Node | None:
    """matmul(transpose(a), b) = matmul(a, b) with a read the other way round."""
    if node.primitive.name != "matmul":
        return None
    inputs, params = list(node.inputs), dict(node.params)
    for place, flag in enumerate(("transpose_a", "transpose_b")):
        operand = inputs[place]
        rank = operand.type.rank
        if operand.primitive.name == "transpose" and operand.params["axes"] == (*range(rank - 2), rank - 1, rank - 2):
            inputs[place], params[flag] = operand.inputs[0], not params[flag]
    if params == node.params:
        return None
    return Node(node.primitive, tuple(inputs), params, node.type, node.scope)


RULES: tuple[Callable[[Node], Node | None], ...] = (
    drop_marks,
    drop_neutral,
    drop_still_movement,
    join_movement,
    use_scalars,
    turn_in_product,
    fold_constants,
)


def simplify(graph: Graph) -> Graph:
    """The graph with every rule applied wherever it fits, in one pass from the inputs to the outputs."""
    new: dict[Node, Node] = {}
    for node in reachable(graph.outputs):
        if node.primitive is INPUT or node.primitive is CONSTANT:
            new[node] = node
            continue
        current = node.with_inputs(tuple([new[operand] for operand in node.inputs]))
        changed = True
        while changed:
            changed = False
            for rule in RULES:
                found = rule(current)
                if found is not None:
                    current, changed = found, True
                    break
            if current.primitive in (INPUT, CONSTANT):
                break
        new[node] = current
    return Graph(graph.name, graph.inputs, tuple(new[node] for node in graph.outputs))
