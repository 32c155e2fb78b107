"""Every primitive by its own examples: shape rule, machine code on every target, gradient, text, verifier."""

import numpy as np
import pytest

import chainrule.ops
from chainrule.autodiff.check import check_gradients
from chainrule.compiler.target import host_targets
from chainrule.errors import ChainruleError
from chainrule.graph.evaluate import evaluate
from chainrule.graph.primitive import NO_GRADIENT, PRIMITIVES
from chainrule.graph.text import format_graph, parse_graph
from chainrule.graph.tracing import apply, trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import type_of
from chainrule.graph.verify import verify
from chainrule.runtime.jit import build

CASES = [
    pytest.param(primitive, example, id=f"{primitive.name}-{number}")
    for primitive in PRIMITIVES.values()
    for number, example in enumerate(primitive.examples())
]
SMOOTH = [case for case in CASES if case.values[0].vjp is not NO_GRADIENT and case.values[0].name != "cast"]


def record(primitive, example):
    leaves, tree = flatten(tuple(type_of(array) for array in example.arrays))

    def call(*arrays):
        return apply(primitive, *arrays, **example.params)

    return trace(call, leaves, tree)


@pytest.mark.parametrize(("primitive", "example"), CASES)
def test_the_shape_rule_is_that_of_numpy(primitive, example):
    result = primitive.evaluate(*example.arrays, **example.params)
    expected = primitive.type_rule(*(type_of(array) for array in example.arrays), **example.params)
    assert type_of(np.asarray(result)) == expected


@pytest.mark.parametrize("target", host_targets())
@pytest.mark.parametrize(("primitive", "example"), CASES)
def test_machine_code_gives_what_numpy_gives(primitive, example, target):
    traced = record(primitive, example)
    (wanted,) = evaluate(traced.graph, example.arrays)
    (found,) = build(traced, target=target, workers=1)(*example.arrays)
    assert found.dtype == wanted.dtype
    tolerance = 1e-13 if wanted.dtype == np.float64 else 3e-6
    np.testing.assert_allclose(found.astype("float64"), wanted.astype("float64"), rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize(("primitive", "example"), SMOOTH)
def test_the_gradient_is_that_of_differences(primitive, example):
    def call(*arrays):
        return apply(primitive, *arrays, **example.params)

    check_gradients(call, example.arrays)


@pytest.mark.parametrize(("primitive", "example"), CASES)
def test_the_graph_is_sound_and_its_text_is_read_back(primitive, example):
    graph = record(primitive, example).graph
    verify(graph)
    again = parse_graph(format_graph(graph))
    assert format_graph(again) == format_graph(graph)
    for first, second in zip(evaluate(graph, example.arrays), evaluate(again, example.arrays), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["add", "matmul", "select", "take"])
def test_wrong_operands_are_refused_by_name(name):
    with pytest.raises(ChainruleError, match=name):
        if name == "matmul":
            chainrule.ops.matmul(np.ones((2, 3), "f"), np.ones((4, 5), "f"))
        elif name == "take":
            chainrule.ops.take(np.ones(3, "f"), np.ones(2, "f"), axis=0)
        elif name == "select":
            apply(PRIMITIVES["select"], np.ones(2, "f"), np.ones(2, "f"), np.ones(2, "f"))
        else:
            chainrule.ops.add(np.ones(2, "f"), np.ones(3, "f"))
