"""Metrics of true and false positives and negatives at thresholds.

All hold one histogram: how much weight of positive and of negative targets lies between which thresholds. A batch costs
one addition a prediction, however many thresholds there are; the four counts of each threshold are sums over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape
from chainrule.graph.tracing import as_operand
from chainrule.losses import EPSILON, line_up
from chainrule.metrics.accuracy import check_k
from chainrule.metrics.metric import Metric, divide_or_zero, plain, spread_weights
from chainrule.ops.movement import select_index

LOWEST = -1e10
"""The score of what is not among the k best, and the threshold below which nothing lies."""


class ThresholdMetric(Metric):
    """What counts predictions by the thresholds that they exceed; targets count as positive where they are not 0.

    Args:
        thresholds: in any order.
        top_k: only the k largest predictions of a sample count as positive.
        class_id: only this class of the last axis counts.

    `true_positives` and the like are arrays with one number a threshold, the weights added up.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        name: str | None,
        dtype: Any,
        top_k: int | None = None,
        class_id: int | None = None,
    ):
        super().__init__(dtype, name)
        self.thresholds = [float(threshold) for threshold in thresholds]
        self.top_k = None if top_k is None else check_k(self.name, top_k)
        self.class_id = class_id
        self.is_even = are_even(self.thresholds)
        self.labels: int | None = None
        self.built = False

    def build(self, labels: int | None = None) -> None:
        """Make the histogram, with `labels` one for each label."""
        self.labels = labels
        bins = len(self.thresholds) + 1
        self.histogram = self.add_variable((2, bins, labels or 1), name="histogram")
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in: weights are one a sample, or one a prediction."""
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        weights = None if sample_weight is None else spread_weights(sample_weight, pred.shape, self.dtype)
        if self.top_k is not None:
            pred = ops.where(is_among_largest(pred, self.top_k), pred, LOWEST)
        if self.class_id is not None:
            chosen = self._select_class
            true, pred = chosen(true), chosen(pred)
            weights = None if weights is None else chosen(weights)
        self.count(true, pred, weights)

    def _select_class(self, x: Any) -> Any:
        if len(x.shape) < 2 or not 0 <= self.class_id < x.shape[-1]:  # type: ignore[operator]
            raise ChainruleError(
                "there is no such class",
                where=f"{self.name}, class_id",
                expected="a number of the predictions' last axis",
                got=f"{self.class_id}, of predictions {format_shape(x.shape)}",
            )
        return select_index(x, (Ellipsis, slice(self.class_id, self.class_id + 1)))  # type: ignore[operator]

    def count(self, true: Any, pred: Any, weights: Any) -> None:
        """Add to the histogram: all arrays have one shape, whose last axis is that of the labels where these differ."""
        if not self.built:
            self.build()
        bins = len(self.thresholds) + 1
        place = ops.add(ops.multiply(ops.cast(ops.not_equal(true, 0.0), "int32"), np.int32(bins)), self._bin_of(pred))
        if self.labels is not None:
            place = ops.add(ops.multiply(place, np.int32(self.labels)), ops.arange(self.labels, dtype="int32"))
        amounts = ops.ones(place.shape, "float64") if weights is None else ops.cast(weights, "float64")
        sums = ops.scatter_add(ops.ravel(place), ops.ravel(amounts), 2 * bins * (self.labels or 1))
        self.histogram.assign_add(ops.reshape(sums, self.histogram.shape))

    def _bin_of(self, pred: Any) -> Any:
        """How many thresholds are below each prediction."""
        if self.is_even:
            last = len(self.thresholds) - 1
            number = ops.cast(ops.ceil(ops.multiply(ops.clip(pred, 0.0, 1.0), float(last))), "int32")
            return ops.maximum(number, np.int32(1)) if self.thresholds[0] < 0.0 else number
        line = np.asarray(self.thresholds, as_operand(pred).dtype.name)
        return ops.sum(ops.cast(ops.greater(ops.expand_dims(pred, -1), line), "int32"), -1)

    def _counts(self, kind: int, above: bool) -> Any:
        """Of targets of a kind (1 positive) the weight whose prediction is above each threshold, or is not."""
        if not self.built:
            self.build()
        rank = np.argsort(np.argsort(self.thresholds, kind="stable"), kind="stable")
        reached = np.arange(len(self.thresholds) + 1)[None, :] > rank[:, None]
        counts = ops.matmul((reached if above else ~reached).astype("float64"), select_index(self.histogram, kind))
        return plain(ops.squeeze(counts, -1) if self.labels is None else counts)

    @property
    def true_positives(self) -> Any:
        return self._counts(1, above=True)

    @property
    def false_negatives(self) -> Any:
        return self._counts(1, above=False)

    @property
    def false_positives(self) -> Any:
        return self._counts(0, above=True)

    @property
    def true_negatives(self) -> Any:
        return self._counts(0, above=False)

    def one_or_all(self, values: Any) -> Any:
        """The only value, or one a threshold."""
        return plain(select_index(values, 0) if len(self.thresholds) == 1 else values)


def are_even(thresholds: Sequence[float]) -> bool:
    """Whether they lie at equal distances from 0 to 1, so that a multiplication finds the place among them."""
    count = len(thresholds)
    return count > 2 and bool(np.allclose(thresholds, np.arange(count) / (count - 1), atol=EPSILON))


def even_thresholds(count: int) -> list[float]:
    """`count` thresholds from 0 to 1."""
    return [place / (count - 1) for place in range(count)]


def check_thresholds(where: str, thresholds: Any, default: float = 0.5) -> list[float]:
    """One threshold or several as a list.

    Raises:
        ChainruleError: for any outside [0, 1].
    """
    if thresholds is None:
        return [default]
    given = list(thresholds) if isinstance(thresholds, list | tuple | np.ndarray) else [thresholds]
    for threshold in given:
        if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number) or not 0 <= threshold <= 1:
            raise ChainruleError(
                "a threshold is out of range", where=where, expected="numbers from 0 to 1", got=repr(threshold)
            )
    return [float(threshold) for threshold in given]


def is_among_largest(x: Any, k: int) -> Any:
    """Whether an element is one of the k largest of its row; of equal ones the first are."""
    size = x.shape[-1]
    classes = ops.arange(size, dtype="int32")
    found = None
    for _ in range(min(k, size)):
        hit = ops.equal(ops.expand_dims(ops.argmax(x, -1), -1), classes)
        found = hit if found is None else ops.logical_or(found, hit)
        x = ops.where(hit, -np.inf, x)
    return found


# -- counts -------------------------------------------------------------------------------------------------------


class ConditionCount(ThresholdMetric):
    """The weight of the predictions that meet a condition, at each threshold."""

    def __init__(self, thresholds: Any, name: str | None, dtype: Any):
        super().__init__(check_thresholds(type(self).__name__, thresholds), name, dtype)
        self.given_thresholds = thresholds
        self.build()

    def get_config(self) -> dict[str, Any]:
        return {"thresholds": as_json(self.given_thresholds), **super().get_config()}


class TruePositives(ConditionCount):
    """How many predictions are above the threshold where the target is positive.

    Args:
        thresholds: one or several numbers from 0 to 1, 0.5 by default; 0 fits predictions that are logits.

    Example:
        >>> float(TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
        2.0
    """

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(thresholds, name, dtype)

    def result(self) -> Any:
        return self.one_or_all(self.true_positives)


class TrueNegatives(ConditionCount):
    """How many predictions are not above the threshold where the target is negative; arguments as `TruePositives`."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(thresholds, name, dtype)

    def result(self) -> Any:
        return self.one_or_all(self.true_negatives)


class FalsePositives(ConditionCount):
    """How many predictions are above the threshold where the target is negative; arguments as `TruePositives`."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(thresholds, name, dtype)

    def result(self) -> Any:
        return self.one_or_all(self.false_positives)


class FalseNegatives(ConditionCount):
    """How many predictions are not above the threshold where the target is positive; arguments as `TruePositives`."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(thresholds, name, dtype)

    def result(self) -> Any:
        return self.one_or_all(self.false_negatives)


# -- precision and recall -----------------------------------------------------------------------------------------


class PositiveShare(ThresholdMetric):
    """What precision and recall share: their arguments."""

    def __init__(self, thresholds: Any, top_k: int | None, class_id: int | None, name: str | None, dtype: Any):
        # Of the k largest each is positive, however small, unless a threshold is asked for as well.
        default = 0.5 if top_k is None else LOWEST
        super().__init__(check_thresholds(type(self).__name__, thresholds, default), name, dtype, top_k, class_id)
        self.given_thresholds = thresholds
        self.build()

    def get_config(self) -> dict[str, Any]:
        return {
            "thresholds": as_json(self.given_thresholds),
            "top_k": self.top_k,
            "class_id": self.class_id,
            **super().get_config(),
        }


class Precision(PositiveShare):
    """``TP / (TP + FP)``: which share of what is predicted positive is so; 0 where nothing is predicted positive.

    Args:
        thresholds: predictions above are positive; one or several numbers from 0 to 1, 0.5 by default. 0 fits
            predictions that are logits. With several, the result is an array.
        top_k: only the k largest predictions of a sample are positive.
        class_id: only this class of the last axis counts.

    Example:
        >>> float(Precision()([0, 1, 1, 1], [1, 0, 1, 1])).__round__(4)
        0.6667
    """

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def result(self) -> Any:
        hits = self.true_positives
        return self.one_or_all(divide_or_zero(hits, ops.add(hits, self.false_positives)))


class Recall(PositiveShare):
    """``TP / (TP + FN)``: which share of what is positive is predicted so; 0 where nothing is positive.

    Args: as `Precision`.

    Example:
        >>> float(Recall()([0, 1, 1, 1], [1, 0, 1, 1])).__round__(4)
        0.6667
    """

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def result(self) -> Any:
        hits = self.true_positives
        return self.one_or_all(divide_or_zero(hits, ops.add(hits, self.false_negatives)))


def as_json(thresholds: Any) -> Any:
    """Thresholds as they were given, in numbers that JSON has."""
    if thresholds is None:
        return None
    several = isinstance(thresholds, list | tuple | np.ndarray)
    return [float(threshold) for threshold in thresholds] if several else float(thresholds)
