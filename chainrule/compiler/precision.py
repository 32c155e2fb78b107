"""Precision: products of rounded operands, spelled out for processors that have no instruction for them.

Before: ``matmul(a, b, precision="bfloat16")``; after: ``matmul(round_to_bfloat16(a), round_to_bfloat16(b))``.
"""

from __future__ import annotations

from chainrule.compiler.target import Target
from chainrule.graph.ir import Graph, Node, reachable
from chainrule.graph.primitive import PRIMITIVES


def spell_out_precision(graph: Graph, target: Target) -> Graph:
    """The graph in full precision, where the target has no narrow products."""
    if target.has_bfloat16:
        return graph
    matmul, rounding = PRIMITIVES["matmul"], PRIMITIVES["round_to_bfloat16"]
    new: dict[Node, Node] = {}
    rounded: dict[Node, Node] = {}

    def round_once(node: Node) -> Node:
        if node not in rounded:
            rounded[node] = Node(rounding, (node,), {}, node.type, node.scope)
        return rounded[node]

    for node in reachable(graph.outputs):
        inputs = tuple(new[operand] for operand in node.inputs)
        params = node.params
        if node.primitive is matmul and "precision" in params:
            inputs = tuple(map(round_once, inputs))
            params = {name: value for name, value in params.items() if name != "precision"}
        same = all(after is before for after, before in zip(inputs, node.inputs, strict=True))
        new[node] = node if same else Node(node.primitive, inputs, params, node.type, node.scope)
    return Graph(graph.name, graph.inputs, tuple(new[node] for node in graph.outputs))
