"""Learning-rate schedules: functions of the number of steps done, traced into the compiled step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError


class LearningRateSchedule(registry.Configured):
    """Called with the number of steps done it gives the learning rate of the next."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError


def _positive(where: str, name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise ChainruleError(f"{name} is not positive", where=where, expected="a number above 0", got=repr(value))
    return value


def _as_float(step: Any) -> Any:
    return ops.cast(step, "float32")


class CosineDecay(LearningRateSchedule):
    """``a + (1 - a) (1 + cos(pi t / T)) / 2`` of the initial rate, after a straight warm-up.

    Args:
        initial_learning_rate: at the start (of the warm-up, if there is one).
        decay_steps: T, after the warm-up.
        alpha: a, the part that is left.
        warmup_target: the rate at the end of the warm-up.
        warmup_steps: its length.

    Source: Loshchilov and Hutter 2016.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        warmup_target: float | None = None,
        warmup_steps: int = 0,
        name: str = "CosineDecay",
    ):
        self.initial_learning_rate, self.alpha = initial_learning_rate, alpha
        self.decay_steps = _positive(name, "decay_steps", decay_steps)
        self.warmup_target, self.warmup_steps, self.name = warmup_target, warmup_steps, name

    def __call__(self, step: Any) -> Any:
        t = _as_float(step)
        top = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
        past = t if self.warmup_target is None else ops.subtract(t, float(self.warmup_steps))
        part = ops.divide(ops.clip(past, 0.0, float(self.decay_steps)), float(self.decay_steps))
        wave = ops.multiply(ops.add(ops.cos(ops.multiply(part, math.pi)), 1.0), 0.5)
        rate = ops.multiply(ops.add(ops.multiply(wave, 1 - self.alpha), self.alpha), top)
        if self.warmup_target is None or not self.warmup_steps:
            return rate
        rise = ops.multiply(ops.divide(t, float(self.warmup_steps)), top - self.initial_learning_rate)
        return ops.where(ops.less(t, float(self.warmup_steps)), ops.add(rise, self.initial_learning_rate), rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
            "name": self.name,
        }


class ExponentialDecay(LearningRateSchedule):
    """``initial * decay_rate ** (step / decay_steps)``, in whole stairs with `staircase`."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(name, "decay_steps", decay_steps)
        self.decay_rate = _positive(name, "decay_rate", decay_rate)
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> Any:
        part = ops.divide(_as_float(step), float(self.decay_steps))
        part = ops.floor(part) if self.staircase else part
        return ops.multiply(ops.power(float(self.decay_rate), part), self.initial_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[i]`` up to and with step ``boundaries[i]``, the last value after all."""

    def __init__(self, boundaries: Sequence[int], values: Sequence[float], name: str = "PiecewiseConstant"):
        if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(boundaries):
            raise ChainruleError(
                "boundaries and values do not fit",
                where=name,
                got=f"{len(boundaries)} and {len(values)}",
                expected="rising boundaries and one value more than boundaries",
            )
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def __call__(self, step: Any) -> Any:
        t = _as_float(step)
        rate: Any = ops.cast(self.values[-1], "float32")
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = ops.where(ops.less_equal(t, float(boundary)), value, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class OneCycle(LearningRateSchedule):
    """From ``max/div_factor`` up to `max_learning_rate` and down to almost nothing, along half waves of a cosine.

    Args:
        max_learning_rate: the top.
        total_steps: the length of the cycle.
        pct_start: the part of it that rises.
        div_factor: top over start.
        final_div_factor: start over end.

    The numbers are those of PyTorch's OneCycleLR. Source: Smith and Topin 2018.
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        name: str = "OneCycle",
    ):
        self.max_learning_rate = _positive(name, "max_learning_rate", max_learning_rate)
        self.total_steps = int(_positive(name, "total_steps", total_steps))
        self.pct_start = registry.require_number(name, "pct_start", pct_start, 0.0, 1.0)
        self.div_factor, self.final_div_factor, self.name = div_factor, final_div_factor, name

    def __call__(self, step: Any) -> Any:
        t = _as_float(step)
        start = self.max_learning_rate / self.div_factor
        end = start / self.final_div_factor
        peak = self.pct_start * self.total_steps - 1
        last = max(self.total_steps - 1, 1)

        def wave(first: float, second: float, part: Any) -> Any:
            height = ops.multiply(ops.add(ops.cos(ops.multiply(part, math.pi)), 1.0), 0.5 * (first - second))
            return ops.add(height, second)

        rise = ops.clip(ops.divide(t, float(max(peak, 1e-6))), 0.0, 1.0)
        fall = ops.clip(ops.divide(ops.subtract(t, float(peak)), float(max(last - peak, 1e-6))), 0.0, 1.0)
        return ops.where(
            ops.less_equal(t, float(peak)),
            wave(start, self.max_learning_rate, rise),
            wave(self.max_learning_rate, end, fall),
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "max_learning_rate": self.max_learning_rate,
            "total_steps": self.total_steps,
            "pct_start": self.pct_start,
            "div_factor": self.div_factor,
            "final_div_factor": self.final_div_factor,
            "name": self.name,
        }


CLASSES: dict[str, type[LearningRateSchedule]] = {
    "CosineDecay": CosineDecay,
    "ExponentialDecay": ExponentialDecay,
    "OneCycle": OneCycle,
    "PiecewiseConstantDecay": PiecewiseConstantDecay,
}
