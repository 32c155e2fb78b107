"""What every initializer is: called with a shape it returns an array of initial values."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import registry
from chainrule.errors import ChainruleError
from chainrule.graph.types import as_dtype


class Initializer(registry.Configured):
    """Called with a shape it returns an array of initial values.

    Example:
        >>> class Halves(Initializer):
        ...     def __call__(self, shape, dtype="float32"):
        ...         return np.full(shape, 0.5, dtype)
        >>> Halves()((2,))
        array([0.5, 0.5], dtype=float32)
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        raise NotImplementedError


def as_numbers(values: Any, dtype: Any) -> np.ndarray:
    """An array with the element type that was asked for."""
    return np.asarray(values, as_dtype(dtype).numpy)


def require_matrix(where: str, shape: tuple[int, ...], exactly: bool = False) -> None:
    """Refuse a shape without rows and columns; with `exactly`, one with more axes than these too."""
    if len(shape) < 2 or (exactly and len(shape) > 2):
        raise ChainruleError(
            "it fills matrices only",
            where=where,
            expected="2 axes" if exactly else "2 axes or more",
            got=tuple(shape),
        )


def check_seed(where: str, seed: Any) -> int | None:
    """A seed: a whole number from 0, or None."""
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0):
        return seed
    raise ChainruleError("not a seed", where=where, expected="a whole number from 0, or None", got=repr(seed))
