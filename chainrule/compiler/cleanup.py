"""Stages that leave every value as it is and drop what is not needed: equal nodes merged, dead nodes dropped."""

from __future__ import annotations

from typing import Any

from chainrule.graph.ir import INPUT, Graph, Node, reachable


def merge_equal_nodes(graph: Graph) -> Graph:
    """One node where several have the same primitive, inputs and parameters.

    Before: ``a = exp(x); b = exp(x); a + b``; after: ``a = exp(x); a + a``.
    """
    first: dict[Any, Node] = {}
    new: dict[Node, Node] = {}
    for node in reachable(graph.outputs):
        if node.primitive is INPUT:
            new[node] = node
            continue
        inputs = tuple([new[operand] for operand in node.inputs])
        key = (node.primitive, tuple(map(id, inputs)), tuple(sorted(node.params.items(), key=_name)), node.type)
        if key not in first:
            first[key] = node.with_inputs(inputs)
        new[node] = first[key]
    return Graph(graph.name, graph.inputs, tuple(new[node] for node in graph.outputs))


def _name(item: tuple[str, Any]) -> str:
    return item[0]


def drop_dead_nodes(graph: Graph) -> Graph:
    """A graph is what its outputs reach, so this only renews it; the inputs, used or not, are its signature."""
    return Graph(graph.name, graph.inputs, graph.outputs)
