"""What every loss is: one number a sample, times the weights, reduced to a number; and how targets meet predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.shapes import format_shape
from chainrule.graph.tracing import as_operand, current_trace
from chainrule.graph.types import as_dtype
from chainrule.graph.variable import Variable

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")

# -- targets and predictions --------------------------------------------------------------------------------------


def as_float(values: Any) -> Any:
    """An array of floats as it is; whole numbers and lists as float32."""
    if not isinstance(values, Node | Variable | np.ndarray | np.generic):
        values = np.asarray(values) if hasattr(values, "dtype") else np.asarray(values, dtype=np.float32)
    operand = as_operand(values)
    return operand if as_dtype(operand.dtype).is_float else ops.cast(operand, "float32")


def line_up(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both with the predictions' dtype and one shape: (n,) and (n, 1) meet, anything else that differs is refused."""
    true, pred = meet_ranks(y_true, as_operand(y_pred))
    if tuple(true.shape) != tuple(pred.shape):
        raise ChainruleError(
            "targets and predictions differ in shape",
            where=name,
            expected=f"targets of shape {format_shape(pred.shape)}",
            got=format_shape(true.shape),
            fix="reshape the targets, or change the units of the last layer",
        )
    return true, pred


def meet_ranks(y_true: Any, pred: Any) -> tuple[Any, Any]:
    """Targets with the predictions' dtype; a last axis of size 1 that they lack is added, one too many dropped."""
    true = ops.cast(as_operand(y_true), pred.dtype)
    if len(true.shape) == len(pred.shape) - 1 and pred.shape[-1] == 1:
        true = ops.expand_dims(true, -1)
    elif len(true.shape) == len(pred.shape) + 1 and true.shape[-1] == 1:
        true = ops.squeeze(true, -1)
    return true, pred


