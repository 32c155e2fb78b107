"""Callbacks: the same logs to both, or the same training with both."""

from __future__ import annotations

import contextlib
import io
import json
import re
import struct
import tempfile
import types
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from case import STEPS, Case

import chainrule as cr

Package = Any
Logs = Sequence[dict[str, float]]

EXACT = 1e-12
"""Limit for what is counted or copied."""

RANDOM = np.random.default_rng(0)
SEQUENCES = [np.round(RANDOM.uniform(1, 3, 14), 1) for _ in range(6)] + [np.linspace(3, 1, 14), np.full(14, 2.0)]
"""Losses of some trainings: up and down, down, and level."""

# -- driven by hand -------------------------------------------------------------------------------------------------


class Driven:
    """What callbacks ask of a model: a weight that says in which epoch it was, a rate, whether to stop, files."""

    def __init__(self) -> None:
        self.optimizer = types.SimpleNamespace(learning_rate=np.float32(1.0), name="driven")
        self.stop_training = False
        self.metrics: list[Any] = []
        self.training_run = None
        self.weight = 0.0
        self.saved: list[str] = []

    def get_weights(self) -> list[np.ndarray]:
        return [np.array(self.weight)]

    def set_weights(self, values: Sequence[np.ndarray]) -> None:
        self.weight = float(values[0])

    def save_weights(self, path: Any, overwrite: bool = True) -> None:
        self.saved.append(str(path))

    save = save_weights


def drive(callback: Any, logs: Logs, batches: int = 0) -> tuple[Driven, list[float]]:
    """Epochs that log these, each of so many batches; the model, and the rate after each epoch."""
    model = Driven()
    callback.set_model(model)
    callback.set_params({"epochs": len(logs), "steps": batches, "verbose": 1})
    rates = []
    callback.on_train_begin()
    for epoch, of_epoch in enumerate(logs):
        callback.on_epoch_begin(epoch)
        for batch in range(batches):
            callback.on_train_batch_begin(batch)
            callback.on_train_batch_end(batch, dict(of_epoch))
        model.weight = epoch + 1.0
        callback.on_epoch_end(epoch, dict(of_epoch))
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end()
    return model, rates


def both(name: str, what: str, compute: Callable[[Package], Any], limit: float = EXACT) -> Case:
    """A case that does the same with both packages."""
    return Case(name, lambda: compute(cr), lambda: compute(keras), what, limit)


def losses(values: Sequence[float]) -> Logs:
    return [{"loss": float(value), "val_loss": float(value) + 0.5} for value in values]


def stopped(options: dict[str, Any]) -> Callable[[Package], Any]:
    """Of each sequence: how many epochs there were, the weight at the end, and what the callback kept."""

    def compute(package: Package) -> Any:
        found = []
        for values in SEQUENCES:
            callback = package.callbacks.EarlyStopping("loss", **options)
            model, rates = drive(callback, losses(values))
            found.append([len(rates), model.weight, callback.wait, callback.best_epoch, callback.stopped_epoch])
        return np.array(found)

    return compute


def reduced(options: dict[str, Any]) -> Callable[[Package], Any]:
    """The rates after each epoch of each sequence."""

    def compute(package: Package) -> Any:
        made = (package.callbacks.ReduceLROnPlateau("val_loss", **options) for _ in SEQUENCES)
        return np.array([drive(callback, losses(v))[1] for callback, v in zip(made, SEQUENCES, strict=True)])

    return compute


def checkpointed(options: dict[str, Any], batches: int = 0) -> Callable[[Package], Any]:
    """The epochs and batches in the names of the files that were written."""

    def compute(package: Package) -> Any:
        found: list[int] = []
        place = "{epoch}-{batch}" if "save_freq" in options else "{epoch}-{loss:.1f}"
        for values in SEQUENCES:
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/{place}.weights.h5"
                callback = package.callbacks.ModelCheckpoint(path, "loss", save_weights_only=True, **options)
                names = [Path(name).name for name in drive(callback, losses(values), batches)[0].saved]
            found += [-1, *(int(number) for name in names for number in re.findall(r"\d+", name)[:2])]
        return np.array(found)

    return compute


def csv_rows(logs: Logs, again: Logs = (), **options: Any) -> Callable[[Package], Any]:
    """The bytes of the file."""

    def compute(package: Package) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.csv"
            for part in (logs, again):
                if part:
                    drive(package.callbacks.CSVLogger(str(path), **options), part)
            return np.frombuffer(path.read_bytes(), np.uint8)

    return compute


