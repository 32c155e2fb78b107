"""``chainrule report``: one page that tells what a run's network does, how good it is, and why."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import chainrule as cr
from chainrule.apps import inputs, runs
from chainrule.apps.train import name_command
from chainrule.inspect.page import show_bytes
from chainrule.inspect.report.report import make_report
from chainrule.runtime.profile import format_seconds

TYPED = ("layers", "epochs", "batch_size", "optimizer", "learning_rate", "seed", "validation_split", "dtype")
"""What of a run's options `chainrule train` takes."""


WIDTH = 74
"""Letters of a line, before the sign that it goes on."""


def report(options: argparse.Namespace) -> int:
    """Carry out the command ``report``."""
    started = time.perf_counter()
    model = runs.load_network(options.run)
    folder = Path(options.run)
    is_run = runs.is_run(folder)
    config = runs.read_config(folder) if is_run else None
    history = read_history(runs.read_metrics(folder)) if is_run else None
    found = make_report(
        model,
        history=history,
        config=config,
        title=f"Report on {folder.name}",
        command=list_commands(options, config),
        **read_data(options.data),
    )
    if options.out is not None:
        path = Path(options.out)
    else:
        path = folder / runs.REPORT if is_run else folder.with_suffix(".html")
    found.write(path)
    size, seconds = path.stat().st_size, time.perf_counter() - started
    if options.json:
        print(json.dumps({"report": str(path), "bytes": size, "seconds": seconds}))
    else:
        print(f"report     {path}\nsize       {show_bytes(size)}\ntime       {format_seconds(seconds)}")
    return 0


def read_data(name: str) -> dict[str, Any]:
    """The rows of a data set and what is known of them, as arguments of `make_report`.

    An .npz file may hold, beside x and y, the rows of training ``x_train`` and ``y_train``, and the texts ``question``,
    ``class_names`` and ``feature_names``.
    """
    x, y = inputs.labelled(name)
    if name == "mnist":
        question = "Which digit does a handwritten image show?"
        return {"x": x, "y": y, "question": question, "training_data": cr.datasets.mnist.load_data()[0]}
    arrays = inputs.read_npz(Path(name))
    known: dict[str, Any] = {key: arrays[key].tolist() for key in ("class_names", "feature_names") if key in arrays}
    if "question" in arrays:
        known["question"] = str(arrays["question"])
    if "x_train" in arrays and "y_train" in arrays:
        known["training_data"] = arrays["x_train"], arrays["y_train"]
    return {"x": x, "y": y, **known}


def read_history(records: list[dict[str, Any]]) -> dict[str, list[float]]:
    """The numbers of the epochs by name; how long each took is no result."""
    epochs = [record for record in records if "epoch" in record]
    names = [name for name in (epochs[0] if epochs else {}) if name not in ("epoch", "seconds", "elapsed")]
    return {name: [record[name] for record in epochs if name in record] for name in names}


def list_commands(options: argparse.Namespace, config: Mapping[str, Any] | None) -> str:
    """What to type for the same network and the same report."""
    name, lines = name_command(), []
    if config is not None and config.get("data") == "mnist":
        words = [[name, "train", "mnist"]]
        for key in TYPED:
            if key in config:
                value = config[key]
                text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                words.append([f"--{key.replace('_', '-')}", text])
        lines.append(wrap_command([*words, ["--out", options.run]]))
    data = [] if options.data == "mnist" else [["--data", options.data]]
    lines.append(wrap_command([[name, "report", options.run], *data]))
    return "\n".join(lines)


def wrap_command(parts: list[list[str]]) -> str:
    """A command in lines of 76 letters, broken between its options.

    Example:
        >>> wrap_command([["chainrule", "report", "a run"], ["--data", "x.npz"]])
        "chainrule report 'a run' --data x.npz"
    """
    lines = [""]
    for part in map(shlex.join, parts):
        if lines[-1] and len(lines[-1]) + len(part) > WIDTH:
            lines[-1] += " \\"
            lines.append(f"    {part}")
        else:
            lines[-1] = f"{lines[-1]} {part}" if lines[-1] else part
    return "\n".join(lines)
