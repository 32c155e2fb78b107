"""Stages that leave every value as it is and drop what is not needed: equal nodes merged, dead nodes dropped."""

from __future__ import annotations

from typing import Any

from chainrule.graph.ir import INPUT, Graph, Node, rewrite


def merge_equal_nodes(graph: Graph) -> Graph:
    """One node where several have the same primitive, inputs and parameters.

    Before: ``a = exp(x); b = exp(x); a + b``; after: ``a = exp(x); a + a``.
    """
    first: dict[Any, Node] = {}

    def merge(node: Node) -> Node:
        if node.primitive is INPUT:
            return node
        # The type follows from these; a dict of one primitive's parameters may have been filled in another order.
        key = (node.primitive, *node.inputs, frozenset(node.params.items()))
        return first.setdefault(key, node)

    return rewrite(graph, merge)


def drop_dead_nodes(graph: Graph) -> Graph:
    """A graph is what its outputs reach, so this only renews it; the inputs, used or not, are its signature."""
    return Graph(graph.name, graph.inputs, graph.outputs)
