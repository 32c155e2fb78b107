"""Intersection over union of classes, from a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph.tracing import as_operand
from chainrule.losses import EPSILON
from chainrule.metrics.accuracy import check_k
from chainrule.metrics.metric import Metric, plain, spread_weights


class ConfusionMatrix(Metric):
    """The weight of samples by class of the target (rows) and predicted class (columns), and the IoU of some classes.

    Weights count as they are; Keras by default cuts them to whole numbers, which ``dtype="int32"`` does here as well.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int] | None,
        name: str | None,
        dtype: Any,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(dtype, name)
        self.num_classes = check_k(self.name, num_classes)
        chosen = range(num_classes) if target_class_ids is None else target_class_ids
        self.target_class_ids = [int(number) for number in chosen]
        for number in self.target_class_ids:
            if not 0 <= number < num_classes:
                raise ChainruleError(
                    "there is no such class",
                    where=f"{self.name}, target_class_ids",
                    expected=f"0 to {num_classes - 1}",
                    got=number,
                )
        self.ignore_class = ignore_class
        self.sparse_y_true, self.sparse_y_pred, self.axis = sparse_y_true, sparse_y_pred, axis
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in; samples of classes that there are not do not count."""
        true = as_operand(y_true) if self.sparse_y_true else ops.argmax(y_true, self.axis)
        pred = as_operand(y_pred) if self.sparse_y_pred else ops.argmax(y_pred, self.axis)
        weights = None if sample_weight is None else spread_weights(sample_weight, true.shape, self.dtype)
        true, pred = (ops.ravel(ops.cast(labels, "int32")) for labels in (true, pred))
        known = ops.logical_and(self._is_class(true), self._is_class(pred))
        if self.ignore_class is not None:
            known = ops.logical_and(known, ops.not_equal(true, np.int32(self.ignore_class)))
        classes = np.int32(self.num_classes)
        # The index -1 is none of the matrix: what stands there is left out.
        place = ops.where(known, ops.add(ops.multiply(true, classes), pred), np.int32(-1))
        amounts = ops.ones(true.shape, "float64") if weights is None else ops.cast(ops.ravel(weights), "float64")
        self.total_cm.assign_add(ops.reshape(ops.scatter_add(place, amounts, self.num_classes**2), self.total_cm.shape))

    def _is_class(self, labels: Any) -> Any:
        return ops.logical_and(ops.greater_equal(labels, np.int32(0)), ops.less(labels, np.int32(self.num_classes)))

    def result(self) -> Any:
        """The mean of the chosen classes' IoU, over those that occur in targets or predictions."""
        both = ops.sum(ops.multiply(self.total_cm, np.eye(self.num_classes)), 0)
        either = ops.subtract(ops.add(ops.sum(self.total_cm, 0), ops.sum(self.total_cm, 1)), both)
        numbers = np.asarray(self.target_class_ids, "int32")
        both, either = ops.take(both, numbers, 0), ops.take(either, numbers, 0)
        occurs = ops.greater(either, 1e-9)
        shares = ops.where(occurs, ops.divide(both, ops.add(either, EPSILON)), 0.0)
        return plain(ops.divide(ops.sum(shares), ops.add(ops.sum(ops.cast(occurs, "float64")), EPSILON)))

    def describe(self, *arguments: str) -> dict[str, Any]:
        """The configuration: these arguments, and those of all metrics."""
        return {**{name: getattr(self, name) for name in arguments}, **super().get_config()}


class IoU(ConfusionMatrix):
    """``TP / (TP + FP + FN)`` of some classes, the mean over those that occur.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the numbers of those whose mean is wanted.
        ignore_class: samples whose target is this number do not count.
        sparse_y_true, sparse_y_pred: whether targets and predictions are numbers of classes; else the largest of one
            number a class along `axis` is taken.

    Example:
        >>> float(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])).__round__(4)
        0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self.describe(
            "num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis"
        )


class BinaryIoU(ConfusionMatrix):
    """`IoU` of two classes, for predictions that are one number: class 1 from the threshold on.

    Args:
        target_class_ids: ``[0]``, ``[1]`` or both.
        threshold: predictions from it on are class 1.

    Example:
        >>> float(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])).__round__(4)
        0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in."""
        positive = ops.greater_equal(ops.cast(y_pred, "float32"), self.threshold)
        super().update_state(y_true, ops.cast(positive, "int32"), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return self.describe("target_class_ids", "threshold")


class MeanIoU(ConfusionMatrix):
    """`IoU`, the mean over all classes that occur.

    Args: as `IoU`.

    Example:
        >>> float(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=[0.3, 0.3, 0.3, 0.1])).__round__(4)
        0.2381
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(num_classes, None, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self.describe("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")


class OneHotIoU(ConfusionMatrix):
    """`IoU` for targets that are one number a class, the largest being the class; predictions too, by default.

    Args: as `IoU`.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self.describe("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")


class OneHotMeanIoU(ConfusionMatrix):
    """`MeanIoU` for targets that are one number a class, the largest being the class; predictions too, by default.

    Args: as `IoU`.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, None, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self.describe("num_classes", "ignore_class", "sparse_y_pred", "axis")
