"""Functions made of primitives: what they mean and how they differentiate follows from their parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.shapes import normalize_axis
from chainrule.graph.tracing import as_operand
from chainrule.graph.types import OpenDim, as_dtype, bool_, float32, int32
from chainrule.ops import reduction
from chainrule.ops.elementwise import (
    absolute,
    add,
    cast,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    relu,
    sigmoid,
    sin,
    sqrt,
    stop_gradient,
    subtract,
    tanh,
    where,
)
from chainrule.ops.movement import broadcast_to, concatenate, iota, reshape
from chainrule.ops.reduction import Axes, mean

# -- arithmetic ---------------------------------------------------------------------------------------------------


def square(x: Any) -> Any:
    """``x * x``."""
    return multiply(x, x)


def reciprocal(x: Any) -> Any:
    """``1 / x``."""
    return divide(1.0, x)


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``."""
    return divide(1.0, sqrt(x))


def log2(x: Any) -> Any:
    """The logarithm to base 2."""
    return multiply(log(x), 1.0 / math.log(2.0))


def log10(x: Any) -> Any:
    """The logarithm to base 10."""
    return multiply(log(x), 1.0 / math.log(10.0))


def sinh(x: Any) -> Any:
    """``(exp(x) - exp(-x)) / 2``."""
    return multiply(subtract(exp(x), exp(negative(x))), 0.5)


def cosh(x: Any) -> Any:
    """``(exp(x) + exp(-x)) / 2``."""
    return multiply(add(exp(x), exp(negative(x))), 0.5)


def tan(x: Any) -> Any:
    """``sin(x) / cos(x)``."""
    return divide(sin(x), cos(x))


def floor_divide(x: Any, y: Any) -> Any:
    """``floor(x / y)``, in floating point."""
    return floor(divide(x, y))


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x, but no less than `x_min` and no more than `x_max`."""
    return minimum(maximum(x, x_min), x_max)


def logical_xor(x: Any, y: Any) -> Any:
    """Whether exactly one of x and y holds."""
    return not_equal(cast(x, bool_), cast(y, bool_))


def isnan(x: Any) -> Any:
    """Whether an element is not a number."""
    return not_equal(x, x)


def isinf(x: Any) -> Any:
    """Whether an element is infinite."""
    return equal(absolute(x), math.inf)


def isfinite(x: Any) -> Any:
    """Whether an element is neither infinite nor NaN."""
    return less(absolute(x), math.inf)


def isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8) -> Any:
    """``|x - y| <= atol + rtol * |y|``; infinities are close to themselves alone."""
    known = isfinite(y)
    near = where(known, y, 0)  # inf - inf is no distance
    close = less_equal(absolute(subtract(x, near)), add(multiply(absolute(near), rtol), atol))
    return logical_or(equal(x, y), logical_and(close, known))


# -- reductions ---------------------------------------------------------------------------------------------------


def var(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """``mean((x - mean(x))**2)``."""
    operand = as_operand(x)
    return mean(square(subtract(operand, mean(operand, axis, keepdims=True))), axis, keepdims)


def std(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """``sqrt(var(x))``."""
    return sqrt(var(x, axis, keepdims))


def norm(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """``sqrt(sum(x**2))``."""
    return sqrt(reduction.sum(square(x), axis, keepdims))


def any(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether some element holds."""
    return greater(reduction.max(cast(cast(x, bool_), int32), axis, keepdims), 0)


