"""From and to NumPy's arrays, and what an array says of itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.tracing import as_operand
from chainrule.graph.types import int32
from chainrule.graph.variable import Variable
from chainrule.ops.elementwise import cast, multiply
from chainrule.ops.movement import dim_size


def convert_to_tensor(x: Any, dtype: Any = None) -> Any:
    """`x` as an array; floats become float32 and whole numbers int32, unless `dtype` says otherwise.

    Example:
        >>> convert_to_tensor([1, 2], dtype="float32")
        array([1., 2.], dtype=float32)
    """
    if isinstance(x, list | tuple) and any(isinstance(item, Node | Variable) for item in x):
        raise ChainruleError("a list of arrays", where="convert_to_tensor", fix="join them with ops.stack")
    plain = not isinstance(x, Node | Variable | np.ndarray | np.generic)
    operand = as_operand(x)
    if dtype is not None:
        return cast(operand, dtype)
    if plain and operand.dtype in (np.float64, np.int64):
        return operand.astype(np.float32 if operand.dtype == np.float64 else np.int32)
    return operand


def array(x: Any, dtype: Any = None) -> Any:
    """`convert_to_tensor`, by NumPy's name."""
    return convert_to_tensor(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """The values of an array or a Variable as a NumPy array."""
    if isinstance(x, Node) or isinstance(operand := as_operand(x), Node):
        raise ChainruleError(
            "a traced array has no values yet", where="convert_to_numpy", fix="return it from the function first"
        )
    return np.asarray(operand)


def is_tensor(x: Any) -> bool:
    """Whether `x` is an array: of NumPy, or a traced one."""
    return isinstance(x, np.ndarray | np.generic | Node)


def ndim(x: Any) -> int:
    """How many axes there are."""
    return len(as_operand(x).shape)


def size(x: Any) -> Any:
    """How many elements there are; with an open axis, a traced number."""
    shape = as_operand(x).shape
    total: Any = math.prod(dim for dim in shape if isinstance(dim, int))
    for dim in shape:
        if not isinstance(dim, int):
            total = multiply(dim_size(dim, int32), total)
    return total
