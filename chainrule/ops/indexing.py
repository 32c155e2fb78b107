"""Indexing: rows picked by number, and their transpose, rows added at numbered places."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.primitive import Example, Formula, Notation, Primitive
from chainrule.graph.shapes import normalize_axis
from chainrule.graph.tracing import apply, as_operand
from chainrule.graph.types import ArrayType, Dim, as_dtype, float32, int32
from chainrule.ops.elementwise import cast, equal, where
from chainrule.ops.movement import broadcast_to, expand_dims, iota, moveaxis, reshape
from chainrule.ops.reduction import sum as sum_


def _take_rule(array: ArrayType, indices: ArrayType) -> ArrayType:
    if array.rank < 1:
        raise ChainruleError("an array without axes has no rows", where="take", expected="rank 1 or more", got=array)
    if indices.dtype.kind not in ("int", "uint"):
        raise ChainruleError(
            "the indices are not whole numbers", where="take", expected="int32", got=indices.dtype.name
        )
    return ArrayType(array.dtype, indices.shape + array.shape[1:])


def _evaluate_take(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    if array.shape[0] == 0:
        return np.zeros(indices.shape + array.shape[1:], array.dtype)
    return array[np.clip(indices.astype(np.int64), 0, array.shape[0] - 1)]


def _take_vjp(g: Any, result: Any, array: Any, indices: Any) -> tuple[Any, ...]:
    from chainrule.graph.types import OpenDim
    from chainrule.ops.elementwise import maximum, minimum
    from chainrule.ops.movement import dim_size

    rows = array.shape[0]
    last = dim_size(rows, indices.dtype) - 1 if isinstance(rows, OpenDim) else rows - 1
    inside = maximum(minimum(indices, last), 0)
    flat = reshape(inside, (-1,))
    return apply(SCATTER_ADD, flat, reshape(g, (flat.shape[0], *array.shape[1:])), size=rows), None


def _rows(*shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape, dtype=int)) * 0.25 - 2.0).reshape(shape).astype("float32")


def _take_examples() -> tuple[Example, ...]:
    return (
        Example((_rows(5, 3), np.array([0, 4, 4, 2], dtype="int32"))),
        Example((_rows(7), np.array([[1, 2], [6, 0]], dtype="int64"))),
        Example((_rows(5, 17), np.array([-3, 9], dtype="int32"))),
        Example((_rows(3, 2), np.zeros(0, dtype="int32"))),
    )


TAKE = Primitive(
    name="take",
    family="indexing",
    type_rule=_take_rule,
    evaluate=_evaluate_take,
    vjp=_take_vjp,
    notation=Notation(
        Formula("$x[$y]"),
        gradients=(Formula("$g added up at rows $y", r"\sum_{\text{rows } $y} $g"), None),
    ),
    examples=_take_examples,
)


def _scatter_rule(indices: ArrayType, updates: ArrayType, size: Dim) -> ArrayType:
    if indices.rank != 1 or updates.rank < 1 or indices.shape[0] != updates.shape[0]:
        raise ChainruleError(
            "one index a row is needed",
            where="scatter_add",
            expected="indices (n,), updates (n, ...)",
            got=f"{indices} and {updates}",
        )
    if indices.dtype.kind not in ("int", "uint"):
        raise ChainruleError("the indices are not whole numbers", where="scatter_add", got=indices.dtype.name)
    return ArrayType(updates.dtype, (size, *updates.shape[1:]))


def _evaluate_scatter(indices: np.ndarray, updates: np.ndarray, size: int) -> np.ndarray:
    result = np.zeros((size, *updates.shape[1:]), updates.dtype)
    inside = (indices >= 0) & (indices < size)
    np.add.at(result, indices[inside].astype(np.int64), updates[inside])
    return result


def _scatter_vjp(g: Any, result: Any, indices: Any, updates: Any, size: Dim) -> tuple[Any, ...]:
    from chainrule.ops.elementwise import greater_equal, less, logical_and
    from chainrule.ops.movement import dim_size

    limit = size if isinstance(size, int) else dim_size(size, indices.dtype)
    inside = logical_and(greater_equal(indices, 0), less(indices, limit))
    rank = len(updates.shape)
    kept = broadcast_to(reshape(inside, (*inside.shape, *(1,) * (rank - 1))), updates.shape)
    return None, where(kept, apply(TAKE, g, indices), 0.0)


def _scatter_examples() -> tuple[Example, ...]:
    return (
        Example((np.array([0, 3, 3, 1], dtype="int32"), _rows(4, 5)), {"size": 4}),
        Example((np.array([2, -1, 9], dtype="int32"), _rows(3)), {"size": 3}),
        Example((np.zeros(0, dtype="int64"), _rows(0, 2)), {"size": 3}),
    )


SCATTER_ADD = Primitive(
    name="scatter_add",
    family="indexing",
    type_rule=_scatter_rule,
    evaluate=_evaluate_scatter,
    vjp=_scatter_vjp,
    notation=Notation(
        Formula("$y added up at rows $x", r"\sum_{\text{rows } $x} $y"),
        gradients=(None, Formula("$g[$x]")),
    ),
    examples=_scatter_examples,
)

# -- public functions ---------------------------------------------------------------------------------------------


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The parts of `x` with these numbers along `axis` (of the flattened array by default); numbers are clipped.

    Example:
        >>> take(np.array([10.0, 20.0, 30.0]), np.array([2, 0]), axis=0)
        array([30., 10.])
    """
    array, numbers = as_operand(x), as_operand(indices)
    if axis is None:
        return apply(TAKE, reshape(array, (-1,)), numbers)
    at = normalize_axis(axis, len(array.shape), "take")
    if at == 0:
        return apply(TAKE, array, numbers)
    result = apply(TAKE, moveaxis(array, at, 0), numbers)
    for number in range(len(numbers.shape)):
        result = moveaxis(result, len(numbers.shape) - 1 - number, at + len(numbers.shape) - 1 - number)
    return result