def all(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether every element holds."""
    return greater(reduction.min(cast(cast(x, bool_), int32), axis, keepdims), 0)


def count_nonzero(x: Any, axis: Axes = None) -> Any:
    """How many elements are not zero."""
    return reduction.sum(cast(cast(x, bool_), int32), axis)


def _first_place(hit: Any, x: Any, axis: int) -> Any:
    size = x.shape[axis]
    if isinstance(size, OpenDim):
        raise ChainruleError("an open axis cannot be searched", where="argmax", got=size)
    line = reshape(iota(int32, (size,), 0), tuple(size if at == axis else 1 for at in range(len(x.shape))))
    return reduction.min(where(hit, broadcast_to(line, x.shape), size), axis)


def argmax(x: Any, axis: int | None = None) -> Any:
    """The number of the first largest element along `axis`; the first NaN if there is one.

    Example:
        >>> argmax(np.array([[1.0, 5.0, 5.0]]), axis=-1)
        array([1], dtype=int32)
    """
    operand = as_operand(x)
    operand = reshape(operand, (-1,)) if axis is None else operand
    at = normalize_axis(-1 if axis is None else axis, len(operand.shape), "argmax")
    best = broadcast_to(reduction.max(operand, at, keepdims=True), operand.shape)
    return _first_place(logical_or(equal(operand, best), isnan(operand)), operand, at)


def argmin(x: Any, axis: int | None = None) -> Any:
    """The number of the first smallest element along `axis`; the first NaN if there is one."""
    return argmax(negative(x), axis)


def logsumexp(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))``, without overflow: the largest element is taken out first."""
    operand = as_operand(x)
    top = stop_gradient(reduction.max(operand, axis, keepdims=True))
    # Where all is -inf (or one is inf) the shift would be inf - inf.
    top = where(isfinite(top), top, 0.0)
    total = log(reduction.sum(exp(subtract(operand, top)), axis, keepdims))
    shift = top if keepdims else reduction.max(top, axis)
    return add(total, shift)


# -- activations --------------------------------------------------------------------------------------------------


def softmax(x: Any, axis: int = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along `axis`.

    Example:
        >>> softmax(np.zeros((1, 4), "float32"))
        array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """
    operand = as_operand(x)
    raised = exp(subtract(operand, stop_gradient(reduction.max(operand, axis, keepdims=True))))
    return divide(raised, reduction.sum(raised, axis, keepdims=True))


def log_softmax(x: Any, axis: int = -1) -> Any:
    """``x - logsumexp(x)`` along `axis`."""
    operand = as_operand(x)
    shifted = subtract(operand, stop_gradient(reduction.max(operand, axis, keepdims=True)))
    return subtract(shifted, log(reduction.sum(exp(shifted), axis, keepdims=True)))


def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``."""
    return minimum(relu(x), 6.0)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where it is positive, else ``negative_slope * x``."""
    return where(greater(x, 0.0), x, multiply(x, negative_slope))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else ``alpha * (exp(x) - 1)``."""
    return where(greater(x, 0.0), x, multiply(expm1(minimum(x, 0.0)), alpha))


def selu(x: Any) -> Any:
    """``scale * elu(x, alpha)`` with the constants that keep mean 0 and variance 1.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.
    """
    return multiply(elu(x, 1.6732632423543772), 1.0507009873554805)


def gelu(x: Any, approximate: bool = True) -> Any:
    """``x * P(X <= x)`` for a standard normal X; `approximate` uses tanh.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
    """
    if approximate:
        inner = multiply(add(x, multiply(multiply(square(x), x), 0.044715)), math.sqrt(2.0 / math.pi))
        return multiply(multiply(x, 0.5), add(tanh(inner), 1.0))
    return multiply(multiply(x, 0.5), add(erf(multiply(x, math.sqrt(0.5))), 1.0))


def silu(x: Any) -> Any:
    """``x * sigmoid(x)``."""
    return multiply(x, sigmoid(x))


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, without overflow."""
    # Of two choices by the sign, not of relu and |x|: their slopes at 0 do not add up to 1/2.
    x = as_operand(x)
    positive = greater_equal(x, 0)
    return add(where(positive, x, 0), log1p(exp(where(positive, negative(x), x))))


def softsign(x: Any) -> Any:
    """``x / (1 + |x|)``."""
    return divide(x, add(absolute(x), 1.0))


def log_sigmoid(x: Any) -> Any:
    """``log(sigmoid(x))``, without overflow."""
    return negative(softplus(negative(x)))


def hard_sigmoid(x: Any) -> Any:
    """``relu6(x + 3) / 6``."""
    return multiply(relu6(add(x, 3.0)), 1.0 / 6.0)


# -- arrays -------------------------------------------------------------------------------------------------------


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """`x` cut into equal parts, or at the given places."""
    from chainrule.ops.movement import select_index

    operand = as_operand(x)
    at = normalize_axis(axis, len(operand.shape), "split")
    size = operand.shape[at]
    if isinstance(size, OpenDim):
        raise ChainruleError("an open axis cannot be cut", where="split", got=size)
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or size % indices_or_sections:
            raise ChainruleError(
                "the parts would not be equal", where="split", expected=f"a divisor of {size}", got=indices_or_sections
            )
        width = size // indices_or_sections
        cuts = [width * part for part in range(1, indices_or_sections)]
    else:
        cuts = [int(cut) for cut in indices_or_sections]
    bounds = zip([0, *cuts], [*cuts, size], strict=True)
    lead = (slice(None),) * at
    return [select_index(operand, (*lead, slice(start, stop))) for start, stop in bounds]


def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """Each element `repeats` times along `axis`."""
    operand = as_operand(x)
    operand = reshape(operand, (-1,)) if axis is None else operand
    at = normalize_axis(-1 if axis is None else axis, len(operand.shape), "repeat")
    wide = (*operand.shape[: at + 1], 1, *operand.shape[at + 1 :])
    spread = (*operand.shape[: at + 1], repeats, *operand.shape[at + 1 :])
    size = operand.shape[at] * repeats
    return reshape(broadcast_to(reshape(operand, wide), spread), (*operand.shape[:at], size, *operand.shape[at + 1 :]))


def tile(x: Any, repeats: int | Sequence[int]) -> Any:
    """The whole array `repeats` times along each axis."""
    operand = as_operand(x)
    counts = [repeats] if isinstance(repeats, int) else list(repeats)
    counts = [1] * (len(operand.shape) - len(counts)) + counts
    operand = reshape(operand, (1,) * (len(counts) - len(operand.shape)) + tuple(operand.shape))
    for axis, count in enumerate(counts):
        if count != 1:
            operand = concatenate([operand] * count, axis)
    return operand


def eye(n: int, m: int | None = None, dtype: Any = float32) -> Any:
    """Ones on the diagonal, zeros elsewhere."""
    return np.eye(n, m, dtype=as_dtype(dtype).numpy)


def linspace(start: float, stop: float, num: int = 50, dtype: Any = float32) -> Any:
    """`num` numbers at equal distances from `start` to `stop`."""
    return np.linspace(start, stop, num, dtype=as_dtype(dtype).numpy)


def _triangle(x: Any, k: int, lower: bool) -> Any:
    operand = as_operand(x)
    rows, columns = iota(int32, operand.shape[-2:], 0), iota(int32, operand.shape[-2:], 1)
    kept = less_equal(subtract(columns, rows), k) if lower else greater_equal(subtract(columns, rows), k)
    return where(broadcast_to(kept, operand.shape), operand, 0)


def tril(x: Any, k: int = 0) -> Any:
    """The elements on and below the k-th diagonal; zeros above."""
    return _triangle(x, k, True)


def triu(x: Any, k: int = 0) -> Any:
    """The elements on and above the k-th diagonal; zeros below."""
    return _triangle(x, k, False)


def size_of(x: Any, axis: int, dtype: Any = float32) -> Any:
    """The size of one axis as a number; of an open axis it is known at the call."""
    from chainrule.ops.movement import dim_size

    operand = as_operand(x)
    return dim_size(operand.shape[normalize_axis(axis, len(operand.shape), "size_of")], dtype)
