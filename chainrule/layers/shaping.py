"""Layers that change the shape of their input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.layers.layer import Layer


class Flatten(Layer):
    """All axes but the batch as one.

    Args:
        data_format: ``channels_last``, or ``channels_first``, where the first axis of a sample becomes its last before.

    Example:
        >>> import numpy as np
        >>> Flatten()(np.zeros((2, 3, 4), "float32")).shape
        (2, 12)
    """

    def __init__(
        self,
        data_format: str | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ChainruleError(
                "unknown data format",
                where="Flatten, data_format",
                expected="'channels_last' or 'channels_first'",
                got=repr(data_format),
            )
        self.data_format = data_format or "channels_last"

    def call(self, x: Any) -> Any:
        if self.data_format == "channels_first" and len(x.shape) > 1:
            x = ops.moveaxis(x, 1, -1)
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], math.prod(input_shape[1:]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """Another shape for each sample; one size may be -1.

    Example:
        >>> import numpy as np
        >>> Reshape((3, -1))(np.zeros((2, 12), "float32")).shape
        (2, 3, 4)
    """

    def __init__(
        self,
        target_shape: Sequence[int],
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        listed = tuple(target_shape) if isinstance(target_shape, tuple | list) else None
        if listed is None or not all(isinstance(dim, int) and dim >= -1 for dim in listed) or listed.count(-1) > 1:
            raise ChainruleError(
                "not the shape of a sample",
                where="Reshape, target_shape",
                expected="a tuple of sizes, at most one of them -1",
                got=repr(target_shape),
            )
        self.target_shape = listed

    def compute_output_shape(self, input_shape: Any) -> Any:
        total = int(math.prod(input_shape[1:]))
        known = math.prod(dim for dim in self.target_shape if dim != -1)
        shape = tuple(total // known if dim == -1 and known else dim for dim in self.target_shape)
        if math.prod(shape) != total:
            raise ChainruleError("the number of elements changes", expected=f"{total} elements", got=self.target_shape)
        return (input_shape[0], *shape)

    def call(self, x: Any) -> Any:
        return ops.reshape(x, self.compute_output_shape(tuple(x.shape)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}


class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: for each axis of the result the number of the input's, counted from 1 behind the batch.

    Example:
        >>> import numpy as np
        >>> Permute((2, 1))(np.zeros((2, 3, 4), "float32")).shape
        (2, 4, 3)
    """

    def __init__(self, dims: Sequence[int], name: str | None = None, trainable: bool = True, dtype: str | None = None):
        super().__init__(name, trainable, dtype=dtype)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ChainruleError(
                "not an order of axes",
                where="Permute, dims",
                expected="each of 1, 2, … once",
                got=repr(dims),
            )

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != len(self.dims) + 1:
            raise ChainruleError(
                "the number of axes differs", expected=f"{len(self.dims)} behind the batch", got=len(input_shape) - 1
            )

    def call(self, x: Any) -> Any:
        return ops.transpose(x, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *(input_shape[dim] for dim in self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": list(self.dims)}


class RepeatVector(Layer):
    """Each sample, a vector, `n` times: (batch, m) to (batch, n, m)."""

    def __init__(self, n: int, name: str | None = None, trainable: bool = True, dtype: str | None = None):
        super().__init__(name, trainable, dtype=dtype)
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise ChainruleError("not a number of repeats", where="RepeatVector, n", expected="1 or more", got=repr(n))
        self.n = n

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 2:
            raise ChainruleError("a sample is not a vector", expected="(batch, n)", got=input_shape)

    def call(self, x: Any) -> Any:
        return ops.broadcast_to(ops.expand_dims(x, 1), (x.shape[0], self.n, x.shape[1]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
