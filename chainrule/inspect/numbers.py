"""Arrays in few words: small ones as their numbers, large ones as shape, mean, spread and range."""

from __future__ import annotations

import numpy as np

SMALL = 8
"""Up to so many elements an array is shown as its numbers, in a line of its own."""

_SMALL_CELL = 4
"""The same in the cell of a table."""


def format_number(value: float | np.ndarray, figures: int = 5) -> str:
    """A number with so many figures.

    Example:
        >>> format_number(0.25), format_number(1 / 3), format_number(True), format_number(3e-9)
        ('0.25', '0.33333', 'true', '3e-09')
    """
    number = np.asarray(value).item()
    if isinstance(number, bool):
        return "true" if number else "false"
    return str(number) if isinstance(number, int) else f"{number + 0.0:.{figures}g}"  # -0.0 + 0.0 is 0.0


def format_shape(array: np.ndarray) -> str:
    """The shape, as short as it goes: ``(4,3)``."""
    return f"({','.join(map(str, array.shape))}{',' * (array.ndim == 1)})"


def format_elements(array: np.ndarray, figures: int = 5) -> str:
    """All elements, in brackets as they are nested."""
    if array.ndim == 0:
        return format_number(array, figures)
    return f"[{', '.join(format_elements(part, figures) for part in array)}]"


def describe(array: np.ndarray) -> list[str]:
    """An array in a few short lines, for the cells of a table: a small one row by row.

    Example:
        >>> describe(np.array([[1.0, 2.0], [3.0, 4.0]])), describe(np.arange(100.0).reshape(10, 10))
        (['[[1, 2],', ' [3, 4]]'], ['(10,10)', '49.5 ± 28.9', '0 … 99'])
    """
    if array.size <= _SMALL_CELL:
        return format_elements(array, 4 if array.size > 1 else 5).replace("], [", "],\n [").split("\n")
    shape = format_shape(array)
    if array.dtype.kind == "b":
        return [shape, f"{np.count_nonzero(array)} of {array.size} true"]
    known = array[np.isfinite(array)]
    if known.size < array.size:
        return [shape, f"{array.size - known.size} not finite"]
    low, high = format_number(array.min()), format_number(array.max())
    if low == high:
        return [shape, f"all {low}"]
    if array.dtype.kind != "f":
        return [shape, f"{low} … {high}"]
    wide = array.astype(np.float64)
    middle = f"{format_number(wide.mean(), 3)} ± {format_number(wide.std(), 3)}"
    return [shape, middle, f"{format_number(wide.min(), 3)} … {format_number(wide.max(), 3)}"]


def describe_in_full(array: np.ndarray) -> str:
    """An array in one line.

    Example:
        >>> describe_in_full(np.arange(100.0).reshape(10, 10))
        '(10,10)  mean 49.5  std 28.866  min 0  max 99'
    """
    if array.size <= SMALL:
        return format_elements(array)
    lines = describe(array)
    if len(lines) < 3:
        return "  ".join(lines)
    wide = array.astype(np.float64)
    statistics = {"mean": wide.mean(), "std": wide.std(), "min": wide.min(), "max": wide.max()}
    return "  ".join([lines[0], *(f"{name} {format_number(value)}" for name, value in statistics.items())])
