"""Rates that follow a cosine: once, with restarts, in cycles that grow, after a flat half."""

from __future__ import annotations

import math
from typing import Any

from chainrule import ops, registry
from chainrule.optimizers.schedules.schedule import LearningRateSchedule, as_float, require_positive


def half_wave(part: Any) -> Any:
    """``(1 + cos(pi * part)) / 2``: from 1 at 0 down to 0 at 1."""
    return ops.multiply(ops.add(ops.cos(ops.multiply(part, math.pi)), 1.0), 0.5)


class CosineDecay(LearningRateSchedule):
    """``a + (1 - a) (1 + cos(pi t / T)) / 2`` of the initial rate, after a straight warm-up.

    Args:
        initial_learning_rate: at the start (of the warm-up, if there is one).
        decay_steps: T, after the warm-up.
        alpha: a, the part that is left.
        warmup_target: the rate at the end of the warm-up.
        warmup_steps: its length.

    Source: Loshchilov and Hutter 2016.

    Example:
        >>> round(float(CosineDecay(1.0, 10)(5)), 6)
        0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.decay_steps = require_positive(name, "decay_steps", decay_steps)
        self.alpha = registry.require_number(name, "alpha", alpha, 0.0, 1e30)
        self.warmup_target, self.warmup_steps, self.name = warmup_target, warmup_steps, name

    def __call__(self, step: Any) -> Any:
        t = as_float(step)
        top = self.initial_learning_rate if self.warmup_target is None else self.warmup_target
        past = t if self.warmup_target is None else ops.subtract(t, float(self.warmup_steps))
        part = ops.divide(ops.clip(past, 0.0, float(self.decay_steps)), float(self.decay_steps))
        rate = ops.multiply(ops.add(ops.multiply(half_wave(part), 1 - self.alpha), self.alpha), top)
        if self.warmup_target is None or not self.warmup_steps:
            return rate
        rise = ops.multiply(ops.divide(t, float(self.warmup_steps)), top - self.initial_learning_rate)
        return ops.where(ops.less(t, float(self.warmup_steps)), ops.add(rise, self.initial_learning_rate), rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


def find_cycle(elapsed: Any, growth: float) -> tuple[Any, Any]:
    """The number of the cycle, from 0, and which part of it has gone by.

    Args:
        elapsed: time, in lengths of the first cycle.
        growth: how many times as long as the one before each cycle is. Cycle i begins at ``(growth**i - 1) / (growth
            - 1)``, so that ``i = floor(log(1 + elapsed (growth - 1)) / log(growth))``.
    """
    if growth == 1.0:
        cycle = ops.floor(elapsed)
        return cycle, ops.subtract(elapsed, cycle)

    def beginning(number: Any) -> Any:
        return ops.divide(ops.subtract(ops.power(growth, number), 1.0), growth - 1.0)

    cycle = ops.floor(ops.divide(ops.log(ops.add(ops.multiply(elapsed, growth - 1.0), 1.0)), math.log(growth)))
    # At the first step of a cycle a rounded logarithm may be on either side of the whole number.
    cycle = ops.subtract(cycle, ops.cast(ops.less(elapsed, beginning(cycle)), "float32"))
    cycle = ops.add(cycle, ops.cast(ops.greater_equal(elapsed, beginning(ops.add(cycle, 1.0))), "float32"))
    return cycle, ops.divide(ops.subtract(elapsed, beginning(cycle)), ops.power(growth, cycle))


class CosineDecayRestarts(LearningRateSchedule):
    """A cosine that begins again and again: ``a + (1 - a) m_mul**i (1 + cos(pi part)) / 2`` of the initial rate.

    Args:
        initial_learning_rate: at the start.
        first_decay_steps: length of the first cycle.
        t_mul: how many times as long as the one before each cycle is.
        m_mul: how many times as high.
        alpha: a, the part that is left at the end of a cycle.

    Source: Loshchilov and Hutter 2016.

    Example:
        >>> rate = CosineDecayRestarts(1.0, 10)
        >>> [round(float(rate(step)), 3) for step in (0, 5, 10, 20, 30)]
        [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.first_decay_steps = require_positive(name, "first_decay_steps", first_decay_steps)
        self.t_mul = registry.require_number(name, "t_mul", t_mul, 1.0, 1e30)
        self.m_mul = registry.require_number(name, "m_mul", m_mul, 0.0, 1e30)
        self.alpha = registry.require_number(name, "alpha", alpha, 0.0, 1e30)
        self.name = name

    def __call__(self, step: Any) -> Any:
        cycle, part = find_cycle(ops.divide(as_float(step), float(self.first_decay_steps)), self.t_mul)
        height = ops.multiply(ops.power(self.m_mul, cycle), half_wave(part))
        return ops.multiply(ops.add(ops.multiply(height, 1 - self.alpha), self.alpha), self.initial_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


class CosineWarmRestarts(LearningRateSchedule):
    """``eta_min + (initial - eta_min) (1 + cos(pi part)) / 2``, begun again after each cycle.

    Args:
        initial_learning_rate: at the start of each cycle.
        first_decay_steps: length of the first cycle.
        t_mul: how many times as long as the one before each cycle is, a whole number.
        eta_min: the rate at the end of a cycle.

    The numbers are those of PyTorch's CosineAnnealingWarmRestarts. Source: Loshchilov and Hutter 2016.

    Example:
        >>> round(float(CosineWarmRestarts(1.0, 10)(15)), 6)
        0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: int = 1,
        eta_min: float = 0.0,
        name: str = "CosineWarmRestarts",
    ):
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.first_decay_steps = require_positive(name, "first_decay_steps", first_decay_steps)
        self.t_mul = registry.require_number(name, "t_mul", t_mul, 1.0, 1e30)
        self.eta_min = registry.require_number(name, "eta_min", eta_min, 0.0, 1e30)
        self.name = name

    def __call__(self, step: Any) -> Any:
        _, part = find_cycle(ops.divide(as_float(step), float(self.first_decay_steps)), self.t_mul)
        return ops.add(ops.multiply(half_wave(part), self.initial_learning_rate - self.eta_min), self.eta_min)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "eta_min": self.eta_min,
            "name": self.name,
        }


class CosLog4(LearningRateSchedule):
    """Four cycles, each twice as long as the one before: ``initial * (1 - cos(2 pi log2(1 + 15 t))) / 2``.

    t is the part of `decay_steps` that has gone by. The rate begins and ends at 0, and so does each cycle.

    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024 (RealMLP).

    Example:
        >>> rate = CosLog4(1.0, 150)
        >>> [round(float(rate(step)), 3) for step in (0, 10, 30, 70, 150)]
        [0.0, 0.0, 0.0, 0.0, 0.0]
        >>> round(max(float(rate(step)) for step in range(150)), 2)
        1.0
    """

    def __init__(self, initial_learning_rate: float, decay_steps: int, name: str = "CosLog4"):
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.decay_steps = require_positive(name, "decay_steps", decay_steps)
        self.name = name

    def __call__(self, step: Any) -> Any:
        part = ops.minimum(ops.divide(as_float(step), float(self.decay_steps)), 1.0)
        # Turns of log2(1 + 15 t), each 2 pi; the two factors as one round once.
        angle = ops.multiply(ops.log(ops.add(ops.multiply(part, 15.0), 1.0)), 2 * math.pi / math.log(2.0))
        wave = ops.subtract(1.0, ops.cos(angle))
        return ops.multiply(wave, 0.5 * self.initial_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "name": self.name,
        }


class FlatCos(LearningRateSchedule):
    """Flat for the first half of `decay_steps`, then half a wave down to 0.

    ``initial * (1 + cos(pi (max(1, 2 t) - 1))) / 2``, where t is the part of `decay_steps` that has gone by.

    Source: Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024 (RealMLP).

    Example:
        >>> rate = FlatCos(1.0, 100)
        >>> [round(float(rate(step)), 6) for step in (0, 50, 75, 100)]
        [1.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, initial_learning_rate: float, decay_steps: int, name: str = "FlatCos"):
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.decay_steps = require_positive(name, "decay_steps", decay_steps)
        self.name = name

    def __call__(self, step: Any) -> Any:
        part = ops.multiply(ops.divide(as_float(step), float(self.decay_steps)), 2.0)
        return ops.multiply(half_wave(ops.subtract(ops.clip(part, 1.0, 2.0), 1.0)), self.initial_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "name": self.name,
        }
