"""Array types: an element type and a shape whose dimensions are integers or stay open until the call.

Goes in: NumPy dtypes, names, shapes. Comes out: `DType`, `OpenDim`, `ArrayType`. It knows nothing of operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, ClassVar

import numpy as np

from chainrule.errors import ChainruleError, unknown_name


@dataclass(frozen=True, repr=False, eq=False)
class DType:
    """The type of an array's elements; there is one object of each, a copy is the same.

    `name` is NumPy's name (``float32``), `short` the one in printed graphs (``f32``), `kind` one of
    ``bool``, ``uint``, ``int``, ``float``; `bits` is the size of one element (8 for bool, as in NumPy).

    Example:
        >>> import copy
        >>> copy.deepcopy(float32) is float32
        True
    """

    name: str
    short: str
    kind: str
    bits: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "numpy", np.dtype(self.name))

    numpy: ClassVar[Any] = None  # each instance gets numpy.dtype(name) in __post_init__

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)

    @property
    def bytes(self) -> int:
        return self.bits // 8

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    def __str__(self) -> str:
        return self.short

    def __repr__(self) -> str:
        return self.name


bool_ = DType("bool", "bool", "bool", 8)
uint8 = DType("uint8", "u8", "uint", 8)
int32 = DType("int32", "i32", "int", 32)
uint32 = DType("uint32", "u32", "uint", 32)
int64 = DType("int64", "i64", "int", 64)
float32 = DType("float32", "f32", "float", 32)
float64 = DType("float64", "f64", "float", 64)

DTYPES = (bool_, uint8, int32, uint32, int64, float32, float64)
"""Every element type, in the order of promotion: two types meet at the later one."""

_RANK = {dtype: rank for rank, dtype in enumerate(DTYPES)}
_NAMED: dict[object, DType] = {
    **{dtype.name: dtype for dtype in DTYPES},
    **{dtype.short: dtype for dtype in DTYPES},
    **{dtype.numpy: dtype for dtype in DTYPES},
    float: float32,
    int: int32,
    bool: bool_,
    # Types that users hand in and that have an exact home among ours.
    np.dtype("int8"): int32,
    np.dtype("int16"): int32,
    np.dtype("uint16"): int32,
    np.dtype("uint64"): int64,
    np.dtype("float16"): float32,
}
"""Element types by their names, by NumPy's objects, and by Python's types."""


def as_dtype(value: object) -> DType:
    """The DType that a name, a NumPy dtype or a Python type stands for.

    Example:
        >>> as_dtype("float32"), as_dtype(float), as_dtype(np.int16)
        (float32, float32, int32)
    """
    if isinstance(value, DType):
        return value
    try:
        if value in _NAMED:
            return _NAMED[value]
        dtype = np.dtype(value)  # type: ignore[call-overload]
    except TypeError:
        raise unknown_name("dtype", value, [known.name for known in DTYPES]) from None
    if dtype not in _NAMED:
        raise unknown_name("dtype", str(dtype), [known.name for known in DTYPES])
    return _NAMED[dtype]


@cache
def promote(first: DType, second: DType) -> DType:
    """The type in which two arrays meet: the later of the two in `DTYPES`; int32 with uint32 gives int64."""
    if {first, second} == {int32, uint32}:
        return int64
    return max(first, second, key=_RANK.__getitem__)


@dataclass(frozen=True)
class OpenDim:
    """A dimension known only at the call: `scale` times the size bound to `name`.

    Example:
        >>> OpenDim("batch"), OpenDim("batch", 10)
        (batch, 10*batch)
    """

    name: str
    scale: int = 1

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.scale < 1:
            raise ChainruleError(
                "an open dimension needs an identifier and a scale of at least 1",
                expected="OpenDim('batch')",
                got=f"OpenDim({self.name!r}, {self.scale})",
            )

    def __mul__(self, factor: int) -> OpenDim:
        return OpenDim(self.name, self.scale * factor)

    __rmul__ = __mul__

    def bind(self, sizes: Mapping[str, int]) -> int:
        """The size at the call."""
        if self.name not in sizes:
            raise ChainruleError(f"the open dimension '{self.name}' has no size", got=dict(sizes))
        return self.scale * sizes[self.name]

    def __repr__(self) -> str:
        return self.name if self.scale == 1 else f"{self.scale}*{self.name}"


Dim = int | OpenDim
Shape = tuple[Dim, ...]


@dataclass(frozen=True)
class ArrayType:
    """The static type of an array: element type and shape.

    Example:
        >>> ArrayType(float32, (OpenDim("batch"), 784))
        f32[batch,784]
    """

    dtype: DType
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        return not any(isinstance(dim, OpenDim) for dim in self.shape)

    def bind(self, sizes: Mapping[str, int]) -> ArrayType:
        """The type with every open dimension replaced by its size."""
        return ArrayType(self.dtype, bind_shape(self.shape, sizes))

    def __repr__(self) -> str:
        return f"{self.dtype.short}[{','.join(map(str, self.shape))}]"


def bind_shape(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """`shape` with every open dimension replaced by its size."""
    return tuple(dim.bind(sizes) if isinstance(dim, OpenDim) else dim for dim in shape)


def type_of(array: np.ndarray) -> ArrayType:
    """The type of a NumPy array."""
    return _type_of(array.dtype, array.shape)


@lru_cache(maxsize=4096)  # so that equal types are mostly one object
def _type_of(dtype: np.dtype, shape: tuple[int, ...]) -> ArrayType:
    return ArrayType(as_dtype(dtype), shape)
