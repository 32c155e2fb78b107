"""Kernels must not read what they, or another kernel at the same time, overwrite: named cases, then random functions.

Random functions update Variables and use values through views that are kept as they are, which bounded ones of
`strategies.py` never do. Each runs on one worker and shared among three, against the interpreter.
"""

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.graph.tracing import trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, float32, float64, int32
from chainrule.runtime import executable as runtime
from chainrule.runtime.jit import build

N = 16


def square():
    return np.arange(N * N, dtype="float32").reshape(N, N)


def updated(view):
    """Assign v + 1 to v, and give a view of v + 1."""
    v = cr.Variable(square())

    def function():
        new = v + 1.0
        v.assign(new)
        return view(new), view(v * 1.0)

    result = cr.jit(function)()
    return result, square() + 1


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (ops.transpose, np.transpose),
        (lambda a: ops.flip(a, 0), lambda a: a[::-1]),
        (lambda a: a[:, ::-1], lambda a: a[:, ::-1]),
        (lambda a: ops.take(a, np.arange(N)[::-1].astype("int32"), axis=0), lambda a: a[::-1]),
    ],
)
def test_a_view_of_a_value_that_replaces_a_variable(view, expected):
    (first, second), new = updated(view)
    np.testing.assert_array_equal(first, expected(new))
    np.testing.assert_array_equal(second, expected(new))


def test_rows_taken_from_a_value_of_the_same_kernel():
    a, order = square(), np.random.default_rng(0).permutation(N).astype("int32")
    result = cr.jit(lambda a, order: ops.take(a * 2, order, axis=0))(a, order)
    np.testing.assert_array_equal(result, 2 * a[order])


def test_a_product_and_its_view_as_results():
    a = square() / 100
    product, turned = cr.jit(lambda a: (a @ a, ops.flip(a @ a, 0)))(a)
    np.testing.assert_allclose(product, a @ a, rtol=1e-5)
    np.testing.assert_array_equal(turned, product[::-1])


def test_a_variable_takes_the_old_value_of_one_that_is_updated():
    a, b = cr.Variable(np.arange(4, dtype="float32")), cr.Variable(np.zeros(4, "float32"))

    def function():
        b.assign(a)
        a.assign(a + 1.0)

    cr.jit(function)()
    np.testing.assert_array_equal(b.numpy(), [0, 1, 2, 3])
    np.testing.assert_array_equal(a.numpy(), [1, 2, 3, 4])


def test_two_variables_change_places():
    a, b = cr.Variable(np.arange(4, dtype="float32")), cr.Variable(-np.arange(4, dtype="float32"))

    def function():
        old = a * 1.0
        a.assign(b)
        b.assign(old)

    cr.jit(function)()
    np.testing.assert_array_equal(a.numpy(), [0, -1, -2, -3])
    np.testing.assert_array_equal(b.numpy(), [0, 1, 2, 3])


def test_a_variable_as_argument_of_a_function_that_assigns_it():
    v = cr.Variable(np.ones((40, 40), "float32"))

    def function(a):
        v.assign(v + 1.0)
        return a @ a

    np.testing.assert_array_equal(cr.jit(function)(v), np.full((40, 40), 40.0))


def test_arrays_taken_into_a_function_are_copied():
    shared = np.ones(3, "float32")
    function = cr.jit(lambda a: a + shared)
    function(np.zeros(3, "float32"))
    shared[:] = 5
    np.testing.assert_array_equal(function(np.zeros(3, "float32")), [1, 1, 1])
    v = cr.Variable(np.zeros(3, "float32"))
    view = ops.reshape(v, (3, 1))
    v.assign(np.ones(3))
    assert not view.any()


@pytest.mark.parametrize(
    "left", [lambda x: x[:, ::2], lambda x: ops.flip(x, 1)[:, 1::2], lambda x: ops.broadcast_to(x[:, :1], (6, 4))]
)
def test_bfloat16_products_of_views(left):
    rng = np.random.default_rng(0)
    x, w = rng.integers(-8, 8, (6, 8)).astype("float32"), rng.integers(-8, 8, (4, 5)).astype("float32")
    result = cr.jit(lambda x, w: ops.matmul(left(x), w, precision="bfloat16"))(x, w)
    np.testing.assert_array_equal(result, np.asarray(left(x)) @ w)


UNARY = (ops.tanh, ops.relu, ops.negative, ops.sin)
BINARY = (ops.add, ops.subtract, ops.multiply, ops.maximum)


def describe(rng):
    """The choices that make a function: (kind, two numbers) for each step, then assignments and results."""
    steps = [
        (int(rng.integers(12)), int(rng.integers(1000)), int(rng.integers(1000))) for _ in range(rng.integers(2, 12))
    ]
    return steps, [int(rng.integers(1000)) for _ in range(3)], [int(rng.integers(4)) for _ in range(2)]


def make(choices, variables):
    steps, assigned, results = choices

    def function(x, order):
        values = [x, *variables]
        for kind, first, second in steps:
            a = values[first % len(values)]
            b = values[second % len(values)]
            if kind < 3:
                new = UNARY[second % len(UNARY)](a)
            elif kind < 5:
                new = ops.tanh(BINARY[first % len(BINARY)](a, b))
            elif kind == 5:
                new = ops.transpose(a)
            elif kind == 6:
                new = ops.flip(a, second % 2)
            elif kind == 7:
                new = ops.take(a, order, axis=0)
            elif kind == 8:
                new = ops.matmul(a, ops.transpose(b) if second % 2 else b) * 0.1
            elif kind == 9:
                new = ops.broadcast_to(ops.sum(a, axis=second % 2, keepdims=True) * 0.1, a.shape)
            elif kind == 10:
                new = ops.concatenate([a[1:], a[:1]], 0)
            else:
                new = ops.reshape(ops.transpose(ops.reshape(a, (-1,))), a.shape)
            values.append(new)
        for variable, choice in zip(variables, assigned, strict=True):
            if choice % 5:
                variable.assign(values[-1 - choice % min(4, len(values))])
        return [values[-1 - choice] for choice in results]

    return function


@pytest.mark.parametrize("dtype", [float32, float64])
def test_random_functions_with_variables(dtype, monkeypatch):
    monkeypatch.setattr(runtime, "_WORTH_A_BARRIER", 0)  # share every kernel
    monkeypatch.setattr(runtime, "_WORTH_SHARING", 0)
    tolerance = 2e-3 if dtype == float32 else 1e-9
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = int(rng.choice([4, 5, 16, 17, 37]))
        initial = [rng.standard_normal((n, n)).astype(dtype.numpy) for _ in range(3)]
        variables = [cr.Variable(value, name=f"v{place}") for place, value in enumerate(initial)]
        x, order = rng.standard_normal((n, n)).astype(dtype.numpy), rng.permutation(n).astype("int32")
        leaves, tree = flatten((ArrayType(dtype, (n, n)), ArrayType(int32, (n,))))
        traced = trace(make(describe(rng), variables), leaves, tree)
        runs = {}
        for name, executable in {
            "numpy": build(traced, eager=True),
            "one": build(traced, workers=1),
            "three": build(traced, workers=3),
        }.items():
            for variable, value in zip(variables, initial, strict=True):
                variable.assign(value)
            results = executable(x, order)
            runs[name] = [*results, *(variable.numpy() for variable in variables)]
        for expected, one, three in zip(runs["numpy"], runs["one"], runs["three"], strict=True):
            np.testing.assert_allclose(one, expected, rtol=tolerance, atol=tolerance, err_msg=f"seed {seed}")
            np.testing.assert_array_equal(one, three, err_msg=f"seed {seed}")
