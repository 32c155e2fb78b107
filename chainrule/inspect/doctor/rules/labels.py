"""Targets that cannot be right, or that leave little to learn: out of range, all the same, a class that is missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.errors import DataError
from chainrule.graph.ir import INPUT
from chainrule.inspect.doctor.examination import ONE_OF_TWO, Examination, Target
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.endings import HITS
from chainrule.inspect.doctor.rules.refusals import as_finding
from chainrule.inspect.doctor.rules.rule import percent
from chainrule.inspect.doctor.structure import plain
from chainrule.layers import Embedding
from chainrule.losses import (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    Poisson,
    PoissonNLL,
    TripletMargin,
)

FEWEST_ROWS = 30
"""Rows from which on it says something how classes are distributed."""

FEWEST_OF_CLASS = 10
"""Rows for each class, on the mean, from which on it says something that one has none."""

MOSTLY_ONE = 0.99
"""The part of one class from which accuracy says nothing: guessing it is right in 99 of 100 rows."""

MOSTLY_ONE_OF_ACCURACY = 0.9
"""The same where accuracy is among the metrics, which then begins at nine tenths."""


def find_labels_out_of_range(examination: Examination) -> Iterator[Finding]:
    """Targets that are no probabilities, no counts, or no distributions, where the loss takes them for such."""
    for target in examination.targets:
        low, high = float(target.values.min()), float(target.values.max())
        evidence = f"from {low:g} to {high:g}"
        if isinstance(target.loss, ONE_OF_TWO) and (low < 0 or high > 1):
            yield Finding(
                rule="labels-out-of-range",
                severity="error",
                where=target.name,
                problem=f"{target.loss.name} is for targets from 0 to 1",
                evidence=evidence,
                fix="make them 0 and 1, as (y > 0); for the numbers of several classes, take "
                "sparse_categorical_crossentropy and one unit per class",
            )
        if isinstance(target.loss, Poisson | PoissonNLL) and low < 0:
            yield Finding(
                rule="labels-out-of-range",
                severity="error",
                where=target.name,
                problem=f"{target.loss.name} is for counts, which are not negative",
                evidence=evidence,
                fix="look where the negative ones come from, or take 'mse'",
            )
        if isinstance(target.loss, CategoricalCrossentropy | CategoricalFocalCrossentropy):
            yield from find_no_distribution(target)


def find_no_distribution(target: Target) -> Iterator[Finding]:
    """Rows of a categorical target that do not add up to 1."""
    totals = target.values.astype(np.float64).sum(axis=-1)
    wrong = float((np.abs(totals - 1) > 1e-3).mean())
    if wrong > 0:
        several = float((totals > 1.5).mean()) > 0
        yield Finding(
            rule="labels-out-of-range",
            severity="error" if target.values.min() < 0 else "warning",
            where=target.name,
            problem=f"{target.loss.name} is for one class per row, so that a row adds up to 1",
            evidence=f"{percent(wrong)} of the rows do not; their sums are from {totals.min():g} to {totals.max():g}",
            fix="for several classes at once, take activation='sigmoid' and binary_crossentropy"
            if several
            else "look for rows without a class",
        )


def find_numbers_without_vector(examination: Examination) -> Iterator[Finding]:
    """Numbers that an Embedding has no vector for."""
    passage = examination.passage
    assert passage is not None
    arrays = dict(zip(passage.data_inputs, (part.values for part in examination.inputs), strict=True))
    for result, seen in passage.calls:
        if not isinstance(result.layer, Embedding):
            continue
        node = plain(result.inputs)
        values = arrays[node] if node.primitive is INPUT and node in arrays else passage.values_of([result.inputs])[0]
        try:
            result.layer.check_range(values)
        except DataError as error:
            yield as_finding("number-without-vector", error.located(f"layer '{seen.name}'"))


def find_lone_target(examination: Examination) -> Iterator[Finding]:
    """Targets that are all the same."""
    for target in examination.targets:
        values = target.values.reshape(len(target.values), -1)
        if isinstance(target.loss, TripletMargin):  # it looks at predictions alone
            continue
        if len(values) > 1 and (values == values[:1]).all():
            yield Finding(
                rule="constant-target",
                severity="warning",
                where=target.name,
                problem="all targets are the same, so that there is nothing to learn",
                evidence=f"always {np.array2string(values[0, :5], separator=', ')} in {len(values):,} rows",
                fix="look at how the targets were read",
            )


def find_lopsided_classes(examination: Examination) -> Iterator[Finding]:
    """Classes that are missing, or nearly all there is."""
    if not examination.targets:
        return
    objective = examination.model.objective
    counted = {objective.outputs[place].name for place, _, metric in objective.metrics if isinstance(metric, HITS)}
    for target in examination.targets:
        labels = target.labels
        if labels is None or len(labels) < FEWEST_ROWS:
            continue
        classes = 2 if isinstance(target.loss, ONE_OF_TWO) else int(target.output.shape[-1])
        known = labels[(labels >= 0) & (labels < classes)]
        counts = np.bincount(known, minlength=classes)
        missing = np.flatnonzero(counts == 0).tolist()
        if counts.max() == counts.sum():  # `find_lone_target` says so
            continue
        if missing and classes > 2 and len(labels) >= FEWEST_OF_CLASS * classes:
            from_one = missing == [0]
            yield Finding(
                rule="missing-class",
                severity="note",
                where=target.name,
                problem="there are units for classes that no row has",
                evidence=f"no row of class {', '.join(map(str, missing[:5]))}{', …' if len(missing) > 5 else ''}, "
                f"of {classes} in layer '{target.output.layer}'",
                fix="number the classes from 0: y - 1" if from_one else "give the last layer as many units as classes",
            )
        largest = float(counts.max() / counts.sum())
        if largest > (MOSTLY_ONE_OF_ACCURACY if target.output.name in counted else MOSTLY_ONE):
            yield Finding(
                rule="lopsided-classes",
                severity="note",
                where=target.name,
                problem="nearly all rows belong to one class, so that accuracy says little",
                evidence=f"always saying {int(np.argmax(counts))} is right for {percent(largest)} of the rows",
                fix="look at precision and recall as well, or weight the other classes: fit(class_weight=…)",
            )


def find_sorted_labels(examination: Examination) -> Iterator[Finding]:
    """Rows in the order of their classes, of which a validation_split takes the last."""
    for target in examination.targets:
        labels = target.labels
        if labels is None or len(labels) < FEWEST_ROWS or examination.validation is not None:
            continue
        if (np.diff(labels) >= 0).all() and labels[0] != labels[-1]:
            yield Finding(
                rule="sorted-rows",
                severity="note",
                where=target.name,
                problem="the rows are sorted by class",
                evidence=f"from class {labels[0]} to class {labels[-1]} in {len(labels):,} rows",
                fix="shuffle them before validation_split, which takes the last rows, and keep fit(shuffle=True)",
            )
