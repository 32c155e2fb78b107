"""Layers that change the shape or the scale of their input, or leave out a part of it."""

from __future__ import annotations

import math
from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.variable import Variable
from chainrule.layers.core import as_float
from chainrule.layers.layer import Layer
from chainrule.random import SeedGenerator, dropout


class Flatten(Layer):
    """All axes but the batch as one."""

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], math.prod(input_shape[1:]))


class Reshape(Layer):
    """Another shape for each sample; one size may be -1."""

    def __init__(self, target_shape: tuple[int, ...], name: str | None = None):
        super().__init__(name)
        self.target_shape = tuple(target_shape)

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
        return {"target_shape": list(self.target_shape), "name": self.name}


class Rescaling(Layer):
    """``x * scale + offset``; pixels of 8 bits become float32 inside the compiled step."""

    def __init__(self, scale: float, offset: float = 0.0, name: str | None = None):
        super().__init__(name)
        self.scale, self.offset = float(scale), float(offset)

    supports_masking = True

    def call(self, x: Any) -> Any:
        scaled = ops.multiply(as_float(x), self.scale)
        return ops.add(scaled, self.offset) if self.offset else scaled

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale, "offset": self.offset, "name": self.name}


class Dropout(Layer):
    """In training each element is zero with probability `rate`, the others grow by ``1 / (1 - rate)``.

    Source: Srivastava et al. 2014.
    """

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None):
        super().__init__(name)
        self.rate = registry.require_number("Dropout", "rate", rate, 0.0, 1.0, open_high=True)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def call(self, x: Any, training: bool = False) -> Any:
        return dropout(as_float(x), self.rate, self.seed_generator) if training and self.rate else x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    @property
    def state(self) -> list[Variable]:
        return [self.seed_generator.state]

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed, "name": self.name}
