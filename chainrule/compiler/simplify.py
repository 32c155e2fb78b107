"""Rewrites that keep every bit: each is one function with its algebra, tried on each node once, inputs first.

Only what holds for every IEEE number is here: ``x + 0`` is not x for x = -0, and ``x * 0`` is not 0 for x = inf.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from chainrule.graph.ir import CONSTANT, Graph, Node, make_constant, rewrite
from chainrule.graph.primitive import Primitive
from chainrule.graph.types import OpenDim

_FOLD = 1024  # elements of the largest constant computed at compile time


def _is_number(node: Node, value: float) -> bool:
    return node.primitive is CONSTANT and node.type.shape == () and node.params["value"].array == value


def drop_marks(node: Node) -> Node | None:
    """identity(x) = x, stop_gradient(x) = x."""
    return node.inputs[0]


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
    if node.primitive.name == "transpose":
        still = node.params["axes"] == tuple(range(node.type.rank))
    else:
        still = node.inputs[0].type == node.type and all(step == 1 for step in node.params.get("step", ()))
    return node.inputs[0] if still else None


def join_movement(node: Node) -> Node | None:
    """reshape(reshape(x)) = reshape(x); transpose(transpose(x)) = one transpose."""
    inner = node.inputs[0]
    if inner.primitive is not node.primitive:
        return None
    if node.primitive.name == "reshape":
        return Node(node.primitive, inner.inputs, node.params, node.type, node.scope)
    axes = tuple(inner.params["axes"][axis] for axis in node.params["axes"])
    return Node(node.primitive, inner.inputs, {"axes": axes}, node.type, node.scope)


def use_scalars(node: Node) -> Node | None:
    """An elementwise operation takes a scalar as it is: f(x, broadcast_to(c)) = f(x, c) where x has the shape."""
    scalars = [_spread_scalar(operand) for operand in node.inputs]
    if not any(scalars):
        return None
    pairs = list(zip(node.inputs, scalars, strict=True))
    if not any(operand.type.shape and not scalar for operand, scalar in pairs):
        return None
    return node.with_inputs(tuple(operand.inputs[0] if scalar else operand for operand, scalar in pairs))


def _spread_scalar(node: Node) -> bool:
    return node.primitive.name == "broadcast_to" and node.inputs[0].type.shape == ()


def fold_constants(node: Node) -> Node | None:
    """A function of constants alone is a constant."""
    for operand in node.inputs:  # most often the first one is none
        if operand.primitive is not CONSTANT:
            return None
    if not node.inputs or not node.type.is_static:
        return None
    size = math.prod(dim for dim in node.type.shape if isinstance(dim, int))
    if size > _FOLD or any(isinstance(v, OpenDim) for v in node.params.values()):
        return None
    with np.errstate(all="ignore"):
        value = node.primitive.evaluate(*(operand.params["value"].array for operand in node.inputs), **node.params)
    return make_constant(np.asarray(value, dtype=node.dtype.numpy))


def turn_in_product(node: Node) -> Node | None:
    """matmul(transpose(a), b) = matmul(a, b) with a read the other way round."""
    inputs, params = list(node.inputs), dict(node.params)
    for place, flag in enumerate(("transpose_a", "transpose_b")):
        operand = inputs[place]
        rank = operand.type.rank
        if operand.primitive.name == "transpose" and operand.params["axes"] == (*range(rank - 2), rank - 1, rank - 2):
            inputs[place], params[flag] = operand.inputs[0], not params[flag]
    if params == node.params:
        return None
    return Node(node.primitive, tuple(inputs), params, node.type, node.scope)


_ALL = ("elementwise", "reduction", "movement", "indexing", "contraction", "random")

RULES: tuple[tuple[Callable[[Node], Node | None], tuple[str, ...]], ...] = (
    (drop_marks, ("identity", "stop_gradient")),
    (drop_neutral, ("multiply", "divide", "subtract", "negative")),
    (drop_still_movement, ("reshape", "broadcast_to", "cast", "slice", "transpose")),
    (join_movement, ("reshape", "transpose")),
    (use_scalars, ("elementwise",)),
    (turn_in_product, ("matmul",)),
    (fold_constants, _ALL),
)
"""Each rule, and the primitives or families of primitives that it is tried on."""


@functools.cache
def rules_for(primitive: Primitive) -> tuple[Callable[[Node], Node | None], ...]:
    """The rules that are tried on nodes of a primitive, in order."""
    return tuple(rule for rule, kinds in RULES if primitive.name in kinds or primitive.family in kinds)


def simplify(graph: Graph) -> Graph:
    """The graph with every rule applied wherever it fits, in one pass from the inputs to the outputs."""
    return rewrite(graph, simplify_node)


def simplify_node(node: Node) -> Node:
    """The node after every rule that fits it, or that fits what another has made of it."""
    changed = True
    while changed:
        changed = False
        for rule in rules_for(node.primitive):
            found = rule(node)
            if found is not None:
                node, changed = found, True
                break
    return node
