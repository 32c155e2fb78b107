"""A training under way: where it stands, and the archive from which it goes on as if it had never stopped.

    weights.safetensors      in order
    optimizer.safetensors    all of the optimizer's Variables
    counters.safetensors     of random draws within layers
    training.json            epoch, batch, the seed of the orders, the source of seeds, the network, what callbacks keep
    training.safetensors     running metrics, and arrays that callbacks keep

The order of an epoch's rows is a pure function of one seed and the epoch's number, so no generator needs to be kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import seeds
from chainrule.errors import ChainruleError, FileError
from chainrule.graph.variable import Variable
from chainrule.interop import safetensors
from chainrule.interop.archive import assign_variables, check_fit, dump_variables, name_variables, read_archive
from chainrule.layers import Layer
from chainrule.layers.layer import parts_of
from chainrule.random import SeedGenerator

_FORMAT = "chainrule-training-1"
_ARRAY = "array of the archive"


class Run:
    """One call of `fit`.

    Args:
        feed: where the rows come from.
        watchers: the callbacks.
        epoch: the first, counted from 0.
        shuffle: whether an order is drawn for each epoch.
        validates: whether there are data to validate on.

    `epoch` and `done` are the next batch's place: its epoch, and how many of this epoch's came before. `batches` counts
    those of all epochs.
    """

    def __init__(self, model: Any, feed: Any, watchers: Any, epoch: int, shuffle: bool, validates: bool = False):
        self.model, self.feed, self.watchers = model, feed, watchers
        self.first_epoch = self.epoch = epoch
        self.done = self.batches = 0
        self.chunk = 1  # how many batches are trained before the next look at the callbacks and the clock
        self.seed = seeds.next_seed() if shuffle else None
        self.validates = validates
        self.rewind: Any = None  # what keeps its last steps (`training/rewind.py`), where they are kept
        self._archive: Archive | None = None  # until its epoch goes on

    def order(self, turn: int) -> np.random.Generator | None:
        """What draws the order of the rows in a turn through the data."""
        return None if self.seed is None else seeds.generator(self.seed, turn)

    def begin_epoch(self, epoch: int) -> None:
        """Come to the first batch; or to the next, in an epoch that was begun before."""
        if self._archive is None:
            self.epoch, self.done = epoch, 0
            self.feed.begin(epoch, self.order)
        self.model.reset_metrics()

    def end_epoch(self) -> None:
        """All batches are done."""
        self.feed.end()
        self.epoch, self.done = self.epoch + 1, 0

    # -- archives -------------------------------------------------------------------------------------------------

    def groups(self) -> dict[str, list[Variable]]:
        """The Variables, by the member that holds them."""
        return {
            "weights": self.model.weights,
            "optimizer": self.model.optimizer.variables,
            "counters": random_counters(self.model),
        }

    def archive(self) -> dict[str, bytes]:
        """All that is needed to go on from here."""
        members = {f"{name}.safetensors": dump_variables(group) for name, group in self.groups().items()}
        return members | self.position(self.watchers.get_states())

    def position(self, callbacks: Mapping[str, Any] | None = None) -> dict[str, bytes]:
        """Where the training stands, for an archive that holds the Variables in any case."""
        metrics = {f"metric {name}": variable for name, variable in name_variables(self.model.metric_variables).items()}
        arrays = {name: variable.memory for name, variable in metrics.items()}
        text = {
            "format": _FORMAT,
            "epoch": self.epoch,
            "done": self.done,
            "batches": self.batches,
            "taken": self.feed.taken(self.done),
            "stop": bool(self.model.stop_training),
            "feed": self.feed.describe(),
            "seed": self.seed,
            "seeds": seeds.get_state(),
            "network": describe_network(self.model),
            "optimizer": type(self.model.optimizer).__name__,
            "callbacks": pack(dict(callbacks or {}), arrays),
        }
        return {"training.json": json.dumps(text).encode(), "training.safetensors": safetensors.dump(arrays)}

    def resume(self, path: Any) -> None:
        """Go on from an archive, wherever it stopped; the first of several wins.

        Raises:
            FileError: for a file that is damaged, or of another network, optimizer or data set; nothing is changed.
        """
        if self._archive is not None:
            return
        archive = Archive(path)
        text = archive.text
        where = str(path)
        if text["done"] or text["taken"]:
            refuse_other("data", text["feed"], self.feed.describe(), where)
        for _ in range(self.first_epoch, text["epoch"]):
            self.feed.pass_over()
        self.seed = text["seed"]
        self.feed.begin(text["epoch"], self.order)
        self.feed.skip(text["taken"])  # a model without a shape is built here
        refuse_other("network", text["network"], describe_network(self.model), where)
        refuse_other("optimizer", text["optimizer"], type(self.model.optimizer).__name__, where)
        self.model.optimizer.build(self.model.trainable_variables)
        for name, group in self.groups().items():
            check_fit(group, archive.arrays[name], where, f"Variable of '{name}'")
        if text["done"]:
            check_fit(self.model.metric_variables, archive.metrics, where, "metric")
        self.epoch, self.done, self.batches = text["epoch"], text["done"], text["batches"]
        self._archive = archive
        self._assign()

    def settle(self) -> None:
        """After an archive, in an epoch that began long ago: put back what callbacks did at its beginning."""
        if self._archive is not None and self.done:
            self._assign()
        self._archive = None

    def _assign(self) -> None:
        assert self._archive is not None
        archive = self._archive
        for name, group in self.groups().items():
            assign_variables(group, archive.arrays[name])
        if archive.text["done"]:
            assign_variables(self.model.metric_variables, archive.metrics)
        seeds.set_state(tuple(archive.text["seeds"]))
        self.model.stop_training = archive.text["stop"]
        self.watchers.set_states(unpack(archive.text["callbacks"], archive.arrays["training"]))


class Archive:
    """The contents of an archive, read and looked through.

    Raises:
        FileError: where there is none, it is damaged, or was not written by a training.
    """

    def __init__(self, path: Any):
        members = read_archive(path, "a checkpoint")
        where = str(path)
        try:
            self.text = json.loads(members["training.json"])
            known = {"epoch": int, "done": int, "batches": int, "taken": int, "callbacks": dict, "seeds": list}
            if self.text["format"] != _FORMAT or not all(isinstance(self.text[key], of) for key, of in known.items()):
                raise ValueError(f"its format is not {_FORMAT}")
            self.arrays = {
                name: safetensors.load(members[f"{name}.safetensors"], where)
                for name in ("weights", "optimizer", "counters", "training")
            }
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(
                "no training can go on from this file",
                where=where,
                expected="what BackupAndRestore or ModelCheckpoint wrote during fit",
                got=str(error),
                fix="use another file, or delete it to begin anew",
            ) from None
        self.metrics = {name: array for name, array in self.arrays["training"].items() if name.startswith("metric ")}


def random_counters(layer: Layer) -> list[Variable]:
    """The counters of random draws in a layer and those within it."""
    own = [generator.state for generator in parts_of(layer, SeedGenerator)]
    inner = [counter for part in layer.sublayers for counter in random_counters(part)]
    return list(dict.fromkeys([*own, *layer.state, *inner]))


def describe_network(model: Any) -> Any:
    """What must be equal for weights to mean the same, as JSON; seeds, which may be drawn anew, are left out."""
    try:
        text = json.dumps(model.get_config())
    except (ChainruleError, NotImplementedError, TypeError, ValueError):  # a class that cannot be described
        return {"class_name": type(model).__name__}
    return {"class_name": type(model).__name__, "config": without_seeds(json.loads(text))}


def without_seeds(nest: Any) -> Any:
    """A nest without the entries named seed."""
    if isinstance(nest, dict):
        return {key: without_seeds(value) for key, value in nest.items() if key != "seed"}
    return [without_seeds(value) for value in nest] if isinstance(nest, list) else nest


def refuse_other(what: str, theirs: Any, ours: Any, where: str) -> None:
    """Refuse what is not equal, with the first place where it differs."""
    found = first_difference(theirs, ours, what)
    if found is not None:
        place, their_part, our_part = found
        raise FileError(
            f"the checkpoint is of another {what}: {place}",
            where=where,
            expected=our_part,
            got=their_part,
            fix="use the checkpoint's own script, or delete the file to begin anew",
        )


def first_difference(one: Any, other: Any, place: str) -> tuple[str, Any, Any] | None:
    """Where two nests differ first, and what is there; None where they are equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs: Sequence[tuple[str, Any, Any]] = [
            (f"{place}.{key}", one.get(key), other.get(key)) for key in {**one, **other}
        ]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{place}[{at}]", *both) for at, both in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else (place, shorten(one), shorten(other))
    for name, left, right in pairs:
        found = first_difference(left, right, name)
        if found is not None:
            return found
    return None


def shorten(value: Any) -> str:
    """A value for a message; of a long one, its length."""
    if isinstance(value, list):
        return f"{len(value)} entries"
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def pack(nest: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A nest as JSON; its arrays go to `arrays`.

    Raises:
        ChainruleError: for what is neither.
    """
    if isinstance(nest, np.ndarray):
        name = f"array {len(arrays)}"
        arrays[name] = nest
        return {_ARRAY: name}
    if isinstance(nest, np.generic):
        return nest.item()
    if isinstance(nest, Mapping):
        return {str(key): pack(value, arrays) for key, value in nest.items()}
    if isinstance(nest, list | tuple):
        return [pack(value, arrays) for value in nest]
    if nest is None or isinstance(nest, bool | int | float | str):
        return nest
    raise ChainruleError(
        "a callback keeps what cannot be written to a file",
        where="get_state",
        expected="numbers, text, arrays, and lists and dicts of them",
        got=repr(nest),
    )


def unpack(nest: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """What `pack` packed."""
    if isinstance(nest, dict):
        return arrays[nest[_ARRAY]] if _ARRAY in nest else {key: unpack(value, arrays) for key, value in nest.items()}
    return [unpack(value, arrays) for value in nest] if isinstance(nest, list) else nest
