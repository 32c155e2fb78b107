"""The run folder: what a training leaves behind, and how it is found again.

    RUN/config.json       the resolved options, with the format's name, so that a run is told from any other folder
    RUN/metrics.jsonl     one line of JSON an epoch, written as the epoch ends; the test results last
    RUN/model.chainrule   the trained network
    RUN/report.html       what `chainrule report` wrote

A folder that is not empty and not a run is never written to.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError, FileError
from chainrule.interop.archive import write_file

FORMAT = "chainrule run 1"
CONFIG, METRICS, MODEL, REPORT = "config.json", "metrics.jsonl", "model.chainrule", "report.html"


def default_folder(data: str) -> Path:
    """``runs/mnist-20250131-235959``, with a number behind it where that exists."""
    base = Path("runs") / f"{data}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def prepare_folder(folder: Path) -> None:
    """Make sure, before any training, that `folder` exists, is ours and can be written to; an older run is removed."""
    if folder.is_dir() and any(folder.iterdir()) and not is_run(folder):
        raise FileError(
            "the folder is not empty and is no run of chainrule",
            where=str(folder),
            expected="a new or empty folder, or an older run",
            got=", ".join(sorted(path.name for path in folder.iterdir())[:5]),
            fix="name another folder with --out",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (REPORT, MODEL, METRICS, CONFIG):
            (folder / name).unlink(missing_ok=True)
        (folder / METRICS).touch()
    except OSError as error:
        raise FileError(
            "the run folder cannot be written",
            where=str(folder),
            got=error.strerror,
            fix="check its permissions, or name another with --out",
        ) from None


def is_run(folder: Path) -> bool:
    """Whether the folder holds a run."""
    try:
        return bool(json.loads((folder / CONFIG).read_text("utf-8"))["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write `config.json`."""
    text = json.dumps({"format": FORMAT, **config}, indent=2) + "\n"
    write_file(folder / CONFIG, text.encode())


def read_config(folder: Path) -> dict[str, Any]:
    """The options that a run was made with."""
    if not is_run(folder):
        raise FileError(
            "this is no run of chainrule",
            where=str(folder),
            expected=f"a folder with {CONFIG}",
            got="no such folder" if not folder.exists() else "a folder without it",
            fix="make one with `chainrule train mnist`",
        )
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
    return config


class MetricsWriter:
    """Appends to a run's `metrics.jsonl`, one flushed line at a time."""

    def __init__(self, folder: Path):
        self.path = folder / METRICS
        self.started = time.perf_counter()

    def append(self, record: Mapping[str, Any]) -> None:
        line = json.dumps({**record, "elapsed": round(time.perf_counter() - self.started, 4)})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The records of `metrics.jsonl`, up to a line that a killed training left unfinished."""
    records: list[dict[str, Any]] = []
    path = folder / METRICS
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def model_path(run: str) -> Path:
    """The saved model that `run` names: within a run folder, or the file itself."""
    path = Path(run)
    if path.is_dir() and is_run(path):
        path = path / MODEL
        if not path.exists():
            raise FileError("the run has no model: its training did not end", where=run, fix="train it again")
    elif not path.exists():
        raise FileError(
            "there is no such run or model", where=run, fix="make one with `chainrule train mnist --out RUN`"
        )
    return path


def load_network(run: str) -> Any:
    """The model of a run folder or model file."""
    path = model_path(run)
    import chainrule as cr

    try:
        return cr.load_model(path)
    except ChainruleError:
        raise
    except OSError as error:
        raise FileError("the model cannot be read", where=str(path), got=error.strerror) from None
