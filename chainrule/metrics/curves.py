"""Metrics of whole curves: the area under one, and the best of one rate where another is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError, unknown_name
from chainrule.graph.shapes import format_shape
from chainrule.losses import EPSILON, line_up
from chainrule.metrics.confusion import ThresholdMetric, are_even, check_thresholds, even_thresholds
from chainrule.metrics.metric import divide_or_zero, plain, spread_weights
from chainrule.ops.movement import select_index
from chainrule.registry import require_number


class BestAt(ThresholdMetric):
    """The best of one rate over the thresholds at which another is at least `value`."""

    def __init__(
        self, kept: str, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any
    ):
        where = type(self).__name__
        if isinstance(num_thresholds, bool) or not isinstance(num_thresholds, int) or num_thresholds < 1:
            raise ChainruleError(
                "no thresholds", where=f"{where}, num_thresholds", expected="1 or more", got=num_thresholds
            )
        thresholds = [0.5] if num_thresholds == 1 else even_thresholds(num_thresholds)
        super().__init__(thresholds, name, dtype, None, class_id)
        self.kept, self.num_thresholds = kept, num_thresholds
        self.value = require_number(where, kept, value, 0.0, 1.0)
        # Two thresholds are 0 and 1: too few for `are_even` to look at, but in their places all the same.
        self.is_even = num_thresholds > 1
        self.build()

    def best(self, of: Any, where: Any) -> Any:
        """The largest `of` at the thresholds where the other rate is high enough; 0 where it never is."""
        # In float32, so that a rate that is equal to the value but for the rounding of its sums counts as equal.
        good = ops.greater_equal(ops.cast(where, "float32"), np.float32(self.value))
        return plain(ops.max(ops.where(good, of, 0.0)))

    def sensitivity(self) -> Any:
        """``TP / (TP + FN)``, the same as recall."""
        return divide_or_zero(self.true_positives, ops.add(self.true_positives, self.false_negatives))

    def specificity(self) -> Any:
        """``TN / (TN + FP)``."""
        return divide_or_zero(self.true_negatives, ops.add(self.true_negatives, self.false_positives))

    def precision(self) -> Any:
        """``TP / (TP + FP)``."""
        return divide_or_zero(self.true_positives, ops.add(self.true_positives, self.false_positives))

    def get_config(self) -> dict[str, Any]:
        return {
            self.kept: self.value,
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
            **super().get_config(),
        }


class SensitivityAtSpecificity(BestAt):
    """The best sensitivity ``TP / (TP + FN)`` where the specificity ``TN / (TN + FP)`` is at least `specificity`.

    Args:
        num_thresholds: how many are tried, at equal distances from 0 to 1.
        class_id: only this class of the last axis counts.

    Example:
        >>> metric = SensitivityAtSpecificity(0.5)
        >>> float(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__("specificity", specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self.best(self.sensitivity(), self.specificity())


class SpecificityAtSensitivity(BestAt):
    """The best specificity ``TN / (TN + FP)`` where the sensitivity ``TP / (TP + FN)`` is at least `sensitivity`.

    Args: as `SensitivityAtSpecificity`.

    Example:
        >>> metric = SpecificityAtSensitivity(0.5)
        >>> float(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])).__round__(4)
        0.6667
    """

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__("sensitivity", sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self.best(self.specificity(), self.sensitivity())


class PrecisionAtRecall(BestAt):
    """The best precision ``TP / (TP + FP)`` where the recall ``TP / (TP + FN)`` is at least `recall`.

    Args: as `SensitivityAtSpecificity`.

    Example:
        >>> float(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__("recall", recall, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self.best(self.precision(), self.sensitivity())


class RecallAtPrecision(BestAt):
    """The best recall ``TP / (TP + FN)`` where the precision ``TP / (TP + FP)`` is at least `precision`.

    Args: as `SensitivityAtSpecificity`.

    Example:
        >>> float(RecallAtPrecision(0.8)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
        0.5
    """

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__("precision", precision, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self.best(self.sensitivity(), self.precision())


CURVES = ("ROC", "PR", "PRGAIN")
SUMMATIONS = ("interpolation", "majoring", "minoring")


class AUC(ThresholdMetric):
    """The area under a curve that a threshold traces, as a sum over steps between thresholds.

    ``ROC`` is TP / (TP + FN) over FP / (FP + TN), ``PR`` precision over recall, ``PRGAIN`` precision gain over recall
    gain.

    Args:
        num_thresholds: how many there are, at equal distances from 0 to 1, with one a little below and one a little
            above.
        curve: ``"ROC"``, ``"PR"`` or ``"PRGAIN"``.
        summation_method: the height of a step: ``"interpolation"`` the mean of both ends (for PR, of the counts in
            between), ``"majoring"`` the larger, ``"minoring"`` the smaller.
        thresholds: between 0 and 1, in place of `num_thresholds`; 0 and 1 are added.
        multi_label: whether each column of predictions has a curve of its own, the result being their mean.
        num_labels: the number of columns, where it is known before the first batch.
        label_weights: how much each column counts: in the mean of `multi_label`, else in the counts.
        from_logits: whether predictions are numbers before the sigmoid.

    Example:
        >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
        0.75

    Source: Davis and Goadrich, "The relationship between precision-recall and ROC curves", 2006; Flach and Kull,
    "Precision-recall-gain curves", 2015.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        self.given_thresholds = None if thresholds is None else sorted(check_thresholds("AUC", list(thresholds)))
        if self.given_thresholds is not None:
            line = [0.0, *self.given_thresholds, 1.0]
        elif isinstance(num_thresholds, bool) or not isinstance(num_thresholds, int) or num_thresholds < 2:
            raise ChainruleError(
                "too few thresholds", where="AUC, num_thresholds", expected="2 or more", got=repr(num_thresholds)
            )
        else:
            line = even_thresholds(num_thresholds)
        # All predictions are above the first and none above the last, so that the curve has both its ends.
        super().__init__([-EPSILON, *line[1:-1], 1.0 + EPSILON], name, dtype)
        self.is_even = self.given_thresholds is None or are_even(line)
        self.num_thresholds = len(line)
        self.curve = choose("curve", str(curve).upper(), CURVES)
        self.summation_method = choose("summation_method", str(summation_method).lower(), SUMMATIONS)
        if num_labels is not None and not multi_label:
            raise ChainruleError("num_labels needs multi_label=True", where="AUC", got=num_labels)
        self.multi_label, self.num_labels, self.from_logits = multi_label, num_labels, from_logits
        self.label_weights = None if label_weights is None else np.asarray(label_weights, "float32")
        if not multi_label or num_labels:
            self.build(num_labels if multi_label else None)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in: weights are one a sample, or one a prediction."""
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        if self.from_logits:
            pred = ops.sigmoid(pred)
        if self.multi_label:
            if len(pred.shape) != 2 or self.built and pred.shape[1] != self.labels:
                raise ChainruleError(
                    "the predictions do not have a column a label",
                    where=self.name,
                    expected=f"(batch, {self.labels or 'labels'})",
                    got=format_shape(pred.shape),
                )
            if not self.built:
                self.build(pred.shape[1])
        weights = None if sample_weight is None else spread_weights(sample_weight, pred.shape, self.dtype)
        if self.label_weights is not None and not self.multi_label:
            of_labels = ops.broadcast_to(self.label_weights, pred.shape)
            weights = of_labels if weights is None else ops.multiply(weights, of_labels)
        self.count(true, pred, weights)

    def result(self) -> Any:
        if not self.built:
            return np.float64(0.0)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return plain(self._over_labels(self._interpolated_steps()))
        x, y = self._curve()
        low, high = later(y), earlier(y)
        if self.summation_method == "interpolation":
            heights = ops.multiply(ops.add(low, high), 0.5)
        else:
            heights = (ops.maximum if self.summation_method == "majoring" else ops.minimum)(low, high)
        return plain(self._over_labels(ops.multiply(ops.subtract(earlier(x), later(x)), heights)))

    def _curve(self) -> tuple[Any, Any]:
        """The curve's points, one a threshold."""
        tp, fp, tn, fn = self.true_positives, self.false_positives, self.true_negatives, self.false_negatives
        recall = divide_or_zero(tp, ops.add(tp, fn))
        if self.curve == "ROC":
            return divide_or_zero(fp, ops.add(fp, tn)), recall
        if self.curve == "PR":
            return recall, divide_or_zero(tp, ops.add(tp, fp))
        odds = divide_or_zero(ops.add(tp, fn), ops.add(tn, fp))
        none = ops.equal(tp, 0.0)
        recall_gain = ops.where(none, 0.0, ops.subtract(1.0, ops.multiply(odds, divide_or_zero(fn, tp))))
        precision_gain = ops.where(none, 1.0, ops.subtract(1.0, ops.multiply(odds, divide_or_zero(fp, tp))))
        return ops.maximum(recall_gain, 0.0), precision_gain

    def _interpolated_steps(self) -> Any:
        """The areas under a precision-recall curve between thresholds, true positives growing evenly with positives.

        With TP = a + s * P between two thresholds, the area is the integral of TP / P: ``s * (dTP + a * log(P1 / P0))``
        over all positive targets.
        """
        tp, predicted = self.true_positives, ops.add(self.true_positives, self.false_positives)
        before, after = earlier(predicted), later(predicted)
        gained = ops.subtract(earlier(tp), later(tp))
        slope = divide_or_zero(gained, ops.maximum(ops.subtract(before, after), 0.0))
        start = ops.subtract(later(tp), ops.multiply(slope, after))
        both = ops.logical_and(ops.greater(before, 0.0), ops.greater(after, 0.0))
        ratio = ops.where(both, divide_or_zero(before, after), 1.0)
        area = ops.multiply(slope, ops.add(gained, ops.multiply(start, ops.log(ratio))))
        return divide_or_zero(area, later(ops.add(tp, self.false_negatives)))

    def _over_labels(self, steps: Any) -> Any:
        """The sum over steps, and the mean over labels."""
        areas = ops.sum(steps, 0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = self.label_weights.astype("float64")
        return divide_or_zero(ops.sum(ops.multiply(areas, weights)), np.sum(weights))

    def get_config(self) -> dict[str, Any]:
        return {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "thresholds": self.given_thresholds,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
            **super().get_config(),
        }


def choose(what: str, given: str, known: tuple[str, ...]) -> str:
    """`given`, if it is known."""
    if given not in known:
        raise unknown_name(what, given, known, where="AUC")
    return given


def earlier(x: Any) -> Any:
    """All but the last along the thresholds."""
    return select_index(x, slice(0, x.shape[0] - 1))


def later(x: Any) -> Any:
    """All but the first along the thresholds."""
    return select_index(x, slice(1, x.shape[0]))
