"""A dense layer over any axes, described as Einstein's summation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule import activations, constraints, initializers, ops, registry, regularizers
from chainrule.errors import ChainruleError
from chainrule.layers.core import as_float
from chainrule.layers.layer import Layer

_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


class EinsumDense(Layer):
    """``activation(einsum(equation, x, kernel) + bias)``.

    Args:
        equation: ``"ab,bc->ac"``, ``"...b,bc->...c"`` or ``"ab...,bc->ac..."``: the input's axes, the kernel's, the
            result's; what is not in the result is summed over.
        output_shape: the sizes of the result's axes without the batch and without those of ``...``; None where an axis
            is the input's.
        activation: a name or a function; linear by default.
        bias_axes: the letters of the result along which the bias differs; no bias by default.
        kernel_initializer, bias_initializer: initial weights.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss.
        kernel_constraint, bias_constraint: what the weights are projected to after each update.
        activity_regularizer: a penalty on the results, added to the loss.

    Example:
        >>> import numpy as np
        >>> EinsumDense("abc,cd->abd", (None, 5), bias_axes="d")(np.zeros((2, 3, 4), "float32")).shape
        (2, 3, 5)
    """

    supports_masking = True

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        activity_regularizer: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, activity_regularizer, dtype)
        self.equation = check_equation(equation)
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        shapes = work_out_shapes(self.equation, self.bias_axes, tuple(input_shape), self.partial_output_shape)
        initializer = self.kernel_initializer
        if isinstance(initializer, initializers.VarianceScaling):
            initializer = initializer.with_axes(shapes.input_axes, shapes.output_axes)
        self.kernel = self.add_weight(
            shapes.kernel,
            initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if shapes.bias is not None:
            self.bias = self.add_weight(
                shapes.bias,
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def accepts(self, input_shape: Any) -> bool:
        shapes = work_out_shapes(self.equation, self.bias_axes, (None, *input_shape), self.partial_output_shape)
        bias = None if self.bias is None else tuple(self.bias.shape)
        return shapes.kernel == tuple(self.kernel.shape) and shapes.bias == bias

    def call(self, x: Any) -> Any:
        precision = "bfloat16" if self.dtype_policy == "mixed_bfloat16" else None
        z = ops.einsum(self.equation, as_float(x), self.kernel, precision=precision)
        return self.activation(z if self.bias is None else ops.add(z, self.bias))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return work_out_shapes(self.equation, self.bias_axes, tuple(input_shape), self.partial_output_shape).output

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": list(self.partial_output_shape),
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": registry.describe(self.kernel_initializer),
            "bias_initializer": registry.describe(self.bias_initializer),
            "kernel_regularizer": registry.describe(self.kernel_regularizer),
            "bias_regularizer": registry.describe(self.bias_regularizer),
            "kernel_constraint": registry.describe(self.kernel_constraint),
            "bias_constraint": registry.describe(self.bias_constraint),
            "activity_regularizer": registry.describe(self.activity_regularizer),
            "dtype": self.dtype_policy,
        }


@dataclass(frozen=True)
class Shapes:
    """What an equation and an input's shape make of a layer.

    Args:
        kernel, bias, output: shapes; the bias is None where there is none, the output begins with None, the batch.
        input_axes, output_axes: the axes of the kernel that are summed over, and those that the result has.
    """

    kernel: tuple[int, ...]
    bias: tuple[int, ...] | None
    output: tuple[int | None, ...]
    input_axes: tuple[int, ...]
    output_axes: tuple[int, ...]


def check_equation(equation: Any) -> str:
    """An equation of a form that the layer knows, without spaces."""
    text = equation.replace(" ", "") if isinstance(equation, str) else ""
    found = _EQUATION.fullmatch(text)
    # The dots of input and result are on the same side, and on one only.
    if not found or found[1] != found[5] or found[3] != found[7] or (found[1] and found[3]):
        raise ChainruleError(
            "not an equation of a dense layer",
            where="EinsumDense, equation",
            expected="'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...'",
            got=repr(equation),
        )
    return text


def work_out_shapes(
    equation: str, bias_axes: str | None, input_shape: tuple[Any, ...], partial: tuple[int | None, ...]
) -> Shapes:
    """The shapes of kernel, bias and result.

    Raises:
        ChainruleError: where sizes or letters do not fit together.
    """
    given, result = equation.split("->")
    source, kernel = given.split(",")
    elided = "".join(str(place) for place in range(len(input_shape) - len(source.replace("...", ""))))
    source, letters = source.replace("...", elided), result.replace("...", elided)
    if len(source) != len(input_shape):
        raise ChainruleError("the input has other axes than the equation", expected=equation, got=input_shape)
    sizes = dict(zip(source, input_shape, strict=True))
    batch, others = letters[0], letters[1:]
    named = [letter for letter in others if letter not in elided]
    if batch != source[0] or len(named) != len(partial):
        raise ChainruleError(
            "output_shape does not fit the equation",
            expected=f"the batch first, then a size for each of {', '.join(named)}",
            got=partial,
        )
    for letter, size in zip(named, partial, strict=True):
        known = sizes.setdefault(letter, size)
        if size is not None and size != known:
            raise ChainruleError(f"axis '{letter}' has two sizes", expected=known, got=size)
    sizes[batch] = None
    unknown = [letter for letter in kernel + (bias_axes or "") if sizes.get(letter) is None]
    if unknown:
        raise ChainruleError(
            f"the size of axis '{unknown[0]}' is not known",
            expected="axes of the input or of the result, not the batch",
            got=equation,
        )
    bias = None
    if bias_axes:
        if not set(bias_axes) <= set(letters):
            raise ChainruleError("the result has no such axes", where="bias_axes", expected=result, got=bias_axes)
        first = min(letters.index(letter) for letter in bias_axes)
        bias = tuple(sizes[letter] if letter in bias_axes else 1 for letter in letters[first:])
    return Shapes(
        kernel=tuple(int(sizes[letter]) for letter in kernel),
        bias=bias,
        output=tuple(sizes[letter] for letter in letters),
        input_axes=tuple(axis for axis, letter in enumerate(kernel) if letter not in letters),
        output_axes=tuple(axis for axis, letter in enumerate(kernel) if letter in letters),
    )
