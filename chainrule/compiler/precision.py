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
        if node.primitive is matmul and "precision" in node.params:
            params = {name: value for name, value in node.params.items() if name != "precision"}
            new[node] = Node(matmul, tuple(map(round_once, inputs)), params, node.type, node.scope)
        else:
            new[node] = node.with_inputs(inputs)
    return Graph(graph.name, graph.inputs, tuple(new[node] for node in graph.outputs))
