"""Losses between numbers, element by element: the mean over the last axis of a formula of target y and prediction p."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.config import EPSILON
from chainrule.losses.loss import Loss, line_up_floats, mean_of_last
from chainrule.registry import require_number

# -- functions ----------------------------------------------------------------------------------------------------


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((y - p)**2)`` over the last axis.

    Example:
        >>> mean_squared_error([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [2.0, 0.0]])
        array([0.5, 2. ], dtype=float32)
    """
    true, pred = line_up_floats("mean_squared_error", y_true, y_pred)
    return mean_of_last(ops.square(ops.subtract(pred, true)))


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """``mean(|y - p|)`` over the last axis."""
    true, pred = line_up_floats("mean_absolute_error", y_true, y_pred)
    return mean_of_last(ops.absolute(ops.subtract(pred, true)))


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """``100 * mean(|y - p| / max(|y|, 1e-7))`` over the last axis."""
    true, pred = line_up_floats("mean_absolute_percentage_error", y_true, y_pred)
    size = ops.maximum(ops.absolute(true), EPSILON)
    return ops.multiply(mean_of_last(ops.absolute(ops.divide(ops.subtract(true, pred), size))), 100.0)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((log(y + 1) - log(p + 1))**2)`` over the last axis, with y and p no less than 1e-7."""
    true, pred = line_up_floats("mean_squared_logarithmic_error", y_true, y_pred)
    difference = ops.subtract(ops.log1p(ops.maximum(pred, EPSILON)), ops.log1p(ops.maximum(true, EPSILON)))
    return mean_of_last(ops.square(difference))


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """The mean over the last axis of ``e**2 / 2`` where ``|e| <= delta``, else ``delta * |e| - delta**2 / 2``.

    Here ``e = p - y``: squares near the target, straight lines beyond `delta`.
    """
    true, pred = line_up_floats("huber", y_true, y_pred)
    error = ops.subtract(pred, true)
    size = ops.absolute(error)
    near = ops.multiply(ops.square(error), 0.5)
    far = ops.subtract(ops.multiply(size, delta), 0.5 * delta**2)
    return mean_of_last(ops.where(ops.less_equal(size, delta), near, far))


def smooth_l1(y_true: Any, y_pred: Any, beta: float = 1.0) -> Any:
    """The mean over the last axis of ``e**2 / (2 * beta)`` where ``|e| < beta``, else ``|e| - beta / 2``.

    Here ``e = p - y``. It is `huber` divided by its delta; a `beta` of 0 leaves the absolute error.
    """
    true, pred = line_up_floats("smooth_l1", y_true, y_pred)
    error = ops.subtract(pred, true)
    size = ops.absolute(error)
    if beta == 0.0:
        return mean_of_last(size)
    near = ops.multiply(ops.square(error), 0.5 / beta)
    return mean_of_last(ops.where(ops.less(size, beta), near, ops.subtract(size, 0.5 * beta)))


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """``mean(log(cosh(p - y)))`` over the last axis: about ``e**2 / 2`` for small errors e, else ``|e| - log(2)``."""
    true, pred = line_up_floats("log_cosh", y_true, y_pred)
    size = ops.absolute(ops.subtract(pred, true))
    # cosh(e) = exp(|e|) * (1 + expm1(-2 |e|) / 2): nothing overflows, and small errors keep their digits.
    return mean_of_last(ops.add(size, ops.log1p(ops.multiply(ops.expm1(ops.multiply(size, -2.0)), 0.5))))


# -- classes ------------------------------------------------------------------------------------------------------


class MeanSquaredError(Loss):
    """``mean((y - p)**2)``.

    Example:
        >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [2.0, 0.0]]))
        1.25
    """

    elementwise = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return mean_squared_error(y_true, y_pred)


class MeanAbsoluteError(Loss):
    """``mean(|y - p|)``."""

    elementwise = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return mean_absolute_error(y_true, y_pred)


class MeanAbsolutePercentageError(Loss):
    """``100 * mean(|y - p| / max(|y|, 1e-7))``."""

    elementwise = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return mean_absolute_percentage_error(y_true, y_pred)


class MeanSquaredLogarithmicError(Loss):
    """``mean((log(y + 1) - log(p + 1))**2)``, for numbers that are not negative."""

    elementwise = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return mean_squared_logarithmic_error(y_true, y_pred)


class Huber(Loss):
    """``e**2 / 2`` where ``|e| <= delta``, else ``delta * |e| - delta**2 / 2``, for ``e = p - y``.

    Args:
        delta: the error from which on a straight line takes over.

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """

    elementwise = True

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.delta = require_number(self.name, "delta", delta, 0.0, float("inf"), open_high=True)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return huber(y_true, y_pred, self.delta)

    def get_config(self) -> dict[str, Any]:
        return {"delta": self.delta, **super().get_config()}


class SmoothL1(Loss):
    """``e**2 / (2 * beta)`` where ``|e| < beta``, else ``|e| - beta / 2``, for ``e = p - y``: PyTorch's SmoothL1Loss.

    Args:
        beta: the error from which on a straight line of slope 1 takes over; 0 for the absolute error.

    Source: Girshick, "Fast R-CNN", 2015.
    """

    elementwise = True

    def __init__(
        self,
        beta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "smooth_l1",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.beta = require_number(self.name, "beta", beta, 0.0, float("inf"), open_high=True)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return smooth_l1(y_true, y_pred, self.beta)

    def get_config(self) -> dict[str, Any]:
        return {"beta": self.beta, **super().get_config()}


class LogCosh(Loss):
    """``mean(log(cosh(p - y)))``."""

    elementwise = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return log_cosh(y_true, y_pred)
