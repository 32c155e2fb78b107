"""Steps as long as the weights they change: Lamb and LARS, for large batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.graph.variable import Variable
from chainrule.optimizers.adam import move_toward, require_beta
from chainrule.optimizers.optimizer import Optimizer, zeros


def trust_ratio(weight: Any, step: Any, coefficient: float = 1.0, epsilon: float = 0.0) -> Any:
    """``coefficient * norm(weight) / (norm(step) + epsilon)``, and 1 where either norm is zero."""
    above, below = ops.norm(weight), ops.norm(step)
    usable = ops.logical_and(ops.greater(above, 0.0), ops.greater(below, 0.0))
    divisor = ops.where(usable, ops.add(below, epsilon), 1.0)
    return ops.where(usable, ops.divide(ops.multiply(above, coefficient), divisor), 1.0)


class Lamb(Optimizer):
    """Adam's step u, made as long as the weight: ``w -= rate * u * norm(w) / norm(u)``.

    ``u = m / (1 - beta_1**t) / (sqrt(v / (1 - beta_2**t)) + epsilon)``; norms are of a whole array.

    Source: You et al. 2019.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
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
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"momentum": zeros(variable), "velocity": zeros(variable)}

    def prepare(self, rate: Any, step: Any) -> Any:
        first = ops.subtract(1.0, ops.power(self.beta_1, step))
        return rate, first, ops.subtract(1.0, ops.power(self.beta_2, step))

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        rate, first, second = shared
        m = move_toward(slots["momentum"], g, self.beta_1)
        v = move_toward(slots["velocity"], ops.square(g), self.beta_2)
        u = ops.divide(ops.divide(m, first), ops.add(ops.sqrt(ops.divide(v, second)), self.epsilon))
        move = ops.multiply(u, ops.multiply(trust_ratio(w, u), rate))
        return ops.subtract(w, move), {"momentum": m, "velocity": v}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class LARS(Optimizer):
    """Momentum on gradients made as long as a part of the weight: with ``g' = g + weight_decay * w``

        v = momentum * v - rate * trust_coefficient * norm(w) / (norm(g') + epsilon) * g'        w += v

    and with `nesterov` ``w += momentum * v - rate * …`` of the same step.

    Args:
        learning_rate: a number or a schedule.
        momentum: how much of v stays.
        nesterov: whether to look one step ahead.
        trust_coefficient: the length of a step, as part of the weight's.
        epsilon: added to the gradient's norm.

    The numbers are those of Optax. Source: You, Gitman and Ginsburg 2017.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.9,
        nesterov: bool = False,
        trust_coefficient: float = 0.001,
        epsilon: float = 0.0,
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
        self.momentum = registry.require_number(self.name, "momentum", momentum, 0.0, 1.0)
        self.nesterov = nesterov
        self.trust_coefficient = registry.require_number(self.name, "trust_coefficient", trust_coefficient, 0.0, 1e30)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"momentum": zeros(variable)}

    def decay(self, gradient: Any, variable: Variable, rate: Any) -> tuple[Any, Any]:
        """The decay is a part of the gradient: it counts in its norm."""
        if not self.weight_decay or not self.uses_weight_decay(variable):
            return gradient, variable
        return ops.add(gradient, ops.multiply(variable, self.weight_decay)), variable

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        trust = trust_ratio(w, g, self.trust_coefficient, self.epsilon)
        move = ops.multiply(g, ops.multiply(trust, shared))
        v = ops.subtract(ops.multiply(slots["momentum"], self.momentum), move)
        ahead = ops.subtract(ops.multiply(v, self.momentum), move) if self.nesterov else v
        return ops.add(w, ahead), {"momentum": v}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "trust_coefficient": self.trust_coefficient,
            "epsilon": self.epsilon,
        }
