"""The verifier: everything that a graph guarantees, checked."""

from __future__ import annotations

from chainrule.errors import ChainruleError
from chainrule.graph.ir import INPUT, Graph, reachable
from chainrule.graph.types import OpenDim


def verify(graph: Graph) -> None:
    """Check a graph.

    1. Inputs are input nodes, each listed once, and every input node that the outputs reach is listed.
    2. A node comes after what it reads, so there are no circles.
    3. Parameters are hashable.
    4. Each node's type is what its primitive's rule gives for its inputs.
    5. Every open dimension is that of some input.

    Raises:
        ChainruleError: with the first node that breaks a guarantee.
    """

    def broken(reason: str, where: object, expected: object = None, got: object = None) -> ChainruleError:
        return ChainruleError(reason, where=f"graph '{graph.name}', {where!r}", expected=expected, got=got)

    listed = set(graph.inputs)
    if len(listed) != len(graph.inputs):
        raise broken("an input is listed twice", graph.name)
    known = {dim.name for node in graph.inputs for dim in node.shape if isinstance(dim, OpenDim)}
    for node in (*graph.inputs, *reachable(graph.outputs)):
        if node.primitive is INPUT and node not in listed:
            raise broken("an input is not listed", node)
        if node in listed and node.primitive is not INPUT:
            raise broken("an input is computed", node)
        if any(operand.number >= node.number for operand in node.inputs):
            raise broken("a node comes before what it reads", node)
        try:
            hash(tuple(node.params.values()))
        except TypeError:
            raise broken("a parameter cannot be hashed", node, got=node.params) from None
        if node.primitive is not INPUT:
            expected = node.primitive.type_rule(*(operand.type for operand in node.inputs), **node.params)
            if expected != node.type:
                raise broken("a node has the wrong type", node, expected=expected, got=node.type)
        for dim in node.shape:
            if isinstance(dim, OpenDim) and dim.name not in known:
                raise broken("an open dimension belongs to no input", node, expected=sorted(known), got=dim)
