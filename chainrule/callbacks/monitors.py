"""Callbacks that watch one number: stop when it no longer improves, keep the best model."""

from __future__ import annotations

import math
from typing import Any

from chainrule.callbacks.callback import Callback, Logs
from chainrule.errors import ChainruleError, unknown_name


class _Monitor(Callback):
    """Compares a logged number with the best so far; `mode` auto: larger is better for accuracies."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise unknown_name("mode", mode, ["auto", "min", "max"], where=type(self).__name__)
        self.monitor, self.min_delta = monitor, abs(min_delta)
        larger = mode == "max" or mode == "auto" and monitor.endswith(("acc", "accuracy", "auc"))
        self.sign = 1.0 if larger else -1.0
        self.best = -math.inf  # of sign * value

    def read(self, logs: Logs) -> float:
        if not logs or self.monitor not in logs:
            raise unknown_name("quantity to monitor", self.monitor, logs or {}, where=type(self).__name__)
        return logs[self.monitor]

    def improves(self, value: float) -> bool:
        return self.sign * value - self.min_delta > self.best


class EarlyStopping(_Monitor):
    """Stop when `monitor` has not improved for `patience` epochs; arguments as in Keras."""

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch

    def on_train_begin(self, logs: Logs = None) -> None:
        self.best = -math.inf if self.baseline is None else self.sign * self.baseline
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best_weights: Any = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self.read(logs)
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        if self.improves(value):
            self.best, self.wait, self.best_epoch = self.sign * value, 0, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Save the model after each epoch, or after those that are the best so far.

    `filepath` may hold the epoch and logged numbers: ``"model-{epoch:02d}-{val_loss:.3f}.chainrule"``.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode)
        if save_freq != "epoch":
            raise ChainruleError(
                "only epochs can be saved after", where="ModelCheckpoint", expected="'epoch'", got=save_freq
            )
        self.filepath, self.verbose = str(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        if initial_value_threshold is not None:
            self.best = self.sign * initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_best_only:
            value = self.read(logs)
            if not self.improves(value):
                return
            self.best = self.sign * value
        path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")
