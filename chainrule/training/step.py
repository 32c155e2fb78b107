"""The steps: training and testing, each an ordinary traced function of a few lines.

draw a batch → forward → loss → gradients → update
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.autodiff.reverse import value_and_grad
from chainrule.graph.tracing import TracedFunction, scope, trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, OpenDim, int32, type_of

ROWS, BATCH = OpenDim("rows"), OpenDim("batch")


def draw(array: Any, rows: Any) -> Any:
    """The rows of a batch."""
    return None if array is None else ops.take(array, rows, axis=0)


def train_step(model: Any, x: Any, y: Any, weight: Any, rows: Any) -> None:
    """One step of training; Variables carry everything out."""
    with scope("batch"):
        x, y, weight = draw(x, rows), draw(y, rows), draw(weight, rows)

    def loss_of(variables: Any) -> Any:
        predictions = model(x, training=True)
        with scope("loss"):
            return model.loss(y, predictions, weight), predictions

    (loss, predictions), gradients = value_and_grad(loss_of, has_aux=True)(list(model.trainable_variables))
    model.optimizer.apply(gradients, model.trainable_variables)
    with scope("metrics"):
        model.track(loss, y, predictions, weight)
        model.note_bad_step(loss)


def test_step(model: Any, x: Any, y: Any, weight: Any, rows: Any) -> None:
    """Loss and metrics of one batch."""
    with scope("batch"):
        x, y, weight = draw(x, rows), draw(y, rows), draw(weight, rows)
    predictions = model(x)
    with scope("loss"):
        loss = model.loss(y, predictions, weight)
    with scope("metrics"):
        model.track(loss, y, predictions, weight)


def open_type(array: np.ndarray) -> ArrayType:
    """The type of a data set's array, its number of rows open."""
    array_type = type_of(array)
    return ArrayType(array_type.dtype, (ROWS, *array_type.shape[1:]))


def record(model: Any, step: Callable[..., Any], arrays: list[np.ndarray | None]) -> TracedFunction:
    """Trace a step for data of these types; what is None stays None."""
    types = tuple(None if array is None else open_type(array) for array in arrays)
    leaves, tree = flatten((*types, ArrayType(int32, (BATCH,))))
    names = [name for name, array in zip(("x", "y", "weight"), arrays, strict=False) if array is not None]

    def recorded(*arguments: Any) -> Any:
        return step(model, *arguments)

    recorded.__name__ = step.__name__
    return trace(recorded, leaves, tree, [*names, "rows"])