def scatter_add(indices: Any, updates: Any, size: Dim) -> Any:
    """An array of `size` rows with each row of `updates` added at its index; indices outside are left out."""
    return apply(SCATTER_ADD, indices, updates, size=size)


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = float32) -> Any:
    """1 at the place that the number names along a new axis, 0 elsewhere.

    Example:
        >>> one_hot(np.array([1, 0]), 3)
        array([[0., 1., 0.],
               [1., 0., 0.]], dtype=float32)
    """
    numbers = as_operand(x)
    if as_dtype(numbers.dtype).kind not in ("int",):
        numbers = cast(numbers, int32)
    spread = expand_dims(numbers, axis)
    at = normalize_axis(axis, len(spread.shape), "one_hot")
    shape = (*spread.shape[:at], num_classes, *spread.shape[at + 1 :])
    classes = iota(as_dtype(numbers.dtype), (num_classes,), 0)
    line = reshape(classes, tuple(num_classes if place == at else 1 for place in range(len(shape))))
    return cast(equal(broadcast_to(spread, shape), broadcast_to(line, shape)), dtype)


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """For each place the element of `x` whose number along `axis` stands in `indices`."""
    array, numbers = as_operand(x), as_operand(indices)
    at = normalize_axis(axis, len(array.shape), "take_along_axis")
    count = array.shape[at]
    if not isinstance(count, int):
        raise ChainruleError("an open axis cannot be picked along", where="take_along_axis", got=count)
    hot = moveaxis(one_hot(numbers, count, dtype=as_dtype(array.dtype)), at, -2)
    column = expand_dims(moveaxis(array, at, -1), -2)
    return moveaxis(sum_(hot * broadcast_to(column, hot.shape), axis=-1), -1, at)
