"""Initial values without chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import registry
from chainrule.errors import ChainruleError
from chainrule.graph.types import as_dtype
from chainrule.initializers.base import Initializer, as_numbers, require_matrix


class Zeros(Initializer):
    """All zero."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return np.zeros(shape, as_dtype(dtype).numpy)


class Ones(Initializer):
    """All one."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return np.ones(shape, as_dtype(dtype).numpy)


class Constant(Initializer):
    """All one value, or given values.

    Args:
        value: a number, or numbers whose shape stretches to the one asked for.

    Example:
        >>> Constant(3.0)((2,))
        array([3., 3.], dtype=float32)
    """

    def __init__(self, value: Any = 0.0):
        self.value = value if isinstance(value, int | float) else np.asarray(value)
        if isinstance(self.value, np.ndarray) and self.value.dtype.kind not in "biuf":
            raise ChainruleError("not a number", where="Constant", expected="a number or numbers", got=repr(value))

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        try:
            return as_numbers(np.broadcast_to(np.asarray(self.value), shape), dtype).copy()
        except ValueError:
            raise ChainruleError(
                "the values do not fit", where="Constant", expected=tuple(shape), got=np.shape(self.value)
            ) from None

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value.tolist() if isinstance(self.value, np.ndarray) else self.value}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, zero elsewhere.

    Example:
        >>> Identity()((2, 3))
        array([[1., 0., 0.],
               [0., 1., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0):
        self.gain = registry.require_number("Identity", "gain", gain, -1e30, 1e30)

    def __call__(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        require_matrix("Identity", shape, exactly=True)
        return as_numbers(self.gain * np.eye(shape[0], shape[1]), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}