def line_up_floats(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """As `line_up`, with predictions that are floats."""
    return line_up(name, y_true, as_float(y_pred))


def mean_of_last(values: Any, axis: int = -1) -> Any:
    """The mean over the last axis, or `axis`; a single number is its own."""
    return ops.mean(values, axis=axis) if len(values.shape) else values


# -- the base class -----------------------------------------------------------------------------------------------


class Loss(registry.Configured):
    """A number that says how far predictions are from targets. To be subclassed, as in Keras, with a `call`.

    The value is ``reduce(weights * call(y_true, y_pred))``. Predictions that carry a mask count where it holds, and
    means are taken over what counts.

    Args:
        name: for logs and messages; the class's name by default.
        reduction: how many values become one. ``sum_over_batch_size`` and ``mean`` divide the sum by the number of
            values, ``mean_with_sample_weight`` by the sum of the weights where there are some; ``sum`` is the sum;
            ``none`` and None leave each value by itself.
        dtype: a float dtype to compute in; by default the predictions' own.

    Raises:
        ChainruleError: where targets, weights and predictions do not fit each other.

    Example:
        >>> class Cubic(Loss):
        ...     def call(self, y_true, y_pred):
        ...         return ops.mean(ops.absolute(y_true - y_pred) ** 3, axis=-1)
        >>> float(Cubic()([[0.0], [1.0]], [[2.0], [1.0]]))
        4.0
    """

    lines_up = True
    """Whether targets have the shape of the predictions; else `call` gets both as they are given."""

    elementwise = False
    """Whether each element has a loss of its own, whose mean is the sample's. Then (n,) is n samples, as (n, 1) is."""

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        self.name = name or type(self).__name__
        if reduction is not None and reduction not in REDUCTIONS:
            raise ChainruleError(
                "unknown reduction", where=self.name, expected=f"one of {', '.join(REDUCTIONS)}", got=repr(reduction)
            )
        self.reduction = reduction
        self.dtype = None if dtype is None else as_dtype(dtype).name
        if dtype is not None and not as_dtype(dtype).is_float:
            raise ChainruleError(
                "losses are not whole numbers", where=self.name, expected="float32 or float64", got=repr(dtype)
            )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The formula: one number a sample."""
        raise NotImplementedError

    def counted(self, y_true: Any, y_pred: Any, values: Any) -> Any:
        """Which of the samples' numbers count, as bools; None where all do."""
        return None

    def arrange(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Targets and predictions as `call` takes them."""
        true, pred = as_operand(y_true), as_float(y_pred)
        if self.dtype is not None:
            pred = ops.cast(pred, self.dtype)
        if self.lines_up:
            true, pred = line_up(self.name, true, pred)
        if self.elementwise and len(true.shape) == len(pred.shape) == 1:
            true, pred = ops.expand_dims(true, -1), ops.expand_dims(pred, -1)
        return true, pred

    def per_sample(self, y_true: Any, y_pred: Any) -> Any:
        """One number a sample, before weights and reduction."""
        return self.call(*self.arrange(y_true, y_pred))

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        true, pred = self.arrange(y_true, y_pred)
        values = as_operand(self.call(true, pred))
        weights = None if sample_weight is None else self.fit_weights(sample_weight, values, "sample weights")
        masks = [mask for mask in (carried_mask(y_pred), self.counted(true, pred, values)) if mask is not None]
        if masks:
            counts = self.weigh_masks(masks, values)
            weights = counts if weights is None else ops.multiply(weights, counts)
        return self.reduce(values, weights)

    def fit_weights(self, weights: Any, values: Any, what: str) -> Any:
        """Weights with as many axes as the values: (n,) and (n, 1) both are a weight a sample."""
        fitted = ops.cast(as_operand(weights), values.dtype)
        shape = tuple(fitted.shape)
        if not values.shape:
            return fitted
        if len(shape) == len(values.shape) + 1 and shape[-1] == 1:
            fitted = ops.squeeze(fitted, -1)
        while len(fitted.shape) < len(values.shape):
            fitted = ops.expand_dims(fitted, -1)
        sizes = zip(fitted.shape, values.shape, strict=False)
        if len(fitted.shape) > len(values.shape) or any(size not in (1, wanted) for size, wanted in sizes):
            raise ChainruleError(
                f"the {what} do not fit",
                where=self.name,
                expected=f"one a sample, or one for each value: shape {format_shape(values.shape)}",
                got=format_shape(shape),
            )
        return fitted

    def weigh_masks(self, masks: Sequence[Any], values: Any) -> Any:
        """Masks as weights: for the means over all values, those that count make up for those that do not."""
        weights = self.fit_weights(masks[0], values, "masks")
        for mask in masks[1:]:
            weights = ops.multiply(weights, self.fit_weights(mask, values, "masks"))
        if self.reduction not in ("mean", "sum_over_batch_size"):
            return weights
        return divide_or_zero(weights, ops.mean(weights))

    def reduce(self, values: Any, weights: Any = None) -> Any:
        """The samples' numbers times their weights, as one number unless `reduction` is none."""
        if weights is not None:
            values = ops.multiply(values, weights)
        if self.reduction in ("none", None) or not values.shape:
            return values
        if self.reduction == "sum":
            return ops.sum(values)
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            return divide_or_zero(ops.sum(values), ops.sum(weights))
        return ops.mean(values)

    def get_config(self) -> dict[str, Any]:
        return {"reduction": self.reduction, "name": self.name, "dtype": self.dtype}


class FunctionLoss(Loss):
    """A user's function ``(y_true, y_pred) -> one number a sample`` as a loss, named as the function is.

    Targets come with the predictions' dtype, and (n,) meets (n, 1); for the rest, shapes are the function's own matter.
    Read from a file, the function is named and must be among the custom objects.

    Example:
        >>> def largest_error(y_true, y_pred):
        ...     return ops.max(ops.absolute(y_true - y_pred), axis=-1)
        >>> float(FunctionLoss(largest_error)([[0.0, 3.0]], [[1.0, 1.0]]))
        2.0
    """

    lines_up = False

    def __init__(
        self,
        function: Callable[[Any, Any], Any] | str,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ):
        found: Callable[[Any, Any], Any] = registry.resolve("loss function", function, {})
        super().__init__(name or getattr(found, "__name__", "loss"), reduction, dtype)
        self.function = found

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(*meet_ranks(y_true, y_pred))

    def get_config(self) -> dict[str, Any]:
        return {"function": registry.describe(self.function), **super().get_config()}


# -- parts --------------------------------------------------------------------------------------------------------


def carried_mask(y_pred: Any) -> Any:
    """The mask that a layer gave the predictions, or None."""
    trace = current_trace()
    return trace.masks.get(y_pred) if trace is not None and isinstance(y_pred, Node) else None


def divide_or_zero(x: Any, y: Any) -> Any:
    """``x / y``, and 0 where y is 0."""
    zero = ops.equal(y, 0.0)
    return ops.where(zero, 0.0, ops.divide(x, ops.where(zero, 1.0, y)))


def require_flag(where: str, name: str, value: Any) -> bool:
    """`value`, which must be True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ChainruleError(f"{name} is not a yes or no", where=where, expected="True or False", got=repr(value))
    return bool(value)


def require_axis(where: str, value: Any) -> int:
    """`value`, which must be the number of an axis."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ChainruleError("not an axis", where=where, expected="a whole number", got=repr(value))
    return value
