"""F scores: precision and recall in one number."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape
from chainrule.losses import EPSILON, line_up
from chainrule.metrics.metric import Metric, plain, spread_weights
from chainrule.metrics.regression import require_batch

_AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(Metric):
    """``(1 + beta**2) * precision * recall / (beta**2 * precision + recall)``, a score a class.

    Targets, of 0 and 1, and predictions have a column a class.

    Args:
        average: None for one score a class; ``"micro"`` counts all classes together; ``"macro"`` is the mean of the
            classes' scores; ``"weighted"`` their mean by how often each class is in the targets.
        beta: how much more recall counts than precision.
        threshold: predictions above it are positive; with None the largest of a sample is.

    Example:
        >>> score = FBetaScore(beta=2.0, threshold=0.5)
        >>> score([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4)
        array([0.3846, 0.9091, 0.8333])
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        if average not in _AVERAGES:
            raise ChainruleError("unknown average", where=self.name, expected=_AVERAGES, got=repr(average))
        if isinstance(beta, bool) or not isinstance(beta, int | float) or beta <= 0:
            raise ChainruleError("not a weight", where=f"{self.name}, beta", expected="above 0", got=repr(beta))
        if threshold is not None and (not isinstance(threshold, int | float) or not 0 < threshold <= 1):
            raise ChainruleError(
                "out of range", where=f"{self.name}, threshold", expected="above 0, to 1", got=repr(threshold)
            )
        self.average, self.beta, self.threshold = average, float(beta), threshold
        self.built = False

    def build(self, classes: int) -> None:
        """Make the counts, one a class; with "micro" one for all."""
        shape = () if self.average == "micro" else (classes,)
        self.true_positives = self.add_variable(shape, name="true_positives")
        self.false_positives = self.add_variable(shape, name="false_positives")
        self.false_negatives = self.add_variable(shape, name="false_negatives")
        self.intermediate_weights = self.add_variable(shape, name="intermediate_weights")
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in."""
        true, pred = line_up(self.name, y_true, ops.cast(y_pred, self.dtype))
        if len(pred.shape) != 2:
            raise ChainruleError(
                "not a column a class", where=self.name, expected="(batch, classes)", got=format_shape(pred.shape)
            )
        if not self.built:
            self.build(pred.shape[1])
        if self.threshold is None:
            top = ops.max(pred, -1, keepdims=True)
            # A row of zeros predicts nothing, though each is the largest.
            positive = ops.logical_and(ops.greater_equal(pred, top), ops.greater(ops.absolute(pred), 1e-9))
        else:
            positive = ops.greater(pred, self.threshold)
        hit, true = ops.cast(positive, "float64"), ops.cast(true, "float64")
        weights = spread_weights(1.0 if sample_weight is None else sample_weight, pred.shape, "float64")
        axis = None if self.average == "micro" else 0
        predicted, wanted = ops.multiply(hit, weights), ops.multiply(true, weights)
        self.true_positives.assign_add(ops.sum(ops.multiply(predicted, true), axis))
        self.false_positives.assign_add(ops.sum(ops.multiply(predicted, ops.subtract(1.0, true)), axis))
        self.false_negatives.assign_add(ops.sum(ops.multiply(wanted, ops.subtract(1.0, hit)), axis))
        self.intermediate_weights.assign_add(ops.sum(wanted, axis))

    def result(self) -> Any:
        require_batch(self)
        hits = self.true_positives
        precision = ops.divide(hits, ops.add(ops.add(hits, self.false_positives), EPSILON))
        recall = ops.divide(hits, ops.add(ops.add(hits, self.false_negatives), EPSILON))
        both = ops.add(ops.multiply(precision, self.beta**2), ops.add(recall, EPSILON))
        score = ops.multiply(ops.divide(ops.multiply(precision, recall), both), 1.0 + self.beta**2)
        if self.average == "weighted":
            total = ops.add(ops.sum(self.intermediate_weights), EPSILON)
            score = ops.sum(ops.multiply(score, ops.divide(self.intermediate_weights, total)))
        elif self.average is not None:
            score = ops.mean(score)
        return plain(score)

    def get_config(self) -> dict[str, Any]:
        return {"average": self.average, "beta": self.beta, "threshold": self.threshold, **super().get_config()}


class F1Score(FBetaScore):
    """``2 * precision * recall / (precision + recall)``: `FBetaScore` with beta 1.

    Args: as `FBetaScore`.

    Example:
        >>> score = F1Score(average="macro", threshold=0.5)
        >>> float(score([[1, 1], [0, 1]], [[0.6, 0.7], [0.6, 0.2]])).__round__(4)
        0.6667
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
