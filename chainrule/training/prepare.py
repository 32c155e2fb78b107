"""Users' data as what a model's steps take: a nest (x, y, weights) of checked arrays.

x keeps the structure that it was given in. y and the weights are one array for one output, else a list in the order of
the outputs. Everything that does not fit is refused here, before any training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data.arrays import check_array, check_labels, check_lengths
from chainrule.errors import ChainruleError, DataError
from chainrule.graph.shapes import format_shape
from chainrule.graph.tree import flatten, map_leaves
from chainrule.losses import SparseCategoricalCrossentropy, line_up
from chainrule.training.checks import check_last_activation
from chainrule.training.nests import Output, map_arrays, split

Data = tuple[Any, Any, Any]


def prepare(model: Any, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, prefix: str = "") -> Data:
    """x, y and weights as arrays that fit the model.

    Raises:
        DataError: for arrays of other lengths, shapes, types or labels than the model has, and for NaN or infinity.
    """
    found: list[tuple[str, np.ndarray]] = []

    def check(name: str, value: Any) -> np.ndarray:
        array = check_array(name, value)
        found.append((name, array))
        return array

    x_nest = map_arrays(check, f"{prefix}x", model.arrange_inputs(x))
    if not found:
        raise DataError("there are no data", where=f"{prefix}x", expected="an array", got=repr(x))
    x_nest = model.adjust_ranks(x_nest)
    model.ensure_fits(x_nest)
    if model.objective.given["loss"] is None:  # a `train_step` of the user's own, or losses that layers add
        others = [None if part is None else map_arrays(check, f"{prefix}y", part) for part in (y, sample_weight)]
        check_lengths(found)
        if model.gives_outputs:
            model.objective.meet(model.output_kinds)
        return x_nest, others[0], others[1]
    outputs: list[Output] = model.output_kinds
    model.objective.meet(outputs)
    for place, loss in enumerate(model.objective.losses):
        if loss is not None:
            check_last_activation(loss, model.layers_before(place))
    names = [output.name for output in outputs]
    if y is None:
        raise DataError("there are no targets", where=f"{prefix}y", expected=f"one for {', '.join(names)}", got=None)
    targets = [None if part is None else check(f"{prefix}y", part) for part in split(f"{prefix}y", y, names)]
    for name, target, loss in zip(names, targets, model.objective.losses, strict=True):
        if target is None and loss is not None:
            raise DataError(
                "an output with a loss has no targets", where=f"{prefix}y", expected=names, got=f"no '{name}'"
            )
    check_lengths(found)
    targets = [
        None if target is None or loss is None else check_targets(f"{prefix}y", target, output, loss)
        for target, output, loss in zip(targets, outputs, model.objective.losses, strict=True)
    ]
    weights = [
        None if part is None else check(f"{prefix}sample_weight", part).astype(np.float32)
        for part in split_weights(f"{prefix}sample_weight", sample_weight, names)
    ]
    check_lengths(found)
    model.objective.meet_targets([None if target is None else target.shape for target in targets])
    data = (x_nest, targets[0], weights[0]) if len(names) == 1 else (x_nest, targets, weights)
    return add_class_weights(model, data, class_weight)


def prepare_pair(model: Any, data: Any, prefix: str = "validation ") -> Data:
    """What is held out to test on, ``(x, y)`` or ``(x, y, sample_weight)``, as arrays that fit the model.

    Raises:
        DataError: for what is no such pair, and as `prepare` does.
    """
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise DataError("not a pair of arrays", where="validation_data", expected="(x, y)", got=type(data))
    x, y, weight = (*data, None)[:3]
    return prepare(model, x, y, weight, prefix=prefix)


def add_class_weights(model: Any, data: Data, class_weight: Any) -> Data:
    """The data with a weight a class put onto the samples' own."""
    if class_weight is None:
        return data
    x, y, weight = data
    outputs = model.objective.outputs
    several = len(outputs) > 1
    targets, weights = (y, weight) if several else ([y], [weight])
    classes = split_class_weights(class_weight, [output.name for output in outputs])
    weighed = [
        before if of_class is None or target is None else weigh_classes(target, of_class, before, output)
        for before, target, of_class, output in zip(weights, targets, classes, outputs, strict=True)
    ]
    return x, y, weighed if several else weighed[0]


