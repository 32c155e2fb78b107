"""The training loop: epochs of steps in native code, with a return to Python about every 50 ms.

In between come the callbacks, the progress line among them, and Ctrl-C, which therefore always finds whole steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.callbacks.callback import Callback
from chainrule.callbacks.callback_list import CallbackList
from chainrule.data.arrays import check_count
from chainrule.errors import DataError, NonFiniteLossError
from chainrule.graph.tree import flatten
from chainrule.graph.variable import kept
from chainrule.training.feed import ArrayFeed, BatchFeed, is_iterable_of_batches
from chainrule.training.history import History
from chainrule.training.prepare import add_class_weights, prepare, prepare_pair, split_validation
from chainrule.training.rewind import Rewind
from chainrule.training.run import Run
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
    epochs, initial_epoch = check_count("epochs", epochs, 0), check_count("initial_epoch", initial_epoch, 0)
    feed, validation = make_feeds(
        model, x, y, size, sample_weight, class_weight, validation_split, validation_data, steps_per_epoch,
        validation_steps, validation_batch_size,
    )  # fmt: skip
    watchers = CallbackList(
        callbacks, add_history=True, add_progbar=verbose != 0, model=model, epochs=epochs, steps=feed.steps,
        verbose=verbose,
    )  # fmt: skip
    run = Run(model, feed, watchers, initial_epoch, shuffle, validation is not None)
    outer, model.training_run = model.training_run, run
    model.stop_training, model.history = False, watchers.history
    model.batch_rewind = None  # what `train_on_batch` kept is not what the weights come from after this
    try:
        watchers.on_train_begin()
        logs = train_epochs(model, run, watchers, epochs, validation, validation_freq)
        watchers.on_train_end(logs)
    except BaseException as error:
        watchers.on_train_abort(error)
        raise
    finally:
        model.training_run = outer
        renew_rewind(outer)
    return watchers.history


def train_epochs(
    model: Any, run: Run, watchers: CallbackList, epochs: int, validation: Feed | None, validation_freq: Any
) -> dict[str, float]:
    """All epochs, from where the run stands; what the last one logged."""
    logs: dict[str, float] = {}
    try:
        run.rewind = rewind = None if watchers.takes_bad_steps else Rewind(model, run)
        for epoch in range(run.epoch, epochs):
            if model.stop_training:
                break
            if rewind is None:
                run.begin_epoch(epoch)
            else:
                rewind.begin_epoch(run, epoch)
            watchers.on_epoch_begin(epoch)
            run.settle()
            train_epoch(model, run, watchers, rewind)
            logs = model.logs()
            if validation is not None and is_due(validation_freq, epoch):
                tested = test(model, validation, watchers)
                logs.update({f"val_{name}": value for name, value in tested.items()})
            run.end_epoch()
            watchers.on_epoch_end(epoch, logs)
    finally:
        if run.batches > 0:
            finish_weights(model, epochs)
    return logs


def finish_weights(model: Any, epochs: int) -> None:
    """Let an optimizer that averages weights put the averages in their place; before the first step there are none."""
    finalize = getattr(model.optimizer, "finalize_variable_values", None)
    if finalize is not None and epochs > 0 and int(np.asarray(model.optimizer.iterations)) > 0:
        finalize(model.trained().weights)


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
        data = prepare(model, x, y, sample_weight)
        if validation_split and validation_data is None:
            data, held_out = split_validation(data, validation_split)
        data = add_class_weights(model, data, class_weight)
        feed = ArrayFeed(model, train_step, data, size, steps_per_epoch)
    tested = size if validation_batch_size is None else check_count("validation_batch_size", validation_batch_size)
    if held_out is not None:
        return feed, ArrayFeed(model, test_step, held_out, tested, validation_steps)
    if validation_data is None:
        return feed, None
    return feed, make_test_feed(model, validation_data, tested, validation_steps)


def make_test_feed(model: Any, data: Any, size: int, steps: int | None, name: str = "validation ") -> Feed:
    """The feed of data to test on: (x, y), (x, y, sample_weight), or an iterable of batches."""
    if is_iterable_of_batches(data):
        return BatchFeed(model, test_step, data, steps, name=name)
    return ArrayFeed(model, test_step, prepare_pair(model, data, name), size, steps)


def is_due(freq: Any, epoch: int) -> bool:
    """Whether to validate after this epoch: every `freq` epochs, or after those listed, counted from 1."""
    if not isinstance(freq, list | tuple | set):
        check_count("validation_freq", freq)
    return epoch + 1 in freq if isinstance(freq, list | tuple | set) else (epoch + 1) % freq == 0


def train_epoch(model: Any, run: Run, watchers: CallbackList, rewind: Rewind | None) -> None:
    """The steps of an epoch, from where the run stands.

    Args:
        rewind: what keeps the last steps, to explain a loss that is no number; None where callbacks deal with it.
    """
    feed = run.feed
    while feed.steps is None or run.done < feed.steps:
        count = min(run.chunk, watchers.batches_until_call(run.batches))
        if feed.steps is not None:
            count = min(count, feed.steps - run.done)
        watchers.on_train_batch_begin(run.done)
        stretch = feed.take(run.done, count)
        if stretch is None:
            refuse_nothing(run.done, "x")
            break
        began = time.perf_counter()
        if rewind is not None:
            rewind.before(stretch, run.epoch, run.done, began)
        stretch.run()
        count = stretch.steps
        run.chunk = max(1, int(count * _CHUNK_SECONDS / max(time.perf_counter() - began, 1e-6)))
        run.done, run.batches = run.done + count, run.batches + count
        if rewind is not None:
            check_finite(model, rewind, run)
        if watchers.listens("on_train_batch_end"):
            watchers.on_train_batch_end(run.done - 1, model.logs())
        if model.stop_training:
            break


def refuse_nothing(done: int, where: str) -> None:
    """An epoch without a batch has no loss."""
    if done == 0:
        raise DataError(
            "there was no batch",
            where=where,
            expected="at least one an epoch",
            got="an iterable at its end",
            fix="give something that can be begun anew, or a generator that goes on",
        )


def check_finite(model: Any, rewind: Rewind, run: Run | None = None) -> None:
    """Stop where the loss was no number, and tell where that came from.

    Args:
        run: of the step; None for `train_on_batch`.
    """
    step = model.take_bad_step()
    if step < 0:
        return
    after = int(model.watch.step_in_epoch.memory)
    from chainrule.inspect.provenance.blame import refusal

    back = after - 1 - step
    where = f"train_on_batch, step {step + 1} since reset_metrics"
    if run is not None:
        where = f"epoch {run.epoch + 1}, step {run.done - back} of the epoch"
    raise refusal(model, rewind, where, back)


def train_on_batch(model: Any, data: Any) -> None:
    """One step on these rows; see `Model.train_on_batch`."""
    run = model.training_run
    if run is not None or model.batch_rewind is None:  # within a `fit`, its steps come in between
        model.batch_rewind = Rewind(model)
    stretch = ArrayFeed(model, train_step, data, len(flatten(data)[0][0])).take(0, 1)
    model.batch_rewind.before(stretch, 0, int(model.watch.step_in_epoch.memory), time.perf_counter())
    stretch.run()
    try:
        check_finite(model, model.batch_rewind)
    except NonFiniteLossError:
        model.batch_rewind = None
        raise
    finally:
        if run is not None:
            model.batch_rewind = None
            renew_rewind(run)


def renew_rewind(run: Run | None) -> None:
    """A training within which the model was trained otherwise can repeat its steps only from here on."""
    if run is not None and run.rewind is not None:
        run.rewind.renew()


def test(model: Any, feed: Feed, watchers: CallbackList | None = None) -> dict[str, float]:
    """Loss and metrics over a feed; the running ones of training stay as they are."""
    watchers = CallbackList() if watchers is None else watchers
    step = model.watch.step
    watching = watchers.listens("on_test_batch_begin") or watchers.listens("on_test_batch_end")
    try:
        with kept(model.metric_variables):
            model.reset_metrics()
            watchers.on_test_begin()
            feed.begin()
            done = 0
            while feed.steps is None or done < feed.steps:
                if watching:
                    watchers.on_test_batch_begin(done)
                stretch = feed.take(done, 1 if watching or feed.steps is None else feed.steps - done)
                if stretch is None:
                    refuse_nothing(done, "the data to test on")
                    break
                stretch.run()
                done += stretch.steps
                if watching:
                    watchers.on_test_batch_end(done - 1, model.logs())
            feed.end()
            logs: dict[str, float] = model.logs()
    finally:
        model.watch.step = step
    watchers.on_test_end(logs)
    return logs
