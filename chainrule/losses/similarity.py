"""Losses on embeddings: what belongs together is to lie close together."""

from __future__ import annotations

import math
from typing import Any

from chainrule import ops
from chainrule.config import EPSILON
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape
from chainrule.graph.tracing import as_operand
from chainrule.losses.loss import Loss, as_float, line_up_floats, require_axis, require_flag
from chainrule.registry import require_number

FAR = -1e9
"""A logit that stands for no chance at all. Its gradient is zero, where that of minus infinity is not a number."""

TINY = 1e-30
"""Squares that are smaller have no root with a finite slope."""

# -- functions ----------------------------------------------------------------------------------------------------


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """``-sum(y * p) / (norm(y) * norm(p))`` over `axis`: -1 for the same direction, 0 where a vector is zero.

    Example:
        >>> cosine_similarity([[3.0, 4.0]], [[4.0, 3.0]]).round(2)
        array([-0.96], dtype=float32)
    """
    true, pred = line_up_floats("cosine_similarity", y_true, y_pred)
    return ops.negative(ops.sum(ops.multiply(unit(true, axis), unit(pred, axis)), axis=axis))


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> Any:
    """``softplus(logsumexp(positive) + logsumexp(negative))`` over the pairs of each sample with all references.

    With ``d = max(1 - p @ r.T, 0)``, pairs of one label give ``-gamma * (margin + d) * (margin - d)`` and the others
    ``gamma * max(1 + margin - d, 0) * (1 - margin - d)``. A sample without a pair of one of the kinds gives 0.

    Args:
        y_true: labels, whole numbers.
        y_pred: embeddings of length 1.
        ref_labels, ref_embeddings: the references r; the batch itself by default.
        remove_diagonal: whether pairs of a sample with the reference at the same place are left out.

    Shapes: y_true (n,) or (n, 1), y_pred (n, d), references (m,) or (m, 1) and (m, d), result (n,).
    """
    pred = as_float(y_pred)
    labels = as_column("circle", y_true, pred)
    others = pred if ref_embeddings is None else ops.cast(as_operand(ref_embeddings), pred.dtype)
    names = labels if ref_labels is None else as_column("circle", ref_labels, others)
    distance = ops.maximum(ops.subtract(1.0, ops.matmul(pred, ops.transpose(others))), 0.0)
    same = ops.equal(labels, ops.transpose(names))
    different = ops.logical_not(same)
    if remove_diagonal:
        rows = ops.iota("int32", (labels.shape[0],))
        columns = ops.iota("int32", (names.shape[0],))
        same = ops.logical_and(same, ops.not_equal(ops.expand_dims(rows, 1), ops.expand_dims(columns, 0)))
    pull = ops.multiply(ops.multiply(ops.add(distance, margin), ops.subtract(margin, distance)), -gamma)
    weight = ops.maximum(ops.subtract(1.0 + margin, distance), 0.0)
    push = ops.multiply(ops.multiply(weight, ops.subtract(1.0 - margin, distance)), gamma)
    positive = ops.logsumexp(ops.where(same, pull, FAR), axis=1)
    negative = ops.logsumexp(ops.where(different, push, FAR), axis=1)
    return ops.softplus(ops.add(positive, negative))


def triplet_margin(
    y_true: Any, y_pred: Any, margin: float = 1.0, p: float = 2.0, epsilon: float = 1e-6, swap: bool = False
) -> Any:
    """``max(d(anchor, positive) - d(anchor, negative) + margin, 0)``, with ``d(a, b) = norm(a - b + epsilon)``.

    Args:
        y_true: not used: what belongs together is said by the order of the embeddings.
        y_pred: the anchor, the positive and the negative of each sample.
        p: the order of the norm, from 1 to infinity.
        swap: whether the negative's distance is that to the anchor or to the positive, whichever is less.

    Shapes: y_pred (..., 3, d), result (...).

    Example:
        >>> triplet_margin([0], [[[0.0, 0.0], [3.0, 4.0], [0.0, 5.5]]]).round(4)
        array([0.5], dtype=float32)
    """
    pred = as_float(y_pred)
    if len(pred.shape) < 2 or pred.shape[-2] != 3:
        raise ChainruleError(
            "these are no triplets",
            where="triplet_margin",
            expected="predictions of shape (..., 3, d): an anchor, a positive and a negative",
            got=format_shape(pred.shape),
            fix="give the model samples of shape (3, n), or end it with Reshape((3, d))",
        )
    anchor, positive, negative = (ops.squeeze(part, -2) for part in ops.split(pred, 3, axis=-2))
    far = distance_of(anchor, negative, p, epsilon)
    if swap:
        far = ops.minimum(far, distance_of(positive, negative, p, epsilon))
    return ops.maximum(ops.add(ops.subtract(distance_of(anchor, positive, p, epsilon), far), margin), 0.0)


