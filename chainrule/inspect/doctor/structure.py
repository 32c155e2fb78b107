"""Questions about a traced model's graph: which activation gives a node, what depends on what, which layer made it.

In: nodes. Out: names and sets of nodes. Nothing is computed. A Sequential, a graph of layers and a class with a `call`
of its own are all the same here, and so are a layer's activation and a function of `cr.ops`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from chainrule.graph.ir import INPUT, Node
from chainrule.graph.tree import flatten
from chainrule.layers.layer import Result
from chainrule.training.checks import activation_of

_SHAPE_ONLY = {"reshape", "broadcast_to", "transpose", "cast", "identity", "stop_gradient"}

_NAMED = {"relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "exp": "exponential"}
"""Primitives that are activations."""


def plain(node: Node) -> Node:
    """The node behind those that change nothing but shape or type."""
    while node.primitive.name in _SHAPE_ONLY and node.inputs:
        node = node.inputs[0]
    return node


def softmax_input(node: Node) -> Node | None:
    """What a node is the softmax of: z of ``exp(z - max(z)) / sum(exp(z - max(z)))``."""
    if node.primitive.name != "divide":
        return None
    raised, total = node.inputs[0], plain(node.inputs[1])
    if raised.primitive.name != "exp" or total.primitive.name != "sum" or total.inputs[0] is not raised:
        return None
    shifted = raised.inputs[0]
    return shifted.inputs[0] if shifted.primitive.name == "subtract" else None


def log_softmax_input(node: Node) -> Node | None:
    """What a node is the log-softmax of: z of ``z - max(z) - log(sum(exp(z - max(z))))``."""
    if node.primitive.name != "subtract":
        return None
    shifted, logarithm = node.inputs[0], plain(node.inputs[1])
    if logarithm.primitive.name != "log" or shifted.primitive.name != "subtract":
        return None
    total = plain(logarithm.inputs[0])
    raised = total.inputs[0] if total.primitive.name == "sum" else None
    is_one = raised is not None and raised.primitive.name == "exp" and raised.inputs[0] is shifted
    return shifted.inputs[0] if is_one else None


def activation_at(node: Node, results: Sequence[Result] = ()) -> str | None:
    """The activation whose result a node is, "linear" for a weighted sum, None for what is neither.

    Args:
        results: calls of layers, which know the activations that the graph's formula does not show.

    Example:
        >>> from chainrule import ops
        >>> from chainrule.layers.core import Input
        >>> x = Input((3,))
        >>> activation_at(ops.softmax(x)), activation_at(ops.relu(x)), activation_at(x * 2.0)
        ('softmax', 'relu', None)
    """
    behind = plain(node)
    if softmax_input(behind) is not None:
        return "softmax"
    if log_softmax_input(behind) is not None:
        return "log_softmax"
    if is_weighted_sum(behind):
        return "linear"
    if behind.primitive.name in _NAMED:
        return _NAMED[behind.primitive.name]
    maker = maker_of(node, results)
    return None if maker is None else activation_of(maker.layer)


def is_weighted_sum(node: Node) -> bool:
    """Whether a node is ``x @ kernel`` or ``x @ kernel + bias``."""
    if node.primitive.name == "matmul":
        return True
    if node.primitive.name != "add":
        return False
    parts = [plain(operand) for operand in node.inputs]
    return any(part.primitive.name == "matmul" for part in parts) and any(part.primitive is INPUT for part in parts)


def maker_of(node: Node, results: Sequence[Result]) -> Result | None:
    """The call that gave a node: of the innermost layer, where several hand it on."""
    for wanted in (node, plain(node)):
        for result in results:
            if any(wanted is given for given in nodes_of(result.outputs)):
                return result
    return None


def nodes_of(nest: Any) -> list[Node]:
    """The nodes of a nest."""
    return [leaf for leaf in flatten(nest)[0] if isinstance(leaf, Node)]


def dependents(order: Iterable[Node], sources: Collection[Node]) -> set[Node]:
    """The sources, and the nodes computed from them.

    Args:
        order: nodes, each after what it reads, as `reachable` gives them.
    """
    found = set(sources)
    for node in order:
        if any(operand in found for operand in node.inputs):
            found.add(node)
    return found
