"""Rates of their own for each element, from the squares of its gradients: Adagrad, Adadelta, RMSprop, Ftrl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.graph.variable import Variable
from chainrule.optimizers.optimizer import Optimizer, zeros


class Adagrad(Optimizer):
    """``a += g**2; w -= rate * g / sqrt(a + epsilon)``.

    Source: Duchi, Hazan and Singer 2011.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
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
        self.initial_accumulator_value = registry.require_number(
            self.name, "initial_accumulator_value", initial_accumulator_value, 0.0, 1e30
        )
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"accumulator": zeros(variable) + variable.dtype.numpy.type(self.initial_accumulator_value)}

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        a = ops.add(slots["accumulator"], ops.square(g))
        return ops.subtract(w, ops.divide(ops.multiply(g, shared), ops.sqrt(ops.add(a, self.epsilon)))), {
            "accumulator": a
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


class Adadelta(Optimizer):
    """``w += rate * d`` with ``d = -g sqrt(b + epsilon) / sqrt(a + epsilon)``: steps in units of the weight.

    a is the running mean of g**2, b that of d**2: ``a = rho a + (1 - rho) g**2``.

    Source: Zeiler 2012.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
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
        self.rho = registry.require_number(self.name, "rho", rho, 0.0, 1.0)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"accumulated_grad": zeros(variable), "accumulated_delta_var": zeros(variable)}

    def _mean(self, before: Any, value: Any) -> Any:
        return ops.add(ops.multiply(before, self.rho), ops.multiply(ops.square(value), 1 - self.rho))

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        a = self._mean(slots["accumulated_grad"], g)
        moved = ops.sqrt(ops.add(slots["accumulated_delta_var"], self.epsilon))
        d = ops.divide(ops.multiply(moved, g), ops.sqrt(ops.add(a, self.epsilon)))
        b = self._mean(slots["accumulated_delta_var"], d)
        return ops.subtract(w, ops.multiply(d, shared)), {"accumulated_grad": a, "accumulated_delta_var": b}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


class RMSprop(Optimizer):
    """``v = rho v + (1 - rho) g**2; w -= rate * g / sqrt(v + epsilon)``; centered: v less the squared mean of g.

    Source: Hinton, lecture 6e, 2012.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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
        self.rho = registry.require_number(self.name, "rho", rho, 0.0, 1.0)
        self.momentum = registry.require_number(self.name, "momentum", momentum, 0.0, 1.0)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)
        self.centered = centered

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        names = ["velocity"]
        if self.momentum:
            names.append("momentum")
        if self.centered:
            names.append("average_gradient")
        return {name: zeros(variable) for name in names}

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        v = ops.add(ops.multiply(slots["velocity"], self.rho), ops.multiply(ops.square(g), 1 - self.rho))
        new = {"velocity": v}
        spread = v
        if self.centered:
            average = ops.add(ops.multiply(slots["average_gradient"], self.rho), ops.multiply(g, 1 - self.rho))
            spread = ops.subtract(v, ops.square(average))
            new["average_gradient"] = average
        move = ops.divide(ops.multiply(g, shared), ops.sqrt(ops.add(spread, self.epsilon)))
        if self.momentum:
            move = new["momentum"] = ops.add(ops.multiply(slots["momentum"], self.momentum), move)
        return ops.subtract(w, move), new

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


class Ftrl(Optimizer):
    """Follow the regularized leader: the weight that is best for the sum of all gradients so far, many of them zero.

    With ``n = a + g**2``, ``p = -learning_rate_power``, ``q = l2 + beta / (2 rate)`` and ``g' = g + 2 shrinkage w``:

        z += g' - (n**p - a**p) / rate * w        w = (clip(z, -l1, l1) - z) / (n**p / rate + 2 q)        a = n

    Args:
        learning_rate: a number or a schedule.
        learning_rate_power: at most 0; 0 leaves the rate as it is.
        initial_accumulator_value: of a.
        l1_regularization_strength: l1, makes small weights zero.
        l2_regularization_strength: l2.
        l2_shrinkage_regularization_strength: an l2 penalty on the gradient instead of the weight.
        beta: adds to l2, more the smaller the rate.

    Source: McMahan et al. 2013.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
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

        def strength(name: str, value: Any) -> float:
            return registry.require_number(self.name, name, value, 0.0, 1e30)

        self.learning_rate_power = registry.require_number(
            self.name, "learning_rate_power", learning_rate_power, -1e30, 0.0
        )
        self.initial_accumulator_value = strength("initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = strength("l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = strength("l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = strength(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = strength("beta", beta)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        first = variable.dtype.numpy.type(self.initial_accumulator_value)
        return {"accumulator": zeros(variable) + first, "linear": zeros(variable)}

    def prepare(self, rate: Any, step: Any) -> Any:
        return rate, ops.add(ops.divide(self.beta, rate), 2 * self.l2_regularization_strength)

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        rate, pull = shared
        a = slots["accumulator"]
        n = ops.add(a, ops.square(g))
        power = ops.power(n, -self.learning_rate_power)
        grown = ops.divide(ops.subtract(power, ops.power(a, -self.learning_rate_power)), rate)
        shrunk = ops.add(g, ops.multiply(w, 2 * self.l2_shrinkage_regularization_strength))
        z = ops.add(slots["linear"], ops.subtract(shrunk, ops.multiply(grown, w)))
        limit = self.l1_regularization_strength
        new = ops.divide(ops.subtract(ops.clip(z, -limit, limit), z), ops.add(ops.divide(power, rate), pull))
        return new, {"accumulator": n, "linear": z}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }
