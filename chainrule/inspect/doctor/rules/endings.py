"""The last activation and the loss: what they make of each other, and whether the targets can be reached."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from chainrule.inspect.doctor.examination import ONE_OF_TWO, Examination, Target
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.rule import percent
from chainrule.inspect.doctor.structure import activation_at, plain, softmax_input
from chainrule.losses import (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    Quantile,
    SmoothL1,
    SparseCategoricalCrossentropy,
)
from chainrule.metrics import Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy

ONE_OF_SEVERAL = (
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
)
"""Losses of probabilities that add up to 1."""

DISTANCES = (MeanSquaredError, MeanAbsoluteError, Huber, LogCosh, SmoothL1, Quantile)
"""Losses of numbers that are to be met."""

HITS = (Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy)
"""Metrics of classes."""

REACH = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
    "elu": (-1.0, math.inf),
    "selu": (-1.7581, math.inf),
}
"""What an activation can give; others give any number, or nearly."""

OUT_OF_REACH = 0.01
"""Part of the targets that may lie outside what the last activation can give: outliers."""

_IN_BETWEEN = {"sigmoid", "hard_sigmoid", "softmax"}
"""Activations that give probabilities."""


def find_double_softmax(examination: Examination) -> Iterator[Finding]:
    """A softmax or sigmoid of what is one already, within the network or by the loss."""
    passage = examination.passage
    assert passage is not None
    for node in passage.forward:
        logits = softmax_input(node)
        before = None if logits is None else activation_at(logits)
        if logits is not None and before in ("softmax", "log_softmax", "sigmoid"):
            yield Finding(
                rule="double-softmax",
                severity="warning" if before == "sigmoid" else "error",
                where=passage.name_of(node),
                problem=f"a softmax of a {before}",
                evidence=f"{passage.maker_name(logits)} gives the {before}",
                fix=_LEAVE_ONE_OUT,
            )
    for target in examination.targets:
        prediction = examination.prediction_of(target)
        last = None if prediction is None else activation_at(prediction)
        if prediction is not None and getattr(target.loss, "from_logits", False) and last in ("softmax", "sigmoid"):
            yield Finding(
                rule="double-softmax",
                severity="error",
                where=passage.maker_name(prediction),
                problem="the loss takes the softmax or sigmoid of what is one already",
                evidence=f"the activation is '{last}', and the loss {target.loss.name}(from_logits=True)",
                fix=_LEAVE_ONE_OUT,
            )


_LEAVE_ONE_OUT = "leave one of the two out: the second flattens the probabilities, so that little is learned"


def find_lone_softmax(examination: Examination) -> Iterator[Finding]:
    """A softmax over one number, which is 1 whatever the number is."""
    passage = examination.passage
    assert passage is not None
    for node in passage.forward:
        if softmax_input(node) is not None:
            total = plain(node.inputs[1])
            if all(total.inputs[0].shape[axis] == 1 for axis in total.params["axes"]):
                yield Finding(
                    rule="softmax-of-one",
                    severity="error",
                    where=passage.name_of(node),
                    problem="the softmax of one number is 1, whatever the number is",
                    evidence=f"its result has the shape (batch, {', '.join(map(str, node.shape[1:]))})",
                    fix="activation='sigmoid' for two classes, or one unit per class",
                )


def find_unfit_loss(examination: Examination) -> Iterator[Finding]:
    """A loss that takes the last layer's numbers for what they are not."""
    passage = examination.passage
    assert passage is not None
    for target in examination.targets:
        node = examination.prediction_of(target)
        if node is None:
            continue
        last = passage.activation_of(node)
        predicted = examination.predicted(target)
        low, high = float(predicted.min()), float(predicted.max())
        for severity, problem, fix in judge_ending(target, last, low, high):
            yield Finding(
                rule="loss-does-not-fit",
                severity=severity,
                where=passage.maker_name(node),
                problem=problem,
                evidence=f"activation '{last}', loss {target.loss.name}; predictions from {low:.3g} to {high:.3g}",
                fix=fix,
            )


def judge_ending(target: Target, last: str | None, low: float, high: float) -> Iterator[tuple[str, str, str]]:
    """Severity, problem and fix, for an activation that does not fit the loss.

    Args:
        last: the activation.
        low, high: the smallest and the largest prediction in the sample.
    """
    loss = target.loss
    from_logits = bool(getattr(loss, "from_logits", False))
    units = int(target.output.shape[-1]) if target.output.shape else 1
    if isinstance(loss, (*ONE_OF_TWO, *ONE_OF_SEVERAL)) and not from_logits:
        right = "sigmoid" if isinstance(loss, ONE_OF_TWO) else "softmax"
        outside = low < 0 or high > 1 + 1e-5
        if outside or (last in REACH and last not in _IN_BETWEEN) or last in ("linear", "log_softmax"):
            yield (
                "error",
                f"{loss.name} is for probabilities, and the predictions are not",
                f"activation='{right}'" + (", or from_logits=True in the loss" if hasattr(loss, "from_logits") else ""),
            )
        elif right == "softmax" and last in ("sigmoid", "hard_sigmoid"):
            yield (
                "warning",
                f"{loss.name} is for probabilities that add up to 1, and each of these stands on its own",
                "activation='softmax'; for several classes at once, binary_crossentropy",
            )
        elif right == "sigmoid" and last == "softmax" and units > 1:
            yield (
                "warning",
                f"{loss.name} is for probabilities that each stand on their own, and these add up to 1",
                "categorical_crossentropy; for several classes at once, activation='sigmoid'",
            )
    elif from_logits and last in ("relu", "relu6", "softplus", "exponential"):
        yield (
            "warning",
            "the activation cuts off logits below 0, so that no class can be ruled out",
            "leave the activation of the last layer out",
        )
    if isinstance(loss, Poisson) and (last == "linear" or low < 0):
        yield (
            "error",
            f"{loss.name} takes the logarithm of the predictions, which may be negative",
            "activation='softplus' or 'exponential', or cr.losses.PoissonNLL(), which takes the logarithm of the rate",
        )


def find_unreachable_targets(examination: Examination) -> Iterator[Finding]:
    """Numbers to be met that the last activation cannot give."""
    passage = examination.passage
    assert passage is not None
    for target in examination.targets:
        node = examination.prediction_of(target)
        last = None if node is None else passage.activation_of(node)
        if node is None or last not in REACH or not isinstance(target.loss, DISTANCES):
            continue
        low, high = REACH[last]
        slack = OUT_OF_REACH * (high - low if math.isfinite(high - low) else 1.0)
        outside = float(((target.values < low - slack) | (target.values > high + slack)).mean())
        if outside > OUT_OF_REACH:
            yield Finding(
                rule="targets-out-of-reach",
                severity="error",
                where=passage.maker_name(node),
                problem=f"its activation '{last}' cannot give the targets {target.name}",
                evidence=f"it gives numbers {describe_reach(low, high)}; {percent(outside)} of the targets lie "
                f"outside, from {target.values.min():.4g} to {target.values.max():.4g}",
                fix="leave the last activation out, or bring the targets into its range",
            )


def describe_reach(low: float, high: float) -> str:
    """A range in words.

    Example:
        >>> describe_reach(0.0, math.inf), describe_reach(-1.0, 1.0)
        ('from 0 upwards', 'from -1 to 1')
    """
    return f"from {low:g} upwards" if math.isinf(high) else f"from {low:g} to {high:g}"


def find_accuracy_of_numbers(examination: Examination) -> Iterator[Finding]:
    """Accuracy asked of a regression, which says that classes were meant."""
    passage = examination.passage
    assert passage is not None
    objective = examination.model.objective
    counted = {objective.outputs[place].name for place, _, metric in objective.metrics if isinstance(metric, HITS)}
    for target in examination.targets:
        node = examination.prediction_of(target)
        if node is None or not isinstance(target.loss, DISTANCES) or target.output.name not in counted:
            continue
        if passage.activation_of(node) not in ("linear", "relu"):  # a sigmoid may stand for a class
            continue
        values = np.unique(target.values[:1000])
        if len(values) > 2:
            yield Finding(
                rule="loss-does-not-fit",
                severity="warning",
                where=passage.maker_name(node),
                problem="accuracy counts hits, but the loss measures distances between numbers",
                evidence=f"loss {target.loss.name}, {len(values)} different targets in the first 1,000",
                fix=suggest_kind(values),
            )


def suggest_kind(values: np.ndarray) -> str:
    """What was meant, from the kind of numbers that the targets are."""
    if len(values) <= 100 and (values == np.rint(values)).all():
        return (
            "for classes, sparse_categorical_crossentropy and a softmax with one unit per class; for numbers, "
            "metrics=['mae']"
        )
    return "metrics=['mae']"
