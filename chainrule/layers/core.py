"""Dense layers and activations: linear units with weights and bias, and what follows them."""

from __future__ import annotations

from typing import Any

from chainrule import activations, config, initializers, ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import Shape
from chainrule.graph.types import as_dtype
from chainrule.layers.layer import Layer


class InputLayer(Layer):
    """The shape of one sample, and the dtype that the data is kept in."""

    def __init__(self, shape: Shape, dtype: Any = "float32", name: str | None = None):
        super().__init__(name or "input_layer")
        dims = tuple(shape)
        if not all(isinstance(dim, int) and dim > 0 for dim in dims):
            raise ChainruleError("not the shape of a sample", where="Input", expected="positive sizes", got=shape)
        self.shape, self.dtype = dims, as_dtype(dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.shape

    def call(self, x: Any, training: bool = False) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "dtype": self.dtype.name, "name": self.name}


def Input(shape: Shape, dtype: Any = "float32", name: str | None = None) -> InputLayer:
    """The first entry of a model: the shape of one sample, without the batch.

    Example:
        >>> Input((784,)).shape
        (784,)
    """
    return InputLayer(shape, dtype, name)


def as_float(x: Any) -> Any:
    """Whole numbers, such as pixels, as float32; floats as they are."""
    return x if as_dtype(x.dtype).is_float else ops.cast(x, "float32")


_LATER = ("kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint")


class Dense(Layer):
    """``activation(x @ kernel + bias)``: `units` neurons, each a weighted sum of all inputs.

    Args:
        units: the number of neurons.
        activation: a name or a function; linear by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial weights.
        dtype: ``float32``, or ``mixed_bfloat16`` for products of rounded factors; `config.dtype_policy` by default.

    Shapes: x (batch, …, n), kernel (n, units), bias (units,), result (batch, …, units).
    """

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
        super().__init__(name, trainable)
        if not isinstance(units, int) or isinstance(units, bool) or units < 1:
            raise ChainruleError(
                "units is not a number of neurons", where="Dense", expected="1 or more", got=repr(units)
            )
        given = (kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint)
        for option, value in zip(_LATER, given, strict=True):
            if value is not None:
                raise ChainruleError(
                    f"{option} is not available in this version", where="Dense", expected=None, got=value
                )
        self.units, self.use_bias = units, use_bias
        self.dtype_policy = config.check_dtype_policy(dtype or config.dtype_policy(), "Dense, dtype")
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        if not input_shape:
            raise ChainruleError("there is nothing to add up", expected="an input of shape (batch, n)", got="(batch,)")
        self.kernel = self.add_weight((int(input_shape[-1]), self.units), self.kernel_initializer, "kernel")  # type: ignore[arg-type]
        if self.use_bias:
            self.bias = self.add_weight((self.units,), self.bias_initializer, "bias")

    def call(self, x: Any, training: bool = False) -> Any:
        precision = "bfloat16" if self.dtype_policy == "mixed_bfloat16" else None
        z = ops.matmul(as_float(x), self.kernel, precision)
        return self.activation(ops.add(z, self.bias) if self.use_bias else z)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": registry.describe(self.kernel_initializer),
            "bias_initializer": registry.describe(self.bias_initializer),
            "dtype": self.dtype_policy,
        }


class Activation(Layer):
    """An activation function as a layer of its own."""

    def __init__(self, activation: Any, name: str | None = None):
        super().__init__(name)
        self.activation = activations.get(activation)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.activation(as_float(x))

    def get_config(self) -> dict[str, Any]:
        return {"activation": activations.serialize(self.activation), "name": self.name}
