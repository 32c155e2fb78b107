"""Rates that fall: exponentially, in stairs, along a polynomial, inversely with time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.optimizers.schedules.schedule import LearningRateSchedule, as_float, require_positive


def _elapsed(step: Any, decay_steps: float, staircase: bool) -> Any:
    """How many times `decay_steps` have gone by, in whole numbers with `staircase`."""
    part = ops.divide(as_float(step), float(decay_steps))
    return ops.floor(part) if staircase else part


class ExponentialDecay(LearningRateSchedule):
    """``initial * decay_rate ** (step / decay_steps)``, in whole stairs with `staircase`.

    Example:
        >>> float(ExponentialDecay(8.0, 10, 0.5)(20))
        2.0
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.decay_steps = require_positive(name, "decay_steps", decay_steps)
        self.decay_rate = require_positive(name, "decay_rate", decay_rate)
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> Any:
        part = _elapsed(step, self.decay_steps, self.staircase)
        return ops.multiply(ops.power(float(self.decay_rate), part), self.initial_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(LearningRateSchedule):
    """``initial / (1 + decay_rate * step / decay_steps)``, in whole stairs with `staircase`.

    Example:
        >>> float(InverseTimeDecay(8.0, 10, 1.0)(30))
        2.0
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.decay_steps = require_positive(name, "decay_steps", decay_steps)
        self.decay_rate = registry.require_number(name, "decay_rate", decay_rate, 0.0, 1e30)
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> Any:
        part = _elapsed(step, self.decay_steps, self.staircase)
        return ops.divide(self.initial_learning_rate, ops.add(ops.multiply(part, self.decay_rate), 1.0))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[i]`` up to and with step ``boundaries[i]``, the last value after all.

    Example:
        >>> rate = PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.25])
        >>> float(rate(10)), float(rate(11)), float(rate(21))
        (1.0, 0.5, 0.25)
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"):
        if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(boundaries):
            raise ChainruleError(
                "boundaries and values do not fit",
                where=name,
                got=f"{len(boundaries)} and {len(values)}",
                expected="rising boundaries and one value more than boundaries",
            )
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def __call__(self, step: Any) -> Any:
        t = as_float(step)
        rate: Any = ops.cast(self.values[-1], "float32")
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = ops.where(ops.less_equal(t, float(boundary)), float(value), rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end``, and `end` after `decay_steps`.

    With `cycle` the end moves on: at each multiple of `decay_steps` the rate rises again, to a lower height.

    Example:
        >>> float(PolynomialDecay(1.0, 10, end_learning_rate=0.0)(5))
        0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.decay_steps = require_positive(name, "decay_steps", decay_steps)
        self.end_learning_rate = registry.require_number(name, "end_learning_rate", end_learning_rate, 0.0, 1e30)
        self.power = registry.require_number(name, "power", power, 0.0, 1e30)
        self.cycle, self.name = cycle, name

    def __call__(self, step: Any) -> Any:
        t = as_float(step)
        length: Any = float(self.decay_steps)
        if self.cycle:
            length = ops.multiply(ops.maximum(ops.ceil(ops.divide(t, length)), 1.0), length)
        part = ops.divide(ops.minimum(t, length), length)
        height = ops.power(ops.subtract(1.0, part), self.power)
        fall = self.initial_learning_rate - self.end_learning_rate
        return ops.add(ops.multiply(height, fall), self.end_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }
