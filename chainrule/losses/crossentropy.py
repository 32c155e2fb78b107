"""Cross-entropies: the negative logarithm of the probability that is given to what is true.

From logits, the numbers before the sigmoid or softmax, they are exact for any number. Probabilities are kept 1e-7 away
from 0 and 1, and beyond that no gradient is left.
"""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.config import EPSILON
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape, normalize_axis
from chainrule.graph.tracing import as_operand
from chainrule.losses.loss import Loss, as_float, line_up_floats, mean_of_last, require_axis, require_flag
from chainrule.registry import require_number

# -- functions ----------------------------------------------------------------------------------------------------


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """``-mean(y * log(p) + (1 - y) * log(1 - p))`` over `axis`.

    Args:
        from_logits: whether predictions are logits, of which p is the sigmoid.
        label_smoothing: s, for targets ``y * (1 - s) + s / 2``.

    Example:
        >>> binary_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
        array([0.6931], dtype=float32)
    """
    true, pred = line_up_floats("binary_crossentropy", y_true, y_pred)
    true = smooth_binary(true, label_smoothing)
    if from_logits:
        # -(y log s(x) + (1 - y) log(1 - s(x))) = softplus(x) - x y, without overflow.
        return mean_of_last(ops.subtract(ops.softplus(pred), ops.multiply(pred, true)), axis)
    return mean_of_last(binary_terms(true, pred), axis)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """``-sum(y * log(p))`` over the classes, for targets with one number a class.

    Args:
        from_logits: whether predictions are logits, of which p is the softmax; else p is what they are of their sum.
        label_smoothing: s, for targets ``y * (1 - s) + s / classes``.
        axis: the classes.
    """
    true, pred = line_up_floats("categorical_crossentropy", y_true, y_pred)
    true = smooth_categorical("categorical_crossentropy", true, label_smoothing, axis)
    return ops.negative(ops.sum(ops.multiply(true, log_probabilities(pred, from_logits, axis)), axis))


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """``-log(p[y])`` for targets that are the number of the class.

    Args:
        from_logits: whether predictions are logits, of which p is the softmax; else p is what they are of their sum.
        ignore_class: a label whose samples have the loss 0.
        axis: the classes.

    Shapes: y_true has those of y_pred without the classes, or with one in their place.
    """
    pred = as_float(y_pred)
    labels = as_labels("sparse_categorical_crossentropy", y_true, pred, axis)
    chosen = ops.take_along_axis(log_probabilities(pred, from_logits, axis), ops.expand_dims(labels, axis), axis)
    values = ops.negative(ops.squeeze(chosen, axis))
    if ignore_class is not None:
        values = ops.where(ops.equal(labels, ignore_class), 0.0, values)
    return values


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """``(1 - p[y]**q) / q`` for targets that are the number of the class and predictions that are probabilities."""
    pred = as_float(y_pred)
    labels = as_labels("categorical_generalized_cross_entropy", y_true, pred, -1)
    chosen = ops.squeeze(ops.take_along_axis(pred, ops.expand_dims(labels, -1), -1), -1)
    # The slope of p**q at 0 is infinite.
    some = ops.greater(chosen, 0.0)
    raised = ops.where(some, ops.power(ops.where(some, chosen, 1.0), q), 0.0)
    return ops.divide(ops.subtract(1.0, raised), q)


# -- parts --------------------------------------------------------------------------------------------------------


def smooth_binary(true: Any, label_smoothing: float) -> Any:
    """Targets of 0 and 1, moved towards 1/2."""
    if not label_smoothing:
        return true
    return ops.add(ops.multiply(true, 1.0 - label_smoothing), 0.5 * label_smoothing)


def smooth_categorical(name: str, true: Any, label_smoothing: float, axis: int) -> Any:
    """Targets with one number a class, moved towards equal shares; one class alone is refused."""
    classes = true.shape[normalize_axis(axis, len(true.shape), name)]
    if classes == 1:
        raise ChainruleError(
            "there is one class only, so that nothing can be learned",
            where=name,
            expected="2 classes or more",
            got=f"predictions of shape {format_shape(true.shape)}",
            fix="use BinaryCrossentropy for one number between two classes",
        )
    if not label_smoothing:
        return true
    return ops.add(ops.multiply(true, 1.0 - label_smoothing), label_smoothing / classes)


def binary_terms(true: Any, pred: Any) -> Any:
    """``-(y * log(p) + (1 - y) * log(1 - p))`` for probabilities p."""
    p = ops.clip(pred, EPSILON, 1 - EPSILON)
    right = ops.multiply(true, ops.log(p))
    return ops.negative(ops.add(right, ops.multiply(ops.subtract(1.0, true), ops.log(ops.subtract(1.0, p)))))


def shares(pred: Any, axis: int) -> Any:
    """Probabilities that add up to 1 along `axis`, 1e-7 away from 0 and 1."""
    return ops.clip(ops.divide(pred, ops.sum(pred, axis, keepdims=True)), EPSILON, 1 - EPSILON)


def log_probabilities(pred: Any, from_logits: bool, axis: int) -> Any:
    """``log_softmax`` of logits, or the logarithm of probabilities made to add up to 1."""
    return ops.log_softmax(pred, axis) if from_logits else ops.log(shares(pred, axis))


def as_labels(name: str, y_true: Any, pred: Any, axis: int) -> Any:
    """Labels as int32 with the predictions' shape without the classes."""
    labels = as_operand(y_true)
    at = normalize_axis(axis, len(pred.shape), name)
    if len(labels.shape) == len(pred.shape) and labels.shape[at] == 1:
        labels = ops.squeeze(labels, at)
    wanted = (*pred.shape[:at], *pred.shape[at + 1 :])
    if tuple(labels.shape) != wanted:
        raise ChainruleError(
            "the labels do not fit the predictions",
            where=name,
            expected=f"one whole number a sample, shape {format_shape(wanted)}",
            got=format_shape(labels.shape),
            fix="use CategoricalCrossentropy for targets with one number per class",
        )
    return ops.cast(labels, "int32")


# -- classes ------------------------------------------------------------------------------------------------------


class BinaryCrossentropy(Loss):
    """``-mean(y * log(p) + (1 - y) * log(1 - p))``: for classes that hold or not, each by itself.

    Args:
        from_logits: whether predictions are logits, of which p is the sigmoid.
        label_smoothing: s, for targets ``y * (1 - s) + s / 2``.
        axis: what the mean is taken over.

    Example:
        >>> float(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]]))
        0.6931471824645996
    """

    elementwise = True

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits = require_flag(self.name, "from_logits", from_logits)
        self.label_smoothing = require_number(self.name, "label_smoothing", label_smoothing, 0.0, 1.0)
        self.axis = require_axis(self.name, axis)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return binary_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing, self.axis)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**own, **super().get_config()}


class CategoricalCrossentropy(Loss):
    """``-sum(y * log(p))`` over the classes, for targets with one number a class.

    Args:
        from_logits: whether predictions are logits, of which p is the softmax; else p is what they are of their sum.
        label_smoothing: s, for targets ``y * (1 - s) + s / classes``.
        axis: the classes.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits = require_flag(self.name, "from_logits", from_logits)
        self.label_smoothing = require_number(self.name, "label_smoothing", label_smoothing, 0.0, 1.0)
        self.axis = require_axis(self.name, axis)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return categorical_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing, self.axis)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**own, **super().get_config()}


class SparseCategoricalCrossentropy(Loss):
    """``-log(p[y])`` for targets that are the number of the class.

    Args:
        from_logits: whether predictions are logits, of which p is the softmax; else p is what they are of their sum.
        ignore_class: a label whose samples do not count, neither in sums nor in the means over what counts.
        axis: the classes.

    Example:
        >>> loss = SparseCategoricalCrossentropy(ignore_class=-1)
        >>> float(loss([0, -1], [[0.5, 0.5], [0.1, 0.9]]))
        0.6931471824645996
    """

    lines_up = False

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits = require_flag(self.name, "from_logits", from_logits)
        if ignore_class is not None and (not isinstance(ignore_class, int) or isinstance(ignore_class, bool)):
            raise ChainruleError(
                "ignore_class is not a label",
                where=self.name,
                expected="a whole number, or None",
                got=repr(ignore_class),
            )
        self.ignore_class = ignore_class
        self.axis = require_axis(self.name, axis)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return sparse_categorical_crossentropy(y_true, y_pred, self.from_logits, self.ignore_class, self.axis)

    def counted(self, y_true: Any, y_pred: Any, values: Any) -> Any:
        if self.ignore_class is None:
            return None
        return ops.not_equal(as_labels(self.name, y_true, y_pred, self.axis), self.ignore_class)

    def get_config(self) -> dict[str, Any]:
        own = {"from_logits": self.from_logits, "ignore_class": self.ignore_class, "axis": self.axis}
        return {**own, **super().get_config()}


class CategoricalGeneralizedCrossEntropy(Loss):
    """``(1 - p[y]**q) / q`` for targets that are the number of the class: between cross-entropy and absolute error.

    Predictions are probabilities. Wrong labels among the targets pull less than with the cross-entropy.

    Args:
        q: above 0, where it is the cross-entropy, and below 1, where it is the absolute error.

    Source: Zhang and Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels",
    2018.
    """

    lines_up = False

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.q = require_number(self.name, "q", q, 0.0, 1.0, open_high=True)
        if self.q == 0.0:
            raise ChainruleError(
                "q is out of range", where=self.name, expected="a number above 0, below 1", got=repr(q)
            )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return categorical_generalized_cross_entropy(y_true, y_pred, self.q)

    def get_config(self) -> dict[str, Any]:
        return {"q": self.q, **super().get_config()}
