"""Dense layers and activations: linear units with weights and bias, and what follows them; and layers without weights
that pass on, mask, or hand to a function what they are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

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
        self.sample_shape, self.built = dims, True
        array = symbolic.make_symbolic(self, ArrayType(self.dtype, (symbolic.BATCH, *dims)))
        self._recorded.append((array, array))

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


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    batch_shape: Any = None,
    name: str | None = None,
) -> Node:
    """A symbolic array: samples of this shape, however many. The first entry of a Sequential, or given to layers.

    Args:
        shape: of one sample.
        batch_size: accepted for Keras's sake; any number of samples may come.
        dtype: float32 by default; integers, such as pixels and categories, stay what they are.
        batch_shape: the shape with the batch, ``(None, 784)``, in place of `shape`.

    Example:
        >>> Input((784,)).shape
        (batch, 784)
    """
    if (shape is None) == (batch_shape is None):
        raise ChainruleError("one of shape and batch_shape is needed", where="Input", got=(shape, batch_shape))
    sample = tuple(batch_shape)[1:] if shape is None else shape
    return InputLayer(sample, "float32" if dtype is None else dtype, name).output


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

    def accepts(self, input_shape: Any) -> bool:
        return len(input_shape) > 0 and bool(input_shape[-1] == self.kernel.shape[0])

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


class Identity(Layer):
    """What it is given."""

    supports_masking = True

    def __init__(self, name: str | None = None, trainable: bool = True, dtype: str | None = None):
        super().__init__(name, trainable, dtype=dtype)

    def call(self, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class ActivityRegularization(Layer):
    """What it is given, with ``l1 * sum(|x|) + l2 * sum(x**2)``, divided by the samples, added to the loss."""

    supports_masking = True

    def __init__(
        self,
        l1: float = 0.0,
        l2: float = 0.0,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, regularizers.L1L2(l1, l2), dtype)
        self.l1, self.l2 = self.activity_regularizer.l1, self.activity_regularizer.l2

    def call(self, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}


class Masking(Layer):
    """Marks the steps of a sequence whose numbers all are `mask_value` as not there, and sets them to zero.

    Layers that follow hand the mask on or use it; in the loss such steps do not count.

    Shapes: x (batch, steps, n), mask (batch, steps).

    Example:
        >>> Masking(-1.0)(np.array([[[1.0, -1.0], [-1.0, -1.0]]], "float32"))
        array([[[ 1., -1.],
                [ 0.,  0.]]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self, mask_value: float = 0.0, name: str | None = None, trainable: bool = True, dtype: str | None = None
    ):
        super().__init__(name, trainable, dtype=dtype)
        self.mask_value = registry.require_number("Masking", "mask_value", mask_value, -np.inf, np.inf)

    def call(self, x: Any) -> Any:
        return ops.where(self.counted(x, keepdims=True), x, 0)

    def counted(self, x: Any, keepdims: bool = False) -> Any:
        """Whether some number of a step is not the mask's."""
        return ops.any(ops.not_equal(x, self.mask_value), axis=-1, keepdims=keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return self.counted(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}


class Lambda(Layer):
    """A function as a layer, for a step without weights.

    A file holds the function's name and nothing of its code: to load a model, pass the function again by that name, as
    in ``load_model(path, custom_objects={"double": double})``.

    Args:
        function: takes the input, and may take `training` and `mask`; or the name of one among the custom objects.
        output_shape: the result's shape without the batch, or a function of the input's; worked out by default.
        mask: the result's mask, or a function of the input and its mask; none by default.
        arguments: further named arguments of the function.

    Example:
        >>> def double(x):
        ...     return x + x
        >>> Lambda(double)(np.ones((1, 2), "float32"))
        array([[2., 2.]], dtype=float32)
        >>> Lambda(double).get_config()["function"]
        'double'
    """

    def __init__(
        self,
        function: Callable[..., Any] | str,
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        self.function = function_named(function)
        shaped = function_named(output_shape) if isinstance(output_shape, str) else output_shape
        self.given_output_shape = tuple(shaped) if isinstance(shaped, tuple | list) else shaped
        self.mask = function_named(mask) if isinstance(mask, str) else mask
        self.arguments = dict(arguments or {})
        self.takes = named_arguments(self.function) & {"training", "mask"}

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        known = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: known[name] for name in self.takes})

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.given_output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self.given_output_shape):
            return tuple(self.given_output_shape(input_shape))
        return (None, *self.given_output_shape)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        shape, mask = self.given_output_shape, self.mask
        return {
            **super().get_config(),
            "function": name_of(self.function),
            "output_shape": name_of(shape) if callable(shape) else list(shape) if shape is not None else None,
            "mask": name_of(mask) if callable(mask) else np.asarray(mask).tolist() if mask is not None else None,
            "arguments": self.arguments,
        }


def name_of(function: Callable[..., Any]) -> str:
    """The name under which a function is saved."""
    return getattr(function, "__name__", type(function).__name__)


def function_named(function: Any) -> Callable[..., Any]:
    """A function, or the custom object of this name; nothing is ever imported or compiled.

    Raises:
        ChainruleError: for a name that no custom object has.
    """
    if callable(function):
        return function  # type: ignore[no-any-return]
    known = registry.custom_names()
    if isinstance(function, str) and callable(known.get(function)):
        return known[function]  # type: ignore[no-any-return]
    raise ChainruleError(
        f"the function {function!r} is not known",
        where="Lambda",
        expected="a function, or the name of a custom object",
        got=repr(function),
        fix=f"load the model with custom_objects={{{function!r}: …}}",
    )


def named_arguments(function: Callable[..., Any]) -> frozenset[str]:
    """The names of a function's arguments; none where Python cannot tell."""
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset()
