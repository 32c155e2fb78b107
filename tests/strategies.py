"""Random graphs for Hypothesis: elementwise chains, reductions, movements and products over one open batch."""

import numpy as np
from hypothesis import strategies as st

from chainrule import ops

UNARY = (ops.exp, ops.tanh, ops.sigmoid, ops.relu, ops.negative, ops.absolute, ops.square, ops.sin, ops.floor)
BINARY = (ops.add, ops.subtract, ops.multiply, ops.maximum, ops.minimum)
KINDS = ("unary", "binary", "sum", "max", "mean", "transpose", "product", "flip", "where", "pad", "join", "slice")


@st.composite
def functions(draw):
    """A function of x (batch, n) and w (n, m), as a list of choices, with the sizes to call it with."""
    rows, n, m = (draw(st.sampled_from((0, 1, 2, 3, 7, 17, 33))) for _ in range(3))
    steps = draw(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 10**6)), min_size=1, max_size=12))
    return max(rows, 1), max(n, 1), max(m, 1), steps


def build_function(steps):
    """The function that the choices describe; it bounds what it computes, so that nothing overflows."""

    def function(x, w):
        values = [x, w, ops.tanh(ops.matmul(x, w))]
        for kind, number in steps:
            value = values[number % len(values)]
            axis = number // 7 % max(value.ndim, 1)
            if kind == "unary":
                new = UNARY[number % len(UNARY)](ops.tanh(value))
            elif kind == "binary":
                partner = next(other for other in values[number % len(values) :] if other.shape == value.shape)
                new = BINARY[number % len(BINARY)](value, partner)
            elif kind in ("sum", "max", "mean"):
                new = getattr(ops, kind)(value, axis=axis, keepdims=True) if value.ndim else value
                new = ops.broadcast_to(new, value.shape)
            elif kind == "transpose":
                new = ops.transpose(ops.exp(ops.negative(ops.absolute(ops.transpose(value)))))
            elif kind == "product":
                new = ops.tanh(ops.matmul(x, ops.matmul(ops.transpose(x), ops.tanh(x))))
            elif kind == "flip":
                new = ops.flip(value, value.ndim - 1) if value.ndim else value
            elif kind == "where":
                new = ops.where(value > 0.1, value, ops.multiply(value, 0.5))
            elif kind == "pad" and value is w:
                new = ops.pad(value, ((1, 0), (0, 2)))[1:, : w.shape[1]]
            elif kind == "join":
                new = ops.concatenate([value, value], -1)[..., : value.shape[-1]]
            else:
                new = value[..., ::-1]
            values.append(ops.clip(new, -50.0, 50.0))
        total = values[-1]
        return total, ops.sum(ops.tanh(total)), values[len(values) // 2]

    return function


def sample(rows, n, m, dtype):
    generator = np.random.default_rng(rows * 1000 + n * 10 + m)
    return generator.standard_normal((rows, n)).astype(dtype), generator.standard_normal((n, m)).astype(dtype)
