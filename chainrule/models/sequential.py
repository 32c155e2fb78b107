"""`Sequential`: layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import layers as layers_module
from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.tree import flatten
from chainrule.layers import InputLayer, Layer
from chainrule.layers.core import input_layer_of
from chainrule.models.model import Model
from chainrule.models.network import Network, name_layer
from chainrule.training.checks import suggest_shape
from chainrule.training.nests import Output


class Sequential(Model):
    """A stack of layers.

    Args:
        layers: the layers in order; `Input` first gives the shape, else the first data do.
        name: of the model.

    Example:
        >>> import chainrule as cr
        >>> model = Sequential([cr.Input((4,)), cr.layers.Dense(8, "relu"), cr.layers.Dense(1)])
        >>> model.count_params()
        49
    """

    def __init__(self, layers: Sequence[Any] | None = None, name: str | None = None, trainable: bool = True):
        self._stack: list[Layer] = []
        self._linked: Network | None = None
        self.input_layer: InputLayer | None = None
        super().__init__(name=name, trainable=trainable)
        for layer in layers or []:
            self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        return self._stack

    @property
    def sublayers(self) -> list[Layer]:
        return self._stack

    def add(self, layer: Any) -> None:
        """Put a layer on top."""
        if isinstance(layer, Node):
            layer = input_layer_of(layer)
        if not isinstance(layer, Layer):
            raise ChainruleError("not a layer", where=f"model '{self.name}'", expected="a Layer", got=repr(layer))
        self.forget_code()
        self._outputs = []
        if isinstance(layer, InputLayer):
            if self._stack or self.input_layer:
                raise ChainruleError("an Input comes first and once", where=f"model '{self.name}'", got=layer.name)
            self.input_layer = layer
            return
        name_layer(layer, {other.name for other in self._stack})
        self._stack.append(layer)
        self._linked, layer._link = None, self._require_network
        if self.input_layer is not None:
            before = self._stack[-2].result_shape if len(self._stack) > 1 else self.input_layer.shape
            layer.ensure_built(before)
            self.built, self.sample_shape = True, self.input_layer.shape

    def pop(self) -> Layer:
        """Take the top layer off."""
        self.forget_code()
        self._outputs = []
        self._linked = None
        return self._stack.pop()

    def _require_network(self) -> Network:
        """The stack as a graph of symbolic arrays, made when it is first asked for."""
        self.require_built()
        if self._linked is None:
            kind = self.input_layer or InputLayer(self.sample_shape)
            x = kind.output
            for layer in self._stack:
                x = layer(x)
            self._linked = Network(kind.output, x)
        return self._linked

    def build(self, input_shape: Any) -> None:
        """Build for inputs of this shape, the batch first."""
        self._build(tuple(input_shape[1:]))

    def _build(self, shape: Any) -> None:
        self.sample_shape = shape
        for layer in self._stack:
            layer.ensure_built(shape)
            shape = layer.result_shape
        self.built = bool(self._stack)

    def ensure_built(self, input_shape: Any) -> None:
        if not self.built:
            self._build(input_shape)

    def ensure_fits(self, x: Any) -> None:
        if not self._stack:
            raise ChainruleError("the model has no layers", where=f"model '{self.name}'", fix="add a layer")
        leaves = flatten(x)[0]
        expected = self.input_layer.shape if self.input_layer else self.sample_shape if self.built else None
        if len(leaves) != 1 or expected is not None and tuple(leaves[0].shape[1:]) != tuple(expected):
            raise ChainruleError(
                "the data do not fit the model",
                where=f"x, layer '{self._stack[0].name}'",
                expected=("batch", *(expected or ())),
                got=[leaf.shape for leaf in leaves] if len(leaves) != 1 else leaves[0].shape,
                fix="give one array for x"
                if len(leaves) != 1
                else suggest_shape(leaves[0].shape[1:], tuple(expected or ())),
            )
        if not self.built:
            self._build(tuple(leaves[0].shape[1:]))

    @property
    def output_kinds(self) -> list[Output]:
        self.require_built()
        if not self._outputs:
            from chainrule.graph.types import float32

            last = self._stack[-1]
            self._outputs = [Output(last.name, tuple(last.result_shape), float32, last.name)]
        return self._outputs

    def _expected(self) -> list[tuple[int, ...]]:
        return [tuple(self.input_layer.shape)] if self.input_layer else []

    def layers_before(self, place: int) -> list[Layer]:
        return self._stack[::-1]

    def input_kinds(self) -> list[tuple[tuple[int, ...], Any]]:
        self.require_built()
        dtype = self.input_layer.dtype.numpy if self.input_layer else "float32"
        return [(tuple(self.sample_shape), dtype)]

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        x = inputs
        if self.input_layer is not None:
            x = ops.cast(x, self.input_layer.dtype)
        for layer in self._stack:
            x, mask = layer(x, training=training, mask=mask), None  # the mask is of the inputs
        return x

    def arrange_inputs(self, x: Any) -> Any:
        return x[0] if isinstance(x, list | tuple) and len(x) == 1 and hasattr(x[0], "shape") else x

    def get_config(self) -> dict[str, Any]:
        entries = [self.input_layer] if self.input_layer else []
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [registry.describe(layer) for layer in [*entries, *self._stack]],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        """A new model of the same layers, with new weights."""
        known = layers_module.known_layers()
        made = [registry.resolve("layer", entry, known) for entry in config["layers"]]
        return cls(made, name=config.get("name"), trainable=config.get("trainable", True))
