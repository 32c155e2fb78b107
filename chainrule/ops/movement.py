"""Movement: the same elements at other places. Most of it costs nothing in compiled code, it only changes indices.

Also the two sources that have no array behind them: `iota` counts along an axis, `dim_size` is the size of an open
dimension.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.primitive import Example, Formula, Notation, Primitive
from chainrule.graph.shapes import (
    broadcast_shapes,
    format_shape,
    multiply_dims,
    normalize_axes,
    normalize_axis,
)
from chainrule.graph.tracing import apply, as_operand
from chainrule.graph.types import ArrayType, Dim, DType, OpenDim, Shape, as_dtype, float32, int32


def _grid(*shape: int) -> np.ndarray:
    return np.arange(math.prod(shape), dtype="float32").reshape(shape) * 0.5 - 3.0


def _words(name: str, *details: object) -> Formula:
    """A function of the operand and of numbers that are known, such as ``flip($x, axis 0)``."""
    text = ", ".join(map(str, details))
    return Formula(f"{name}($x, {text})", rf"\operatorname{{{name}}}($x, \text{{{text}}})")


def name_axes(axes: Sequence[int]) -> str:
    """The axes in words: ``axis 1``, ``axes 0, 2``."""
    return f"{'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"


# -- broadcast_to -------------------------------------------------------------------------------------------------


def _broadcast_rule(x: ArrayType, shape: Shape) -> ArrayType:
    if broadcast_shapes(x.shape, shape, where="broadcast_to") != shape:
        raise ChainruleError(
            "the shape cannot be stretched",
            where="broadcast_to",
            expected=f"a shape that stretches to {format_shape(shape)}",
            got=format_shape(x.shape),
        )
    return ArrayType(x.dtype, shape)


def _evaluate_broadcast(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(x, shape)


def _broadcast_vjp(g: Any, result: Any, x: Any, shape: Shape) -> tuple[Any, ...]:
    from chainrule.ops.reduction import SUM

    extra = len(shape) - len(x.shape)
    axes = tuple(range(extra)) + tuple(
        extra + axis for axis, dim in enumerate(x.shape) if dim == 1 and shape[extra + axis] != 1
    )
    return (reshape(apply(SUM, g, axes=axes) if axes else g, x.shape),)


def _broadcast_notation(shape: Shape) -> Notation:
    return Notation(
        _words("spread", format_shape(shape)),
        gradients=(Formula("sum of $g over the copies", r"\sum_{\text{copies}} $g"),),
    )


def _broadcast_examples() -> tuple[Example, ...]:
    return (
        Example((_grid(5),), {"shape": (3, 5)}),
        Example((_grid(3, 1),), {"shape": (2, 3, 4)}),
        Example((_grid(),), {"shape": (7,)}),
        Example((_grid(1),), {"shape": (0,)}),
    )


BROADCAST_TO = Primitive(
    name="broadcast_to",
    family="movement",
    type_rule=_broadcast_rule,
    evaluate=_evaluate_broadcast,
    vjp=_broadcast_vjp,
    notation=_broadcast_notation,
    examples=_broadcast_examples,
)

# -- reshape ------------------------------------------------------------------------------------------------------


def _reshape_rule(x: ArrayType, shape: Shape) -> ArrayType:
    if multiply_dims(x.shape) != multiply_dims(shape):
        raise ChainruleError(
            "the number of elements changes",
            where="reshape",
            expected=f"{multiply_dims(x.shape)} elements, as in {format_shape(x.shape)}",
            got=f"{multiply_dims(shape)}, as in {format_shape(shape)}",
        )
    return ArrayType(x.dtype, shape)


def _evaluate_reshape(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.reshape(x, shape)


def _reshape_vjp(g: Any, result: Any, x: Any, shape: Shape) -> tuple[Any, ...]:
    return (reshape(g, x.shape),)


def _reshape_notation(shape: Shape) -> Notation:
    return Notation(
        _words("reshape", format_shape(shape)),
        gradients=(Formula("$g in the shape of $x", r"$g \text{ in the shape of } $x"),),
    )


def _reshape_examples() -> tuple[Example, ...]:
    return (
        Example((_grid(3, 4),), {"shape": (2, 6)}),
        Example((_grid(3, 4),), {"shape": (1, 3, 1, 4)}),
        Example((_grid(1, 1),), {"shape": ()}),
        Example((_grid(0, 4),), {"shape": (2, 0)}),
    )


RESHAPE = Primitive(
    name="reshape",
    family="movement",
    type_rule=_reshape_rule,
    evaluate=_evaluate_reshape,
    vjp=_reshape_vjp,
    notation=_reshape_notation,
    examples=_reshape_examples,
)

# -- transpose ----------------------------------------------------------------------------------------------------


def _transpose_rule(x: ArrayType, axes: tuple[int, ...]) -> ArrayType:
    if sorted(axes) != list(range(x.rank)):
        raise ChainruleError("not an order of the axes", where="transpose", expected=f"0 to {x.rank - 1}", got=axes)
    return ArrayType(x.dtype, tuple(x.shape[axis] for axis in axes))


def _evaluate_transpose(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.transpose(x, axes)


def _transpose_vjp(g: Any, result: Any, x: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    return (transpose(g, tuple(int(axis) for axis in np.argsort(axes))),)


def _transpose_notation(axes: tuple[int, ...]) -> Notation:
    if axes == (1, 0):
        return Notation(Formula("$xᵀ", "{$x}^{T}"), gradients=(Formula("$gᵀ", "{$g}^{T}"),))
    return Notation(
        _words("transpose", name_axes(axes)),
        gradients=(Formula("$g with its axes back", r"$g \text{ with its axes back}"),),
    )


def _transpose_examples() -> tuple[Example, ...]:
    return (
        Example((_grid(3, 5),), {"axes": (1, 0)}),
        Example((_grid(2, 3, 4),), {"axes": (2, 0, 1)}),
        Example((_grid(37, 33),), {"axes": (1, 0)}),
        Example((_grid(0, 3),), {"axes": (1, 0)}),
    )


TRANSPOSE = Primitive(
    name="transpose",
    family="movement",
    type_rule=_transpose_rule,
    evaluate=_evaluate_transpose,
    vjp=_transpose_vjp,
    notation=_transpose_notation,
    examples=_transpose_examples,
)

# -- slice and pad ------------------------------------------------------------------------------------------------


def _slice_rule(x: ArrayType, start: tuple[int, ...], stop: Shape, step: tuple[int, ...]) -> ArrayType:
    if not len(start) == len(stop) == len(step) == x.rank:
        raise ChainruleError(
            "one start, stop and step an axis", where="slice", expected=x.rank, got=(start, stop, step)
        )
    dims: list[Dim] = []
    for dim, first, last, stride in zip(x.shape, start, stop, step, strict=True):
        if last == dim and first == 0 and stride == 1:
            dims.append(dim)
        elif isinstance(dim, OpenDim) or isinstance(last, OpenDim):
            raise ChainruleError("an open axis can only be taken whole", where="slice", got=f"{first}:{last}:{stride}")
        elif stride < 1 or not 0 <= first <= last <= dim:
            raise ChainruleError(
                "the slice leaves the array",
                where="slice",
                expected=f"0 <= start <= stop <= {dim}, step >= 1",
                got=f"{first}:{last}:{stride}",
            )
        else:
            dims.append(-(-(last - first) // stride))
    return ArrayType(x.dtype, tuple(dims))


def _evaluate_slice(x: np.ndarray, start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]) -> np.ndarray:
    return x[tuple(map(builtins.slice, start, stop, step))]


def _slice_vjp(
    g: Any, result: Any, x: Any, start: tuple[int, ...], stop: Shape, step: tuple[int, ...]
) -> tuple[Any, ...]:
    if any(stride != 1 for stride in step):
        for axis, stride in enumerate(step):
            g = _dilate(g, axis, stride)
    low, high = [], []
    for dim, size, first in zip(x.shape, g.shape, start, strict=True):
        low.append(first)
        high.append(0 if isinstance(dim, OpenDim) else dim - first - size)
    return (pad_with(g, tuple(low), tuple(high), 0),)


def _slice_notation(start: tuple[int, ...], stop: Shape, step: tuple[int, ...]) -> Notation:
    parts = zip(start, stop, step, strict=True)
    place = ", ".join(f"{low}:{high}" + (f":{stride}" if stride != 1 else "") for low, high, stride in parts)
    return Notation(
        Formula(f"$x[{place}]", rf"$x[\text{{{place}}}]"),
        gradients=(Formula("$g at its place, 0 elsewhere", r"$g \text{ at its place, 0 elsewhere}"),),
    )


def _dilate(x: Any, axis: int, step: int) -> Any:
    """`x` with ``step - 1`` zeros between neighbours along `axis`."""
    size = x.shape[axis]
    if step == 1 or size == 0:
        return x
    split = (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])
    apart = reshape(x, split)
    none = (0,) * len(x.shape)
    wide = pad_with(apart, (*none, 0), (*none[: axis + 1], step - 1, *none[axis + 1 :]), 0)
    joined = reshape(wide, (*x.shape[:axis], size * step, *x.shape[axis + 1 :]))
    stop = (*joined.shape[:axis], (size - 1) * step + 1, *joined.shape[axis + 1 :])
    return apply(SLICE, joined, start=none, stop=stop, step=(1,) * len(none))


def _slice_examples() -> tuple[Example, ...]:
    return (
        Example((_grid(6, 5),), {"start": (1, 0), "stop": (6, 5), "step": (2, 1)}),
        Example((_grid(7),), {"start": (2,), "stop": (5,), "step": (1,)}),
        Example((_grid(3, 4),), {"start": (1, 1), "stop": (1, 3), "step": (1, 1)}),
    )


SLICE = Primitive(
    name="slice",
    family="movement",
    type_rule=_slice_rule,
    evaluate=_evaluate_slice,
    vjp=_slice_vjp,
    notation=_slice_notation,
    examples=_slice_examples,
)


def _pad_rule(x: ArrayType, low: tuple[int, ...], high: tuple[int, ...], value: float) -> ArrayType:
    if len(low) != x.rank or len(high) != x.rank or any(amount < 0 for amount in (*low, *high)):
        raise ChainruleError(
            "one amount an axis and side, none negative", where="pad", expected=x.rank, got=(low, high)
        )
    dims: list[Dim] = []
    for dim, before, after in zip(x.shape, low, high, strict=True):
        if isinstance(dim, OpenDim):
            if before or after:
                raise ChainruleError("an open axis cannot be padded", where="pad", got=(before, after))
            dims.append(dim)
        else:
            dims.append(before + dim + after)
    return ArrayType(x.dtype, tuple(dims))


def _evaluate_pad(x: np.ndarray, low: tuple[int, ...], high: tuple[int, ...], value: float) -> np.ndarray:
    return np.pad(x, tuple(zip(low, high, strict=True)), constant_values=value) if x.ndim else x


def _pad_vjp(g: Any, result: Any, x: Any, low: tuple[int, ...], high: tuple[int, ...], value: float) -> tuple[Any, ...]:
    stop = tuple(dim if isinstance(dim, OpenDim) else before + dim for dim, before in zip(x.shape, low, strict=True))
    return (apply(SLICE, g, start=low, stop=stop, step=(1,) * len(low)),)


def _pad_notation(low: tuple[int, ...], high: tuple[int, ...], value: float) -> Notation:
    return Notation(
        _words("pad", f"{low} before", f"{high} after", f"with {value:g}"),
        gradients=(Formula("$g without the border", r"$g \text{ without the border}"),),
    )


def _pad_examples() -> tuple[Example, ...]:
    return (
        Example((_grid(3, 4),), {"low": (1, 0), "high": (0, 2), "value": 0}),
        Example((_grid(5),), {"low": (2,), "high": (3,), "value": 1.5}),
        Example((_grid(0),), {"low": (1,), "high": (1,), "value": 0}),
    )


PAD = Primitive(
    name="pad",
    family="movement",
    type_rule=_pad_rule,
    evaluate=_evaluate_pad,
    vjp=_pad_vjp,
    notation=_pad_notation,
    examples=_pad_examples,
)

# -- flip and concatenate -----------------------------------------------------------------------------------------


def _flip_rule(x: ArrayType, axes: tuple[int, ...]) -> ArrayType:
    normalize_axes(axes, x.rank, "flip")
    return x


def _evaluate_flip(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.flip(x, axes)


def _flip_vjp(g: Any, result: Any, x: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    return (apply(FLIP, g, axes=axes),)


def _flip_notation(axes: tuple[int, ...]) -> Notation:
    over = name_axes(axes)
    return Notation(
        _words("flip", over), gradients=(Formula(f"flip($g, {over})", rf"\operatorname{{flip}}($g, \text{{{over}}})"),)
    )


def _flip_examples() -> tuple[Example, ...]:
    return Example((_grid(3, 5),), {"axes": (0,)}), Example((_grid(3, 17),), {"axes": (0, 1)})


FLIP = Primitive(
    name="flip",
    family="movement",
    type_rule=_flip_rule,
    evaluate=_evaluate_flip,
    vjp=_flip_vjp,
    notation=_flip_notation,
    examples=_flip_examples,
)


def _concatenate_rule(*types: ArrayType, axis: int) -> ArrayType:
    if not types:
        raise ChainruleError("nothing to join", where="concatenate", expected="at least one array", got=0)
    first = types[0]
    normalize_axis(axis, first.rank, "concatenate")
    total: Dim = 0
    for other in types:
        same = other.rank == first.rank and other.dtype == first.dtype
        if not same or any(
            a != b for at, (a, b) in enumerate(zip(first.shape, other.shape, strict=True)) if at != axis
        ):
            raise ChainruleError(
                "the arrays differ beside the joined axis", where="concatenate", expected=first, got=other
            )
        dim = other.shape[axis]
        if len(types) == 1:
            total = dim
        elif isinstance(dim, OpenDim) or isinstance(total, OpenDim):
            raise ChainruleError("an open axis cannot be joined", where="concatenate", got=other)
        else:
            total += dim
    return ArrayType(first.dtype, (*first.shape[:axis], total, *first.shape[axis + 1 :]))


def _evaluate_concatenate(*arrays: np.ndarray, axis: int) -> np.ndarray:
    return np.concatenate(arrays, axis)


def _concatenate_vjp(g: Any, result: Any, *arrays: Any, axis: int) -> tuple[Any, ...]:
    cotangents = []
    begin = 0
    for array in arrays:
        size = array.shape[axis]
        start = tuple(begin if at == axis else 0 for at in range(len(g.shape)))
        stop = tuple(begin + size if at == axis else dim for at, dim in enumerate(g.shape))
        cotangents.append(apply(SLICE, g, start=start, stop=stop, step=(1,) * len(start)))
        begin += size
    return tuple(cotangents)


def _concatenate_notation(axis: int) -> Notation:
    return Notation(
        Formula(f"join($all; axis {axis})", rf"\operatorname{{join}}($all; \text{{axis {axis}}})"),
        gradients=(Formula("its part of $g", r"\text{its part of } $g"),),
    )


def _concatenate_examples() -> tuple[Example, ...]:
    return (
        Example((_grid(3, 2), _grid(3, 5)), {"axis": 1}),
        Example((_grid(2, 3), _grid(0, 3), _grid(1, 3)), {"axis": 0}),
        Example((_grid(4),), {"axis": 0}),
    )


CONCATENATE = Primitive(
    name="concatenate",
    family="movement",
    type_rule=_concatenate_rule,
    evaluate=_evaluate_concatenate,
    vjp=_concatenate_vjp,
    notation=_concatenate_notation,
    examples=_concatenate_examples,
)

# -- sources ------------------------------------------------------------------------------------------------------


def _iota_rule(dtype: DType, shape: Shape, axis: int) -> ArrayType:
    normalize_axis(axis, len(shape), "iota")
    return ArrayType(dtype, shape)


def _evaluate_iota(dtype: DType, shape: tuple[int, ...], axis: int) -> np.ndarray:
    line = np.arange(shape[axis], dtype=dtype.numpy)
    return np.broadcast_to(line.reshape([-1 if at == axis else 1 for at in range(len(shape))]), shape)


def _iota_notation(dtype: DType, shape: Shape, axis: int) -> Notation:
    return Notation(Formula(f"0, 1, 2, … along axis {axis}", rf"0, 1, 2, \dots \text{{ along axis {axis}}}"))


def _iota_examples() -> tuple[Example, ...]:
    return (
        Example((), {"dtype": float32, "shape": (3, 5), "axis": 1}),
        Example((), {"dtype": int32, "shape": (17,), "axis": 0}),
    )


IOTA = Primitive(
    name="iota",
    family="source",
    type_rule=_iota_rule,
    evaluate=_evaluate_iota,
    notation=_iota_notation,
    examples=_iota_examples,
)


def _dim_size_rule(dim: Dim, dtype: DType) -> ArrayType:
    # Its place in a graph is that of a value known at the call; `dim_size` below folds the ones known now.
    return ArrayType(dtype, ())


def _evaluate_dim_size(dim: int, dtype: DType) -> np.ndarray:
    return np.asarray(dim, dtype=dtype.numpy)


def _dim_size_notation(dim: Dim, dtype: DType) -> Notation:
    return Notation(Formula(f"size of {dim}", rf"\text{{size of {dim}}}"))


DIM_SIZE = Primitive(
    name="dim_size",
    family="source",
    type_rule=_dim_size_rule,
    evaluate=_evaluate_dim_size,
    notation=_dim_size_notation,
)

# -- public functions ---------------------------------------------------------------------------------------------


def dim_size(dim: Dim, dtype: Any = float32) -> Any:
    """The size of a dimension as a number."""
    wanted = as_dtype(dtype)
    if isinstance(dim, int):
        return np.asarray(dim, dtype=wanted.numpy)
    return Node(DIM_SIZE, (), {"dim": dim, "dtype": wanted}, ArrayType(wanted, ()))


def broadcast_to(x: Any, shape: Shape) -> Any:
    """`x` stretched to `shape` by NumPy's rule."""
    operand = as_operand(x)
    return operand if operand.shape == tuple(shape) else apply(BROADCAST_TO, operand, shape=tuple(shape))