def sent(options: dict[str, Any]) -> Callable[[Package], Any]:
    """What a server gets: path, field and numbers, as bytes."""
    logs = [{"loss": 0.5, "acc": np.float32(0.25)}, {"loss": 0.125, "val_loss": np.array(2.0)}]

    def ours() -> list[str]:
        posted = []

        def post(request: Any, timeout: float) -> Any:
            body = request.data.decode()
            if not options.get("send_as_json"):
                ((field, (body,)),) = urllib.parse.parse_qs(body).items()
                body = field + body
            posted.append(request.full_url + body + str(request.get_header("X-key")))
            return contextlib.nullcontext()

        with replaced(urllib.request, "urlopen", post):
            drive(cr.callbacks.RemoteMonitor(**options), logs)
        return posted

    def theirs() -> list[str]:
        posted = []

        def post(url: str, data: Any = None, json: Any = None, headers: Any = None) -> None:
            body = json_module.dumps(json) if data is None else "".join(*data.items())
            posted.append(url + body + str((headers or {}).get("X-Key")))

        errors = types.SimpleNamespace(RequestException=OSError)
        stub = types.SimpleNamespace(post=post, exceptions=errors)
        with replaced(keras.src.callbacks.remote_monitor, "requests", stub):
            drive(keras.callbacks.RemoteMonitor(**options), logs)
        return posted

    def compute(package: Package) -> Any:
        posted = ours() if package is cr else theirs()
        return np.frombuffer("\n".join(posted).encode(), np.uint8)

    return compute


json_module = json


