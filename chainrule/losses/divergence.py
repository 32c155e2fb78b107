"""Losses between distributions, and between counts and their rates."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.config import EPSILON
from chainrule.losses.loss import Loss, line_up_floats, mean_of_last


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """``sum(y * log(y / p))`` over the last axis, with y and p kept within 1e-7 and 1.

    Example:
        >>> kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).round(4)
        array([0.1438], dtype=float32)
    """
    true, pred = line_up_floats("kl_divergence", y_true, y_pred)
    true, pred = ops.clip(true, EPSILON, 1.0), ops.clip(pred, EPSILON, 1.0)
    terms = ops.multiply(true, ops.log(ops.divide(true, pred)))
    return ops.sum(terms, axis=-1) if len(terms.shape) else terms


def poisson(y_true: Any, y_pred: Any) -> Any:
    """``mean(p - y * log(p + 1e-7))`` over the last axis, for counts y and rates p that are not negative."""
    true, pred = line_up_floats("poisson", y_true, y_pred)
    return mean_of_last(ops.subtract(pred, ops.multiply(true, ops.log(ops.add(pred, EPSILON)))))


class KLDivergence(Loss):
    """``sum(y * log(y / p))``: how far the distribution p is from y, in nats.

    Source: Kullback and Leibler, "On information and sufficiency", 1951.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return kl_divergence(y_true, y_pred)


class Poisson(Loss):
    """``mean(p - y * log(p + 1e-7))``, for counts y; `PoissonNLL` takes the logarithm of the rate."""

    elementwise = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return poisson(y_true, y_pred)
