"""The training loop: epochs of steps in native code, with a return to Python about every 50 ms.

In between come the progress line, callbacks and Ctrl-C, which therefore always finds whole steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from chainrule import seeds
from chainrule.callbacks.callback import Callback, CallbackList
from chainrule.data.arrays import check_count
from chainrule.errors import DataError, NonFiniteLossError
from chainrule.training.feed import ArrayFeed, BatchFeed, is_iterable_of_batches
from chainrule.training.history import History
from chainrule.training.prepare import prepare, split_validation
from chainrule.training.progress import Progress
from chainrule.training.step import test_step, train_step

_CHUNK_SECONDS = 0.05

Feed = ArrayFeed | BatchFeed


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
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: int | None,
    validation_freq: Any,
) -> History:
    """Train; see `Model.fit`."""
    model.require_compiled()
    size = check_count("batch_size", 32 if batch_size is None else batch_size)
    epochs = check_count("epochs", epochs, 0)
    feed, validation = make_feeds(
        model, x, y, size, sample_weight, class_weight, validation_split, validation_data, steps_per_epoch,
        validation_steps, validation_batch_size,
    )  # fmt: skip
    history = History()
    watchers = CallbackList(
        [history, *(callbacks or [])], model, {"epochs": epochs, "steps": feed.steps, "verbose": verbose}
    )
    progress = Progress(1 if verbose == "auto" else int(verbose), epochs)
    generator = seeds.generator() if shuffle else None
    model.stop_training = False
    watchers.call("on_train_begin")
    try:
        for epoch in range(initial_epoch, epochs):
            watchers.call("on_epoch_begin", epoch)
            progress.begin(epoch, feed.steps)
            train_epoch(model, feed, epoch, watchers, progress, generator)
            logs = model.logs()
            if validation is not None and is_due(validation_freq, epoch):
                tested = test(model, validation, watchers)
                logs.update({f"val_{name}": value for name, value in tested.items()})
            progress.end(logs)
            watchers.call("on_epoch_end", epoch, logs)
            if model.stop_training:
                break
    finally:
        watchers.call("on_train_end")
    return history


def make_feeds(
    model: Any,
    x: Any,
    y: Any,
    size: int,
    sample_weight: Any,
    class_weight: Any,
    validation_split: Any,
    validation_data: Any,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: int | None,
) -> tuple[Feed, Feed | None]:
    """Where the rows of training and of validation come from."""
    held_out = None
    if is_iterable_of_batches(x):
        for name, value in (("y", y), ("sample_weight", sample_weight), ("validation_split", validation_split or None)):
            if value is not None:
                raise DataError(f"x gives batches, so {name} cannot be given apart", where="fit", got=type(x).__name__)
        feed: Feed = BatchFeed(model, train_step, x, steps_per_epoch, class_weight)
    else:
        data = prepare(model, x, y, sample_weight, class_weight)
        if validation_split and validation_data is None:
            data, held_out = split_validation(data, validation_split)
        feed = ArrayFeed(model, train_step, data, size, steps_per_epoch)
    tested = validation_batch_size or size
    if held_out is not None:
        return feed, ArrayFeed(model, test_step, held_out, tested, validation_steps)
    if validation_data is None:
        return feed, None
    return feed, make_test_feed(model, validation_data, tested, validation_steps)


def make_test_feed(model: Any, data: Any, size: int, steps: int | None) -> Feed:
    """The feed of `validation_data`: (x, y), (x, y, sample_weight), or an iterable of batches."""
    if is_iterable_of_batches(data):
        return BatchFeed(model, test_step, data, steps, name="validation ")
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise DataError("not a pair of arrays", where="validation_data", expected="(x, y)", got=type(data))
    x, y, weight = (*data, None)[:3]
    return ArrayFeed(model, test_step, prepare(model, x, y, weight, prefix="validation "), size, steps)


def is_due(freq: Any, epoch: int) -> bool:
    """Whether to validate after this epoch: every `freq` epochs, or after those listed, counted from 1."""
    return epoch + 1 in freq if isinstance(freq, list | tuple | set) else (epoch + 1) % freq == 0


def train_epoch(model: Any, feed: Feed, epoch: int, watchers: CallbackList, progress: Progress, generator: Any) -> None:
    """All steps of an epoch."""
    feed.begin(generator)
    model.reset_metrics()
    done, chunk = 0, 1
    while feed.steps is None or done < feed.steps:
        left = chunk if feed.steps is None else min(chunk, feed.steps - done)
        count = 1 if watchers.watch_batches else left
        if watchers.watch_batches:
            watchers.call("on_train_batch_begin", done)
        began = time.perf_counter()
        count = feed.run(done, count)
        if count == 0:
            break
        chunk = max(1, int(count * _CHUNK_SECONDS / max(time.perf_counter() - began, 1e-6)))
        done += count
        check_finite(model, epoch)
        if watchers.watch_batches:
            watchers.call("on_train_batch_end", done - 1, model.logs())
        progress.update(done, model.logs())
        if model.stop_training and watchers.watch_batches:
            break


def check_finite(model: Any, epoch: int) -> None:
    """Stop where the loss was no number."""
    step = model.take_bad_step()
    if step >= 0:
        raise NonFiniteLossError(
            "the loss became NaN or infinite",
            where=f"epoch {epoch + 1}, step {step + 1} of the epoch",
            expected="a finite loss",
            fix="lower the learning rate, set clipnorm, or scale the inputs",
        )


def test(model: Any, feed: Feed, watchers: CallbackList | None = None) -> dict[str, float]:
    """Loss and metrics over a feed; the running ones of training stay as they are."""
    kept = [variable.numpy() for variable in model.metric_variables]
    model.reset_metrics()
    watching = watchers is not None and watchers.watch_tests
    if watchers is not None:
        watchers.call("on_test_begin")
    try:
        feed.begin()
        done = 0
        while feed.steps is None or done < feed.steps:
            if watching and watchers is not None:
                watchers.call("on_test_batch_begin", done)
            count = feed.run(done, 1 if watching or feed.steps is None else feed.steps - done)
            if count == 0:
                break
            done += count
            if watching and watchers is not None:
                watchers.call("on_test_batch_end", done - 1, model.logs())
        logs: dict[str, float] = model.logs()
    finally:
        for variable, value in zip(model.metric_variables, kept, strict=False):
            variable.assign(value)
    if watchers is not None:
        watchers.call("on_test_end", logs)
    return logs