@contextlib.contextmanager
def replaced(place: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute is another within."""
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def terminated(package: Package) -> Any:
    """The batch at which training ended, and whether an error told of it."""
    found = []
    for values in ([1.0, np.nan, 1.0], [1.0, 2.0, 3.0], [np.inf, 1.0], [1.0, 2.0, -np.inf]):
        for raise_error in (False, True):
            callback = package.callbacks.TerminateOnNaN(raise_error)
            callback.set_model(Driven())
            raised = at = -1
            with contextlib.redirect_stdout(io.StringIO()):
                for batch, value in enumerate(values):
                    try:
                        callback.on_train_batch_end(batch, {"loss": value})
                    except RuntimeError:
                        raised = batch
                        break
                    if callback.model.stop_training:
                        at = batch
                        break
            found.append([at, raised])
    return np.array(found)


def printed(package: Package) -> Any:
    """The numbers of the last line: steps done and in all, and what is logged."""
    logs = [{"loss": 0.5, "acc": 0.25}, {"loss": 0.125, "acc": 0.75, "val_loss": 1.5}]
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        drive(package.callbacks.ProgbarLogger(), logs, batches=3)
    last = re.sub(r"\x1b\[[0-9;]*m|\x08", "", text.getvalue()).strip().splitlines()[-1]
    named = dict(re.findall(r"(\w+): ([\d.]+)", last))
    steps = re.findall(r"(\d+)/(\d+)", last)[-1]
    return np.array([float(named["loss"]), float(named["acc"]), float(named["val_loss"]), *map(float, steps)])


# -- in training ----------------------------------------------------------------------------------------------------

X = RANDOM.standard_normal((44, 3)).astype("f")
Y = (X.sum(1) + 0.1 * RANDOM.standard_normal(44)).astype("f")
WEIGHTS = [0.5 * RANDOM.standard_normal((3, 1)).astype("f"), np.zeros(1, "f")]


def make(package: Package, **options: Any) -> Any:
    """A line, with the same weights."""
    model = package.Sequential([package.Input((3,)), package.layers.Dense(1)])
    model.compile(package.optimizers.SGD(**{"learning_rate": 0.02, "momentum": 0.9, **options}), "mse", metrics=["mae"])
    model.set_weights(WEIGHTS)
    return model


def fit(model: Any, callbacks: Any, epochs: int = 4, **options: Any) -> Any:
    """Training on the rows in their order, with validation."""
    shared = {"batch_size": 8, "verbose": 0, "shuffle": False, "validation_split": 0.25}
    return model.fit(X, Y, epochs=epochs, callbacks=callbacks, **{**shared, **options})


def numbers(history: Any) -> list[np.ndarray]:
    """What was logged, by name."""
    names = np.frombuffer(",".join(sorted(history.history)).encode(), np.uint8)
    return [names, *(np.array(values) for _, values in sorted(history.history.items())), np.array(history.epoch)]


def recorded(**options: Any) -> Callable[[Package], Any]:
    def compute(package: Package) -> Any:
        return numbers(fit(make(package), None, **options))

    return compute


HOOKS = [
    f"on_{phase}_{moment}"
    for phase in ("train", "epoch", "train_batch", "test", "test_batch", "predict", "predict_batch")
    for moment in ("begin", "end")
]


def called(package: Package) -> Any:
    """The hooks in the order of their calls, with epochs, batches and how much was logged."""
    calls: list[list[float]] = []

    def hook(number: int) -> Callable[..., None]:
        def note(*arguments: Any, logs: Any = None) -> None:
            place = arguments[0] if arguments and isinstance(arguments[0], int) else -1
            calls.append([number, place])

        return note

    callback = package.callbacks.LambdaCallback(**{name: hook(number) for number, name in enumerate(HOOKS)})
    model = make(package)
    fit(model, [callback], epochs=2)
    model.evaluate(X, Y, batch_size=16, verbose=0, callbacks=[callback])
    model.predict(X, batch_size=16, verbose=0, callbacks=[callback])
    return np.array(calls)


def scheduled(schedule: Callable[..., float]) -> Callable[[Package], Any]:
    def compute(package: Package) -> Any:
        return numbers(fit(make(package), [package.callbacks.LearningRateScheduler(schedule)]))

    return compute


def fall(epoch: int, rate: float) -> float:
    return rate * 0.7


def averaged(swap_on_epoch: bool, **options: Any) -> Callable[[Package], Any]:
    """What was logged, and the weights that `ModelCheckpoint` would see and that training ends with."""

    def compute(package: Package) -> Any:
        model = make(package, use_ema=True, ema_momentum=0.8, **options)
        seen: list[np.ndarray] = []

        class See(package.callbacks.Callback):  # type: ignore[misc, name-defined]
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                seen.extend(self.model.get_weights())

        history = fit(model, [package.callbacks.SwapEMAWeights(swap_on_epoch), See()])
        return [*numbers(history), *seen, *model.get_weights()]

    return compute


def restored(package: Package) -> Any:
    """The weights after a training that an error ended in its third epoch, and that was started again."""

    class Ends(package.callbacks.Callback):  # type: ignore[misc, name-defined]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise RuntimeError

    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(RuntimeError):
            fit(make(package), [package.callbacks.BackupAndRestore(f"{folder}/backup"), Ends()])
        model = make(package)
        history = fit(model, [package.callbacks.BackupAndRestore(f"{folder}/backup")])
        left = len(list(Path(folder).iterdir()))
    last = [history.history[name][-1] for name in sorted(history.history)]
    return [*model.get_weights(), np.array([*last, history.epoch[-1], left])]


# -- TensorBoard ----------------------------------------------------------------------------------------------------


class Summaries:
    """What Keras asks of TensorFlow's summaries: it notes each number with folder, name and step."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self.folders = ["none"]
        self.conditions: list[Callable[[], bool]] = [lambda: True]

    def create_file_writer(self, folder: str) -> Any:
        @contextlib.contextmanager
        def as_default(step: Any = None) -> Iterator[None]:
            self.folders.append(Path(folder).name)
            try:
                yield
            finally:
                self.folders.pop()

        return types.SimpleNamespace(as_default=as_default, flush=lambda: None, close=lambda: None)

    @contextlib.contextmanager
    def record_if(self, condition: Callable[[], bool]) -> Iterator[None]:
        self.conditions.append(condition)
        try:
            yield
        finally:
            self.conditions.pop()

    def scalar(self, name: str, value: Any, step: Any) -> None:
        if self.folders[-1] != "none" and self.conditions[-1]():
            self.found[f"{self.folders[-1]}/{name}/{int(np.asarray(step))}"] = float(np.asarray(value))


def scalars_in(path: Path) -> dict[str, float]:
    """The numbers of an event file; of the formats no more than is needed for these."""
    found, contents = {}, path.read_bytes()
    while contents:
        (length,) = struct.unpack("<Q", contents[:8])
        event = dict(fields_of(contents[12 : 12 + length]))
        contents = contents[16 + length :]
        for _, value in fields_of(event.get(5, b"")):
            fields = dict(fields_of(value))
            if 2 in fields:
                name = f"{path.parent.name}/{fields[1].decode()}/{event[2]}"
                found[name] = struct.unpack("<f", fields[2])[0]
    return found


def fields_of(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a protocol-buffer message."""
    at = 0

    def read() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte, at = message[at], at + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(message):
        number, kind = divmod(read(), 8)
        if kind == 0:
            yield number, read()
            continue
        size = {1: 8, 5: 4}.get(kind) or read()
        yield number, message[at : at + size]
        at += size


def shown(only: str, **options: Any) -> Callable[[Package], Any]:
    """The names with folder and step, as bytes, and the numbers."""

    def compute(package: Package) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            callback = package.callbacks.TensorBoard(folder, write_graph=False, **options)
            if package is keras:
                callback._summary_module = Summaries()
            fit(make(package), [callback])
            if package is keras:
                found = callback._summary_module.found
            else:
                found = {}
                for path in Path(folder).rglob("*tfevents*"):
                    found |= scalars_in(path)
        chosen = {name: value for name, value in sorted(found.items()) if only in name}
        return [np.frombuffer(",".join(chosen).encode(), np.uint8), np.array(list(chosen.values()))]

    return compute


CASES = [
    *(
        both("EarlyStopping", str(options), stopped(options))
        for options in (
            {"patience": 2},
            {"patience": 1, "restore_best_weights": True},
            {"patience": 3, "min_delta": 0.25, "restore_best_weights": True},
            {"patience": 2, "mode": "max", "restore_best_weights": True},
            {"patience": 2, "baseline": 1.5, "restore_best_weights": True},
            {"patience": 2, "start_from_epoch": 4, "restore_best_weights": True},
            {"patience": 20, "restore_best_weights": True},
            {},
        )
    ),
    *(
        both("ReduceLROnPlateau", str(options), reduced(options), 1e-6)
        for options in (
            {"patience": 1},
            {"patience": 2, "factor": 0.5, "cooldown": 2},
            {"patience": 1, "factor": 0.5, "min_lr": 0.1, "min_delta": 0.3},
            {"patience": 2, "factor": 0.9, "mode": "max"},
        )
    ),
    *(
        both("ModelCheckpoint", f"{options}, {batches} batches", checkpointed(options, batches))
        for options, batches in (
            ({}, 0),
            ({"save_best_only": True}, 0),
            ({"save_best_only": True, "initial_value_threshold": 1.5}, 0),
            ({"save_best_only": True, "mode": "max"}, 0),
            ({"save_freq": 1}, 3),
            ({"save_freq": 4}, 7),
            ({"save_freq": 10}, 3),
        )
    ),
    both("CSVLogger", "validated", csv_rows(losses([0.5, 0.125, 1 / 3]))),
    both("CSVLogger", "not validated, later validated", csv_rows([{"b": 1.0, "a": 2.0}, {"a": 1.0, "val_a": 3.0}])),
    both("CSVLogger", "other separator", csv_rows(losses([1.0]), separator=";")),
    both("CSVLogger", "added to", csv_rows(losses([1.0]), losses([2.0]), append=True)),
    both("CSVLogger", "begun anew", csv_rows(losses([1.0, 3.0]), losses([2.0]))),
    both("CSVLogger", "several numbers", csv_rows([{"a": [1.0, 2.0], "b": "two words"}])),  # type: ignore[list-item, dict-item]
    both("RemoteMonitor", "as a form", sent({"headers": {"X-Key": "k"}})),
    both("RemoteMonitor", "as JSON", sent({"send_as_json": True, "path": "/other", "root": "http://there"})),
    both("RemoteMonitor", "another field", sent({"field": "numbers"})),
    both("TerminateOnNaN", "", terminated),
    both("ProgbarLogger", "", printed, 1e-6),
    both("History", "validated", recorded(), STEPS),
    both("History", "validated every second epoch", recorded(validation_freq=2), STEPS),
    both("History", "from the second epoch", recorded(initial_epoch=1, validation_split=0.0), STEPS),
    both("LambdaCallback", "", called),
    both("LearningRateScheduler", "of the epoch", scheduled(lambda epoch: 0.05 / (epoch + 1)), STEPS),
    both("LearningRateScheduler", "of epoch and rate", scheduled(fall), STEPS),
    both("SwapEMAWeights", "for validation", averaged(False), STEPS),
    both("SwapEMAWeights", "for epochs", averaged(True), STEPS),
    both("SwapEMAWeights", "overwritten now and then", averaged(False, ema_overwrite_frequency=3), STEPS),
    both("BackupAndRestore", "", restored, STEPS),
    both("TensorBoard", "epochs", shown(""), STEPS),
    both("TensorBoard", "batches", shown("", update_freq="batch"), STEPS),
    both("TensorBoard", "every third batch", shown("batch_", update_freq=3), STEPS),
]
