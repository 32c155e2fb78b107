"""The training loop: epochs of steps in native code, with a return to Python about every 50 ms.

In between come the progress line, callbacks and Ctrl-C, which therefore always finds whole steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import seeds
from chainrule.callbacks.callback import Callback, CallbackList
from chainrule.data.arrays import check_array, check_count, check_labels, check_lengths
from chainrule.errors import ChainruleError, DataError, NonFiniteLossError
from chainrule.graph.shapes import format_shape
from chainrule.losses import SparseCategoricalCrossentropy, line_up
from chainrule.training.history import History
from chainrule.training.progress import Progress
from chainrule.training.step import record, test_step, train_step

_CHUNK_SECONDS = 0.05


def prepare(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    prefix: str = "",
) -> list[np.ndarray | None]:
    """x, y and weights as arrays that fit the model; everything that does not fit is refused here."""
    x_array, y_array = check_array(f"{prefix}x", x), check_array(f"{prefix}y", y)
    weight = None if sample_weight is None else check_array(f"{prefix}sample_weight", sample_weight).astype(np.float32)
    rows = check_lengths([(f"{prefix}x", x_array), (f"{prefix}y", y_array), (f"{prefix}sample_weight", weight)])
    model.ensure_built(x_array)
    output = model.output_shape
    last = model.layers[-1].name
    if isinstance(model.loss, SparseCategoricalCrossentropy):
        labels = y_array.reshape(rows, -1) if y_array.ndim == len(output) + 1 and y_array.shape[-1] == 1 else y_array
        if labels.shape[1:] != output[:-1] and labels.size != rows * int(np.prod(output[:-1], dtype=int)):
            raise DataError(
                "the labels do not fit the predictions",
                where=f"{prefix}y",
                expected=f"one whole number a sample, as layer '{last}' gives {f'(batch, {format_shape(output)[1:]}'}",
                got=format_shape(y_array.shape),
                fix="use CategoricalCrossentropy for targets with one number a class",
            )
        if model.loss.ignore_class is None:
            check_labels(f"{prefix}y", y_array, int(output[-1]), last)
        y_array = np.ascontiguousarray(y_array.reshape(rows, *output[:-1]), dtype=np.int32)
    else:
        blank = np.broadcast_to(np.float32(0), (1, *output))
        try:
            line_up(model.loss.name, np.broadcast_to(np.float32(0), (1, *y_array.shape[1:])), blank)
        except ChainruleError as error:
            raise error.located(f"{prefix}y, layer '{last}'") from None
    if class_weight is not None:
        weight = weigh_classes(y_array, class_weight, weight)
    return [x_array, y_array, weight]


def weigh_classes(y: np.ndarray, class_weight: dict[int, float], weight: np.ndarray | None) -> np.ndarray:
    """A weight a sample from a weight a class, times the samples' own."""
    labels = np.argmax(y, -1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y)).astype(int)
    missing = sorted(set(np.unique(labels).tolist()) - set(class_weight))
    if missing:
        raise DataError("a class has no weight", where="class_weight", expected="one for every label", got=missing)
    weights = np.array([class_weight[int(label)] for label in labels], dtype=np.float32)
    return weights if weight is None else weights * weight


def executable_for(model: Any, step: Any, arrays: list[np.ndarray | None]) -> Any:
    """The compiled step for data of these types, kept with the model."""
    key = (step.__name__, tuple(None if array is None else (str(array.dtype), array.shape[1:]) for array in arrays))
    if key not in model.executables:
        from chainrule.runtime.jit import build

        model.executables[key] = build(record(model, step, arrays), eager=model.run_eagerly)
    return model.executables[key]


def split_validation(
    arrays: list[np.ndarray | None], part: float
) -> tuple[list[np.ndarray | None], list[np.ndarray | None]]:
    """The last `part` of the rows is held out, before any shuffling, as in Keras."""
    if not isinstance(part, int | float) or not 0 < part < 1:
        raise DataError("not a part of the data", where="validation_split", expected="above 0, below 1", got=repr(part))
    rows = len(arrays[0]) if arrays[0] is not None else 0
    cut = int(rows * (1 - part))
    if cut == 0 or cut == rows:
        raise DataError("one side of the split is empty", where="validation_split", expected="rows on both", got=rows)
    first = [None if array is None else array[:cut] for array in arrays]
    return first, [None if array is None else array[cut:] for array in arrays]


