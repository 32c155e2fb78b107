"""A Variable: a named array that lives across steps, such as a weight, a moment or a counter."""

from __future__ import annotations

import contextlib
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.memory import aligned_empty
from chainrule.graph.shapes import format_shape
from chainrule.graph.types import ArrayType, DType, as_dtype, type_of

_assignments = itertools.count(1)
_last_assignment = [0]


def last_assignment() -> int:
    """The number of the last assignment outside of traces, to whichever Variable of the process."""
    return _last_assignment[0]


class Variable:
    """An array with a name that traced functions may read and assign.

    Args:
        value: the initial value; it is copied.
        name: for messages, summaries and files.
        trainable: whether gradients are taken for it and optimizers change it.
        dtype: element type; that of `value` by default.

    `regularizer` maps it to a penalty that training adds to the loss, `constraint` to the value that takes its place
    after an update. The array's memory never moves: compiled programs update it in place.

    Example:
        >>> weight = Variable(np.zeros((2, 3), "float32"), name="kernel")
        >>> weight.assign(np.ones((2, 3)))
        >>> weight.numpy().sum()
        np.float32(6.0)
    """

    __hash__ = object.__hash__

    def __init__(self, value: object, name: str = "variable", trainable: bool = True, dtype: object = None):
        array = np.asarray(value)
        target = as_dtype(array.dtype if dtype is None else dtype)
        self._array = aligned_empty(array.shape, target.numpy)
        self._array[...] = array
        self.name = name
        self.trainable = trainable
        self.assignment = 0  # the number of the last one outside of traces; compiled programs leave it as it is
        self.type: ArrayType = type_of(self._array)
        self.regularizer: Callable[[Any], Any] | None = None
        self.constraint: Callable[[Any], Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return self._array.size

    @property
    def memory(self) -> np.ndarray:
        """The array itself, for the runtime; a change to it is a change to the Variable."""
        return self._array

    def numpy(self) -> np.ndarray:
        """A copy of the value."""
        return self._array.copy()

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self._array.astype(dtype) if dtype is not None else self._array.copy()  # type: ignore[call-overload]

    def assign(self, value: object) -> None:
        """Replace the value. Within a traced function the assignment becomes a part of the graph."""
        from chainrule.graph.tracing import current_trace

        trace = current_trace()
        if trace is not None:
            trace.assign(self, value)
            return
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ChainruleError(
                "the new value has another shape",
                where=f"variable '{self.name}'",
                expected=format_shape(self.shape),
                got=format_shape(array.shape),
            )
        self._array[...] = array
        self.assignment = _last_assignment[0] = next(_assignments)

    def assign_add(self, value: object) -> None:
        """Add to the value; what is added takes the Variable's dtype."""
        self.assign(operator.add(self, value).astype(self.dtype.numpy))

    def assign_sub(self, value: object) -> None:
        """Subtract from the value; what is subtracted takes the Variable's dtype."""
        self.assign(operator.sub(self, value).astype(self.dtype.numpy))

    def __float__(self) -> float:
        from chainrule.graph.tracing import current_trace

        trace = current_trace()
        return float(self._array if trace is None else trace.read(self))  # of a traced value there is no number

    def __int__(self) -> int:
        return int(float(self))

    def __repr__(self) -> str:
        return f"<Variable '{self.name}' {self.type}>"


@contextlib.contextmanager
def kept(variables: Iterable[Variable]) -> Iterator[None]:
    """Whatever happens within, afterwards these Variables have the values of before."""
    before = [(variable, variable.numpy()) for variable in variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
