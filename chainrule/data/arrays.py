"""What users hand in, checked before any training: shape, type, range, length, and that every number is finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import DataError
from chainrule.graph.shapes import format_shape
from chainrule.graph.types import as_dtype

_CHUNK = 1 << 16  # elements looked at in one go, which stay in the cache


def check_array(name: str, value: Any, finite: bool = True) -> np.ndarray:
    """An array of numbers with at least one row; float64 becomes float32, uint8 stays.

    Args:
        finite: whether to look at every number.

    Raises:
        DataError: for text, objects, NaN, infinity, or nothing at all.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(
            "the rows differ in length", where=name, expected="an array", got=type(value).__name__
        ) from None
    if array.dtype.kind not in "biuf":
        raise DataError(
            "this is not an array of numbers",
            where=name,
            expected="numbers",
            got=f"dtype {array.dtype}",
            fix="turn text into numbers first, one column a category",
        )
    if array.ndim == 0 or len(array) == 0:
        raise DataError(
            "there are no rows", where=name, expected="at least one", got=f"shape {format_shape(array.shape)}"
        )
    if array.dtype.kind == "f":
        array = np.ascontiguousarray(array, dtype=np.float32)
        flat = array.reshape(-1)[: array.size if finite else 0]
        for start in range(0, flat.size, _CHUNK):
            good = np.isfinite(flat[start : start + _CHUNK])
            if not good.all():
                place = np.unravel_index(start + int(np.argmin(good)), array.shape)
                raise DataError(
                    "a number is NaN or infinite",
                    where=f"{name}{[int(at) for at in place]}",
                    expected="finite numbers",
                    got=repr(float(array[place])),
                    fix="drop the row, or fill the gap",
                )
        return array
    return np.ascontiguousarray(array, dtype=as_dtype(array.dtype).numpy)


def check_lengths(arrays: Sequence[tuple[str, np.ndarray]]) -> int:
    """The number of rows, which all must have."""
    lengths = {name: len(array) for name, array in arrays}
    if len(set(lengths.values())) > 1:
        first, *others = lengths
        told = [f"{first} has {lengths[first]:,} rows", *(f"{name} has {lengths[name]:,}" for name in others)]
        raise DataError(
            "the arrays differ in length",
            where=" and ".join(lengths),
            expected="as many rows in each",
            got=", ".join(told),
            fix=f"build {'both' if len(lengths) == 2 else 'all'} from the same rows",
        )
    return next(iter(lengths.values()))


def check_labels(name: str, labels: np.ndarray, classes: int, layer: str) -> None:
    """Whole numbers from 0 to ``classes - 1``."""
    if labels.dtype.kind == "f" and not (labels == np.floor(labels)).all():
        raise DataError(
            "a label is not a whole number", where=name, expected=f"0 to {classes - 1}", got=labels.dtype.name
        )
    low, high = labels.min(), labels.max()
    if low < 0 or high >= classes:
        raise DataError(
            "a label is out of range",
            where=name,
            expected=f"0 to {classes - 1}, as layer '{layer}' has {classes} units",
            got=f"{low} to {high}",
            fix="number the classes from 0, or give the last layer more units",
        )


def check_count(name: str, value: Any, low: int = 1, where: str = "fit") -> int:
    """A whole number of at least `low`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < low:
        raise DataError(f"{name} is not a count", where=where, expected=f"a whole number from {low}", got=repr(value))
    return int(value)


def spread_rows(rows: int, count: int) -> np.ndarray:
    """The numbers of `count` rows, evenly over all of them: many data sets are sorted.

    Example:
        >>> spread_rows(10, 4).tolist()
        [0, 3, 6, 9]
    """
    chosen: np.ndarray = np.linspace(0, rows - 1, count).round().astype(int)
    return chosen
