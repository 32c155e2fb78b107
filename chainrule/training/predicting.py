"""Predictions: in batches for many rows, through staged memory for few.

A row's prediction has the same bits alone or among others, so the two ways cannot be told apart by their results.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.data.arrays import check_array, check_count
from chainrule.graph.tracing import TracedFunction, trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, as_dtype
from chainrule.runtime.executable import Executable
from chainrule.runtime.jit import build
from chainrule.runtime.staged import Staged
from chainrule.training.step import BATCH

_ROWS = 1024
"""Rows a batch, where nothing is said."""
_FEW = 64
"""Rows up to which copying them in and out is cheaper than looking after the caller's arrays."""


def predict_step(model: Any, x: Any) -> Any:
    """The predictions for a batch, and how many of its numbers are not finite."""
    predictions = model(x)
    if not x.dtype.is_float:
        return predictions, np.int32(0)
    return predictions, ops.sum(ops.cast(ops.logical_not(ops.isfinite(x)), "int32"))


def record_predict(model: Any, dtype: Any, shape: tuple[int, ...]) -> TracedFunction:
    """Trace the step for rows of this type."""
    leaves, tree = flatten((ArrayType(dtype, (BATCH, *shape)),))

    def recorded(x: Any) -> Any:
        return predict_step(model, x)

    recorded.__name__ = "predict_step"
    return trace(recorded, leaves, tree, ["x"])


class Predictor:
    """The compiled predictions of a model for rows of one type."""

    def __init__(self, model: Any, array: np.ndarray):
        self.dtype, self.shape = array.dtype, array.shape[1:]
        self.executable: Any = build(record_predict(model, as_dtype(array.dtype), self.shape), eager=model.run_eagerly)
        self.staged = Staged(self.executable, _FEW) if isinstance(self.executable, Executable) else None

    def takes(self, x: Any) -> bool:
        """Whether x is an array of a few such rows, which needs no further look."""
        return (
            type(x) is np.ndarray
            and x.dtype == self.dtype
            and x.shape[1:] == self.shape
            and 0 < len(x) <= _FEW
            and self.staged is not None
        )

    def few(self, x: np.ndarray) -> np.ndarray:
        """Predictions for an array that `takes` accepted."""
        staged, rows = self.staged, len(x)
        assert staged is not None
        with staged.lock:
            staged.input[:rows] = x
            staged.run(rows)
            predictions, bad = staged.results
            if bad:
                check_array("x", x)
            return predictions[:rows].copy()

    def many(self, x: np.ndarray, size: int) -> np.ndarray:
        """Predictions for an array of any length, in batches."""
        parts = []
        for start in range(0, len(x), size):
            batch = x[start : start + size]
            predictions, bad = self.executable(batch)
            if bad:
                check_array("x", x)
            parts.append(predictions)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def predict(model: Any, x: Any, batch_size: int | None) -> np.ndarray:
    """Predictions for every row.

    Raises:
        DataError: for rows that do not fit the model, and for NaN or infinity.
    """
    found = model.predictor
    if batch_size is None and found is not None and found.takes(x):
        return found.few(x)
    array = check_array("x", x, finite=False)
    model.ensure_built(array)
    size = _ROWS if batch_size is None else check_count("batch_size", batch_size)
    if found is None or array.dtype != found.dtype or array.shape[1:] != found.shape:
        found = model.predictor = Predictor(model, array)
    if found.takes(array) and size >= len(array):
        return found.few(array)
    return found.many(array, size)