def check_targets(name: str, y: np.ndarray, output: Output, loss: Any) -> np.ndarray:
    """Targets that fit an output and its loss."""
    rows = len(y)
    if isinstance(loss, SparseCategoricalCrossentropy):
        labels = y.reshape(rows, -1) if y.ndim == len(output.shape) + 1 and y.shape[-1] == 1 else y
        check_axes(name, y, output)
        if labels.shape[1:] != output.shape[:-1] and labels.size != rows * int(np.prod(output.shape[:-1], dtype=int)):
            raise DataError(
                "the labels do not fit the predictions",
                where=name,
                expected=f"one whole number per sample, as layer '{output.layer}' gives "
                f"(batch, {format_shape(output.shape)[1:]}",
                got=format_shape(y.shape),
                fix="use CategoricalCrossentropy for targets with one number per class",
            )
        counted = y if loss.ignore_class is None else y[y != loss.ignore_class]
        if counted.size:
            check_labels(name, counted, int(output.shape[-1]), output.layer)
        return np.ascontiguousarray(y.reshape(rows, *output.shape[:-1]), dtype=np.int32)
    if getattr(loss, "lines_up", True):
        check_axes(name, y, output)
        blank = np.broadcast_to(np.float32(0), (1, *output.shape))
        try:
            line_up(loss.name, np.broadcast_to(np.float32(0), (1, *y.shape[1:])), blank)
        except ChainruleError as error:
            raise DataError(
                error.problem,
                where=f"{name}, layer '{output.layer}': {error.where}",
                expected=f"targets of shape {format_shape((rows, *output.shape))}",
                got=format_shape(y.shape),
                fix="for class numbers use loss='sparse_categorical_crossentropy'"
                if are_class_numbers(y, output)
                else error.fix,
            ) from None
    return y


def check_axes(name: str, y: np.ndarray, output: Output) -> None:
    """Refuse one target a row, or one vector, where the output has more axes, as after a forgotten Flatten.

    Raises:
        DataError: which names the layer and its shape.
    """
    axes = len(output.shape)
    if axes < 2 or y.ndim - 1 >= axes or y.size != len(y) and y.shape[1:] != output.shape[-1:]:
        return
    raise DataError(
        f"layer '{output.layer}' gives (batch, {format_shape(output.shape)[1:]}: the input still has "
        f"{'two' if axes == 2 else 'three' if axes == 3 else axes} axes",
        where=name,
        expected=f"predictions of shape (batch, {int(output.shape[-1])}) for such targets",
        got=f"targets of shape {format_shape(y.shape)}",
        fix="put cr.layers.Flatten() before the first Dense",
    )


def are_class_numbers(y: np.ndarray, output: Output) -> bool:
    """Whether targets are whole numbers below the number of units, one a row."""
    units = int(output.shape[-1]) if output.shape else 1
    return bool(units > 1 and y.size == len(y) and y.min() >= 0 and y.max() < units and (y == np.rint(y)).all())


def split_weights(what: str, weights: Any, names: list[str]) -> list[Any]:
    """Sample weights an output; a single array counts for all outputs."""
    if weights is not None and not isinstance(weights, dict | list | tuple):
        return [weights] * len(names)
    if isinstance(weights, list | tuple) and not any(hasattr(part, "shape") or part is None for part in weights):
        return [weights] * len(names)
    return split(what, weights, names)


def split_class_weights(class_weight: Any, names: list[str]) -> list[Any]:
    """Class weights an output: a dict of numbers for one, a dict of such dicts, or a list of them, for several."""
    if class_weight is None:
        return [None] * len(names)
    if isinstance(class_weight, Mapping) and not any(isinstance(part, Mapping) for part in class_weight.values()):
        if len(names) > 1:
            raise DataError(
                "class weights for one output, where the model has several",
                where="class_weight",
                expected=f"a dict of dicts, by {', '.join(names)}",
                got=dict(class_weight),
            )
        return [class_weight]
    return split("class_weight", class_weight, names)


def weigh_classes(
    y: np.ndarray, class_weight: Mapping[int, float], weight: np.ndarray | None, output: Output
) -> np.ndarray:
    """A weight a label from a weight a class, times the samples' own; a label may be the largest of several numbers."""
    if y.shape[1:] == output.shape and y.shape[-1] > 1:
        labels = np.argmax(y, -1)
    else:
        labels = np.rint(y[..., 0] if y.ndim > 1 and y.shape[-1] == 1 else y).astype(int)
    missing = sorted(set(np.unique(labels).tolist()) - set(class_weight))
    if missing:
        raise DataError("a class has no weight", where="class_weight", expected="one for every label", got=missing)
    known, places = np.unique(labels, return_inverse=True)
    weights = np.array([class_weight[int(label)] for label in known], np.float32)[places].reshape(labels.shape)
    if weight is None:
        return weights
    return weights * weight.reshape(weight.shape + (1,) * (weights.ndim - weight.ndim))


def split_validation(data: Data, part: Any) -> tuple[Data, Data]:
    """The last `part` of the rows is held out, before any shuffling, as in Keras."""
    if not isinstance(part, int | float) or not 0 < part < 1:
        raise DataError("not a part of the data", where="validation_split", expected="above 0, below 1", got=repr(part))
    rows = len(flatten(data)[0][0])
    cut = int(rows * (1 - part))
    if cut == 0 or cut == rows:
        raise DataError("one side of the split is empty", where="validation_split", expected="rows on both", got=rows)
    return map_leaves(lambda array: array[:cut], data), map_leaves(lambda array: array[cut:], data)
