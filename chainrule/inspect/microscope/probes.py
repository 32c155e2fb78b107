"""Linear probes: what can be read from a representation by nothing more than a weighted sum.

In: a representation, (rows, …), and labels or numbers to be read from it. Out: how well that goes on rows that were not
fitted. A probe is a ridge regression, solved in closed form, whose penalty leave-one-out residuals choose; nothing is
drawn but the two halves of the rows, and these are the same each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.inspect.microscope.measures import as_matrix, centre, decompose

PENALTIES = tuple(10.0**power for power in range(1, -7, -1))
"""What a ridge may be penalized with, as parts of the mean square along a principal direction; the largest first."""


def linear_probe(representation: Any, labels: Any) -> float:
    """How well a linear classifier reads the classes from a representation: its accuracy on rows that it has not seen.

    A ridge (`fit_ridge`) to one target a class, 1 for its rows and -1 for the others, fitted on half of the rows; the
    largest of its outputs is its answer for the other half. NaN for fewer than 4 rows or 2 classes.

    Args:
        representation: (rows, …).
        labels: (rows,) whole numbers.

    Example:
        >>> x = np.repeat([[0.0, 1.0], [1.0, 0.0]], 8, axis=0)
        >>> linear_probe(x, np.repeat([3, 7], 8))
        1.0

    Source: Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
    """
    matrix, labels = as_matrix(representation), np.asarray(labels)
    classes = np.unique(labels)
    if len(matrix) < 4 or len(classes) < 2:
        return float("nan")
    fitted, held = split_rows(len(matrix))
    targets = np.where(labels[fitted, None] == classes, 1.0, -1.0)
    answers = fit_ridge(matrix[fitted], targets)(matrix[held])
    return float(np.mean(classes[np.argmax(answers, axis=1)] == labels[held]))


def linear_probe_r2(representation: Any, targets: Any) -> float:
    """How well a linear regression reads numbers from a representation: its R² on rows that it has not seen.

    ``1 - Σ(y - ŷ)² / Σ(y - mean y)²`` of a ridge (`fit_ridge`) fitted on half of the rows, over the other half and all
    targets; 0 is no better than the mean. NaN for fewer than 4 rows, or targets that do not differ.

    Args:
        representation: (rows, …).
        targets: (rows,) or (rows, …).
    """
    matrix, wanted = as_matrix(representation), as_matrix(targets)
    if len(matrix) < 4:
        return float("nan")
    fitted, held = split_rows(len(matrix))
    answers = fit_ridge(matrix[fitted], wanted[fitted])(matrix[held])
    return r_squared(wanted[held], answers)


def r_squared(wanted: Any, answers: Any) -> float:
    """``1 - Σ(y - ŷ)² / Σ(y - mean y)²`` over all targets; NaN where these do not differ."""
    spread = float(np.sum(centre(wanted) ** 2))
    missed = float(np.sum((as_matrix(wanted) - as_matrix(answers)) ** 2))
    return 1.0 - missed / spread if spread > 0 else float("nan")


def split_rows(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the rows to fit and of those to score: the same halves each time, drawn so that no order of the
    rows, such as one class after the other in turn, shows in them."""
    order = np.random.default_rng(0).permutation(rows)
    return np.sort(order[: rows // 2]), np.sort(order[rows // 2 :])


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear regression; called on (rows, features) it gives (rows, targets).

    Args:
        weights: (features, targets).
        intercept: (targets,).
        penalty: what the squares of the weights were multiplied with.
    """

    weights: np.ndarray
    intercept: np.ndarray
    penalty: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x @ self.weights + self.intercept)


def fit_ridge(x: Any, y: Any) -> Ridge:
    """The weights for which ``Σ(y - x·W - b)² + penalty ΣW²`` is least, b not penalized.

    The penalty is that of `PENALTIES`, times the mean square of the centred x along its principal directions, with
    which each row is told best from the others: the least sum of squared leave-one-out residuals
    ``(y - ŷ) / (1 - h)``, h the row's leverage (Allen's PRESS).

    Args:
        x: (rows, features).
        y: (rows, targets).

    Source: Hoerl and Kennard, "Ridge regression", 1970; Allen, "The relationship between variable selection and data
    augmentation and a method for prediction", 1974.
    """
    x, y = as_matrix(x), as_matrix(y)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    features, targets = x - mean_x, y - mean_y
    squares, directions = decompose(features)
    along = directions.T @ targets
    aside = 1.0 - 1.0 / len(x) - np.sum(directions**2, axis=1)  # a row's part outside of mean and directions
    size = float(squares.mean()) if squares.size else 1.0
    best, penalty = np.inf, size * PENALTIES[0]
    for part in PENALTIES:
        left = size * part / (squares + size * part)  # of each direction what is not fitted
        residuals = targets - directions @ ((1.0 - left)[:, None] * along)
        away = np.maximum(aside, 0.0) + directions**2 @ left
        error = float(np.sum((residuals / np.maximum(away, 1e-12)[:, None]) ** 2))
        if error < best:
            best, penalty = error, size * part
    weights = features.T @ (directions @ (along / (squares + penalty)[:, None]))
    return Ridge(weights, mean_y - mean_x @ weights, penalty)


__all__ = ["PENALTIES", "Ridge", "fit_ridge", "linear_probe", "linear_probe_r2", "r_squared", "split_rows"]
