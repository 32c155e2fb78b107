"""Arithmetic on shapes: sizes, broadcasting, axes, and the sizes that a call gives to open dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.errors import ChainruleError
from chainrule.graph.types import ArrayType, Dim, OpenDim, Shape


def multiply_dims(dims: Iterable[Dim]) -> Dim:
    """The product of dimensions; at most one of them may be open.

    Example:
        >>> multiply_dims((OpenDim("batch"), 28, 28))
        784*batch
    """
    product: Dim = 1
    for dim in dims:
        if dim == 0 or product == 0:
            product = 0
        elif isinstance(dim, OpenDim) and isinstance(product, OpenDim):
            raise ChainruleError(
                "two open dimensions cannot be multiplied into one",
                expected="at most one open dimension",
                got=f"{product} and {dim}",
            )
        else:
            product = dim * product  # type: ignore[operator]
    return product


def contiguous_strides(shape: Shape) -> tuple[Dim, ...]:
    """The distance in elements between neighbours along each axis of an array that lies in row-major order."""
    strides: list[Dim] = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = multiply_dims((strides[axis + 1], shape[axis + 1]))
    return tuple(strides)


def broadcast_shapes(*shapes: Shape, where: str = "broadcast") -> Shape:
    """NumPy's rule: shapes are lined up at the right; a dimension of 1 stretches; others must be equal."""
    result: list[Dim] = []
    for position in range(1, max((len(shape) for shape in shapes), default=0) + 1):
        dims = {shape[-position] for shape in shapes if len(shape) >= position} - {1}
        if len(dims) > 1:
            raise ChainruleError(
                "the shapes do not fit together",
                where=where,
                expected="dimensions that are equal, or 1, counted from the right",
                got=" and ".join(format_shape(shape) for shape in shapes),
                fix="reshape one operand, or add an axis with expand_dims",
            )
        result.append(dims.pop() if dims else 1)
    return tuple(reversed(result))


def normalize_axis(axis: int, rank: int, where: str) -> int:
    """`axis` counted from the front; raises where it lies outside."""
    if not -rank <= axis < rank:
        raise ChainruleError(
            f"axis {axis} is out of range",
            where=where,
            expected=f"an axis from {-rank} to {rank - 1}" if rank else "no axis: the array has none",
            got=axis,
        )
    return axis % rank


def normalize_axes(axes: int | Sequence[int] | None, rank: int, where: str) -> tuple[int, ...]:
    """Sorted distinct axes from the front; None means all."""
    if axes is None:
        return tuple(range(rank))
    listed = [axes] if isinstance(axes, int) else list(axes)
    result = sorted(normalize_axis(int(axis), rank, where) for axis in listed)
    if len(set(result)) != len(result):
        raise ChainruleError("an axis is named twice", where=where, expected="distinct axes", got=tuple(listed))
    return tuple(result)


def format_shape(shape: Shape) -> str:
    """A shape as Python writes a tuple, with the names of open dimensions."""
    inside = ", ".join(map(str, shape))
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def match_sizes(types: Sequence[ArrayType], shapes: Sequence[tuple[int, ...]], names: Sequence[str]) -> dict[str, int]:
    """The sizes of open dimensions that a call's `shapes` give; raises where a shape does not fit its type."""
    sizes: dict[str, int] = {}
    for array_type, shape, name in zip(types, shapes, names, strict=True):
        fits = len(shape) == array_type.rank
        for dim, size in zip(array_type.shape, shape, strict=False):
            if isinstance(dim, OpenDim):
                fits = (
                    fits
                    and size % dim.scale == 0
                    and sizes.setdefault(dim.name, size // dim.scale) == size // dim.scale
                )
            else:
                fits = fits and dim == size
        if not fits:
            raise ChainruleError(
                "the array has the wrong shape",
                where=f"input '{name}'",
                expected=f"{format_shape(array_type.shape)}" + (f" with {sizes}" if sizes else ""),
                got=format_shape(shape),
            )
    return sizes
