"""Random graphs: sound, read back from their text, and the same compiled as interpreted."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import build_function, functions, sample

from chainrule.autodiff.reverse import gradient_graph
from chainrule.compiler.pipeline import GRAPH_STAGES
from chainrule.graph.evaluate import evaluate
from chainrule.graph.text import format_graph, parse_graph
from chainrule.graph.tracing import TracedFunction, trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, OpenDim, as_dtype
from chainrule.graph.verify import verify
from chainrule.runtime.jit import build

FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def record(case, dtype):
    _, n, m, steps = case
    kind = as_dtype(dtype)
    leaves, tree = flatten((ArrayType(kind, (OpenDim("batch"), n)), ArrayType(kind, (n, m))))
    return trace(build_function(steps), leaves, tree)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@FEW
@given(case=functions())
def test_compiled_is_interpreted(dtype, case):
    traced = record(case, dtype)
    arrays = sample(*case[:3], "float64")
    tolerance = 1e-9 if dtype == "float64" else 2e-3
    # float32 is held against float64, so that neither side's rounding counts as the truth.
    wanted = evaluate(record(case, "float64").graph, arrays)
    if any("floor" in str(node.primitive) for node in traced.graph.nodes) and dtype == "float32":
        return  # a step at a whole number turns the last bit into a whole one
    for found, other in zip(build(traced, workers=2)(*arrays), wanted, strict=True):
        np.testing.assert_allclose(
            found, other, rtol=tolerance, atol=tolerance * max(1.0, np.abs(other).max(initial=0))
        )


@FEW
@given(case=functions())
def test_stages_keep_the_meaning_and_the_guarantees(case):
    graph = record(case, "float32").graph
    arrays = sample(*case[:3], "float32")
    wanted = evaluate(graph, arrays)
    verify(graph)
    assert format_graph(parse_graph(format_graph(graph))) == format_graph(graph)
    for stage in GRAPH_STAGES:
        graph = stage(graph)
        verify(graph)
        for found, other in zip(evaluate(graph, arrays), wanted, strict=True):
            np.testing.assert_array_equal(found, other)


@FEW
@given(case=functions())
def test_compiled_gradients_are_interpreted_gradients(case):
    graph = gradient_graph(record(case, "float64").graph)
    verify(graph)
    arrays = [*sample(*case[:3], "float64")]
    outputs = evaluate(record(case, "float64").graph, arrays)
    arrays += [np.ones_like(output) for output in outputs]
    wanted = evaluate(graph, arrays)
    traced = TracedFunction(graph, (), (), flatten(list(graph.outputs))[1])
    for found, other in zip(build(traced, workers=1)(*arrays), wanted, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-8, atol=1e-8 * max(1.0, np.abs(other).max(initial=0)))
