"""What every layer is: named, built for an input's shape, called on arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule import registry
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import Shape, format_shape
from chainrule.graph.tracing import scope
from chainrule.graph.variable import Variable


class Layer(registry.Configured):
    """A step of a network.

    Subclasses make their Variables in `build` and their formula is `call`. Shapes are without the batch in `build`,
    with it in `call`.

    Args:
        name: unique within a model; made from the class by default.
        trainable: whether training changes the weights.
    """

    def __init__(self, name: str | None = None, trainable: bool = True):
        self.given_name = name
        self.name = name or snake_case(type(self).__name__)
        self.trainable = trainable
        self.built = False
        self.input_shape: Shape | None = None
        self.output_shape: Shape | None = None
        self.weights: list[Variable] = []

    def build(self, input_shape: Shape) -> None:
        """Make the Variables for inputs of this shape, without the batch."""

    def call(self, x: Any, training: bool = False) -> Any:
        """The layer's formula."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the result, without the batch."""
        return input_shape

    def ensure_built(self, input_shape: Shape) -> None:
        """Build at the first shape; refuse another one later."""
        with self.located():
            if not self.built:
                self.build(tuple(input_shape))
                self.input_shape = tuple(input_shape)
                self.output_shape = tuple(self.compute_output_shape(self.input_shape))
                self.built = True
            elif self.weights and self.input_shape is not None and tuple(input_shape) != self.input_shape:
                raise ChainruleError(
                    "the input has another shape than the layer was built for",
                    expected=f"(batch, {format_shape(self.input_shape)[1:]}",
                    got=f"(batch, {format_shape(input_shape)[1:]}",
                )

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Errors within name this layer."""
        try:
            yield
        except ChainruleError as error:
            raise error.located(f"layer '{self.name}'") from None

    def __call__(self, x: Any, training: bool = False) -> Any:
        if not hasattr(x, "shape"):
            x = np.asarray(x, dtype=np.float32)
        self.ensure_built(tuple(x.shape[1:]))
        with scope(self.name), self.located():
            return self.call(x, training=training)

    def add_weight(self, shape: tuple[int, ...], initializer: Any, name: str) -> Variable:
        """A new Variable of this layer."""
        variable = Variable(initializer(shape), name=f"{self.name}/{name}", trainable=self.trainable)
        self.weights.append(variable)
        return variable

    @property
    def trainable_weights(self) -> list[Variable]:
        return [weight for weight in self.weights if weight.trainable and self.trainable]

    @property
    def state(self) -> list[Variable]:
        """Variables that are neither trained nor saved, such as random counters."""
        return []

    def count_params(self) -> int:
        return sum(weight.size for weight in self.weights)

    def get_weights(self) -> list[np.ndarray]:
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, values: list[Any]) -> None:
        if len(values) != len(self.weights):
            raise ChainruleError(
                "wrong number of weights", where=f"layer '{self.name}'", expected=len(self.weights), got=len(values)
            )
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "trainable": self.trainable}


def snake_case(name: str) -> str:
    """``ReLU`` to ``re_lu``, as Keras names layers."""
    letters = [
        f"_{c.lower()}" if c.isupper() and at and not name[at - 1].isupper() else c.lower() for at, c in enumerate(name)
    ]
    return "".join(letters)
