"""What a classifier's predictions are worth, as numbers: the plots draw them, and a report prints them as tables.

In: targets and predictions. Out: confusion matrix, calibration, the worst mistakes. Nothing here draws.

Targets are labels (N,), or one-hot (N, K). Predictions are labels (N,), or probabilities: (N, K) of the classes, (N,)
or (N, 1) of the second of two classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.arrays import check_count
from chainrule.errors import DataError
from chainrule.metrics.iou import ConfusionMatrix


def as_labels(name: str, values: Any) -> np.ndarray:
    """The class of each row, (N,): labels as they are, of probabilities the likeliest.

    Raises:
        DataError: for arrays that are neither.

    Example:
        >>> as_labels("y_pred", [[0.1, 0.9], [0.8, 0.2]]).tolist()
        [1, 0]
        >>> as_labels("y_pred", [0.2, 0.7, 0.5]).tolist()
        [0, 1, 0]
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or not array.size:
        raise DataError(
            "these are neither labels nor probabilities",
            where=name,
            expected="whole numbers (N,), or probabilities (N, K)",
            got=f"{array.dtype} {array.shape}",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(
            "there are values that are not finite", where=name, got=f"{np.sum(~np.isfinite(array))} of them"
        )
    if array.ndim == 2:
        return np.argmax(array, axis=1)
    if array.dtype.kind == "f" and (array != np.floor(array)).any():
        if array.min() < 0 or array.max() > 1:
            raise DataError(
                "these are neither labels nor probabilities",
                where=name,
                expected="whole numbers, or numbers from 0 to 1",
                got=f"numbers from {array.min():g} to {array.max():g}",
                fix="apply a sigmoid to logits",
            )
        return (array > 0.5).astype(np.int64)
    if array.min() < 0:
        raise DataError("labels start at 0", where=name, got=f"the label {array.min():g}")
    return array.astype(np.int64)


def as_probabilities(name: str, values: Any) -> np.ndarray:
    """Probabilities of the classes, (N, K), in float64; of two classes also from those of the second alone.

    Raises:
        DataError: for numbers that are no probabilities.

    Example:
        >>> as_probabilities("y_pred", [0.25, 1.0]).tolist()
        [[0.75, 0.25], [0.0, 1.0]]
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or not array.size:
        raise DataError(
            "these are no probabilities", where=name, expected="(N, K) or (N,)", got=f"{array.dtype} {array.shape}"
        )
    array = array.astype(np.float64)
    if not (np.isfinite(array) & (array >= -1e-6) & (array <= 1 + 1e-6)).all():
        raise DataError(
            "these are no probabilities",
            where=name,
            expected="numbers from 0 to 1",
            got=f"numbers from {array.min():g} to {array.max():g}",
            fix="apply a softmax to logits, or a sigmoid where there are two classes",
        )
    array = array.clip(0, 1)
    if array.ndim == 1 or array.shape[1] == 1:
        second = array.reshape(-1)
        return np.stack([1 - second, second], axis=1)
    sums = array.sum(axis=1)
    if np.abs(sums - 1).max() > 0.01:
        raise DataError(
            "the probabilities of a row do not add up to 1",
            where=name,
            expected="one class a row",
            got=f"sums from {sums.min():g} to {sums.max():g}",
        )
    return array


def _check_rows(true: np.ndarray, predicted: np.ndarray) -> None:
    if len(true) != len(predicted):
        raise DataError("targets and predictions differ in rows", expected=len(true), got=len(predicted))


def confusion_matrix(y_true: Any, y_pred: Any, classes: int | None = None) -> np.ndarray:
    """How many rows of each class (rows of the matrix) are taken for each class (its columns), (K, K).

    Args:
        y_true, y_pred: as told above.
        classes: K; by default as many as occur, or as there are probabilities, and two at least.

    Raises:
        DataError: for other arrays, different numbers of rows, or a class beyond K.

    Example:
        >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
        array([[1, 0, 0],
               [0, 1, 1],
               [0, 0, 1]])
    """
    true, predicted = as_labels("y_true", y_true), as_labels("y_pred", y_pred)
    _check_rows(true, predicted)
    widths = [np.shape(values)[1] for values in (y_true, y_pred) if np.ndim(values) == 2 and np.shape(values)[1] > 1]
    found = int(max(true.max(), predicted.max())) + 1
    count = max([found, 2, *widths]) if classes is None else check_count("classes", classes, where="confusion_matrix")
    if found > count:
        raise DataError("there is no such class", where="labels", expected=f"0 to {count - 1}", got=found - 1)
    metric = ConfusionMatrix(count, None, None, "float64")
    metric.update_state(true, predicted)
    return metric.total_cm.numpy().astype(np.int64)


@dataclass(frozen=True)
class Calibration:
    """How often predictions of a certainty are right.

    Args:
        edges: of the bins, (M + 1,).
        counts: predictions in each bin, (M,).
        confidence: their mean probability, (M,); 0 in an empty bin.
        accuracy: the share of them that is right, (M,); 0 in an empty bin.
        error: the expected calibration error.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float


def calibration(y_true: Any, probabilities: Any, bins: int = 10) -> Calibration:
    """Compare how certain a classifier is with how often it is right.

    A prediction is the likeliest class, its confidence that class's probability. Over the bins B₁ … B_M, each of the
    predictions with confidences in ((m − 1) / M, m / M], the expected calibration error is

        ECE = Σ |B_m| / N · |accuracy(B_m) − confidence(B_m)|

    Args:
        y_true, probabilities: as told above.
        bins: M.

    Raises:
        DataError: for numbers that are no probabilities, or labels without one.

    Example:
        >>> found = calibration([0, 1, 1, 0], [[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9]])
        >>> found.counts[8], found.accuracy[8], round(found.error, 3)
        (np.int64(4), np.float64(0.75), 0.15)

    Source: Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks, ICML 2017.
    """
    count = check_count("bins", bins, where="calibration")
    true, shares = _line_up(y_true, probabilities)
    confidence = shares.max(axis=1)
    right = shares.argmax(axis=1) == true
    edges = np.arange(count + 1) / count
    places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, count - 1)
    counts = np.bincount(places, minlength=count)
    divisor = np.maximum(counts, 1)
    mean = np.bincount(places, confidence, count) / divisor
    accuracy = np.bincount(places, right, count) / divisor
    error = float(np.sum(counts * np.abs(accuracy - mean)) / len(true))
    return Calibration(edges, counts, mean, accuracy, error)


