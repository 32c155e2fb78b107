"""Optimizers that need no schedule, or no learning rate: ScheduleFreeAdamW and Prodigy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.graph.tracing import as_operand, scope
from chainrule.graph.variable import Variable
from chainrule.optimizers.adam import in_float32, move_toward, require_beta
from chainrule.optimizers.optimizer import Optimizer, zeros


class ScheduleFreeAdamW(Optimizer):
    """Adam's steps on z, gradients at a point between z and the mean x of all z: ``w = (1 - beta_1) z + beta_1 x``.

        v += (g**2 - v) (1 - beta_2)        z -= rate g / (sqrt(v / (1 - beta_2**t)) + epsilon)        x += (z - x) / t

    Args:
        learning_rate: a number or a schedule.
        beta_1: how near w is to x.
        beta_2: how much of v stays.
        epsilon: keeps the quotient finite.
        warmup_steps: the rate rises for so many steps.

    Source: Defazio et al., "The road less scheduled", 2024.
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ):
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
        )  # fmt: skip
        self.beta_1 = registry.require_number(self.name, "beta_1", beta_1, 1e-6, 1.0)
        self.beta_2 = require_beta(self.name, "beta_2", beta_2)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)
        self.warmup_steps = self._optional_count("warmup_steps", warmup_steps, 0) or 0

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"momentum": variable.numpy(), "velocity": zeros(variable)}

    def prepare(self, rate: Any, step: Any) -> Any:
        if self.warmup_steps:
            rate = ops.multiply(rate, ops.minimum(ops.divide(step, float(self.warmup_steps)), 1.0))
        return rate, ops.subtract(1.0, ops.power(self.beta_2, step)), ops.divide(1.0, step)

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        rate, second, part = shared
        v = move_toward(slots["velocity"], ops.square(g), in_float32(self.beta_2))
        root = ops.add(ops.sqrt(ops.divide(v, second)), self.epsilon)
        z = ops.subtract(slots["momentum"], ops.divide(ops.multiply(g, rate), root))
        mean = ops.divide(ops.subtract(w, ops.multiply(slots["momentum"], 1 - self.beta_1)), self.beta_1)
        mean = ops.add(ops.multiply(mean, ops.subtract(1.0, part)), ops.multiply(z, part))
        new = ops.add(ops.multiply(z, 1 - self.beta_1), ops.multiply(mean, self.beta_1))
        return new, {"momentum": z, "velocity": v}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }


