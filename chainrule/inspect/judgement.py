"""A model's answers beside the truth, output by output, as what they are: classes, labels or numbers.

In: a compiled model and data. Out: one `Classes`, `Labels` or `Numbers` an output, told apart by its loss and targets:

    Classes    one of K classes a row: sparse, one-hot, or yes and no
    Labels     yes or no for each of several labels
    Numbers    one number or several: regression

What a model gives for each place of a row (a word, a pixel) is judged place by place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import losses, ops
from chainrule.errors import DataError
from chainrule.inspect.page import shorten
from chainrule.training.prepare import prepare

_ONE_OF_MANY = (
    losses.CategoricalCrossentropy,
    losses.CategoricalFocalCrossentropy,
    losses.CategoricalGeneralizedCrossEntropy,
    losses.CategoricalHinge,
    losses.KLDivergence,
)
_YES_OR_NO = (losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy, losses.Dice, losses.Tversky)
_MARGINS = (losses.Hinge, losses.SquaredHinge)
_LONGEST_NAME = 40


@dataclass(frozen=True)
class Classes:
    """One of K classes for each row.

    Args:
        output: its name.
        truth: (N,), numbers of classes.
        scores: (N, K), the largest is the answer; probabilities where `probable` is true.
        names: of the classes.
        rows: (N,), the row of the data that each belongs to.
    """

    output: str
    truth: np.ndarray
    scores: np.ndarray
    names: tuple[str, ...]
    rows: np.ndarray
    probable: bool

    @property
    def answers(self) -> np.ndarray:
        """(N,), the class that the network chooses."""
        return self.scores.argmax(axis=1)

    @property
    def probabilities(self) -> np.ndarray:
        """(N, K), the softmax of scores that are no probabilities."""
        if self.probable:
            return self.scores
        shares: np.ndarray = ops.softmax(self.scores)
        return shares

    @property
    def right(self) -> np.ndarray:
        return self.answers == self.truth


@dataclass(frozen=True)
class Labels:
    """Yes or no for each of several labels.

    Args:
        truth: (N, L), booleans.
        probabilities: (N, L).
        names: of the labels.
        rows: (N,), the row of the data that each belongs to.
    """

    output: str
    truth: np.ndarray
    probabilities: np.ndarray
    names: tuple[str, ...]
    rows: np.ndarray


@dataclass(frozen=True)
class Numbers:
    """Numbers beside numbers.

    Args:
        truth, answers: (N, D).
        names: of the D numbers.
        rows: (N,), the row of the data that each belongs to.
    """

    output: str
    truth: np.ndarray
    answers: np.ndarray
    names: tuple[str, ...]
    rows: np.ndarray


Judgement = Classes | Labels | Numbers


def judge(model: Any, x: Any, y: Any, class_names: Any = None, batch_size: int = 1000) -> list[Judgement]:
    """What a model makes of these rows, an output after the other; outputs without a loss are left out.

    Args:
        model: compiled.
        class_names: of classes, labels or numbers: a list for one output, a dict by output for several.

    Raises:
        DataError: for data that do not fit the model, and another number of names than there are classes.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(3, "softmax")])
        >>> model.compile(loss="sparse_categorical_crossentropy")
        >>> (found,) = judge(model, np.zeros((4, 2)), np.array([0, 1, 2, 0]), ["red", "green", "blue"])
        >>> found.scores.shape, found.names, found.right
        ((4, 3), ('red', 'green', 'blue'), array([ True, False, False,  True]))
    """
    data = prepare(model, x, y)
    objective = model.objective
    if not objective.losses:
        return []
    outputs = objective.outputs
    targets = data[1] if len(outputs) > 1 else [data[1]]
    predictions = objective.split("predictions", model.predict(x, batch_size=batch_size, verbose=0))
    names = class_names if isinstance(class_names, Mapping) else dict.fromkeys([o.name for o in outputs], class_names)
    found = []
    for output, loss, target, prediction in zip(outputs, objective.losses, targets, predictions, strict=True):
        if loss is not None and target is not None:
            found.append(judge_output(output.name, loss, target, np.asarray(prediction), names.get(output.name)))
    return found


def judge_output(output: str, loss: Any, truth: np.ndarray, given: np.ndarray, names: Any) -> Judgement:
    """One output, as its loss takes it."""
    given = given.astype(np.float64)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return judge_numbered(output, loss, truth, given, names)
    if isinstance(loss, _ONE_OF_MANY) and truth.shape == given.shape and is_one_hot(truth):
        probable = not isinstance(loss, losses.CategoricalHinge)
        scores = _shares(loss, given) if probable else given
        width = given.shape[-1]
        chosen = truth.reshape(-1, width).argmax(axis=1)
        rows = _rows_of(len(given), len(chosen))
        return Classes(output, chosen, scores.reshape(-1, width), _name(names, width, output), rows, probable)
    if isinstance(loss, _YES_OR_NO) and np.isin(truth, (0, 1)).all():
        return judge_yes_or_no(output, loss, truth, given, names)
    if isinstance(loss, _MARGINS) and np.isin(truth, (-1, 0, 1)).all():
        score = given.reshape(-1)
        chosen = (truth.reshape(-1) > 0).astype(int)
        rows = _rows_of(len(given), len(score))
        return Classes(output, chosen, np.stack([-score, score], axis=1), _name(names, 2, output), rows, False)
    return judge_regression(output, loss, truth, given, names)


def judge_numbered(output: str, loss: Any, truth: np.ndarray, given: np.ndarray, names: Any) -> Classes:
    """Classes by number; those that the loss passes over are left out."""
    given = np.moveaxis(given, loss.axis, -1)
    width = given.shape[-1]
    chosen = truth.reshape(-1).astype(int)
    scores = _shares(loss, given).reshape(-1, width)
    counted = np.ones(len(chosen), bool) if loss.ignore_class is None else chosen != loss.ignore_class
    rows = _rows_of(len(given), len(chosen))
    return Classes(output, chosen[counted], scores[counted], _name(names, width, output), rows[counted], True)


def judge_yes_or_no(output: str, loss: Any, truth: np.ndarray, given: np.ndarray, names: Any) -> Classes | Labels:
    """Two classes, or several labels a row."""
    probability = _sigmoid(given) if getattr(loss, "from_logits", False) else np.clip(given, 0.0, 1.0)
    if given.ndim == 2 and given.shape[1] > 1:
        labels = _name(names, given.shape[1], output)
        return Labels(output, truth.reshape(given.shape) > 0, probability, labels, np.arange(len(given)))
    flat = probability.reshape(-1)
    scores = np.stack([1 - flat, flat], axis=1)
    rows = _rows_of(len(given), len(flat))
    return Classes(output, truth.reshape(-1).astype(int), scores, _name(names, 2, output), rows, True)


def judge_regression(output: str, loss: Any, truth: np.ndarray, given: np.ndarray, names: Any) -> Numbers:
    """Numbers as they are; of a Gaussian's or a quantile loss that takes more numbers than it is told, the first."""
    if isinstance(loss, losses.BinaryCrossentropy) and loss.from_logits:
        given = _sigmoid(given)
    elif isinstance(loss, losses.KLDivergence):
        given = _shares(loss, given)
    count = len(given)
    truth, given = truth.reshape(count, -1).astype(np.float64), given.reshape(count, -1)
    if truth.shape[1] != given.shape[1]:
        width = min(truth.shape[1], given.shape[1])
        truth, given = truth[:, :width], given[:, :width]
    given_names = _name(names, given.shape[1], output) if names is not None else _number_names(output, given.shape[1])
    return Numbers(output, truth, given, given_names, np.arange(count))


