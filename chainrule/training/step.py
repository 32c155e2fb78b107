"""The steps: training, testing and predicting, each an ordinary traced function of a few lines.

draw a batch → forward → loss → gradients → update
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph.tracing import TracedFunction, scope, trace
from chainrule.graph.tree import flatten, map_leaves
from chainrule.graph.types import ArrayType, OpenDim, int32, type_of
from chainrule.layers.symbolic import BATCH
from chainrule.utils.arrays import pack_x_y_sample_weight

ROWS = OpenDim("rows")


def draw(nest: Any, rows: Any) -> Any:
    """The rows of a batch, of every array."""
    with scope("batch"):
        return map_leaves(lambda array: ops.take(array, rows, axis=0), nest)


def train_step(model: Any, x: Any, y: Any, weight: Any, rows: Any) -> None:
    """One step of training; Variables carry everything out."""
    model.keep_logs("train_step", model.train_step(pack_x_y_sample_weight(*draw((x, y, weight), rows))))


def test_step(model: Any, x: Any, y: Any, weight: Any, rows: Any) -> None:
    """Loss and metrics of one batch."""
    model.keep_logs("test_step", model.test_step(pack_x_y_sample_weight(*draw((x, y, weight), rows))))


def open_type(array: np.ndarray) -> ArrayType:
    """The type of a data set's array, its number of rows open."""
    array_type = type_of(array)
    return ArrayType(array_type.dtype, (ROWS, *array_type.shape[1:]))


def record(model: Any, step: Callable[..., Any], data: Any) -> TracedFunction:
    """Trace a step for data of these types: a nest (x, y, weight); what is None stays None."""
    types = map_leaves(open_type, data)
    leaves, tree = flatten((*types, ArrayType(int32, (BATCH,))))
    names = name_leaves(data)

    def recorded(*arguments: Any) -> Any:
        return step(model, *arguments)

    recorded.__name__ = step.__name__
    return trace(recorded, leaves, tree, [*names, "rows"])


def name_leaves(data: Any) -> list[str]:
    """A name for each array of the nest: x, y, weight, with a number where there are several."""
    names = []
    for name, nest in zip(("x", "y", "weight"), data, strict=True):
        count = len(flatten(nest)[0])
        names += [name] if count == 1 else [f"{name}{place}" for place in range(count)]
    return names
