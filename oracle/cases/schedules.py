"""Schedules against Keras, PyTorch and formulas in NumPy: the rates of the first steps, compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch
from case import Case

import chainrule as cr

COUNT = 160


def run_ours(schedule: Any, count: int = COUNT) -> np.ndarray:
    compiled = cr.jit(schedule.__call__)
    return np.array([compiled(np.int32(step)) for step in range(count)])


def keras_case(name: str, *arguments: Any, **options: Any) -> Case:
    def theirs() -> np.ndarray:
        schedule = getattr(keras.optimizers.schedules, name)(*arguments, **options)
        return np.array([float(schedule(step)) for step in range(COUNT)])

    what = ", ".join([*map(str, arguments), *(f"{key}={value}" for key, value in options.items())])
    return Case(name, lambda: run_ours(getattr(cr.optimizers.schedules, name)(*arguments, **options)), theirs, what)


def torch_case(name: str, what: str, make: Callable[[Any], Any], rate: float, count: int, ours: Any) -> Case:
    def theirs() -> np.ndarray:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
        schedule = make(optimizer)
        rates = []
        for _ in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                optimizer.step()
                if len(rates) < count:
                    schedule.step()
        return np.array(rates)

    return Case(name, lambda: run_ours(ours, count), theirs, what)


def formula(name: str, what: str, ours: Any, rate_at: Callable[[np.ndarray], np.ndarray]) -> Case:
    return Case(name, lambda: run_ours(ours), lambda: rate_at(np.arange(COUNT, dtype=np.float64)), what)


schedulers = torch.optim.lr_scheduler
ours = cr.optimizers.schedules


def one_cycle(what: str, theirs: dict[str, Any], mine: dict[str, Any]) -> Case:
    return torch_case(
        "OneCycle",
        what,
        lambda optimizer: schedulers.OneCycleLR(optimizer, 0.1, 100, cycle_momentum=False, **theirs),
        0.1,
        100,
        ours.OneCycle(0.1, 100, **mine),
    )


def cyclic(what: str, theirs: dict[str, Any], mine: dict[str, Any]) -> Case:
    return torch_case(
        "Cyclic",
        what,
        lambda optimizer: schedulers.CyclicLR(optimizer, 0.01, 0.1, cycle_momentum=False, **theirs),
        0.01,
        COUNT,
        ours.Cyclic(0.01, 0.1, **mine),
    )


def restarts(what: str, length: int, growth: int, low: float) -> Case:
    return torch_case(
        "CosineWarmRestarts",
        what,
        lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, length, growth, low),
        0.1,
        COUNT,
        ours.CosineWarmRestarts(0.1, length, growth, low),
    )


def cos_log_4(t: np.ndarray) -> np.ndarray:
    return 0.2 * 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * np.minimum(t / 120, 1))))


def flat_cos(t: np.ndarray) -> np.ndarray:
    return 0.2 * 0.5 * (1 + np.cos(np.pi * (np.maximum(1, 2 * np.minimum(t / 120, 1)) - 1)))


def warm_constant(t: np.ndarray) -> np.ndarray:
    return np.minimum(0.02 + (0.3 - 0.02) * t / 25, 0.3)


def warm_cosine(t: np.ndarray) -> np.ndarray:
    after = 0.1 * 0.5 * (1 + np.cos(np.pi * np.clip((t - 30) / 100, 0, 1)))
    return np.where(t < 30, 0.1 * t / 30, after)


CASES = [
    keras_case("ExponentialDecay", 0.1, 30, 0.5),
    keras_case("ExponentialDecay", 0.1, 7, 0.9, staircase=True),
    keras_case("InverseTimeDecay", 0.1, 30, 0.5),
    keras_case("InverseTimeDecay", 0.1, 7, 2.0, staircase=True),
    keras_case("PiecewiseConstantDecay", [30, 60, 100], [0.1, 0.05, 0.02, 0.001]),
    keras_case("PiecewiseConstantDecay", [20], [0.1, 0.2]),
    keras_case("PolynomialDecay", 0.1, 100),
    keras_case("PolynomialDecay", 0.1, 100, end_learning_rate=0.01, power=0.5),
    keras_case("PolynomialDecay", 0.1, 40, end_learning_rate=0.01, power=2.0, cycle=True),
    keras_case("CosineDecay", 0.1, 100),
    keras_case("CosineDecay", 0.1, 100, alpha=0.2),
    keras_case("CosineDecay", 0.01, 100, alpha=0.1, warmup_target=0.2, warmup_steps=25),
    keras_case("CosineDecayRestarts", 0.1, 10),
    keras_case("CosineDecayRestarts", 0.1, 20, t_mul=1.0, m_mul=0.7, alpha=0.1),
    keras_case("CosineDecayRestarts", 0.1, 16, t_mul=1.5, m_mul=0.9),
    one_cycle("plain", {}, {}),
    one_cycle(
        "linear", {"anneal_strategy": "linear", "pct_start": 0.4}, {"anneal_strategy": "linear", "pct_start": 0.4}
    ),
    one_cycle(
        "three phases",
        {"three_phase": True, "div_factor": 10.0, "final_div_factor": 50.0},
        {"three_phase": True, "div_factor": 10.0, "final_div_factor": 50.0},
    ),
    cyclic("plain", {"step_size_up": 20}, {"step_size_up": 20}),
    cyclic(
        "uneven", {"step_size_up": 10, "step_size_down": 30, "mode": "triangular2"},
        {"step_size_up": 10, "step_size_down": 30, "mode": "triangular2"},
    ),
    cyclic(
        "shrinking", {"step_size_up": 15, "mode": "exp_range", "gamma": 0.98},
        {"step_size_up": 15, "mode": "exp_range", "gamma": 0.98},
    ),
    restarts("plain", 20, 1, 0.0),
    restarts("growing", 10, 2, 0.01),
    restarts("thrice as long", 5, 3, 0.001),
    formula("CosLog4", "beyond its end", ours.CosLog4(0.2, 120), cos_log_4),
    formula("FlatCos", "beyond its end", ours.FlatCos(0.2, 120), flat_cos),
    formula("WarmUp", "to a constant", ours.WarmUp(0.3, 25, 0.02), warm_constant),
    formula("WarmUp", "to a cosine", ours.WarmUp(ours.CosineDecay(0.1, 100), 30), warm_cosine),
]  # fmt: skip