def is_one_hot(array: np.ndarray) -> bool:
    """Whether along the last axis one element is 1 and the others are 0."""
    return array.shape[-1] > 1 and bool(np.isin(array, (0, 1)).all() and (array.sum(axis=-1) == 1).all())


def _shares(loss: Any, given: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis: the softmax of logits, else shares of the sum, as the loss takes them."""
    if getattr(loss, "from_logits", False):
        shares: np.ndarray = ops.softmax(given)
        return shares
    total = given.sum(axis=-1, keepdims=True)
    return np.divide(given, total, out=np.zeros_like(given), where=total != 0)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * logits))


def _rows_of(rows: int, places: int) -> np.ndarray:
    return np.repeat(np.arange(rows), places // rows)


def _name(names: Any, count: int, output: str) -> tuple[str, ...]:
    if names is None:
        return tuple(map(str, range(count)))
    if isinstance(names, str) or not isinstance(names, Sequence | np.ndarray) or len(names) != count:
        raise DataError(
            "the names do not fit the output",
            where="class_names",
            expected=f"{count} names for output '{output}'",
            got=repr(names) if isinstance(names, str) or not hasattr(names, "__len__") else f"{len(names)} names",
        )
    return tuple(shorten(name, _LONGEST_NAME) for name in names)


def _number_names(output: str, count: int) -> tuple[str, ...]:
    short = shorten(output, _LONGEST_NAME)
    return (short,) if count == 1 else tuple(f"{short}[{place}]" for place in range(count))


__all__ = ["Classes", "Judgement", "Labels", "Numbers", "judge"]
