"""Precision: products of rounded operands, spelled out for processors that have no instruction for them.

Before: ``matmul(a, b, precision="bfloat16")``; after: ``matmul(round_to_bfloat16(a), round_to_bfloat16(b))``.
"""

from __future__ import annotations

from chainrule.compiler.target import Target
from chainrule.graph.ir import Graph, Node, rewrite
from chainrule.graph.primitive import PRIMITIVES


def spell_out_precision(graph: Graph, target: Target) -> Graph:
    """The graph in full precision, where the target has no narrow products."""
    if target.has_bfloat16:
        return graph
    matmul, rounding = PRIMITIVES["matmul"], PRIMITIVES["round_to_bfloat16"]
    rounded: dict[Node, Node] = {}

    def round_once(node: Node) -> Node:
        if node not in rounded:
            rounded[node] = Node(rounding, (node,), {}, node.type, node.scope)
        return rounded[node]

    def spell_out(node: Node) -> Node:
        if node.primitive is not matmul or "precision" not in node.params:
            return node
        params = {name: value for name, value in node.params.items() if name != "precision"}
        return Node(matmul, tuple(map(round_once, node.inputs)), params, node.type, node.scope)

    return rewrite(graph, spell_out)
