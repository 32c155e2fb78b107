"""Callbacks that set the learning rate: by a function of the epoch, or to find a good one."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import registry
from chainrule.callbacks.callback import Callback, Logs
from chainrule.errors import ChainruleError
from chainrule.training.run import random_counters

_LEAST = 10
"""Steps without which nothing can be said."""


def rates_of(optimizer: Any) -> dict[str, tuple[Any, float]]:
    """Each optimizer with its learning rate, by the rate's name in logs; one that holds several gives all theirs."""
    parts = getattr(optimizer, "optimizers", None)
    named = {f"learning_rate_{part.name}": part for part in parts} if parts else {"learning_rate": optimizer}
    return {name: (part, float(np.asarray(part.learning_rate))) for name, part in named.items()}


def log_rates(optimizer: Any, logs: Logs) -> None:
    """Add the learning rates to the logs."""
    if logs is not None:
        logs.update({name: rate for name, (_, rate) in rates_of(optimizer).items()})


def set_rate(optimizer: Any, rate: float, where: str) -> None:
    """Set a learning rate; refused where it follows a schedule."""
    try:
        optimizer.learning_rate = rate
    except ChainruleError as error:
        raise error.located(where) from None


class LearningRateScheduler(Callback):
    """Set the learning rate at the beginning of each epoch.

    Args:
        schedule: ``(epoch, rate) -> rate`` or ``epoch -> rate``, the epoch counted from 0.
        verbose: 1 tells of each.

    Example:
        >>> halve = LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate / 2)
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        super().__init__()
        if not callable(schedule):
            raise ChainruleError(
                "not a function",
                where="LearningRateScheduler",
                expected="(epoch, rate) -> rate",
                got=repr(schedule),
                fix="a schedule of cr.optimizers.schedules goes to the optimizer itself",
            )
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        for name, (optimizer, rate) in rates_of(self.model.optimizer).items():
            new = self.schedule(epoch, rate) if takes_two(self.schedule) else self.schedule(epoch)
            if not isinstance(new, float | np.floating):
                raise ChainruleError(
                    "the schedule did not give a float", where="LearningRateScheduler", got=repr(new), expected="a rate"
                )
            set_rate(optimizer, float(new), "LearningRateScheduler")
            if self.verbose:
                print(f"Epoch {epoch + 1}: {name} is {float(new):g}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        log_rates(self.model.optimizer, logs)


def takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with two arguments."""
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a built-in function that does not tell
        return True
    return True


class LearningRateFinder(Callback):
    """Find a learning rate in one short training: it grows exponentially from step to step, and the loss is noted.

    Step i of n has the rate ``lowest * (highest / lowest) ** (i / (n - 1))``. Training ends after `steps`, or where the
    loss, smoothed, is `stop_factor` times the best. Weights, optimizer and random counters are as before, then.
    `suggestion` is the rate at which the loss falls fastest, over the logarithm of the rate: of the lines that fit the
    losses of a quarter of the steps, the middle of the steepest. `rates` and `losses` hold the course.

    Args:
        lowest, highest: the rates of the first and the last step.
        steps: how many; give `fit` epochs enough.
        smoothing: how much of the loss's running mean is kept from step to step, to tell where to stop.
        stop_factor: where to stop early; None: never.

    Source: Smith 2015, Cyclical Learning Rates for Training Neural Networks.

    Example:
        >>> import numpy as np, chainrule as cr
        >>> cr.set_random_seed(0)
        >>> x = np.random.default_rng(0).standard_normal((256, 4)).astype("float32")
        >>> model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> finder = LearningRateFinder(1e-4, 10.0)
        >>> history = model.fit(x, x.sum(1), epochs=100, verbose=0, callbacks=[finder])
        >>> 1e-3 < finder.suggestion < 1.0
        True
    """

    takes_bad_steps = True

    def __init__(
        self,
        lowest: float = 1e-7,
        highest: float = 10.0,
        steps: int = 100,
        smoothing: float = 0.9,
        stop_factor: float | None = 4.0,
    ):
        super().__init__()
        where = "LearningRateFinder"
        self.lowest = registry.require_number(where, "lowest", lowest, 1e-30, 1e30)
        self.highest = registry.require_number(where, "highest", highest, 1e-30, 1e30)
        if self.lowest >= self.highest:
            raise ChainruleError(
                "the rates do not grow", where=where, expected="lowest < highest", got=(lowest, highest)
            )
        self.steps = int(registry.require_number(where, "steps", steps, 3, 1e9))
        self.smoothing = registry.require_number(where, "smoothing", smoothing, 0.0, 1.0, open_high=True)
        self.stop_factor = stop_factor
        self._restart()

    def _restart(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._mean = 0.0
        self._best = math.inf
        self._kept: list[tuple[Any, np.ndarray]] = []

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls fastest.

        Raises:
            ChainruleError: where too few steps were taken.
        """
        count = len(self.losses)
        if count < _LEAST:
            raise ChainruleError(
                "too few steps to choose from",
                where="LearningRateFinder",
                expected=f"at least {_LEAST}",
                got=count,
                fix="give fit more epochs, or begin with a lower rate",
            )
        width = max(5, count // 4)
        logarithms = np.log(self.rates)
        slopes = [
            np.polyfit(logarithms[at : at + width], self.losses[at : at + width], 1)[0]
            for at in range(count - width + 1)
        ]
        return self.rates[int(np.argmin(slopes)) + width // 2]

    def on_train_begin(self, logs: Logs = None) -> None:
        self._restart()
        optimizer = self.model.optimizer
        optimizer.build(self.model.trainable_variables)
        kept = [*self.model.weights, *optimizer.variables, *random_counters(self.model)]
        self._kept = [(variable, variable.numpy()) for variable in kept]

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        part = min(len(self.rates), self.steps - 1) / (self.steps - 1)
        self.rates.append(self.lowest * (self.highest / self.lowest) ** part)
        for optimizer, _ in rates_of(self.model.optimizer).values():
            set_rate(optimizer, self.rates[-1], "LearningRateFinder")
        self.model.reset_metrics()  # so that the loss is this batch's

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = float((logs or {}).get("loss", math.nan))
        if self.model.take_bad_step() >= 0 or not math.isfinite(loss):
            self.rates.pop()
            self.model.stop_training = True
            return
        self.losses.append(loss)
        self._mean = self.smoothing * self._mean + (1 - self.smoothing) * loss
        smooth = self._mean / (1 - self.smoothing ** len(self.losses))
        self._best = min(self._best, smooth)
        grown = self.stop_factor is not None and smooth > self.stop_factor * self._best
        if len(self.losses) >= self.steps or grown and len(self.losses) > _LEAST:
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        for variable, value in self._kept:
            variable.assign(value)
        self._kept = []

    def on_train_abort(self, error: BaseException) -> None:
        self.on_train_end()
