"""Graphs: what they need, and how they are rewritten."""

import numpy as np

from chainrule.graph.evaluate import evaluate
from chainrule.graph.ir import Graph, Node, make_input, reachable, rewrite
from chainrule.graph.primitive import PRIMITIVES
from chainrule.graph.tracing import trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, float32
from chainrule.graph.verify import verify
from chainrule.ops import add, cos, exp, multiply, sin


def record(function, count):
    leaves, tree = flatten(tuple(ArrayType(float32, (3,)) for _ in range(count)))
    return trace(function, leaves, tree).graph


def replace_sine(node):
    return Node(PRIMITIVES["cos"], node.inputs, {}, node.type, node.scope) if node.primitive.name == "sin" else node


def test_reachable_are_in_the_order_of_creation_each_once():
    graph = record(lambda x, y: multiply(exp(x), add(exp(x), y)), 2)
    found = reachable(graph.outputs)
    assert [node.primitive.name for node in found] == ["input", "input", "exp", "exp", "add", "multiply"]
    assert [node.number for node in found] == sorted({node.number for node in found})


def test_a_rewritten_graph_shares_what_does_not_change():
    graph = record(lambda x, y: (multiply(sin(x), exp(y)), exp(y)), 2)
    new = rewrite(graph, replace_sine)
    verify(new)
    assert new.inputs == graph.inputs and new.outputs[1] is graph.outputs[1]
    assert new.outputs[0].inputs[1] is graph.outputs[0].inputs[1]
    x, y = np.float32([1, 2, 3]), np.float32([0, 1, 2])
    np.testing.assert_array_equal(evaluate(new, [x, y])[0], np.cos(x) * np.exp(y))
    assert rewrite(graph, lambda node: node).outputs == graph.outputs


def test_a_rule_is_given_nodes_that_read_new_ones():
    graph = record(lambda x: sin(sin(cos(x))), 1)
    given = []

    def rule(node):
        given.append(node)
        return replace_sine(node)

    new = rewrite(graph, rule)
    assert [node.primitive.name for node in given] == ["input", "cos", "sin", "sin"]
    assert given[-1].inputs[0] is new.outputs[0].inputs[0]


def test_long_chains_need_no_long_call_stack():
    x = node = make_input("x", ArrayType(float32, (3,)))
    for _ in range(20_000):
        node = Node(PRIMITIVES["sin"], (node,), {}, node.type)
    graph = Graph("chain", (x,), (node,))
    assert len(reachable(rewrite(graph, replace_sine).outputs)) == 20_001