class Prodigy(Optimizer):
    """Adam that estimates its own rate d, from how far gradients have led from the first weights w0.

    With ``e = d * rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)``, sums over all weights, and g the gradient:

        n = beta_3 n + d e / d0 * sum(g (w0 - w))
        s = beta_3 s + d e / d0 * g
        d' = max(d, coef * n / sum |s|)
        m = beta_1 m + (1 - beta_1) d g
        v = beta_2 v + (1 - beta_2) (d g)**2
        w -= e m / (sqrt(v) + d' epsilon)

    where d' becomes d after the step. Weight decay is at the estimated rate too: ``w -= e * weight_decay * w``.

    Args:
        learning_rate: multiplies the estimate; leave it at 1, or give a schedule that ends at 0.
        beta_1, beta_2: how much of m and v stays.
        beta_3: how much of n and s stays; ``sqrt(beta_2)`` if not given.
        epsilon: keeps the quotient finite.
        estim_lr0: d0, the first d, smaller than any good rate.
        estim_lr_coef: multiplies the estimate.
        safeguard_warmup: leave the rate's schedule out of s, which helps with warm-ups.

    The numbers are those of Optax. Source: Mishchenko and Defazio 2023.
    """

    def __init__(
        self,
        learning_rate: Any = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float | None = None,
        epsilon: float = 1e-8,
        estim_lr0: float = 1e-6,
        estim_lr_coef: float = 1.0,
        safeguard_warmup: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ):
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
        )  # fmt: skip
        self.beta_1 = require_beta(self.name, "beta_1", beta_1)
        self.beta_2 = require_beta(self.name, "beta_2", beta_2)
        self.beta_3 = None if beta_3 is None else require_beta(self.name, "beta_3", beta_3)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)
        self.estim_lr0 = registry.require_number(self.name, "estim_lr0", estim_lr0, 1e-30, 1e30)
        self.estim_lr_coef = registry.require_number(self.name, "estim_lr_coef", estim_lr_coef, 0.0, 1e30)
        self.safeguard_warmup = safeguard_warmup
        self.scalars["estim_lr"] = Variable(np.float32(estim_lr0), f"{self.name}/estim_lr", trainable=False)
        self.scalars["numerator"] = Variable(np.float32(0), f"{self.name}/numerator", trainable=False)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        first = {"first_weight": variable.numpy()}
        return first | {name: zeros(variable) for name in ("momentum", "velocity", "gradient_sum")}

    def update_all(self, gradients: Sequence[Any], weights: Sequence[Variable], rate: Any, step: Any) -> None:
        # The new d needs sums over all weights before any of them can change.
        first = ops.subtract(1.0, ops.power(self.beta_1, step))
        second = ops.sqrt(ops.subtract(1.0, ops.power(self.beta_2, step)))
        before = as_operand(self.scalars["estim_lr"])
        pace = ops.multiply(ops.multiply(before, rate), ops.divide(second, first))
        estimate = self._estimate(gradients, weights, before, pace)
        for gradient, variable in zip(gradients, weights, strict=True):
            with scope(variable.name):
                gradient, weight = self.decay(gradient, variable, pace)
                shared = before, pace, ops.multiply(estimate, self.epsilon)
                new, changes = self.update(gradient, weight, self.state[variable], shared)
                for slot, value in changes.items():
                    self.state[variable][slot].assign(value)
                variable.assign(new)

    def _estimate(self, gradients: Sequence[Any], weights: Sequence[Variable], before: Any, pace: Any) -> Any:
        """The new d, assigned together with n and s."""
        beta_3 = self.beta_2**0.5 if self.beta_3 is None else self.beta_3
        growth = ops.divide(ops.multiply(before if self.safeguard_warmup else pace, before), self.estim_lr0)
        led: Any = 0.0
        size: Any = 0.0
        for gradient, variable in zip(gradients, weights, strict=True):
            slots = self.state[variable]
            led = ops.add(ops.sum(ops.multiply(gradient, ops.subtract(slots["first_weight"], variable))), led)
            total = ops.add(ops.multiply(slots["gradient_sum"], beta_3), ops.multiply(gradient, growth))
            slots["gradient_sum"].assign(total)
            size = ops.add(ops.sum(ops.abs(total)), size)
        factor = ops.divide(ops.multiply(before, pace), self.estim_lr0)
        numerator = ops.add(ops.multiply(self.scalars["numerator"], beta_3), ops.multiply(led, factor))
        self.scalars["numerator"].assign(numerator)
        # Before the first gradient that is not zero there is nothing to estimate from.
        found = ops.divide(ops.multiply(numerator, self.estim_lr_coef), ops.where(ops.greater(size, 0.0), size, 1.0))
        estimate = ops.maximum(before, found)
        self.scalars["estim_lr"].assign(estimate)
        return estimate

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        before, pace, epsilon = shared
        scaled = ops.multiply(g, before)
        m = move_toward(slots["momentum"], scaled, self.beta_1)
        v = move_toward(slots["velocity"], ops.square(scaled), self.beta_2)
        move = ops.divide(ops.multiply(m, pace), ops.add(ops.sqrt(v), epsilon))
        return ops.subtract(w, move), {"momentum": m, "velocity": v}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "beta_3": self.beta_3,
            "epsilon": self.epsilon,
            "estim_lr0": self.estim_lr0,
            "estim_lr_coef": self.estim_lr_coef,
            "safeguard_warmup": self.safeguard_warmup,
        }