def _line_up(y_true: Any, probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    true, shares = as_labels("y_true", y_true), as_probabilities("probabilities", probabilities)
    _check_rows(true, shares)
    if true.max() >= shares.shape[1]:
        raise DataError(
            "there is no probability for a label",
            where="y_true",
            expected=f"0 to {shares.shape[1] - 1}",
            got=true.max(),
        )
    return true, shares


@dataclass(frozen=True)
class Mistake:
    """A row that a classifier takes for another class.

    Args:
        row: its number.
        true, predicted: classes.
        confidence: probability of the predicted class.
        truth: probability of the true class.
    """

    row: int
    true: int
    predicted: int
    confidence: float
    truth: float


def find_mistakes(y_true: Any, probabilities: Any, count: int | None = None) -> tuple[Mistake, ...]:
    """The rows that are taken for another class, the most certain first; of equals the earlier row.

    Args:
        y_true, probabilities: as told above.
        count: how many at most; all by default.

    Raises:
        DataError: for numbers that are no probabilities, or labels without one.

    Example:
        >>> find_mistakes([0, 1, 1], [[0.4, 0.6], [0.1, 0.9], [0.98, 0.02]], count=1)
        (Mistake(row=2, true=1, predicted=0, confidence=0.98, truth=0.02),)
    """
    true, shares = _line_up(y_true, probabilities)
    predicted = shares.argmax(axis=1)
    confidence = shares.max(axis=1)
    wrong = np.flatnonzero(predicted != true)
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return tuple(
        Mistake(int(row), int(true[row]), int(predicted[row]), float(confidence[row]), float(shares[row, true[row]]))
        for row in order
    )


__all__ = [
    "Calibration",
    "Mistake",
    "as_labels",
    "as_probabilities",
    "calibration",
    "confusion_matrix",
    "find_mistakes",
]