def reshape(x: Any, newshape: int | Sequence[Dim]) -> Any:
    """The elements of `x` in row-major order as an array of another shape; one dimension may be -1.

    Example:
        >>> reshape(np.arange(6.0), (2, -1)).shape
        (2, 3)
    """
    operand = as_operand(x)
    dims: list[Dim] = [newshape] if isinstance(newshape, int | OpenDim) else list(newshape)
    if -1 in dims:
        dims[dims.index(-1)] = _missing_dim(operand.shape, dims)
    shape = tuple(dims)
    return operand if operand.shape == shape else apply(RESHAPE, operand, shape=shape)


def _missing_dim(shape: Shape, dims: list[Dim]) -> Dim:
    if dims.count(-1) > 1:
        raise ChainruleError("only one dimension can be worked out", where="reshape", got=tuple(dims))
    total, known = multiply_dims(shape), multiply_dims(dim for dim in dims if dim != -1)
    problem = ChainruleError(
        "the size of -1 cannot be worked out", where="reshape", expected=f"a divisor of {total}", got=tuple(dims)
    )
    if isinstance(known, OpenDim):
        if isinstance(total, OpenDim) and total.name == known.name and total.scale % known.scale == 0:
            return total.scale // known.scale
        raise problem
    if known == 0:
        raise problem
    if isinstance(total, OpenDim):
        if total.scale % known:
            raise problem
        return OpenDim(total.name, total.scale // known)
    if total % known:
        raise problem
    return total // known


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """The axes in another order, reversed by default."""
    operand = as_operand(x)
    rank = len(operand.shape)
    order = tuple(reversed(range(rank))) if axes is None else tuple(normalize_axis(a, rank, "transpose") for a in axes)
    return operand if order == tuple(range(rank)) else apply(TRANSPOSE, operand, axes=order)


def pad_with(x: Any, low: tuple[int, ...], high: tuple[int, ...], value: float) -> Any:
    """`x` with `low` elements before and `high` after, an amount an axis."""
    return apply(PAD, x, low=low, high=high, value=value) if any(low) or any(high) else as_operand(x)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Any:
    """`x` with a border of a constant; `pad_width` as in NumPy."""
    if mode != "constant":
        raise ChainruleError("unknown mode", where="pad", expected="'constant'", got=repr(mode))
    operand = as_operand(x)
    widths = np.broadcast_to(np.asarray(pad_width, dtype=int), (len(operand.shape), 2))
    low, high = tuple(int(a) for a, _ in widths), tuple(int(b) for _, b in widths)
    return pad_with(operand, low, high, constant_values)


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """The elements in reverse order along `axis`, along all by default."""
    operand = as_operand(x)
    axes = normalize_axes(axis, len(operand.shape), "flip")
    return apply(FLIP, operand, axes=axes) if axes else operand


def concatenate(xs: Sequence[Any], axis: int = -1) -> Any:
    """The arrays joined along an axis, the last by default as in Keras."""
    if not xs:
        raise ChainruleError("nothing to join", where="concatenate", expected="at least one array", got=0)
    operands = _one_dtype("concatenate", xs)
    at = normalize_axis(axis, len(operands[0].shape), "concatenate")
    return operands[0] if len(operands) == 1 else apply(CONCATENATE, *operands, axis=at)


def _one_dtype(name: str, xs: Sequence[Any]) -> list[Any]:
    from chainrule.graph.types import promote
    from chainrule.ops.elementwise import cast

    operands = [as_operand(x) for x in xs]
    target = as_dtype(operands[0].dtype)
    for operand in operands[1:]:
        target = promote(target, as_dtype(operand.dtype))
    return [cast(operand, target) for operand in operands]


def stack(xs: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape joined along a new axis."""
    return concatenate([expand_dims(x, axis) for x in xs], axis)


def expand_dims(x: Any, axis: int | Sequence[int]) -> Any:
    """`x` with new axes of size 1."""
    operand = as_operand(x)
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = len(operand.shape) + len(axes)
    places = normalize_axes(axes, rank, "expand_dims")
    dims = iter(operand.shape)
    return reshape(operand, tuple(1 if at in places else next(dims) for at in range(rank)))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """`x` without its axes of size 1, or without those named."""
    operand = as_operand(x)
    if axis is None:
        return reshape(operand, tuple(dim for dim in operand.shape if dim != 1))
    places = normalize_axes(axis, len(operand.shape), "squeeze")
    for place in places:
        if operand.shape[place] != 1:
            raise ChainruleError(
                "only an axis of size 1 can be dropped", where="squeeze", expected=1, got=operand.shape[place]
            )
    return reshape(operand, tuple(dim for at, dim in enumerate(operand.shape) if at not in places))


def ravel(x: Any) -> Any:
    """All elements along one axis."""
    return reshape(x, (-1,))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    operand = as_operand(x)
    order = list(range(len(operand.shape)))
    a, b = (normalize_axis(axis, len(order), "swapaxes") for axis in (axis1, axis2))
    order[a], order[b] = order[b], order[a]
    return transpose(operand, order)


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """One axis moved to another place."""
    operand = as_operand(x)
    rank = len(operand.shape)
    order = [axis for axis in range(rank) if axis != normalize_axis(source, rank, "moveaxis")]
    order.insert(normalize_axis(destination, rank, "moveaxis"), normalize_axis(source, rank, "moveaxis"))
    return transpose(operand, order)


def iota(dtype: Any, shape: Shape, axis: int = 0) -> Any:
    """Numbers that count up along one axis."""
    return apply(IOTA, dtype=as_dtype(dtype), shape=tuple(shape), axis=axis)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None) -> Any:
    """Numbers from `start` up to but not including `stop`."""
    first, last = (0, start) if stop is None else (start, stop)
    whole = all(isinstance(value, int) for value in (first, last, step))
    return np.arange(first, last, step, dtype=as_dtype(dtype or (int32 if whole else float32)).numpy)


def full(shape: Shape, fill_value: Any, dtype: Any = None) -> Any:
    """An array filled with one value; dimensions may be open."""
    value = as_operand(fill_value)
    if dtype is not None:
        from chainrule.ops.elementwise import cast

        value = cast(value, dtype)
    return apply(BROADCAST_TO, value, shape=tuple(shape)) if shape else value


def zeros(shape: Shape, dtype: Any = float32) -> Any:
    """An array of zeros."""
    return full(shape, 0, dtype)


def ones(shape: Shape, dtype: Any = float32) -> Any:
    """An array of ones."""
    return full(shape, 1, dtype)


def zeros_like(x: Any) -> Any:
    """Zeros with the shape and dtype of `x`."""
    operand = as_operand(x)
    return zeros(operand.shape, operand.dtype)


def ones_like(x: Any) -> Any:
    """Ones with the shape and dtype of `x`."""
    operand = as_operand(x)
    return ones(operand.shape, operand.dtype)


def full_like(x: Any, fill_value: Any) -> Any:
    """One value with the shape and dtype of `x`."""
    operand = as_operand(x)
    return full(operand.shape, fill_value, operand.dtype)


def shape(x: Any) -> Shape:
    """The shape of `x`; open dimensions appear by name."""
    return tuple(as_operand(x).shape)


def select_index(x: Any, key: Any) -> Any:
    """``x[key]`` for whole numbers, slices, None and Ellipsis; an array of whole numbers picks rows."""
    operand = as_operand(x)
    items = list(key) if isinstance(key, tuple) else [key]
    if len(items) == 1 and not isinstance(items[0], int | builtins.slice | type(None) | type(Ellipsis)):
        from chainrule.ops.indexing import take

        return take(operand, items[0], axis=0)
    if Ellipsis in items:
        at = items.index(Ellipsis)
        used = len([item for item in items if item is not None and item is not Ellipsis])
        items[at : at + 1] = [builtins.slice(None)] * (len(operand.shape) - used)
    start: list[int] = []
    stop: list[Any] = []
    step: list[int] = []
    dropped: list[int] = []
    added: list[int] = []
    flipped: list[int] = []
    axis = 0
    for item in items:
        if item is None:
            added.append(axis - len(dropped) + len(added))
            continue
        if axis >= len(operand.shape):
            raise ChainruleError("too many indices", where="x[...]", expected=len(operand.shape), got=len(items))
        dim = operand.shape[axis]
        if isinstance(item, int):
            if isinstance(dim, OpenDim) or not -dim <= item < dim:
                raise ChainruleError("index out of range", where="x[...]", expected=f"within {dim}", got=item)
            start.append(item % dim)
            stop.append(item % dim + 1)
            step.append(1)
            dropped.append(axis)
        elif isinstance(dim, OpenDim):
            if item != builtins.slice(None):
                raise ChainruleError("an open axis can only be taken whole", where="x[...]", got=item)
            start.append(0)
            stop.append(dim)
            step.append(1)
        else:
            first, last, stride = item.indices(dim)
            if stride < 0:
                count = len(range(first, last, stride))
                first, last, stride = first + (count - 1) * stride, first + 1, -stride
                flipped.append(axis)
                if count == 0:
                    first, last, stride = 0, 0, 1
            start.append(first)
            stop.append(builtins.max(first, last))
            step.append(stride)
        axis += 1
    for dim in operand.shape[axis:]:
        start.append(0)
        stop.append(dim)
        step.append(1)
    whole = all(a == 0 and b == dim and c == 1 for a, b, c, dim in zip(start, stop, step, operand.shape, strict=True))
    result = operand if whole else apply(SLICE, operand, start=tuple(start), stop=tuple(stop), step=tuple(step))
    if flipped:
        result = flip(result, flipped)
    if dropped:
        result = squeeze(result, dropped)
    return expand_dims(result, added) if added else result
