"""`Metric`, and the running mean and sum that most metrics are.

A metric's numbers live in Variables, so that a compiled step of training updates them in place: `update_state` takes a
batch, `result` is the value so far, `reset_state` forgets. All three are made of `chainrule.ops`, so that they compute
at once on arrays and are recorded in a traced function. Sums are float64, exact over millions of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule import initializers, losses, ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import Shape, format_shape
from chainrule.graph.tracing import as_operand, current_trace
from chainrule.graph.types import as_dtype
from chainrule.graph.variable import Variable
from chainrule.layers.symbolic import mask_of
from chainrule.naming import snake_case


class Metric(registry.Configured):
    """A number, or several, that batches are taken into.

    Subclasses make their Variables with `add_variable`, in the constructor or, where the shapes depend on the data, in
    the first `update_state`; and write `update_state` and `result`.

    Args:
        dtype: what predictions are converted to before anything is computed; float32 by default. Sums are float64.
        name: for logs; made from the class by default.

    Example:
        >>> class Largest(Metric):
        ...     def __init__(self, name="largest"):
        ...         super().__init__(name=name)
        ...         self.largest = self.add_variable((), "zeros", name="largest")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.largest.assign(ops.maximum(self.largest, ops.max(y_pred)))
        ...     def result(self):
        ...         return self.largest
        >>> float(Largest()([0.0], [3.0]))
        3.0
    """

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or snake_case(type(self).__name__)
        self.dtype = as_dtype(dtype or "float32").name
        self._own: list[Variable] = []

    # -- what subclasses write ------------------------------------------------------------------------------------

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in."""
        raise NotImplementedError

    def result(self) -> Any:
        """The value so far: a number, an array, or a dict of numbers by name."""
        raise NotImplementedError

    # -- state ----------------------------------------------------------------------------------------------------

    def add_variable(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = "zeros",
        dtype: Any = "float64",
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """A new Variable of this metric.

        Args:
            initializer: a name or an object. `reset_state` sets to zero whatever it was, as in Keras.
            aggregation: accepted for Keras's sake.
        """
        kind = as_dtype(dtype or "float64")
        value = initializers.get(initializer or "zeros")(tuple(shape), kind)
        variable = Variable(value, name=f"{self.name}/{name or 'variable'}", trainable=False, dtype=kind)
        self._own.append(variable)
        return variable

    def add_weight(
        self, shape: tuple[int, ...] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """`add_variable` by its older name."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """All Variables: those added, those in attributes, and those of metrics in attributes."""
        found = dict.fromkeys(self._own)
        for part in vars(self).values():
            if isinstance(part, Variable):
                found[part] = None
            elif isinstance(part, Metric):
                found.update(dict.fromkeys(part.variables))
        return list(found)

    def reset_state(self) -> None:
        """Forget all batches."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype.numpy))

    # -- other names ----------------------------------------------------------------------------------------------

    def update(self, *batch: Any) -> None:
        """`update_state`."""
        self.update_state(*batch)

    def reset(self) -> None:
        """`reset_state`."""
        self.reset_state()

    def __call__(self, *batch: Any, sample_weight: Any = None) -> Any:
        """Take a batch in; returns the value so far."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.update_state(*batch, **weights)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


# -- helpers of metrics -------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A NumPy number in place of an array without axes; arrays and traced values as they are."""
    return value[()] if isinstance(value, np.ndarray) else value


def divide_or_zero(numerator: Any, denominator: Any) -> Any:
    """The quotient; 0 where the denominator is 0."""
    nothing = ops.equal(denominator, 0.0)
    return ops.where(nothing, 0.0, ops.divide(numerator, ops.where(nothing, 1.0, denominator)))


def spread_weights(sample_weight: Any, shape: Shape, dtype: Any) -> Any:
    """Sample weights as an array of `shape`: one weight a sample or more, (n,) as good as (n, 1).

    Raises:
        ChainruleError: for weights that cannot be stretched to `shape`.
    """
    weights = ops.cast(as_operand(sample_weight), dtype)
    if len(weights.shape) == len(shape) + 1 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    while 0 < len(weights.shape) < len(shape):
        weights = ops.expand_dims(weights, -1)
    return stretch_weights(weights, shape)


def stretch_weights(weights: Any, shape: Shape) -> Any:
    """Weights as an array of `shape`, by NumPy's rule.

    Raises:
        ChainruleError: for weights that do not fit.
    """
    sizes = zip(reversed(weights.shape), reversed(shape), strict=False)
    if len(weights.shape) > len(shape) or any(size not in (1, wanted) for size, wanted in sizes):
        raise ChainruleError(
            "the sample weights do not fit",
            expected=f"one a sample, or one for each of {format_shape(shape)}",
            got=format_shape(weights.shape),
        )
    return ops.broadcast_to(weights, shape)


def reduce_to_samples(values: Any, sample_weight: Any, reduce: Callable[..., Any]) -> tuple[Any, Any]:
    """One weighted number a sample, and one weight a sample; without weights None.

    Axes that the weights do not have are reduced before they are applied, their other axes but the first afterwards.
    """
    values = as_operand(values)
    weights = None
    if sample_weight is not None:
        weights = ops.cast(as_operand(sample_weight), values.dtype)
        if len(weights.shape) == len(values.shape) + 1 and weights.shape[-1] == 1:
            weights = ops.squeeze(weights, -1)
        values = reduce_from(values, len(weights.shape), reduce)
        weights = stretch_weights(weights, values.shape)
        values = ops.multiply(values, weights)
        weights = reduce_from(weights, 1, reduce)
    return reduce_from(values, 1, reduce), weights


def reduce_from(values: Any, axis: int, reduce: Callable[..., Any]) -> Any:
    """All axes from this one on reduced away."""
    rank = len(values.shape)
    return reduce(values, axis=tuple(range(axis, rank))) if rank > axis else values


# -- mean and sum -------------------------------------------------------------------------------------------------


class Sum(Metric):
    """The weighted sum of the values it is given.

    Example:
        >>> total = Sum()
        >>> total.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
        >>> float(total.result())
        4.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take values in, of any shape."""
        sums, _ = reduce_to_samples(ops.cast(values, self.dtype), sample_weight, ops.sum)
        self.total.assign_add(ops.sum(ops.cast(sums, "float64")))

    def result(self) -> Any:
        return plain(as_operand(self.total))


class Mean(Metric):
    """The weighted mean of the values it is given: one number a sample, the mean of its values where it has several.

    ``sum(w * v) / sum(w)``; 0 of nothing.

    Example:
        >>> mean = Mean()
        >>> mean.update_state([1, 3, 5, 7])
        >>> float(mean.result())
        4.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take values in, of any shape whose first axis is that of the samples."""
        means, weights = reduce_to_samples(ops.cast(values, self.dtype), sample_weight, ops.mean)
        self.total.assign_add(ops.sum(ops.cast(means, "float64")))
        if weights is not None:
            self.count.assign_add(ops.sum(ops.cast(weights, "float64")))
        else:
            self.count.assign_add(ops.size_of(means, 0, "float64") if means.shape else 1.0)

    def result(self) -> Any:
        if current_trace() is None:  # asked for after every epoch: without the way through operations
            count = float(self.count.memory)
            return np.float64(float(self.total.memory) / count if count else 0.0)
        return plain(divide_or_zero(self.total, self.count))


class MeanOverSamples(Mean):
    """The weighted mean of a formula of targets and predictions; subclasses write the formula as `values`."""

    def values(self, y_true: Any, y_pred: Any) -> Any:
        """One number a sample, or an array a sample whose mean counts."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take a batch in; positions that the predictions' mask leaves out do not count."""
        mask = mask_of(y_pred)
        if mask is not None:
            weights = ops.cast(mask, self.dtype)
            sample_weight = (
                weights
                if sample_weight is None
                else ops.multiply(weights, spread_weights(sample_weight, weights.shape, self.dtype))
            )
        super().update_state(self.values(y_true, y_pred), sample_weight)


class MeanMetricWrapper(MeanOverSamples):
    """The weighted mean of a function of targets and predictions.

    Args:
        fn: ``(y_true, y_pred, …)`` to one number a sample, or several; or a loss, whose numbers a sample are taken.
        arguments: further arguments of `fn`, by name.

    Example:
        >>> error = MeanMetricWrapper(lambda y_true, y_pred: ops.absolute(ops.subtract(y_true, y_pred)), "error")
        >>> float(error([1.0, 2.0], [1.5, 2.0]))
        0.25
    """

    def __init__(self, fn: Any, name: str | None = None, dtype: Any = None, **arguments: Any):
        super().__init__(name or getattr(fn, "name", None) or getattr(fn, "__name__", None), dtype)
        found = fn
        if isinstance(fn, str | Mapping):
            found = registry.resolve("metric function", fn, losses.CLASSES)
        if not callable(found):
            raise ChainruleError("not a function", where=self.name, expected="a function (y_true, y_pred)", got=fn)
        self.fn, self.arguments = found, arguments

    def values(self, y_true: Any, y_pred: Any) -> Any:
        formula = self.fn.per_sample if isinstance(self.fn, losses.Loss) else self.fn
        return formula(as_operand(y_true), as_operand(y_pred), **self.arguments)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": registry.describe(self.fn), **self.arguments}