# -- parts --------------------------------------------------------------------------------------------------------


def unit(x: Any, axis: int) -> Any:
    """`x` divided by its norm, or by 1e-7 where that is less."""
    squares = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(squares, EPSILON**2)))


def as_column(name: str, labels: Any, embeddings: Any) -> Any:
    """Labels as int32 of shape (n, 1), for embeddings of shape (n, d)."""
    column = ops.cast(as_operand(labels), "int32")
    if len(column.shape) == 1:
        column = ops.expand_dims(column, 1)
    if len(embeddings.shape) != 2 or tuple(column.shape) != (embeddings.shape[0], 1):
        raise ChainruleError(
            "labels and embeddings do not fit",
            where=name,
            expected="labels of shape (n,) or (n, 1), embeddings of shape (n, d)",
            got=f"{format_shape(column.shape)} and {format_shape(embeddings.shape)}",
        )
    return column


def distance_of(x: Any, y: Any, p: float, epsilon: float) -> Any:
    """The norm of order p of ``x - y + epsilon`` over the last axis."""
    size = ops.absolute(ops.add(ops.subtract(x, y), epsilon))
    if p == math.inf:
        return ops.max(size, axis=-1)
    if p == 1.0:
        return ops.sum(size, axis=-1)
    if p == 2.0:
        return ops.sqrt(ops.maximum(ops.sum(ops.square(size), axis=-1), TINY))
    # Of the largest, so that no power overflows or vanishes.
    top = ops.maximum(ops.stop_gradient(ops.max(size, axis=-1, keepdims=True)), TINY)
    powers = ops.sum(ops.power(ops.maximum(ops.divide(size, top), TINY), p), axis=-1)
    return ops.multiply(ops.squeeze(top, -1), ops.power(powers, 1.0 / p))


# -- classes ------------------------------------------------------------------------------------------------------


class CosineSimilarity(Loss):
    """``-sum(y * p) / (norm(y) * norm(p))``: -1 for the same direction, 1 for the opposite, 0 where a vector is zero.

    Args:
        axis: the vectors.
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.axis = require_axis(self.name, axis)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return cosine_similarity(y_true, y_pred, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis, **super().get_config()}


class Circle(Loss):
    """Pairs of one label are pulled together and others pushed apart, the further they are off the more.

    The formula is in `circle`. Samples whose number is 0, such as those without a partner in the batch, do not count.

    Args:
        gamma: how sharply.
        margin: how far both kinds are kept from the middle.
        remove_diagonal: whether pairs of a sample with itself are left out.

    Shapes: labels (n,) or (n, 1), predictions (n, d), each of length 1 (`UnitNormalization`).

    Source: Sun et al., "Circle loss", 2020.
    """

    lines_up = False

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.gamma = require_number(self.name, "gamma", gamma, 0.0, 1e6)
        self.margin = require_number(self.name, "margin", margin, -1.0, 1.0)
        self.remove_diagonal = require_flag(self.name, "remove_diagonal", remove_diagonal)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return circle(y_true, y_pred, remove_diagonal=self.remove_diagonal, gamma=self.gamma, margin=self.margin)

    def counted(self, y_true: Any, y_pred: Any, values: Any) -> Any:
        return ops.greater(values, 0.0)

    def get_config(self) -> dict[str, Any]:
        own = {"gamma": self.gamma, "margin": self.margin, "remove_diagonal": self.remove_diagonal}
        return {**own, **super().get_config()}


class TripletMargin(Loss):
    """``max(d(anchor, positive) - d(anchor, negative) + margin, 0)``: PyTorch's TripletMarginLoss.

    A sample's three embeddings lie in one prediction of shape (3, d), as layers give for inputs of shape (3, n). The
    targets are not used; any array with as many rows stands for them.

    Args:
        margin: by how much the negative is to be further away than the positive.
        p: the order of the norm, from 1 to infinity.
        epsilon: added to differences.
        swap: whether the negative's distance is that to the anchor or to the positive, whichever is less.

    Source: Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural
    networks", 2016.
    """

    lines_up = False

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        epsilon: float = 1e-6,
        swap: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "triplet_margin",
        dtype: Any = None,
    ):
        super().__init__(name, reduction, dtype)
        self.margin = require_number(self.name, "margin", margin, 0.0, float("inf"), open_high=True)
        self.p = require_number(self.name, "p", p, 1.0, float("inf"))
        self.epsilon = require_number(self.name, "epsilon", epsilon, 0.0, 1.0)
        self.swap = require_flag(self.name, "swap", swap)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return triplet_margin(y_true, y_pred, self.margin, self.p, self.epsilon, self.swap)

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "p": self.p, "epsilon": self.epsilon, "swap": self.swap}
        return {**own, **super().get_config()}
