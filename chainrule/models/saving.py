"""Models in files: a zip that holds `model.json` and the weights as safetensors. No code is ever loaded from one.

A file is written beside its target, flushed, and put in its place in one move: a crash leaves the old or the new.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import layers, losses, metrics, optimizers, registry
from chainrule.errors import ChainruleError, FileError
from chainrule.interop import safetensors

_FORMAT = "chainrule-model-1"


def write_file(path: Any, contents: bytes) -> None:
    """Put `contents` in the place of a file, whole or not at all.

    Raises:
        FileError: where the disk is full or the folder may not be written to; the old file stays.
    """
    target = Path(path)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # as open() would have made it; mkstemp lets only the owner read
        os.replace(temporary, target)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise FileError(
            "the file could not be written",
            where=str(target),
            expected="a folder with room and permission",
            got=error.strerror or str(error),
            fix="free some space or choose another folder; the old file is as it was",
        ) from None


def save_model(model: Any, path: Any, overwrite: bool = True) -> None:
    """Write network, weights, optimizer and compile arguments."""
    if not overwrite and Path(path).exists():
        raise FileError("the file exists", where=str(path), fix="pass overwrite=True, or choose another name")
    model.require_built()
    description = {"format": _FORMAT, "class_name": type(model).__name__, "config": model.get_config()}
    files = {"weights.safetensors": dump_weights(model)}
    if model.optimizer is not None:
        description["compile"] = {
            "optimizer": registry.describe(model.optimizer),
            **{name: describe_nest(nest) for name, nest in model.compile_arguments.items()},
        }
        state = {f"{place}": np.asarray(variable.memory) for place, variable in enumerate(model.optimizer.variables)}
        files["optimizer.safetensors"] = safetensors.dump(state)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        # A fixed date, so that equal models are equal files.
        for name, contents in {"model.json": json.dumps(description, indent=1).encode(), **files}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), contents)
    write_file(path, buffer.getvalue())


def read_archive(path: Any) -> dict[str, bytes]:
    """The members of a model file, each checked against its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError:
        raise FileError("there is no such file", where=str(path), fix="check the path") from None
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise FileError(
            "this is not a model, or it is damaged",
            where=str(path),
            expected="a file written by model.save",
            got=str(error),
            fix="use another copy of the file",
        ) from None


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
        assign_weights(model, weights, where)
        if compile and "compile" in description:
            setup = description["compile"]
            model.compile(
                optimizer=registry.resolve("optimizer", setup["optimizer"], optimizers.CLASSES),
                loss=read_nest("loss", setup["loss"], losses.CLASSES),
                loss_weights=setup.get("loss_weights"),
                metrics=read_nest("metric", setup["metrics"], metrics.CLASSES),
                weighted_metrics=read_nest("metric", setup.get("weighted_metrics"), metrics.CLASSES),
            )
    if compile and "compile" in description:
        model.optimizer.build(model.trainable_variables)
        state = safetensors.load(files.get("optimizer.safetensors", safetensors.dump({})), where)
        for place, variable in enumerate(model.optimizer.variables):
            if str(place) in state and state[str(place)].shape == variable.shape:
                variable.assign(state[str(place)])
    return model


def describe_nest(nest: Any) -> Any:
    """A nest of names, numbers and objects as JSON."""
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


def dump_weights(model: Any) -> bytes:
    """A model's weights as safetensors, in order; a name that was there before gets a number."""
    arrays: dict[str, np.ndarray] = {}
    for weight in model.weights:
        name, number = weight.name, 0
        while name in arrays:
            number += 1
            name = f"{weight.name}_{number}"
        arrays[name] = weight.memory
    return safetensors.dump(arrays)


def save_weights(model: Any, path: Any, overwrite: bool = True) -> None:
    """Write the weights alone."""
    if not overwrite and Path(path).exists():
        raise FileError("the file exists", where=str(path), fix="pass overwrite=True, or choose another name")
    write_file(path, dump_weights(model))


def load_weights(model: Any, path: Any) -> None:
    """Read what `save_weights` wrote, or the weights of a saved model."""
    try:
        contents = Path(path).read_bytes()
    except OSError as error:
        raise FileError("the file cannot be read", where=str(path), got=error.strerror) from None
    if zipfile.is_zipfile(io.BytesIO(contents)):
        contents = read_archive(path).get("weights.safetensors", b"")
    assign_weights(model, safetensors.load(contents, str(path)), str(path))


def assign_weights(model: Any, weights: Mapping[str, np.ndarray], where: str) -> None:
    """Give each Variable the array of its place; names may differ, number and shapes may not."""
    if len(weights) != len(model.weights):
        raise FileError("another number of weights", where=where, expected=len(model.weights), got=len(weights))
    for variable, (name, array) in zip(model.weights, weights.items(), strict=True):
        if variable.shape != array.shape:
            raise FileError(
                f"the weight '{name}' has another shape",
                where=where,
                expected=f"{variable.name} {variable.shape}",
                got=array.shape,
            )
    for variable, array in zip(model.weights, weights.values(), strict=True):
        variable.assign(array)
