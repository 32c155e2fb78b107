"""Callbacks that keep the model, or the whole training, in files; and go on from these."""

from __future__ import annotations

import contextlib
import math
import warnings
from pathlib import Path
from typing import Any

from chainrule.callbacks.callback import BatchCount, Callback, Logs, check_stride
from chainrule.callbacks.monitors import MonitorCallback
from chainrule.errors import ChainruleError, FileError
from chainrule.interop.archive import remove_unfinished, write_archive

STATE = "training.chainrule"
"""The file in the folder of `BackupAndRestore`."""


class ModelCheckpoint(MonitorCallback):
    """Save the model after each epoch, after so many batches, or where a number is the best so far.

    The file is what `model.save` writes, and where training stands: `load_model` makes the model from it, `Resume`
    goes on with the training. It replaces an older one whole or not at all.

    Args:
        filepath: may hold ``{epoch}``, counted from 1, ``{batch}`` where `save_freq` is a number, and logged numbers:
            ``"model-{epoch:02d}-{val_loss:.3f}.chainrule"``.
        monitor, mode: see `MonitorCallback`.
        verbose: 1 tells of it.
        save_best_only: whether to save only where `monitor` is better than before.
        save_weights_only: whether to write the weights alone.
        save_freq: ``"epoch"``, or after how many batches.
        initial_value_threshold: what the first model to be saved must be better than.

    Raises:
        FileError: where the file cannot be written; the old one, and the model in memory, are as they were.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath, self.verbose = str(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = check_stride("ModelCheckpoint", "save_freq", save_freq, "epoch")
        self.batch_stride = math.inf if save_freq == "epoch" else save_freq
        self.count = BatchCount(1 if save_freq == "epoch" else save_freq)
        self.epoch = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        if self.save_best_only:
            super().on_train_begin(logs)
        self.count.restart()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq != "epoch" and self.count.reached(batch):
            self._save(self.epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> None:
        path = self._path(epoch, batch, logs)
        if self.save_best_only:
            value = self.read(logs)
            if value is None or not self.improves(value, self.best):
                self._tell(epoch, f"{self.monitor} did not improve from {self.best}")
                return
            self._tell(epoch, f"{self.monitor} improved from {self.best} to {value:.5f}")
            self.best = value
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        self._tell(epoch, f"saved {path}")

    def _path(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        places = {**logs, "epoch": epoch + 1} | ({} if batch is None or "batch" in logs else {"batch": batch + 1})
        try:
            return self.filepath.format(**places)
        except (KeyError, IndexError, ValueError) as error:
            raise ChainruleError(
                "the file's name cannot be made",
                where=f"ModelCheckpoint, {self.filepath!r}",
                expected="places among " + ", ".join(f"{{{name}}}" for name in places),
                got=str(error),
            ) from None

    def _tell(self, epoch: int, message: str) -> None:
        if self.verbose:
            print(f"Epoch {epoch + 1}: {message}")

    def get_state(self) -> dict[str, Any]:
        return {"best": self.best, "count": self.count.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.best = state["best"]
        self.count.set_state(state["count"])


class BackupAndRestore(Callback):
    """Back the training up as it goes on; started again after it was killed, it goes on from there.

    Nothing is lost: a run that was killed at any moment, and started again by the same script, ends with the same bits
    as one that never stopped. Kept are the weights, all of the optimizer, the counters of random draws, the seeds of
    the orders of rows, the running metrics, the place within the epoch, and what other callbacks keep (`get_state`):
    the history, the best weights of `EarlyStopping`, the lines of log files. What your own code draws from other
    generators is yours to keep. Batches of a generator that were trained before are taken and dropped.

    Args:
        backup_dir: a folder of this callback's own.
        save_freq: ``"epoch"``, or after how many batches; False: never, to restore only.
        double_checkpoint: whether to keep the last but one as well, and to use it where the last is damaged.
        delete_checkpoint: whether to delete the backup when training has come to its end.

    Raises:
        FileError: for a backup that is damaged, or of another network, optimizer or data set.
    """

    rank = 1  # when it saves, the others have seen the epoch

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ):
        super().__init__()
        if not str(backup_dir):
            raise ChainruleError("the folder has no name", where="BackupAndRestore", expected="a folder of its own")
        self.backup_dir = Path(backup_dir)
        self.save_freq = check_stride("BackupAndRestore", "save_freq", save_freq, "epoch", False)
        by_batches = save_freq not in ("epoch", False)
        self.batch_stride = save_freq if by_batches else math.inf
        self.count = BatchCount(save_freq if by_batches else 1)
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self.path = self.backup_dir / STATE
        self.previous = self.backup_dir / f"previous-{STATE}"

    def on_train_begin(self, logs: Logs = None) -> None:
        self.count.restart()
        if not self.backup_dir.is_dir():
            return
        remove_unfinished(self.backup_dir)
        try:
            if self.path.exists():
                self.model.training_run.resume(self.path)
                return
        except FileError as error:
            if not self.previous.exists():
                raise
            warnings.warn(f"the backup before the last is used: {error.problem}", stacklevel=2)
        if self.previous.exists():
            self.model.training_run.resume(self.previous)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.save_freq not in ("epoch", False) and self.count.reached(batch):
            self._save()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save()

    def _save(self) -> None:
        write_archive(
            self.path, self.model.training_run.archive(), keep=self.previous if self.double_checkpoint else None
        )

    def on_train_end(self, logs: Logs = None) -> None:
        if self.delete_checkpoint:
            self.previous.unlink(missing_ok=True)  # the older first: at any moment the newest is the one to be found
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a folder that holds something else stays
                self.backup_dir.rmdir()

    def get_state(self) -> dict[str, Any]:
        return {"count": self.count.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.count.set_state(state["count"])


class Resume(Callback):
    """Go on with a training from a file that `ModelCheckpoint` or `BackupAndRestore` wrote.

    `fit` is called with the same model and data as before; it goes on at the epoch and batch of the file and has the
    bits of a training that was not stopped. Of what other callbacks keep, `ModelCheckpoint` writes nothing.

    Args:
        filepath: of the file.

    Raises:
        FileError: where there is none, it is damaged, or of another network, optimizer or data set.
    """

    rank = 2  # a backup is newer

    def __init__(self, filepath: Any):
        super().__init__()
        self.filepath = Path(filepath)

    def on_train_begin(self, logs: Logs = None) -> None:
        self.model.training_run.resume(self.filepath)
