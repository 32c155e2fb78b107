"""Optimizers around others that average weights: Lookahead, ScheduleFree, StochasticWeightAverage.

A moving average of the weights is an option of every optimizer: `use_ema`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.variable import Variable
from chainrule.optimizers.wrapper import Wrapper


def require_count(where: str, name: str, value: Any, low: int) -> int:
    """`value`, if it is a whole number and at least `low`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise ChainruleError(
            f"{name} is out of range", where=where, expected=f"a whole number, at least {low}", got=repr(value)
        )
    return value


class Lookahead(Wrapper):
    """Every `sync_period` steps, slow weights go a part of the way to the fast ones, and the fast ones go back to them.

    ``slow += slow_step_size * (w - slow); w = slow``.

    Args:
        optimizer: of the fast weights: an optimizer, its name or its config.
        sync_period: steps from one meeting to the next.
        slow_step_size: the part of the way.
        name: for messages and files.

    The numbers are those of Optax. Source: Zhang et al. 2019.

    Example:
        >>> from chainrule.optimizers import SGD
        >>> w = Variable(np.float32(0), "w")
        >>> ahead = Lookahead(SGD(1.0), sync_period=2)
        >>> for _ in range(2):
        ...     ahead.apply([np.float32(-1)], [w])
        >>> float(w.numpy())
        1.0
    """

    def __init__(
        self, optimizer: Any = "adam", sync_period: int = 5, slow_step_size: float = 0.5, name: str | None = None
    ):
        super().__init__(optimizer, name)
        self.sync_period = require_count(self.name, "sync_period", sync_period, 1)
        self.slow_step_size = registry.require_number(self.name, "slow_step_size", slow_step_size, 0.0, 1.0)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"slow": variable.numpy()}

    def prepare(self, rate: Any, step: Any) -> Any:
        return ops.equal(ops.mod(step, float(self.sync_period)), 0.0)

    def follow(self, w: Any, before: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        slow = slots["slow"]
        met = ops.add(slow, ops.multiply(ops.subtract(w, slow), self.slow_step_size))
        return ops.where(shared, met, w), {"slow": ops.where(shared, met, slow)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sync_period": self.sync_period, "slow_step_size": self.slow_step_size}


class ScheduleFree(Wrapper):
    """The other optimizer's steps on z, gradients at a point between z and the mean x of all z.

        z += step        x += (z - x) * rate**p / sum of all rate**p        w = (1 - beta_1) z + beta_1 x

    Args:
        optimizer: an optimizer without momentum of its own, its name or its config. Its rate may warm up, but need not
            fall.
        beta_1: how near w is to x.
        weight_lr_power: p; rates count as the largest so far.
        name: for messages and files.

    At the end of `fit` the weights are x, the better ones. The numbers are those of Optax. Source: Defazio et al.,
    "The road less scheduled", 2024.
    """

    def __init__(
        self, optimizer: Any = "sgd", beta_1: float = 0.9, weight_lr_power: float = 2.0, name: str | None = None
    ):
        super().__init__(optimizer, name)
        self.beta_1 = registry.require_number(self.name, "beta_1", beta_1, 0.0, 1.0)
        self.weight_lr_power = registry.require_number(self.name, "weight_lr_power", weight_lr_power, 0.0, 1e30)
        self.scalars["largest_rate"] = Variable(np.float32(0), f"{self.name}/largest_rate", trainable=False)
        self.scalars["weight_sum"] = Variable(np.float32(0), f"{self.name}/weight_sum", trainable=False)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"base": variable.numpy(), "mean": variable.numpy()}

    def prepare(self, rate: Any, step: Any) -> Any:
        largest = ops.maximum(self.scalars["largest_rate"], rate)
        weight = ops.power(largest, self.weight_lr_power)
        total = ops.add(self.scalars["weight_sum"], weight)
        self.scalars["largest_rate"].assign(largest)
        self.scalars["weight_sum"].assign(total)
        # While the rate is 0, nothing has moved.
        return ops.where(ops.greater(total, 0.0), ops.divide(weight, ops.maximum(total, 1e-30)), 0.0)

    def follow(self, w: Any, before: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        z = ops.add(slots["base"], ops.subtract(w, before))
        x = ops.add(slots["mean"], ops.multiply(ops.subtract(z, slots["mean"]), shared))
        new = ops.add(ops.multiply(z, 1 - self.beta_1), ops.multiply(x, self.beta_1))
        return new, {"base": z, "mean": x}

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        super().finalize_variable_values(var_list)
        for variable in var_list:
            if variable in self.state:
                variable.assign(self.state[variable]["mean"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "weight_lr_power": self.weight_lr_power}


class StochasticWeightAverage(Wrapper):
    """The mean of the weights at every `period`-th step after `start_step`; at the end of `fit` it takes their place.

    Args:
        optimizer: an optimizer, its name or its config; a high rate that stays suits it.
        start_step: how many steps go by before the first weights count.
        period: steps from one set of weights that counts to the next, such as those of an epoch.
        name: for messages and files.

    Source: Izmailov et al. 2018.

    Example:
        >>> from chainrule.optimizers import SGD
        >>> w = Variable(np.float32(0), "w")
        >>> average = StochasticWeightAverage(SGD(1.0), start_step=1)
        >>> for _ in range(4):
        ...     average.apply([np.float32(-1)], [w])
        >>> average.finalize_variable_values([w])
        >>> float(w.numpy())
        3.0
    """

    def __init__(self, optimizer: Any = "sgd", start_step: int = 0, period: int = 1, name: str | None = None):
        super().__init__(optimizer, name)
        self.start_step = require_count(self.name, "start_step", start_step, 0)
        self.period = require_count(self.name, "period", period, 1)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"mean": variable.numpy()}

    def prepare(self, rate: Any, step: Any) -> Any:
        past = ops.divide(ops.subtract(step, float(self.start_step)), float(self.period))
        count = ops.floor(past)
        part = ops.where(ops.equal(past, count), ops.divide(1.0, ops.maximum(count, 1.0)), 0.0)
        # Until the first weights count, the mean is the weight as it is.
        return ops.where(ops.less(count, 1.0), 1.0, part)

    def follow(self, w: Any, before: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        return w, {"mean": ops.add(slots["mean"], ops.multiply(ops.subtract(w, slots["mean"]), shared))}

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        super().finalize_variable_values(var_list)
        for variable in var_list:
            if variable in self.state:
                variable.assign(self.state[variable]["mean"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start_step": self.start_step, "period": self.period}
