"""Inputs far from 1 where the first weights meet them, after all preparing layers, and targets far from 1.

A weighted sum of large numbers is large, so that sigmoids saturate; and the curvature of the loss grows with the square
of the inputs, so that no one learning rate suits all weights.

Source: LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, section 4.3.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.graph.ir import INPUT, Node
from chainrule.inspect.doctor.examination import Examination, Passage
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.structure import dependents, plain
from chainrule.layers import Normalization
from chainrule.layers.layer import inner_layers
from chainrule.losses import Huber, LogCosh, MeanAbsoluteError, MeanSquaredError, SmoothL1

LARGE = 50.0
"""Root mean square of a column. Standardized columns have 1, pixels divided by 255 at most 1, pixels as bytes about
100; with 50 the curvature along a weight is 2,500 times what it should be."""

SMALL = 0.01
"""Root mean square of the largest column: a hundredth of what it should be, as for pixels divided by 255 twice."""

UNLIKE = 1_000.0
"""How many times the scale of one column may be that of another; the curvatures differ by the square."""

RARE = 0.01
"""Columns that are zero in more than all but this part of the rows are left out: their scale is that of few rows."""

LARGE_TARGET = 100.0
"""Root mean square of targets. Weights begin near 0, and Adam moves each by about its rate of 0.001 a step: a bias
needs 100,000 steps to get there."""


def find_unscaled_inputs(examination: Examination) -> Iterator[Finding]:
    """Numbers far from 1 that meet the first weights."""
    passage = examination.passage
    assert passage is not None
    met = list(inputs_of_weights(passage).items())
    values = passage.values_of([node for node, _ in met])
    names = dict(zip(passage.data_inputs, (part.name for part in examination.inputs), strict=True))
    seen: set[str] = set()
    for (node, consumer), array in zip(met, values, strict=True):
        where = passage.name_of(consumer)
        direct = plain(node)
        evidence = describe_scale(array, names.get(direct, ""))
        if evidence and where not in seen:
            seen.add(where)
            yield Finding(
                rule="unscaled-inputs",
                severity="warning",
                where=where,
                problem="its inputs are far from the scale that its initial weights are made for, which is about 1",
                evidence=evidence,
                fix=suggest_scaling(examination, array, direct in names),
            )


def inputs_of_weights(passage: Passage) -> dict[Node, Node]:
    """The nodes that come from x and meet the first trained kernels, each with the node where they meet.

    Weights with one number a column, such as those of BatchNormalization, only scale what they meet.
    """
    order = passage.forward
    kernels = {variable for variable in passage.observer.trained if variable.ndim >= 2}
    weights = [node for variable, node in passage.variable_inputs.items() if variable in kernels]
    from_data, trained = dependents(order, passage.data_inputs), dependents(order, weights)
    found: dict[Node, Node] = {}
    for node in order:
        if node in trained and node.primitive is not INPUT:
            for operand in node.inputs:
                if operand in from_data and operand not in trained and operand.dtype.is_float:
                    found.setdefault(operand, node)
    return found


def describe_scale(array: np.ndarray, name: str = "") -> str:
    """What is wrong with the scale of an array's columns; nothing where all is well.

    Args:
        name: of the array, where it is one of the user's.
    """
    columns = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1).astype(np.float64)
    if not np.isfinite(columns).all():
        return ""
    squares = (columns**2).sum(axis=0)
    size = np.sqrt(squares / len(columns))
    largest = int(np.argmax(size))
    if size[largest] > LARGE:
        if array.ndim > 2 or len(size) >= 64:
            return f"from {columns.min():.4g} to {columns.max():.4g}, mean {columns.mean():.3g}"
        return f"{describe_column(name, columns, largest)}{count_others(size > LARGE)}"
    if 0 < size[largest] < SMALL:
        return f"from {columns.min():.3g} to {columns.max():.3g}, root mean square {np.sqrt((columns**2).mean()):.2g}"
    counts = (columns != 0).sum(axis=0)
    often = np.flatnonzero(counts >= max(RARE * len(columns), 1))
    if array.ndim == 2 and len(often) > 1:
        scale = np.sqrt(squares[often] / counts[often])
        top, bottom = int(np.argmax(scale)), int(np.argmin(scale))
        if scale[top] > UNLIKE * scale[bottom]:
            return f"{describe_column(name, columns, often[top])}; {describe_column(name, columns, often[bottom])}"
    return ""


def describe_column(name: str, columns: np.ndarray, place: int) -> str:
    """A column's mean and spread."""
    column = columns[:, place]
    parts = [name, f"column {place}" if columns.shape[1] > 1 else ""]
    label = ", ".join(part for part in parts if part)
    return f"{label}{': ' if label else ''}mean {column.mean():.4g}, standard deviation {column.std():.4g}"


def count_others(flags: np.ndarray) -> str:
    """How many more columns there are of the kind."""
    more = int(flags.sum()) - 1
    return f"; {more} more such column{'s' if more > 1 else ''}" if more > 0 else ""


def suggest_scaling(examination: Examination, array: np.ndarray, direct: bool) -> str:
    """What brings these numbers to the right scale; `direct` says whether they are the user's as they are."""
    for layer in inner_layers(examination.model):
        if isinstance(layer, Normalization) and layer.input_mean is None and not int(layer.count.numpy()):
            return f"layer '{layer.name}' has no statistics yet: call its adapt(x) before training"
    whole = bool((array == np.rint(array)).all())
    if whole and array.min() >= 0 and 100 < array.max() <= 255:
        return "these look like pixels: put cr.layers.Rescaling(1 / 255) before it"
    if np.abs(array).max() < 1 and not direct:
        return "look at the layers before it: such numbers come from scaling twice"
    return (
        "standardize: put cr.layers.Normalization() before it and call the layer's adapt(x), "
        "or x = (x - x.mean(0)) / x.std(0)"
    )


def find_unscaled_targets(examination: Examination) -> Iterator[Finding]:
    """Numbers to be predicted that are large."""
    for target in examination.targets:
        if not isinstance(target.loss, MeanSquaredError | MeanAbsoluteError | Huber | LogCosh | SmoothL1):
            continue
        values = target.values.astype(np.float64)
        size = float(np.sqrt((values**2).mean()))
        if size > LARGE_TARGET:
            yield Finding(
                rule="unscaled-targets",
                severity="warning",
                where=target.name,
                problem="the targets are large, and weights that begin near 0 have a long way to go",
                evidence=f"mean {values.mean():.4g}, standard deviation {values.std():.4g}",
                fix="train on (y - mean) / deviation, and turn predictions back: y * deviation + mean",
            )
