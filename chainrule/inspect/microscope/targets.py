"""What is to be read from each row: its class, or its numbers.

In: a model's prepared targets and its predictions for the same rows. Out: `Targets`, of the first output that has any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph.tree import flatten
from chainrule.inspect.judgement import Classes, Labels, is_one_hot, judge_output
from chainrule.inspect.microscope.measures import class_separation
from chainrule.inspect.microscope.probes import linear_probe, linear_probe_r2, r_squared


@dataclass(frozen=True, eq=False)
class Targets:
    """Classes or numbers, one or several a row.

    Args:
        rows: (N,), the rows of the data that have any.
        labels: (N,) whole numbers, the classes; None where there are none.
        numbers: (N, targets), for a regression; None for classes.
        score: how good the model's own answers are: the accuracy for classes, R² for numbers; NaN where unknown.
    """

    rows: np.ndarray
    labels: np.ndarray | None
    numbers: np.ndarray | None
    score: float

    def spread_over(self, rows: int) -> np.ndarray:
        """(rows,): the classes, -1 for a row without; or the first of the numbers."""
        if self.labels is None:
            assert self.numbers is not None
            return np.asarray(self.numbers[:, 0])
        spread = np.full(rows, -1)
        spread[self.rows] = self.labels
        return spread

    def probe(self, representation: np.ndarray) -> float:
        """How well a linear probe reads them from a representation of all rows."""
        known = representation[self.rows]
        return linear_probe(known, self.labels) if self.labels is not None else linear_probe_r2(known, self.numbers)

    def separation(self, representation: np.ndarray) -> float | None:
        """How far the classes are apart; None for numbers."""
        return None if self.labels is None else class_separation(representation[self.rows], self.labels)


def find_targets(model: Any, y: Any, predictions: Any) -> Targets | None:
    """Those of the first output that has a loss and targets; None where no row has just one class, or numbers.

    Labels that stand for each place of a row, as of a sequence, are not read from the row as a whole.

    Args:
        y: as `prepare` gives it.
        predictions: a nest of arrays, of the same rows.
    """
    objective = model.objective
    if objective.given["loss"] is None:
        return own_targets(y)
    given = objective.split("predictions", predictions)
    wanted = y if len(objective.outputs) > 1 else [y]
    for output, loss, target, prediction in zip(objective.outputs, objective.losses, wanted, given, strict=True):
        if loss is not None and target is not None:
            return as_targets(judge_output(output.name, loss, target, np.asarray(prediction), None))
    return None


def as_targets(judged: Any) -> Targets | None:
    """What a judgement knows of the truth; one-hot rows, and a column of 0 and 1 or -1 and 1, are classes whatever the
    loss."""
    if isinstance(judged, Classes):
        if len(np.unique(judged.rows)) < len(judged.rows):
            return None
        return Targets(judged.rows, judged.truth, None, float(np.mean(judged.right)))
    truth = judged.truth.astype(np.float64)
    answers = judged.probabilities if isinstance(judged, Labels) else judged.answers
    if is_one_hot(truth):
        labels = truth.argmax(axis=1)
        return Targets(judged.rows, labels, None, float(np.mean(answers.argmax(axis=1) == labels)))
    for low in (0, -1):
        if truth.shape[1] == 1 and np.array_equal(np.unique(truth), (low, 1)):
            labels = (truth[:, 0] == 1).astype(int)
            return Targets(judged.rows, labels, None, float(np.mean((answers[:, 0] > (low + 1) / 2) == labels)))
    return Targets(judged.rows, None, truth, r_squared(truth, answers))


def own_targets(y: Any) -> Targets | None:
    """Those of a model with a loss of its own, of which nothing else is known: whole numbers are classes."""
    leaves = flatten(y)[0]
    if not leaves:
        return None
    array = np.asarray(leaves[0])
    rows = np.arange(len(array))
    if array.dtype.kind in "iub" and array.size == len(array):
        return Targets(rows, array.reshape(-1).astype(int), None, float("nan"))
    return Targets(rows, None, array.reshape(len(array), -1).astype(np.float64), float("nan"))


__all__ = ["Targets", "find_targets"]
