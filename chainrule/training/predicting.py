"""Predictions: in batches for many rows, through staged memory for few.

A row's prediction has the same bits alone or among others, so the two ways cannot be told apart by their results.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.callbacks.callback_list import CallbackList
from chainrule.data.arrays import check_array, check_count, check_lengths
from chainrule.errors import DataError
from chainrule.graph.tracing import TracedFunction, trace
from chainrule.graph.tree import flatten, map_leaves, unflatten
from chainrule.layers.symbolic import batch_type
from chainrule.runtime.executable import Executable
from chainrule.runtime.jit import build
from chainrule.runtime.staged import Staged
from chainrule.training.feed import is_iterable_of_batches, iterate, unpack
from chainrule.training.nests import map_arrays

_ROWS = 1024
"""Rows a batch, where nothing is said."""
_FEW = 64
"""Rows up to which copying them in and out is cheaper than looking after the caller's arrays."""


def predict_step(model: Any, x: Any) -> Any:
    """The predictions for a batch, and how many of its numbers are not finite."""
    predictions = model.predict_step(x)
    bad: Any = np.int32(0)
    for leaf in flatten(x)[0]:
        if leaf.dtype.is_float:
            bad = ops.add(bad, ops.sum(ops.cast(ops.logical_not(ops.isfinite(leaf)), "int32")))
    return predictions, bad


def record_predict(model: Any, x: Any) -> TracedFunction:
    """Trace the step for rows of these arrays' types."""
    types = map_leaves(batch_type, x)
    leaves, tree = flatten((types,))

    def recorded(x: Any) -> Any:
        return predict_step(model, x)

    recorded.__name__ = "predict_step"
    return trace(recorded, leaves, tree, ["x"] if len(leaves) == 1 else [f"x{n}" for n in range(len(leaves))])


class Predictor:
    """The compiled predictions of a model for rows of one kind."""

    def __init__(self, model: Any, x: Any):
        self.kind = kind_of(x)
        leaves = flatten(x)[0]
        traced = record_predict(model, x)
        self.executable: Any = build(traced, eager=model.run_eagerly)
        self.tree = traced.result_tree.children[0]
        plain = len(leaves) == 1 and traced.results == 2 and isinstance(x, np.ndarray) and self.tree.kind == "leaf"
        self.staged = Staged(self.executable, _FEW) if plain and isinstance(self.executable, Executable) else None

    def few(self, x: Any, batch_size: int | None) -> np.ndarray | None:
        """Predictions for an array of a few such rows that are one batch; None for anything else.

        None too while another thread, or the one that a signal handler has interrupted, is at this point.
        """
        staged = self.staged
        if staged is None:
            return None
        try:
            del staged.idle[0]  # unlike a call of `pop`, no signal handler can come between it and the next `try`
        except IndexError:
            return None
        try:
            rows = staged.prepared
            if rows is None or rows.launch(x):
                rows = staged.run(x)
            if rows is None or batch_size is not None and not (type(batch_size) is int and batch_size >= rows.count):
                return None
            return rows.results[0].copy()
        finally:
            staged.idle.append(None)

    def batch(self, leaves: list[np.ndarray]) -> list[np.ndarray]:
        """Predictions for one batch, as leaves."""
        *predictions, bad = self.executable(*leaves)
        if bad:
            for place, leaf in enumerate(leaves):
                check_array("x" if len(leaves) == 1 else f"x[{place}]", leaf)
        return predictions


def kind_of(x: Any) -> Any:
    """What must be equal for the same code to serve."""
    leaves, tree = flatten(x)
    return tree, tuple((str(leaf.dtype), leaf.shape[1:]) for leaf in leaves)


def predict(
    model: Any, x: Any, batch_size: int | None, steps: int | None = None, callbacks: Sequence[Any] | None = None
) -> Any:
    """Predictions for every row.

    Raises:
        DataError: for rows that do not fit the model, and for NaN or infinity.
    """
    found = model.predictor
    predictions = None if found is None or callbacks else found.few(x, batch_size)
    if predictions is not None:
        return predictions
    if is_iterable_of_batches(x):
        batches: Iterator[Any] = (unpack(batch)[0] for batch in itertools.islice(iterate(x), steps))
        return run_batches(model, batches, steps, callbacks)
    nest = arrange(model, x)
    size = _ROWS if batch_size is None else check_count("batch_size", batch_size)
    rows = check_lengths([("x", leaf) for leaf in flatten(nest)[0]])
    predictions = None if callbacks else predictor_for(model, nest).few(nest, size)
    if predictions is not None:
        return predictions
    starts = list(range(0, rows, size))[:steps]
    return run_batches(model, (rows_from(nest, at, size) for at in starts), steps, callbacks)


def arrange(model: Any, x: Any) -> Any:
    """Arrays as the model takes them; their numbers are looked at by the compiled step."""
    given = map_arrays(lambda name, value: check_array(name, value, finite=False), "x", model.arrange_inputs(x))
    return model.adjust_ranks(given)


def rows_from(nest: Any, start: int, count: int) -> Any:
    """Some rows of every array."""
    return map_leaves(lambda leaf: leaf[start : start + count], nest)


def predictor_for(model: Any, nest: Any) -> Predictor:
    """The model's code for these arrays."""
    model.ensure_fits(nest)
    found: Predictor | None = model.predictor
    if found is None or found.kind != kind_of(nest):
        found = model.predictor = Predictor(model, nest)
    return found


def run_batches(model: Any, batches: Iterator[Any], steps: int | None, callbacks: Sequence[Any] | None) -> Any:
    """The predictions for batches, put together."""
    watchers = CallbackList(callbacks, model=model, steps=steps)
    parts: list[list[np.ndarray]] = []
    found: Predictor | None = None
    watchers.call("on_predict_begin")
    for number, batch in enumerate(batches):
        watchers.call("on_predict_batch_begin", number)
        nest = arrange(model, batch)
        found = predictor_for(model, nest)
        parts.append(found.batch(flatten(nest)[0]))
        watchers.call("on_predict_batch_end", number)
    watchers.call("on_predict_end")
    if found is None:
        raise DataError("there are no rows", where="x", expected="at least one batch", got="none")
    joined = [leaves[0] if len(leaves) == 1 else np.concatenate(leaves) for leaves in zip(*parts, strict=True)]
    return unflatten(found.tree, joined)
