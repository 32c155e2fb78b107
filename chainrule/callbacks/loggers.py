"""Callbacks that tell of each epoch: on the screen, in files, to a server."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.callbacks.callback import WHENEVER, Callback, Logs
from chainrule.callbacks.log_file import LogFile
from chainrule.errors import ChainruleError
from chainrule.training.progress import Progress

_SECONDS = 10.0
"""How long `RemoteMonitor` waits for its server."""


class ProgbarLogger(Callback):
    """The progress line of `fit`, which adds one where ``verbose`` is not 0."""

    batch_stride = WHENEVER

    def __init__(self) -> None:
        super().__init__()
        self.progress = Progress(1, 1)

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.progress = Progress(1 if verbose == "auto" else int(verbose), params.get("epochs", 1))

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.progress.begin(epoch, self.params.get("steps"))

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.progress.update(batch + 1, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.progress.end(logs or {})


class CSVLogger(Callback):
    """One row an epoch in a CSV file: the epoch, counted from 0, and what was logged, by name.

    Where nothing is validated in the first epoch, columns for validation stand ready and hold NA. A run that
    `BackupAndRestore` takes up goes on with the rows that were there.

    Args:
        filename: of the file; its folder is made.
        separator: between the fields.
        append: whether to add to a file that is there.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        super().__init__()
        self.filename, self.separator, self.append = str(filename), separator, append
        self.keys: list[str] | None = None
        self.file = LogFile(filename, append)

    def on_train_begin(self, logs: Logs = None) -> None:
        self.keys = None
        self.file.close()
        self.file = LogFile(self.filename, self.append)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        if self.keys is None:
            names = sorted(logs)
            validated = any(name.startswith("val_") for name in names)
            self.keys = names if validated else [*names, *(f"val_{name}" for name in names)]
        if self.file.is_empty:
            self._write(["epoch", *self.keys])
        self._write([epoch, *(as_field(logs.get(name, "NA")) for name in self.keys)])

    def _write(self, fields: list[Any]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.separator).writerow(fields)
        self.file.write(text.getvalue().encode())

    def on_train_end(self, logs: Logs = None) -> None:
        self.file.close()

    def on_train_abort(self, error: BaseException) -> None:
        self.file.close()

    def get_state(self) -> dict[str, Any]:
        return {"keys": self.keys, "size": self.file.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.keys = state["keys"]
        self.file.set_state(state["size"])


class JSONLinesLogger(Callback):
    """One JSON object a line and epoch, ``{"epoch": 0, "loss": 0.5, …}``; a number that is not finite becomes null.

    Args:
        filename: of the file; its folder is made.
        append: whether to add to a file that is there.

    Example:
        >>> from pathlib import Path
        >>> logger = JSONLinesLogger("log.jsonl")
        >>> logger.on_epoch_end(0, {"loss": 0.5}); logger.on_train_end()
        >>> Path("log.jsonl").read_text()
        '{"epoch": 0, "loss": 0.5}\\n'
    """

    def __init__(self, filename: Any, append: bool = False):
        super().__init__()
        self.filename, self.append = str(filename), append
        self.file = LogFile(filename, append)

    def on_train_begin(self, logs: Logs = None) -> None:
        self.file.close()
        self.file = LogFile(self.filename, self.append)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        record = {"epoch": epoch, **as_json(logs or {}, None)}
        self.file.write(json.dumps(record, allow_nan=False).encode() + b"\n")

    def on_train_end(self, logs: Logs = None) -> None:
        self.file.close()

    def on_train_abort(self, error: BaseException) -> None:
        self.file.close()

    def get_state(self) -> dict[str, Any]:
        return {"size": self.file.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.file.set_state(state["size"])


class RemoteMonitor(Callback):
    """Sends what each epoch logged to a server, by HTTP POST; a server that is not there is warned of, no more.

    Args:
        root: the server's address.
        path: to which the numbers go.
        field: the form's field that holds them as JSON.
        headers: further HTTP headers.
        send_as_json: whether the JSON is the request's body, rather than a field of a form.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ):
        super().__init__()
        if not str(root).startswith(("http://", "https://")):
            raise ChainruleError("not a server", where="RemoteMonitor", expected="http://… or https://…", got=root)
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = dict(headers or {}), send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        import urllib.parse
        import urllib.request

        text = json.dumps({"epoch": epoch, **as_json(logs or {})})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
        request = urllib.request.Request(
            self.root + self.path, body.encode(), {"Content-Type": kind, **self.headers}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):
                pass
        except OSError as error:  # of which all errors of urllib are
            warnings.warn(f"RemoteMonitor could not reach {self.root}: {error}", stacklevel=2)


def as_json(logs: Mapping[str, Any], not_finite: Any = math.nan) -> dict[str, Any]:
    """Logs as numbers, text and lists; what is not finite becomes `not_finite`, unless that is NaN."""
    found = {}
    for name, value in logs.items():
        plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        lost = isinstance(plain, float) and not math.isfinite(plain) and not_finite is None
        found[name] = not_finite if lost else plain
    return found


def as_field(value: Any) -> Any:
    """A logged value as a field of a CSV file; several numbers as one field in brackets."""
    if isinstance(value, str) or isinstance(value, np.ndarray) and value.ndim == 0 or not isinstance(value, Iterable):
        return value
    return f'"[{", ".join(map(str, value))}]"'
