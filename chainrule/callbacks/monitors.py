"""Callbacks that watch one number: stop when it no longer improves, take smaller steps, stop where it is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.callbacks.callback import WHENEVER, Callback, Logs
from chainrule.callbacks.rates import log_rates, rates_of, set_rate
from chainrule.errors import ChainruleError, NonFiniteLossError, unknown_name

_DOWN = (
    "loss", "error", "mse", "mae", "rmse", "mape", "msle", "entropy", "divergence", "poisson", "hinge",
    "logcosh",
)  # fmt: skip
_UP = (
    "acc", "accuracy", "auc", "precision", "recall", "score", "iou", "io_u", "correlation", "similarity",
    "sensitivity", "specificity",
)  # fmt: skip
"""How names of numbers end that should become small, or large, where the metric itself does not say."""


class MonitorCallback(Callback):
    """The base of those that watch a number: whether it improves on another.

    Args:
        monitor: the number's name in the logs: a metric's, or ``loss``, with ``val_`` before it for validation.
        mode: ``min``, ``max``, or ``auto``: what the metric's own direction is, or its name says.
        baseline: the first best value.
        min_delta: what counts as no improvement.

    Raises:
        ChainruleError: for a name that is not in the logs, with those that are.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0
    ):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise unknown_name("mode", mode, ["auto", "min", "max"], where=type(self).__name__)
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.best = baseline

    def read(self, logs: Logs) -> float | None:
        """The number; None where this epoch was not validated, but others are."""
        logs = logs or {}
        if self.monitor in logs:
            return float(np.asarray(logs[self.monitor]))
        run = getattr(self.model, "training_run", None)
        if run is not None and run.validates and self.monitor.removeprefix("val_") in logs:
            return None
        error = unknown_name("quantity to monitor", self.monitor, logs, where=type(self).__name__)
        lacking = self.monitor.startswith("val_") and not any(name.startswith("val_") for name in logs)
        raise error if not lacking else self._unvalidated(logs)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Refuse, before any training, to watch what no validation will give."""
        run = getattr(self.model, "training_run", None)
        if run is None or run.validates or not self.monitor.startswith("val_"):
            return
        # A callback of the user's own may add the number to the logs.
        if all(type(callback).__module__.startswith("chainrule.") for callback in run.watchers.callbacks):
            raise self._unvalidated(run.model.logs())

    def _unvalidated(self, logs: dict[str, Any]) -> ChainruleError:
        return ChainruleError(
            f"there is no '{self.monitor}', as nothing is validated",
            where=type(self).__name__,
            expected="one of " + ", ".join(sorted(logs)),
            got=repr(self.monitor),
            fix="pass validation_data or validation_split to fit, or monitor a number of the training data",
        )

    @property
    def larger_is_better(self) -> bool:
        """The direction."""
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        for metric in getattr(self.model, "metrics", None) or []:
            direction = getattr(metric, "direction", None)
            if metric.name == name and direction in ("up", "down"):
                return bool(direction == "up")
        if name.endswith(_UP):
            return True
        if name.endswith(_DOWN):
            return False
        raise ChainruleError(
            f"it is not known whether '{self.monitor}' should become large or small",
            where=type(self).__name__,
            fix="pass mode='max' or mode='min'",
        )

    def improves(self, value: float, reference: float | None) -> bool:
        """Whether a value is better than another by more than `min_delta`."""
        if reference is None:
            return True
        if self.larger_is_better:
            return value - self.min_delta > reference
        return value + self.min_delta < reference


class EarlyStopping(MonitorCallback):
    """Stop when a number has not improved for some epochs.

    The best weights are restored whichever way training ended: by itself, after the last epoch, by Ctrl-C, or by an
    error.

    Args:
        monitor, mode, min_delta: see `MonitorCallback`.
        patience: epochs without improvement after which to stop.
        verbose: 1 tells of it.
        baseline: what must be improved on within `patience`.
        restore_best_weights: whether to end with the weights of the best epoch.
        start_from_epoch: epochs before watching begins.
    """

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
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self._restart()

    def _restart(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin(logs)
        self._restart()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self.read(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:  # whatever comes, one epoch is the best
            self._keep(epoch)
        self.wait += 1
        if self.improves(value, self.best):
            self.best = value
            self._keep(epoch)
            if self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)

    def on_train_abort(self, error: BaseException) -> None:
        self.on_train_end()

    def get_state(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in ("wait", "stopped_epoch", "best_epoch", "best")}
        return {**kept, "best_weights": self.best_weights}

    def set_state(self, state: dict[str, Any]) -> None:
        self.wait, self.stopped_epoch, self.best_epoch = state["wait"], state["stopped_epoch"], state["best_epoch"]
        self.best, self.best_weights = state["best"], state["best_weights"]


class ReduceLROnPlateau(MonitorCallback):
    """Multiply the learning rate by a factor when a number has not improved for some epochs.

    Args:
        monitor, mode, min_delta: see `MonitorCallback`.
        factor: below 1.
        patience: epochs without improvement before the rate falls.
        verbose: 1 tells of it.
        cooldown: epochs after that in which nothing is counted.
        min_lr: below which the rate does not fall.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        if not 0 <= factor < 1:
            raise ChainruleError(
                "the factor would not make the rate smaller",
                where="ReduceLROnPlateau",
                expected="from 0, below 1",
                got=factor,
            )
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self._restart()

    def _restart(self) -> None:
        self.best: float | None = None
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin(logs)
        self._restart()

    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        log_rates(self.model.optimizer, logs)
        value = self.read(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce(self, epoch: int) -> bool:
        """Lower the rates that may fall further; whether there were any."""
        reduced = False
        for name, (optimizer, rate) in rates_of(self.model.optimizer).items():
            if rate > np.float32(self.min_lr):
                set_rate(optimizer, max(rate * self.factor, self.min_lr), "ReduceLROnPlateau")
                reduced = True
                if self.verbose:
                    print(f"Epoch {epoch + 1}: {name} becomes {max(rate * self.factor, self.min_lr):g}")
        return reduced

    def get_state(self) -> dict[str, Any]:
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def set_state(self, state: dict[str, Any]) -> None:
        self.best, self.wait, self.cooldown_counter = state["best"], state["wait"], state["cooldown_counter"]


class TerminateOnNaN(Callback):
    """End training, as if it were over, where the loss is no number; without it, an error ends training.

    Args:
        raise_error: whether to raise that error all the same, as Keras does with a RuntimeError.
    """

    batch_stride = WHENEVER
    takes_bad_steps = True

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        step = self.model.take_bad_step() if hasattr(self.model, "take_bad_step") else -1
        loss = (logs or {}).get("loss")
        if step < 0 and (loss is None or math.isfinite(loss)):
            return
        batch = step if step >= 0 else batch
        if self.raise_error:
            raise NonFiniteLossError(
                "the loss became NaN or infinite", where=f"batch {batch}", expected="a finite loss", got=loss
            )
        print(f"Batch {batch}: the loss is no number, training ends")
        self.model.stop_training = True
