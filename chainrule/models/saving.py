"""Models in files: an archive of `model.json` and the Variables as safetensors. No code is ever loaded from one.

model.json               the network, and what it was compiled with
weights.safetensors      in order
optimizer.safetensors    by name: steps done, moments, …
counters.safetensors     of random draws, such as dropout's, in order
training.…               within `fit`: where the training stands (`training/run.py`)
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import layers, losses, metrics, optimizers, registry
from chainrule.errors import ChainruleError, FileError
from chainrule.graph.tree import map_leaves
from chainrule.graph.types import ArrayType, as_dtype
from chainrule.interop import safetensors
from chainrule.interop.archive import (
    assign_variables,
    check_fit,
    dump_variables,
    name_variables,
    read_archive,
    write_archive,
    write_file,
)
from chainrule.layers.symbolic import BATCH
from chainrule.training.run import random_counters

_FORMAT = "chainrule-model-1"


def save_model(model: Any, path: Any, overwrite: bool = True) -> None:
    """Write network, weights, optimizer, random counters and compile arguments; within `fit`, the position as well."""
    refuse_existing(path, overwrite)
    model.require_built()
    description = {"format": _FORMAT, **registry.describe(model)}
    if model.input_types is not None:
        description["inputs"] = describe_types(model.input_types)
    files = {"weights.safetensors": dump_variables(model.weights)}
    if model.optimizer is not None:
        description["compile"] = {
            "optimizer": registry.describe(model.optimizer),
            **{name: describe_nest(nest) for name, nest in model.objective.given.items()},
        }
        kept = [place for place, weight in enumerate(model.weights) if not model.optimizer.uses_weight_decay(weight)]
        if kept:
            description["compile"]["not_decayed"] = kept
        files["optimizer.safetensors"] = dump_variables(model.optimizer.variables)
    files["counters.safetensors"] = dump_variables(random_counters(model))
    run = getattr(model, "training_run", None)
    if run is not None:
        files |= run.position()
    write_archive(path, {"model.json": json.dumps(description, indent=1).encode(), **files})


def refuse_existing(path: Any, overwrite: bool) -> None:
    """Refuse a file that is there and may not be replaced."""
    if not overwrite and Path(path).exists():
        raise FileError("the file exists", where=str(path), fix="pass overwrite=True, or choose another name")


def load_model(filepath: Any, custom_objects: Mapping[str, Any] | None = None, compile: bool = True) -> Any:
    """The model in a file, ready to predict, or to go on training.

    Args:
        filepath: written by `model.save`.
        custom_objects: your own layers, losses and so on, by class name; nothing else outside chainrule is used.
        compile: whether the optimizer, loss and metrics are restored too.

    Raises:
        FileError: where the file is missing, damaged, truncated, or not a model.
    """
    files = read_archive(filepath)
    where = str(filepath)
    if "model.json" not in files and "config.json" in files:
        raise FileError(
            "this is a model of Keras",
            where=where,
            expected="a file written by chainrule's model.save",
            fix="make the model here, and give it the weights with set_weights",
        )
    try:
        description = json.loads(files["model.json"])
        if description["format"] != _FORMAT:
            raise FileError("another version's format", where=where, expected=_FORMAT, got=description["format"])
        config, kind = description["config"], description["class_name"]
        weights = safetensors.load(files["weights.safetensors"], where)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ChainruleError):
            raise
        raise FileError("a part of the model is missing", where=where, got=str(error)) from None
    with registry.custom_object_scope(custom_objects):
        model = registry.resolve("model", {"class_name": kind, "config": config}, layers.known_layers())
        if "inputs" in description:
            model.build_for(read_types(description["inputs"]))
        check_fit(model.weights, weights, where, "weight")
        assign_variables(model.weights, weights)
        if compile and "compile" in description:
            setup = description["compile"]
            model.compile(
                optimizer=registry.resolve("optimizer", setup["optimizer"], optimizers.CLASSES),
                loss=read_nest("loss", setup["loss"], losses.CLASSES),
                loss_weights=setup.get("loss_weights"),
                metrics=read_nest("metric", setup["metrics"], metrics.CLASSES),
                weighted_metrics=read_nest("metric", setup.get("weighted_metrics"), metrics.CLASSES),
            )
            if setup.get("not_decayed"):
                model.optimizer.exclude_from_weight_decay([model.weights[place] for place in setup["not_decayed"]])
    if "counters.safetensors" in files:
        counters = safetensors.load(files["counters.safetensors"], where)
        check_fit(random_counters(model), counters, where, "counter")
        assign_variables(random_counters(model), counters)
    if compile and "optimizer.safetensors" in files:
        restore_optimizer(model, safetensors.load(files["optimizer.safetensors"], where), where)
    return model


def restore_optimizer(model: Any, arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Give the optimizer its Variables' values.

    Of a model that was saved before its first step, the file has none of those kept beside weights; and it may have
    some of weights that are no longer trained.

    Raises:
        FileError: where the file has others than the optimizer.
    """
    before = name_variables(model.optimizer.variables)
    model.optimizer.build(model.trainable_variables)
    found = before if set(arrays) == set(before) else name_variables(model.optimizer.variables)
    for name, variable in found.items():
        if name not in arrays or arrays[name].shape != variable.shape:
            raise FileError(
                f"the optimizer's '{name}' does not fit",
                where=where,
                expected=variable.shape,
                got=arrays[name].shape if name in arrays else "none of this name",
                fix="pass compile=False, and compile anew",
            )
    for name, variable in found.items():
        variable.assign(arrays[name])


