"""Reductions: sum, product, maximum and minimum over axes. The axes disappear; the public functions can keep them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.primitive import Example, Formula, Notation, Primitive
from chainrule.graph.shapes import normalize_axes
from chainrule.graph.tracing import apply, as_operand
from chainrule.graph.types import ArrayType, DType, Shape, as_dtype, bool_, float32, int32, uint8
from chainrule.ops import elementwise
from chainrule.ops.elementwise import cast, divide, equal, multiply
from chainrule.ops.movement import broadcast_to, dim_size, name_axes, reshape

Axes = int | Sequence[int] | None


def _rule(name: str) -> Callable[..., ArrayType]:
    def rule(x: ArrayType, axes: tuple[int, ...]) -> ArrayType:
        if normalize_axes(axes, x.rank, name) != axes:
            raise ChainruleError("axes must be sorted and not negative", where=name, got=axes)
        if x.dtype == bool_:
            raise ChainruleError("wrong dtype", where=name, expected="a number", got="bool", fix="cast it first")
        return ArrayType(x.dtype, tuple(dim for axis, dim in enumerate(x.shape) if axis not in axes))

    return rule


def _examples() -> tuple[Example, ...]:
    x = (((np.arange(60) * 0.618) % 1.0) - 0.4).reshape(3, 4, 5).astype("float32")
    return (
        Example((x,), {"axes": (0, 1, 2)}),
        Example((x,), {"axes": (2,)}),
        Example((x,), {"axes": (0,)}),
        Example((x,), {"axes": (0, 2)}),
        Example((x[:, :1],), {"axes": (1,)}),
        Example((x.reshape(1, 60).astype("float64"),), {"axes": (1,)}),
        Example((np.zeros((4, 0), "float32"),), {"axes": (0,)}),
        Example((np.arange(6, dtype="int32").reshape(2, 3),), {"axes": (1,)}),
    )


def restore_axes(x: Any, shape: Shape, axes: tuple[int, ...]) -> Any:
    """`x` with axes of size 1 where `axes` were reduced away from `shape`."""
    return reshape(x, tuple(1 if axis in axes else dim for axis, dim in enumerate(shape)))


def _spread(g: Any, x: Any, axes: tuple[int, ...]) -> Any:
    return broadcast_to(restore_axes(g, x.shape, axes), x.shape)


def _sum_vjp(g: Any, result: Any, x: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    return (_spread(g, x, axes),)


def _sum_notation(axes: tuple[int, ...]) -> Notation:
    over = name_axes(axes)
    return Notation(
        Formula(f"sum($x, {over})", rf"\sum_{{\text{{{over}}}}} $x"),
        gradients=(Formula(f"$g spread over {over}", rf"$g \text{{ spread over {over}}}"),),
    )


def _evaluate_sum(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.sum(x, axis=axes, dtype=x.dtype)


def _add(w: Any, total: Any, x: Any) -> Any:
    return w.add(total, x)


def _zero(dtype: DType) -> int:
    return 0


SUM = Primitive(
    name="sum",
    family="reduction",
    type_rule=_rule("sum"),
    evaluate=_evaluate_sum,
    vjp=_sum_vjp,
    formula=_add,
    identity=_zero,
    notation=_sum_notation,
    examples=_examples,
)


def _prod_vjp(g: Any, result: Any, x: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    # The product of the others: where one factor is zero, result / x would be 0 / 0, so zeros are counted.
    is_zero = equal(x, 0.0)
    zeros = _spread(apply(SUM, cast(is_zero, x.dtype), axes=axes), x, axes)
    others = elementwise.where(is_zero, 1.0, x)
    without = _spread(apply(PROD, others, axes=axes), x, axes)
    whole = divide(without, others)
    slope = elementwise.where(
        equal(zeros, 0.0), whole, elementwise.where(elementwise.logical_and(equal(zeros, 1.0), is_zero), without, 0.0)
    )
    return (multiply(_spread(g, x, axes), slope),)


def _prod_notation(axes: tuple[int, ...]) -> Notation:
    over = name_axes(axes)
    return Notation(
        Formula(f"prod($x, {over})", rf"\prod_{{\text{{{over}}}}} $x"),
        gradients=(Formula("$g ⊙ prod(the others in $x)", r"$g \odot \prod_{\text{others}} $x"),),
    )


def _evaluate_prod(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.prod(x, axis=axes, dtype=x.dtype)


def _multiply(w: Any, total: Any, x: Any) -> Any:
    return w.multiply(total, x)


def _one(dtype: DType) -> int:
    return 1


PROD = Primitive(
    name="prod",
    family="reduction",
    type_rule=_rule("prod"),
    evaluate=_evaluate_prod,
    vjp=_prod_vjp,
    formula=_multiply,
    identity=_one,
    notation=_prod_notation,
    examples=_examples,
)


def _extreme_vjp(g: Any, result: Any, x: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    """The cotangent goes to the elements that are the extreme, in equal shares."""
    is_it = cast(equal(x, _spread(result, x, axes)), x.dtype)
    share = divide(g, apply(SUM, is_it, axes=axes))
    return (multiply(is_it, _spread(share, x, axes)),)


def _extreme_notation(name: str) -> Callable[..., Notation]:
    """Where several elements are the extreme, each counts for its share of them."""

    def notation(axes: tuple[int, ...]) -> Notation:
        over = name_axes(axes)
        return Notation(
            Formula(f"{name}($x, {over})", rf"\{name}_{{\text{{{over}}}}} $x"),
            gradients=(Formula("$g ⊙ [$x = $v] / count", r"$g \odot \frac{[$x = $v]}{\text{count}}"),),
        )

    return notation


def lowest(dtype: DType) -> float | int:
    """The identity of max: minus infinity, or the smallest integer."""
    return -np.inf if dtype.is_float else int(np.iinfo(dtype.numpy).min)


def highest(dtype: DType) -> float | int:
    """The identity of min: infinity, or the largest integer."""
    return np.inf if dtype.is_float else int(np.iinfo(dtype.numpy).max)


def _evaluate_max(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.max(x, axis=axes, initial=lowest(as_dtype(x.dtype)))


def _larger(w: Any, total: Any, x: Any) -> Any:
    return w.maximum(total, x)


MAX = Primitive(
    name="max",
    family="reduction",
    type_rule=_rule("max"),
    evaluate=_evaluate_max,
    vjp=_extreme_vjp,
    formula=_larger,
    identity=lowest,
    notation=_extreme_notation("max"),
    examples=_examples,
)


def _evaluate_min(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.min(x, axis=axes, initial=highest(as_dtype(x.dtype)))


def _smaller(w: Any, total: Any, x: Any) -> Any:
    return w.minimum(total, x)


MIN = Primitive(
    name="min",
    family="reduction",
    type_rule=_rule("min"),
    evaluate=_evaluate_min,
    vjp=_extreme_vjp,
    formula=_smaller,
    identity=highest,
    notation=_extreme_notation("min"),
    examples=_examples,
)

# -- public functions ---------------------------------------------------------------------------------------------


def _reduce(primitive: Primitive, x: Any, axis: Axes, keepdims: bool) -> Any:
    operand = as_operand(x)
    dtype = operand.dtype if isinstance(operand, Node) else as_dtype(operand.dtype)
    if dtype in (bool_, uint8):
        operand = cast(operand, int32)
    axes = normalize_axes(axis, len(operand.shape), primitive.name)
    result = apply(primitive, operand, axes=axes) if axes else operand
    return restore_axes(result, operand.shape, axes) if keepdims else result


def sum(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The sum over `axis` (all axes by default); bool and uint8 are added up as int32."""
    return _reduce(SUM, x, axis, keepdims)


def prod(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The product over `axis`."""
    return _reduce(PROD, x, axis, keepdims)


def max(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The largest element over `axis`; NaN if one is NaN; minus infinity of nothing."""
    return _reduce(MAX, x, axis, keepdims)


def min(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The smallest element over `axis`; NaN if one is NaN; infinity of nothing."""
    return _reduce(MIN, x, axis, keepdims)


def mean(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """``sum(x) / n``, in floating point; n may be an open dimension.

    Example:
        >>> float(mean(np.array([1.0, 2.0, 6.0], "float32")))
        3.0
    """
    operand = as_operand(x)
    dtype = operand.dtype if isinstance(operand, Node) else as_dtype(operand.dtype)
    if not dtype.is_float:
        operand, dtype = cast(operand, float32), float32
    axes = normalize_axes(axis, len(operand.shape), "mean")
    total = sum(operand, axes, keepdims) if axes else operand
    count = 1
    for axis_ in axes:
        dim = operand.shape[axis_]
        if isinstance(dim, int):
            count *= dim
        else:
            total = divide(total, dim_size(dim, dtype))
    return total if count == 1 else divide(total, count)
