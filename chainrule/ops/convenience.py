"""Names of NumPy that a few other operations make: joined, rolled, diagonal, running and weighted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.shapes import normalize_axis
from chainrule.graph.tracing import as_operand
from chainrule.graph.types import OpenDim, as_dtype, float32, int32
from chainrule.ops import reduction
from chainrule.ops.contraction import tensordot
from chainrule.ops.derived import all as all_of
from chainrule.ops.derived import isclose, isnan
from chainrule.ops.elementwise import add, cast, divide, equal, logical_and, logical_or, multiply, subtract, where
from chainrule.ops.movement import broadcast_to, concatenate, iota, moveaxis, pad_with, reshape, select_index
from chainrule.ops.reduction import Axes, max, mean, min

amax, amin = max, min


def hstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along their second axis; vectors along their only one.

    Example:
        >>> hstack([[1, 2], [3]])
        array([1, 2, 3])
    """
    parts = [reshape(x, (1,)) if not as_operand(x).shape else as_operand(x) for x in xs]
    return concatenate(parts, 0 if len(parts[0].shape) == 1 else 1)


def vstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along their first axis; a vector counts as one row."""
    parts = [as_operand(x) for x in xs]
    return concatenate([reshape(x, (1, -1)) if len(x.shape) < 2 else x for x in parts], 0)


def _closed(x: Any, axis: int, where: str) -> int:
    size = x.shape[axis]
    if isinstance(size, OpenDim):
        raise ChainruleError("the axis is open", where=where, expected="an axis of known size", got=size)
    return int(size)


def roll(x: Any, shift: int, axis: int | None = None) -> Any:
    """Each element `shift` places further along `axis`, those at the end again at the start.

    Example:
        >>> roll(np.arange(4), 1)
        array([3, 0, 1, 2])
    """
    operand = as_operand(x)
    if axis is None:
        return reshape(roll(reshape(operand, (-1,)), shift, 0), operand.shape)
    at = normalize_axis(axis, len(operand.shape), "roll")
    size = _closed(operand, at, "roll")
    cut = -shift % size if size else 0
    if not cut:
        return operand
    lead = (slice(None),) * at
    return concatenate(
        [select_index(operand, (*lead, slice(cut, size))), select_index(operand, (*lead, slice(cut)))], at
    )


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The sums of all elements up to each, along `axis` (of the flattened array by default).

    In log2(n) steps: after the step of width w, each element is the sum of the last 2 w.

    Example:
        >>> cumsum(np.array([1.0, 2.0, 3.0]))
        array([1., 3., 6.])
    """
    total = as_operand(x) if dtype is None else cast(x, dtype)
    total = reshape(total, (-1,)) if axis is None else total
    at = normalize_axis(0 if axis is None else axis, len(total.shape), "cumsum")
    size = _closed(total, at, "cumsum")
    lead, others = (slice(None),) * at, (0,) * (len(total.shape) - at - 1)
    none, width = (0,) * len(total.shape), 1
    while width < size:
        earlier = select_index(total, (*lead, slice(size - width)))
        total = add(total, pad_with(earlier, ((0,) * at) + (width, *others), none, 0))
        width *= 2
    return total


def diag(x: Any, k: int = 0) -> Any:
    """The k-th diagonal of a matrix; of a vector, the matrix that has it there.

    Example:
        >>> diag([1, 2])
        array([[1, 0],
               [0, 2]])
    """
    operand = as_operand(x)
    if len(operand.shape) == 1:
        size = _closed(operand, 0, "diag") + abs(k)
        low, high = (k, 0) if k > 0 else (0, -k)
        row = pad_with(operand, (low,), (high,), 0)
        return where(_on_diagonal((size, size), k), broadcast_to(row, (size, size)), 0)
    if len(operand.shape) != 2:
        raise ChainruleError("neither vector nor matrix", where="diag", expected="1 or 2 axes", got=len(operand.shape))
    rows, columns = _closed(operand, 0, "diag"), _closed(operand, 1, "diag")
    # Every element off the diagonal is 0, so that the sum of a row is its element on it.
    on = reduction.sum(where(_on_diagonal((rows, columns), k), operand, 0), 1)
    start, stop = (0, columns - k) if k >= 0 else (-k, columns - k)
    return select_index(on, slice(start, start if stop < start else stop))


def _on_diagonal(shape: tuple[int, int], k: int) -> Any:
    return equal(subtract(iota(int32, shape, 1), iota(int32, shape, 0)), k)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal over two axes.

    Example:
        >>> int(trace([[1, 2], [3, 4]]))
        5
    """
    operand = as_operand(x)
    first = normalize_axis(axis1, len(operand.shape), "trace")
    second = normalize_axis(axis2, len(operand.shape), "trace")
    last = moveaxis(moveaxis(operand, first, -1), second - (second > first), -1)
    rows, columns = _closed(last, -2, "trace"), _closed(last, -1, "trace")
    on = broadcast_to(_on_diagonal((rows, columns), offset), last.shape)
    return reduction.sum(where(on, last, 0), (-2, -1))


def inner(x1: Any, x2: Any) -> Any:
    """The sums of products over the last axes; the product where one is a single number."""
    a, b = as_operand(x1), as_operand(x2)
    if not a.shape or not b.shape:
        return multiply(a, b)
    return tensordot(a, b, axes=((len(a.shape) - 1,), (len(b.shape) - 1,)))


def average(x: Any, axis: Axes = None, weights: Any = None) -> Any:
    """``sum(weights * x) / sum(weights)``; weights of one axis lie along `axis`.

    Example:
        >>> float(average([1.0, 4.0], weights=[2.0, 1.0]))
        2.0
    """
    if weights is None:
        return mean(x, axis)
    operand, shares = as_operand(x), as_operand(weights)
    if not _is_float(operand):
        operand = cast(operand, float32)
    if len(shares.shape) == 1 and len(operand.shape) > 1:
        if not isinstance(axis, int):
            raise ChainruleError("weights of one axis need one axis", where="average", expected="axis=…", got=axis)
        at = normalize_axis(axis, len(operand.shape), "average")
        shares = reshape(shares, tuple(-1 if place == at else 1 for place in range(len(operand.shape))))
    shares = broadcast_to(cast(shares, operand.dtype), operand.shape)
    return divide(reduction.sum(multiply(operand, shares), axis), reduction.sum(shares, axis))


def _is_float(operand: Any) -> bool:
    dtype = operand.dtype if isinstance(operand, Node) else as_dtype(operand.dtype)
    return bool(dtype.is_float)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """NaN and the infinities replaced: by default by 0 and the largest and smallest numbers of the type.

    Example:
        >>> nan_to_num(np.array([np.nan, np.inf]), posinf=9.0)
        array([0., 9.])
    """
    operand = as_operand(x)
    if not _is_float(operand):
        return operand
    limits = np.finfo(as_dtype(operand.dtype).numpy)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    finite = where(equal(operand, np.inf), high, where(equal(operand, -np.inf), low, operand))
    return where(isnan(operand), nan, finite)


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether every element of one is close to the other's: ``|x1 - x2| <= atol + rtol * |x2|``."""
    close = isclose(x1, x2, rtol, atol)
    return all_of(logical_or(close, logical_and(isnan(x1), isnan(x2))) if equal_nan else close)
