"""``chainrule train mnist``: from the digits to a run folder.

The recipe is one value, `Recipe`; what is typed replaces its fields. Everything else is the public interface: the same
lines in a script give the same network.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.apps import runs
from chainrule.apps.cli import STATUS_INTERRUPTED, installed_version
from chainrule.errors import unknown_name

CLASSES = 10
PIXELS = (28, 28)


@dataclass(frozen=True)
class Recipe:
    """How the digits are trained unless told otherwise.

    Args:
        layers: neurons of each hidden layer.
        activation: of the hidden layers.
        optimizer: its name.
        learning_rate: the highest rate; it rises to it from a low one and falls again over the whole training
            (one cycle).
        batch_size: images a step.
        epochs: times through the training images.
        seed: of the weights and the order of the images.
        validation_split: part of the training images held out, the last ones.
        dtype: the dtype policy of the layers.
    """

    layers: tuple[int, ...] = (512, 512)
    activation: str = "relu"
    optimizer: str = "adam"
    learning_rate: float = 0.002
    batch_size: int = 128
    epochs: int = 4
    seed: int = 0
    validation_split: float = 0.0
    dtype: str = "float32"


LEARNING_RATES = {"sgd": 0.1, "rmsprop": 0.001, "adam": Recipe.learning_rate, "adamw": 0.002}
"""The highest rate for each optimizer when none is given."""


def train(options: argparse.Namespace) -> int:
    """Carry out the command ``train``."""
    started = time.perf_counter()
    if options.data != "mnist":
        raise unknown_name("data set", options.data, ["mnist"], where="chainrule train")
    recipe = resolve_recipe(options)
    folder = Path(options.out) if options.out else runs.default_folder("mnist")
    runs.prepare_folder(folder)
    runs.write_config(folder, {"version": installed_version(), "data": "mnist", **asdict(recipe)})

    (x_train, y_train), (x_test, y_test) = cr.datasets.mnist.load_data()
    held_out = int(len(x_train) * recipe.validation_split)
    model = make_model(recipe, rows=len(x_train) - held_out)
    if not options.json:
        print(describe(recipe, model, rows=len(x_train) - held_out))

    record = RecordEpochs(runs.MetricsWriter(folder))
    try:
        model.fit(
            x_train,
            y_train,
            batch_size=recipe.batch_size,
            epochs=recipe.epochs,
            validation_split=recipe.validation_split,
            callbacks=[record],
            verbose=0 if options.json else 1,
        )
    except KeyboardInterrupt:
        model.save(folder / runs.MODEL)
        print(f"\nstopped; the weights of the last finished step are in {folder}", file=sys.stderr)
        return STATUS_INTERRUPTED
    model.save(folder / runs.MODEL)
    result = model.evaluate(x_test, y_test, batch_size=1000, verbose=0, return_dict=True)
    report = {
        "test_accuracy": result["accuracy"],
        "test_loss": result["loss"],
        "seconds": time.perf_counter() - started,
        "seconds_per_epoch": statistics.median(record.seconds),
        "parameters": model.count_params(),
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "layers": list(recipe.layers),
        "optimizer": recipe.optimizer,
        "learning_rate": recipe.learning_rate,
        "seed": recipe.seed,
        "run": str(folder),
    }
    if held_out:
        report["validation_accuracy"] = record.last["val_accuracy"]
        report["validation_loss"] = record.last["val_loss"]
    record.writer.append({"test_loss": report["test_loss"], "test_accuracy": report["test_accuracy"]})
    print(json.dumps(report) if options.json else summarize(report))
    return 0


def resolve_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe with what was typed in place of its own values."""
    recipe = Recipe()
    changes: dict[str, Any] = {}
    if options.optimizer is not None:
        name = options.optimizer.lower()
        if name not in LEARNING_RATES:
            raise unknown_name("optimizer", options.optimizer, LEARNING_RATES, where="--optimizer")
        changes.update(optimizer=name, learning_rate=LEARNING_RATES[name])
    for field in ("layers", "epochs", "batch_size", "learning_rate", "seed", "validation_split", "dtype"):
        value = getattr(options, field)
        if value is not None:
            changes[field] = value
    return replace(recipe, **changes)


def make_model(recipe: Recipe, rows: int) -> Any:
    """The network of a recipe, compiled for training on `rows` images."""
    cr.utils.set_random_seed(recipe.seed)
    model = cr.Sequential(
        [
            cr.Input(PIXELS, dtype="uint8"),
            cr.layers.Rescaling(1 / 255),
            cr.layers.Flatten(),
            *(cr.layers.Dense(units, activation=recipe.activation, dtype=recipe.dtype) for units in recipe.layers),
            cr.layers.Dense(CLASSES, dtype=recipe.dtype),
        ]
    )
    model.compile(
        optimizer=make_optimizer(recipe, rows),
        loss=cr.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def make_schedule(recipe: Recipe, rows: int) -> Any:
    """The learning rate of each step: one cycle over the whole training."""
    return cr.optimizers.schedules.OneCycle(recipe.learning_rate, recipe.epochs * -(-rows // recipe.batch_size))


def make_optimizer(recipe: Recipe, rows: int) -> Any:
    """The optimizer of a recipe, with its schedule."""
    rate = make_schedule(recipe, rows)
    if recipe.optimizer == "sgd":
        return cr.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    return {"rmsprop": cr.optimizers.RMSprop, "adam": cr.optimizers.Adam, "adamw": cr.optimizers.AdamW}[
        recipe.optimizer
    ](rate)


class RecordEpochs(cr.callbacks.Callback):
    """Writes each epoch's numbers to the run folder and keeps how long each took."""

    def __init__(self, writer: runs.MetricsWriter):
        super().__init__()
        self.writer = writer
        self.seconds: list[float] = []
        self.last: dict[str, float] = {}
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)
        self.last = {name: float(value) for name, value in (logs or {}).items()}
        self.writer.append({"epoch": epoch + 1, **self.last, "seconds": round(self.seconds[-1], 4)})


def describe(recipe: Recipe, model: Any, rows: int) -> str:
    """What will be trained, in two lines."""
    sizes = "-".join(map(str, (int(np.prod(PIXELS)), *recipe.layers, CLASSES)))
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    return (
        f"network    {sizes}, {recipe.activation}, {model.count_params():,} parameters\n"
        f"training   {rows:,} images, {epochs}, batches of {recipe.batch_size}, "
        f"{recipe.optimizer} up to {recipe.learning_rate:g}, seed {recipe.seed}"
    )


def name_command() -> str:
    """How to call this command again: by its name where the shell finds it, else by the path that was typed."""
    return "chainrule" if shutil.which("chainrule") or not sys.argv[0].endswith("chainrule") else sys.argv[0]


def summarize(report: dict[str, Any]) -> str:
    """The result and what to try next."""
    run, command = report["run"], name_command()
    return (
        f"test       {report['test_accuracy']:.2%} of 10,000 test images are right, loss {report['test_loss']:.4f}\n"
        f"time       {report['seconds']:.1f} s in all, {report['seconds_per_epoch']:.2f} s an epoch\n"
        f"run        {run}\n"
        f"next       {command} predict {run} mnist:0\n"
        f"           {command} inspect layers {run}\n"
        f"           {command} report {run}"
    )