def describe_types(types: Any) -> Any:
    """The types of a formula's inputs as JSON, in their nest."""
    return map_leaves(lambda kind: {"dtype": kind.dtype.name, "shape": list(kind.shape[1:])}, types)


def read_types(nest: Any) -> Any:
    """What `describe_types` described."""
    if isinstance(nest, list):
        return [read_types(item) for item in nest]
    if set(nest) == {"dtype", "shape"} and isinstance(nest["dtype"], str):
        return ArrayType(as_dtype(nest["dtype"]), (BATCH, *nest["shape"]))
    return {key: read_types(value) for key, value in nest.items()}


def describe_nest(nest: Any) -> Any:
    """A nest of names, numbers and objects as JSON."""
    if isinstance(nest, np.generic):
        return nest.item()
    if nest is None or isinstance(nest, str | int | float):
        return nest
    if isinstance(nest, list | tuple):
        return [describe_nest(item) for item in nest]
    if isinstance(nest, dict):
        return {key: describe_nest(value) for key, value in nest.items()}
    return registry.describe(nest)


def read_nest(kind: str, nest: Any, table: Mapping[str, Any]) -> Any:
    """What `describe_nest` described; names stay names."""
    if isinstance(nest, list):
        return [read_nest(kind, item, table) for item in nest]
    if isinstance(nest, dict) and "class_name" not in nest:
        return {key: read_nest(kind, value, table) for key, value in nest.items()}
    if isinstance(nest, str) and nest not in table and nest in registry.custom_names():
        return registry.resolve(kind, nest, table)
    return registry.resolve(kind, nest, table) if isinstance(nest, dict) else nest


def save_weights(model: Any, path: Any, overwrite: bool = True) -> None:
    """Write the weights alone."""
    refuse_existing(path, overwrite)
    write_file(path, dump_variables(model.weights))


def load_weights(model: Any, path: Any) -> None:
    """Read what `save_weights` wrote, or the weights of a saved model or a backup; names may differ."""
    try:
        contents = Path(path).read_bytes()
    except OSError as error:
        raise FileError("the file cannot be read", where=str(path), got=error.strerror) from None
    if zipfile.is_zipfile(io.BytesIO(contents)):
        contents = read_archive(path).get("weights.safetensors", b"")
    weights = safetensors.load(contents, str(path))
    check_fit(model.weights, weights, str(path), "weight")
    assign_variables(model.weights, weights)
