"""Dense layers and activations: linear units with weights and bias, and what follows them."""

from __future__ import annotations

from typing import Any

from chainrule import activations, constraints, initializers, ops, registry, regularizers
from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.types import ArrayType, as_dtype
from chainrule.layers import symbolic
from chainrule.layers.layer import Layer


class InputLayer(Layer):
    """The shape of one sample, and the dtype that the data is kept in; `output` is the symbolic array."""

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None):
        super().__init__(name or "input_layer")
        self.given_name = name
        dims = tuple(shape) if isinstance(shape, tuple | list) else None
        if dims is None or not all(isinstance(dim, int) and dim > 0 for dim in dims):
            raise ChainruleError(
                "not the shape of a sample", where="Input", expected="a tuple of positive sizes", got=repr(shape)
            )
        self.shape, self.dtype = dims, as_dtype(dtype)
        self.input_shape, self.built = dims, True
        self.output = symbolic.make_symbolic(self, ArrayType(self.dtype, (symbolic.BATCH, *dims)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (None, *self.shape)

    def call(self, x: Any) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "dtype": self.dtype.name, "name": self.name}


def input_layer_of(array: Node) -> InputLayer:
    """The layer behind what `Input` gave."""
    layer = array.params.get("layer")
    if not isinstance(layer, InputLayer):
        raise ChainruleError("not an input", expected="what cr.Input returned", got=repr(array))
    return layer


def Input(shape: Any, dtype: Any = "float32", name: str | None = None) -> Node:
    """A symbolic array: samples of this shape, however many. The first entry of a Sequential, or given to layers.

    Example:
        >>> Input((784,)).shape
        (batch, 784)
    """
    return InputLayer(shape, dtype, name).output


def as_float(x: Any) -> Any:
    """Whole numbers, such as pixels, as float32; floats as they are."""
    return x if as_dtype(x.dtype).is_float else ops.cast(x, "float32")


class Dense(Layer):
    """``activation(x @ kernel + bias)``: `units` neurons, each a weighted sum of all inputs.

    Args:
        units: the number of neurons.
        activation: a name or a function; linear by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial weights.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss.
        activity_regularizer: a penalty on the results, added to the loss.
        kernel_constraint, bias_constraint: what the weights are projected to after each update.
        dtype: ``float32``, or ``mixed_bfloat16`` for products of rounded factors; `config.dtype_policy` by default.

    Shapes: x (batch, …, n), kernel (n, units), bias (units,), result (batch, …, units).
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, activity_regularizer, dtype)
        if not isinstance(units, int) or isinstance(units, bool) or units < 1:
            raise ChainruleError(
                "units is not a number of neurons", where="Dense", expected="1 or more", got=repr(units)
            )
        self.units, self.use_bias = units, use_bias
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2:
            raise ChainruleError("there is nothing to add up", expected="an input of shape (batch, n)", got="(batch,)")
        self.kernel = self.add_weight(
            (int(input_shape[-1]), self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def call(self, x: Any) -> Any:
        precision = "bfloat16" if self.dtype_policy == "mixed_bfloat16" else None
        z = ops.matmul(as_float(x), self.kernel, precision)
        return self.activation(ops.add(z, self.bias) if self.use_bias else z)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": registry.describe(self.kernel_initializer),
            "bias_initializer": registry.describe(self.bias_initializer),
            "kernel_regularizer": registry.describe(self.kernel_regularizer),
            "bias_regularizer": registry.describe(self.bias_regularizer),
            "activity_regularizer": registry.describe(self.activity_regularizer),
            "kernel_constraint": registry.describe(self.kernel_constraint),
            "bias_constraint": registry.describe(self.bias_constraint),
            "dtype": self.dtype_policy,
        }


class Activation(Layer):
    """An activation function as a layer of its own."""

    supports_masking = True

    def __init__(self, activation: Any, name: str | None = None, trainable: bool = True, dtype: str | None = None):
        super().__init__(name, trainable, dtype=dtype)
        self.activation = activations.get(activation)

    def call(self, x: Any) -> Any:
        return self.activation(as_float(x))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}
