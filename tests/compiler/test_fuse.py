"""Fusion: a kernel that is taken as known, because another group had the same outline, is the one of this group."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import build_function, functions

import chainrule as cr
from chainrule import ops
from chainrule.compiler import fuse
from chainrule.compiler.pipeline import compile_graph
from chainrule.compiler.target import choose_target
from chainrule.graph.tracing import trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, OpenDim, float32
from chainrule.graph.variable import Variable
from chainrule.runtime.interpreted import Interpreted
from chainrule.runtime.jit import build

FEW = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


class Watched(fuse._Builder):
    """A builder that builds every known kernel again, and counts those that it knew."""

    known_kernels = 0

    def add_group(self, group):
        known = self._outline(group).key in self.known
        super().add_group(group)
        if known:
            Watched.known_kernels += 1
            row, count = self.rows[-1], len(self.buffers)
            kernel, buffers, _ = self._build_kernel(group)
            assert tuple(buffers) == row.buffers
            assert self.kernels[kernel] == row.kernel
            assert len(self.buffers) == count


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    monkeypatch.setattr(fuse, "_Builder", Watched)
    Watched.known_kernels = 0


def record(function, *types):
    leaves, tree = flatten(types)
    return trace(function, leaves, tree)


@FEW
@given(case=functions())
def test_random_graphs_side_by_side(case):
    _, n, m, steps = case
    once = build_function(steps)

    def function(*pairs):
        return [once(x, w) for x, w in pairs]

    pair = (ArrayType(float32, (OpenDim("batch"), n)), ArrayType(float32, (n, m)))
    traced = record(function, pair, pair, pair)
    one, three = (compile_graph(each.graph, {}, choose_target()) for each in (record(function, pair), traced))
    assert set(one.kernels) == set(three.kernels)
    assert Watched.known_kernels >= 2 * len(one.rows) // 3


def deep_network(depth):
    model = cr.Sequential([cr.Input((8,)), *(cr.layers.Dense(8, "tanh") for _ in range(depth))])
    model.compile(cr.optimizers.Adam(0.01, clipnorm=1.0), "mse")
    return model.train_executable()


def test_a_deeper_network_has_no_more_kernels():
    shallow, deep = deep_network(4), deep_network(40)
    assert set(shallow.kernels) == set(deep.kernels)
    assert Watched.known_kernels > len(deep.program.rows) - 2 * len(deep.kernels)


def run_both(function, variables, *arrays):
    """Run a function compiled and interpreted, from the same Variables."""
    first = [variable.numpy() for variable in variables]
    outcomes = []
    types = [ArrayType(float32, array.shape) for array in arrays]
    traced = record(function, *types)
    for run in (Interpreted(traced), build(traced)):
        for variable, value in zip(variables, first, strict=True):
            variable.assign(value)
        outcomes.append([*run(*arrays), *(variable.numpy() for variable in variables)])
    for wanted, found in zip(*outcomes, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def make_variables(count, *shape):
    rng = np.random.default_rng(0)
    return [Variable(rng.standard_normal(shape).astype("float32"), f"v{number}") for number in range(count)]


def test_an_array_that_is_overwritten_is_told_from_one_that_is_only_read():
    a, b, c, d = variables = make_variables(4, 5, 3)

    def function():
        a.assign(a * 2.0)  # into its own memory
        c.assign(b * 2.0)  # into that of another
        b.assign(b * 2.0)
        return d * 2.0

    run_both(function, variables)


def test_operands_that_are_one_array_are_told_from_two():
    a, b = variables = make_variables(2, 4)

    def function(x):
        return ops.multiply(a + 1.0, x), ops.multiply(b + 1.0, x), (a + 1.0) * a, (b + 1.0) * b

    run_both(function, variables, np.float32([1, 2, 3, 4]))


def test_numbers_and_parameters_are_a_part_of_what_is_computed():
    a, b, c = variables = make_variables(3, 4, 4)

    def function():
        a.assign(a * 0.5)
        b.assign(b * 0.25)
        return ops.sum(a, 0), ops.sum(b, 1), ops.transpose(ops.exp(c)), ops.exp(c)

    run_both(function, variables)


def test_values_that_several_results_take():
    a, b = variables = make_variables(2, 6)

    def function(x):
        kept = ops.exp(a + x)
        a.assign(kept)
        b.assign(ops.exp(b + x))
        return kept, kept, ops.exp(x)

    run_both(function, variables, np.linspace(-1, 1, 6, dtype="float32"))


def test_a_value_that_others_read_too_is_kept():
    (w,) = variables = make_variables(1, 3, 3)

    def function(x, y):
        s, t = ops.sum(x, 0), ops.sum(y, 0)
        return s * 2.0, t * 2.0, ops.matmul(ops.expand_dims(t, 0), w)

    rng = np.random.default_rng(1)
    run_both(function, variables, *rng.standard_normal((2, 5, 3)).astype("float32"))
