"""Rates that rise and fall: one cycle, triangles, and a warm-up before any other schedule."""

from __future__ import annotations

from typing import Any

from chainrule import ops, registry
from chainrule.errors import ChainruleError, unknown_name
from chainrule.optimizers.schedules.cosines import half_wave
from chainrule.optimizers.schedules.schedule import LearningRateSchedule, as_float, get, require_positive


class OneCycle(LearningRateSchedule):
    """From ``max/div_factor`` up to `max_learning_rate` and down to almost nothing.

    Args:
        max_learning_rate: the top.
        total_steps: the length of the cycle.
        pct_start: the part of it that rises.
        anneal_strategy: "cos" along half waves of a cosine, "linear" along straight lines.
        div_factor: top over start.
        final_div_factor: start over end.
        three_phase: whether the rate falls first to the start, as long as it rose, and then to the end.

    The numbers are those of PyTorch's OneCycleLR. Source: Smith and Topin 2018.

    Example:
        >>> rate = OneCycle(1.0, 100)
        >>> [round(float(rate(step)), 4) for step in (0, 29, 99)]
        [0.04, 1.0, 0.0]
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        name: str = "OneCycle",
    ):
        if anneal_strategy not in ("cos", "linear"):
            raise unknown_name("anneal_strategy", anneal_strategy, ("cos", "linear"), where=name)
        self.max_learning_rate = require_positive(name, "max_learning_rate", max_learning_rate)
        self.total_steps = int(require_positive(name, "total_steps", total_steps))
        self.pct_start = registry.require_number(name, "pct_start", pct_start, 0.0, 1.0)
        self.anneal_strategy = anneal_strategy
        self.div_factor = require_positive(name, "div_factor", div_factor)
        self.final_div_factor = require_positive(name, "final_div_factor", final_div_factor)
        self.three_phase, self.name = three_phase, name

    def phases(self) -> list[tuple[float, float, float]]:
        """Of each phase its last step and the rates at its ends."""
        top = self.max_learning_rate
        start = top / self.div_factor
        end = start / self.final_div_factor
        peak, last = self.pct_start * self.total_steps - 1, float(self.total_steps - 1)
        if self.three_phase:
            return [(peak, start, top), (2 * peak, top, start), (last, start, end)]
        return [(peak, start, top), (last, top, end)]

    def __call__(self, step: Any) -> Any:
        t = as_float(step)
        phases = self.phases()
        starts = [0.0, *(finish for finish, _, _ in phases[:-1])]
        rate: Any = None
        for begin, (finish, first, second) in reversed(list(zip(starts, phases, strict=True))):
            part = ops.clip(ops.divide(ops.subtract(t, begin), max(finish - begin, 1e-6)), 0.0, 1.0)
            height = half_wave(part) if self.anneal_strategy == "cos" else ops.subtract(1.0, part)
            value = ops.add(ops.multiply(height, first - second), second)
            rate = value if rate is None else ops.where(ops.less_equal(t, finish), value, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {
            "max_learning_rate": self.max_learning_rate,
            "total_steps": self.total_steps,
            "pct_start": self.pct_start,
            "anneal_strategy": self.anneal_strategy,
            "div_factor": self.div_factor,
            "final_div_factor": self.final_div_factor,
            "three_phase": self.three_phase,
            "name": self.name,
        }


class Cyclic(LearningRateSchedule):
    """Triangles: from `base_learning_rate` straight up to `max_learning_rate` and straight down, again and again.

    Args:
        base_learning_rate: the lowest rate.
        max_learning_rate: the highest.
        step_size_up: steps that rise.
        step_size_down: steps that fall; as many as rise if not given.
        mode: "triangular"; "triangular2": each triangle is half as high as the one before; "exp_range": the height is
            ``gamma ** step`` of the first.
        gamma: for "exp_range".

    The numbers are those of PyTorch's CyclicLR. Source: Smith 2015.

    Example:
        >>> rate = Cyclic(0.0, 1.0, step_size_up=10)
        >>> [round(float(rate(step)), 4) for step in (0, 5, 10, 15, 20)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    MODES = ("triangular", "triangular2", "exp_range")

    def __init__(
        self,
        base_learning_rate: float,
        max_learning_rate: float,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        name: str = "Cyclic",
    ):
        if mode not in self.MODES:
            raise unknown_name("mode", mode, self.MODES, where=name)
        self.base_learning_rate = registry.require_number(name, "base_learning_rate", base_learning_rate, 0.0, 1e30)
        self.max_learning_rate = registry.require_number(name, "max_learning_rate", max_learning_rate, 0.0, 1e30)
        self.step_size_up = require_positive(name, "step_size_up", step_size_up)
        self.step_size_down = (
            None if step_size_down is None else require_positive(name, "step_size_down", step_size_down)
        )
        self.gamma = registry.require_number(name, "gamma", gamma, 0.0, 1.0)
        self.mode, self.name = mode, name

    def __call__(self, step: Any) -> Any:
        t = as_float(step)
        up = float(self.step_size_up)
        down = up if self.step_size_down is None else float(self.step_size_down)
        cycle = ops.floor(ops.divide(t, up + down))
        within = ops.subtract(t, ops.multiply(cycle, up + down))
        rise, fall = ops.divide(within, up), ops.divide(ops.subtract(up + down, within), down)
        height: Any = ops.minimum(rise, fall)
        if self.mode == "triangular2":
            height = ops.multiply(height, ops.power(0.5, cycle))
        elif self.mode == "exp_range":
            height = ops.multiply(height, ops.power(self.gamma, t))
        return ops.add(ops.multiply(height, self.max_learning_rate - self.base_learning_rate), self.base_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "base_learning_rate": self.base_learning_rate,
            "max_learning_rate": self.max_learning_rate,
            "step_size_up": self.step_size_up,
            "step_size_down": self.step_size_down,
            "mode": self.mode,
            "gamma": self.gamma,
            "name": self.name,
        }


class WarmUp(LearningRateSchedule):
    """A straight rise to where another schedule begins, then that schedule.

    ``initial + (schedule(0) - initial) * step / warmup_steps`` before `warmup_steps`, then
    ``schedule(step - warmup_steps)``.

    Args:
        schedule: a schedule, its name or config, or a number for a rate that stays.
        warmup_steps: the length of the rise.
        initial_learning_rate: where it begins.

    Example:
        >>> rate = WarmUp(1.0, 4)
        >>> [float(rate(step)) for step in (0, 1, 2, 4, 100)]
        [0.0, 0.25, 0.5, 1.0, 1.0]
    """

    def __init__(
        self,
        schedule: Any,
        warmup_steps: int,
        initial_learning_rate: float = 0.0,
        name: str = "WarmUp",
    ):
        is_number = isinstance(schedule, int | float) and not isinstance(schedule, bool)
        self.schedule = registry.require_number(name, "schedule", schedule, 0.0, 1e30) if is_number else get(schedule)
        if not is_number and not isinstance(self.schedule, LearningRateSchedule):
            raise ChainruleError("not a schedule", where=name, expected="a schedule or a number", got=repr(schedule))
        self.warmup_steps = require_positive(name, "warmup_steps", warmup_steps)
        self.initial_learning_rate = registry.require_number(
            name, "initial_learning_rate", initial_learning_rate, 0.0, 1e30
        )
        self.name = name

    def _follow(self, step: Any) -> Any:
        return self.schedule(step) if isinstance(self.schedule, LearningRateSchedule) else self.schedule

    def __call__(self, step: Any) -> Any:
        t = as_float(step)
        length = float(self.warmup_steps)
        climb = ops.subtract(self._follow(0), self.initial_learning_rate)
        rise = ops.add(ops.multiply(ops.divide(t, length), climb), self.initial_learning_rate)
        after = self._follow(ops.maximum(ops.subtract(t, length), 0.0))
        return ops.where(ops.less(t, length), rise, after)

    def get_config(self) -> dict[str, Any]:
        is_schedule = isinstance(self.schedule, LearningRateSchedule)
        return {
            "schedule": registry.describe(self.schedule) if is_schedule else self.schedule,
            "warmup_steps": self.warmup_steps,
            "initial_learning_rate": self.initial_learning_rate,
            "name": self.name,
        }
