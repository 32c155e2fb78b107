"""Operators between arrays and traced values or Variables; NumPy's functions are refused, and the right one named."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import TracingError

A = np.array([1.5, -2.0, 3.0], "float32")
OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.lt,
    operator.le, operator.gt, operator.ge, operator.eq, operator.ne, operator.matmul, operator.iadd, operator.imul,
]  # fmt: skip


@pytest.mark.parametrize("function", OPERATORS)
def test_an_array_may_stand_first(function) -> None:
    other = np.array([2.0, 0.5, -1.0], "float32")
    expected = function(A.copy(), other)
    np.testing.assert_allclose(cr.jit(lambda x: function(A.copy(), x))(other), expected, rtol=1e-6)
    np.testing.assert_allclose(function(A.copy(), cr.Variable(other)), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "fix"),
    [
        (np.tanh, "cr.ops.tanh in place of np.tanh"),
        (np.add.reduce, "use the functions of cr.ops"),
        (np.cbrt, "use the functions of cr.ops"),
        (lambda x: np.add(x, x, out=np.zeros(3)), "without `out`"),
    ],
)
def test_functions_of_numpy_are_refused_and_the_right_one_named(function, fix) -> None:
    with pytest.raises(TracingError, match=f"(?s)a traced value.*{fix}"):
        cr.jit(lambda x: function(x))(A)
    with pytest.raises(TracingError, match=f"(?s)a Variable.*{fix}"):
        function(cr.Variable(A))