def fit(
    model: Any,
    x: Any,
    y: Any,
    batch_size: int | None,
    epochs: int,
    verbose: Any,
    callbacks: Sequence[Callback] | None,
    validation_split: float,
    validation_data: Any,
    shuffle: bool,
    class_weight: dict[int, float] | None,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_batch_size: int | None,
    validation_freq: int,
) -> History:
    """Train; see `Model.fit`."""
    model.require_compiled()
    size = check_count("batch_size", 32 if batch_size is None else batch_size)
    epochs = check_count("epochs", epochs, 0)
    arrays = prepare(model, x, y, sample_weight, class_weight)
    validation = None
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
            raise DataError(
                "not a pair of arrays", where="validation_data", expected="(x, y)", got=type(validation_data)
            )
        validation = prepare(model, *validation_data, prefix="validation ")  # type: ignore[misc]
    elif validation_split:
        arrays, validation = split_validation(arrays, validation_split)
    model.resolve_metrics(arrays)
    given = [array for array in arrays if array is not None]
    rows = len(given[0])
    steps = -(-rows // size)
    if steps_per_epoch is not None:
        steps = min(steps, check_count("steps_per_epoch", steps_per_epoch))
    history = History()
    watchers = CallbackList(
        [history, *(callbacks or [])], model, {"epochs": epochs, "steps": steps, "verbose": verbose}
    )
    progress = Progress(1 if verbose == "auto" else int(verbose), epochs)
    executable = executable_for(model, train_step, arrays)
    generator = seeds.generator()
    order = np.arange(rows, dtype=np.int32)
    model.stop_training = False
    chunk = 1
    watchers.call("on_train_begin")
    try:
        for epoch in range(initial_epoch, epochs):
            watchers.call("on_epoch_begin", epoch)
            progress.begin(epoch, steps)
            if shuffle:
                order = generator.permutation(rows).astype(np.int32)
            model.reset_metrics()
            done = 0
            while done < steps:
                count = 1 if watchers.watch_batches else min(chunk, steps - done)
                if watchers.watch_batches:
                    watchers.call("on_train_batch_begin", done)
                began = time.perf_counter()
                executable.run_steps([*given, order], batch_size=size, first=done, count=count)
                chunk = max(1, int(count * _CHUNK_SECONDS / max(time.perf_counter() - began, 1e-6)))
                done += count
                check_finite(model, epoch)
                if watchers.watch_batches:
                    watchers.call("on_train_batch_end", done - 1, model.logs())
                progress.update(done, model.logs())
                if model.stop_training and watchers.watch_batches:
                    break
            logs = model.logs()
            if validation is not None and (epoch + 1) % validation_freq == 0:
                tested = test(model, validation, validation_batch_size or size)
                logs.update({f"val_{name}": value for name, value in tested.items()})
            progress.end(logs)
            watchers.call("on_epoch_end", epoch, logs)
            if model.stop_training:
                break
    finally:
        watchers.call("on_train_end")
    return history


def check_finite(model: Any, epoch: int) -> None:
    """Stop where the loss was no number."""
    step = int(model.first_bad_step.numpy())
    if step >= 0:
        model.first_bad_step.assign(-1)
        raise NonFiniteLossError(
            "the loss became NaN or infinite",
            where=f"epoch {epoch + 1}, step {step + 1} of the epoch",
            expected="a finite loss",
            fix="lower the learning rate, set clipnorm, or scale the inputs",
        )


def test(model: Any, arrays: list[np.ndarray | None], batch_size: int) -> dict[str, float]:
    """Loss and metrics over arrays that were prepared."""
    executable = executable_for(model, test_step, arrays)
    given = [array for array in arrays if array is not None]
    rows = len(given[0])
    kept = [variable.numpy() for variable in model.metric_variables]
    model.reset_metrics()
    order = np.arange(rows, dtype=np.int32)
    try:
        executable.run_steps([*given, order], batch_size=batch_size, first=0, count=-(-rows // batch_size))
        return model.logs()
    finally:
        for variable, value in zip(model.metric_variables, kept, strict=True):
            variable.assign(value)
