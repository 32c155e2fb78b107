"""Adam and those that Keras counts to its family: a mean of the gradients over the root of a mean of their squares.

In all formulas g is the gradient, t the number of the step from 1, and the moments are

    m += (g - m) (1 - beta_1)        v += (g**2 - v) (1 - beta_2)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.variable import Variable
from chainrule.optimizers.optimizer import Optimizer, zeros


def move_toward(average: Any, value: Any, beta: float) -> Any:
    """``average + (value - average) * (1 - beta)``."""
    return ops.add(average, ops.multiply(ops.subtract(value, average), 1 - beta))


def in_float32(beta: float) -> float:
    """`beta` as float32 knows it.

    ``1 - beta`` and the ``1 - beta**t`` that it is divided by then err alike, and the errors cancel.
    """
    return float(np.float32(beta))


def require_beta(where: str, name: str, value: Any) -> float:
    """`value`, if it is a number from 0 up to but not 1."""
    return registry.require_number(where, name, value, 0.0, 1.0, open_high=True)


class Adam(Optimizer):
    """``w -= rate' m / (sqrt(v) + epsilon)`` with ``rate' = rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)``.

    The factor makes good that the moments begin at zero. `Optimizer` tells of the further arguments.

    Args:
        learning_rate: a number or a schedule.
        beta_1: how much of the mean of the gradients stays.
        beta_2: how much of the mean of their squares stays.
        epsilon: keeps the quotient finite.
        amsgrad: divide by the largest v so far.

    Source: Kingma and Ba 2014; Reddi, Kale and Kumar 2018 (amsgrad).

    Example:
        >>> w = Variable(np.array([1.0, 1.0], "float32"), "w")
        >>> Adam(0.1).apply([np.array([100.0, -0.01], "float32")], [w])
        >>> w.numpy().round(3)
        array([0.9, 1.1], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        self.amsgrad = amsgrad

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        names = ("momentum", "velocity", *(("velocity_hat",) if self.amsgrad else ()))
        return {name: zeros(variable) for name in names}

    def prepare(self, rate: Any, step: Any) -> Any:
        first = ops.subtract(1.0, ops.power(self.beta_1, step))
        second = ops.sqrt(ops.subtract(1.0, ops.power(self.beta_2, step)))
        return ops.divide(ops.multiply(rate, second), first)

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        m = move_toward(slots["momentum"], g, self.beta_1)
        v = move_toward(slots["velocity"], ops.square(g), self.beta_2)
        new = {"momentum": m, "velocity": v}
        spread = v
        if self.amsgrad:
            spread = new["velocity_hat"] = ops.maximum(slots["velocity_hat"], v)
        return ops.subtract(w, ops.divide(ops.multiply(m, shared), ops.add(ops.sqrt(spread), self.epsilon))), new

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: first ``w -= rate * weight_decay * w``.

    Source: Loshchilov and Hutter 2017.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        if weight_decay is None:
            raise ChainruleError("AdamW decays weights", where=name or "adamw", expected="a number", got=None)
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue, global_clipnorm,
            use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
        )  # fmt: skip


class Adamax(Optimizer):
    """``u = max(beta_2 u, |g|); w -= rate m / ((1 - beta_1**t) (u + epsilon))``: Adam in the largest norm.

    Source: Kingma and Ba 2014, section 7.1.
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
        return {"momentum": zeros(variable), "norm": zeros(variable)}

    def prepare(self, rate: Any, step: Any) -> Any:
        return ops.divide(rate, ops.subtract(1.0, ops.power(self.beta_1, step)))

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        m = move_toward(slots["momentum"], g, self.beta_1)
        u = ops.maximum(ops.multiply(slots["norm"], self.beta_2), ops.abs(g))
        move = ops.divide(ops.multiply(m, shared), ops.add(u, self.epsilon))
        return ops.subtract(w, move), {"momentum": m, "norm": u}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Nadam(Optimizer):
    """Adam that looks one step ahead, with a momentum that grows: ``u_t = beta_1 (1 - 0.96**t / 2)``.

    ``w -= rate m' / (sqrt(v / (1 - beta_2**t)) + epsilon)`` with
    ``m' = u_{t+1} m / (1 - u_1 … u_{t+1}) + (1 - u_t) g / (1 - u_1 … u_t)``.

    Source: Dozat 2016.
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
        self.scalars["u_product"] = Variable(np.float32(1), f"{self.name}/u_product", trainable=False)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"momentum": zeros(variable), "velocity": zeros(variable)}

    def _momentum_at(self, step: Any) -> Any:
        return ops.multiply(ops.subtract(1.0, ops.multiply(ops.power(0.96, step), 0.5)), self.beta_1)

    def prepare(self, rate: Any, step: Any) -> Any:
        now, then = self._momentum_at(step), self._momentum_at(ops.add(step, 1.0))
        product = ops.multiply(self.scalars["u_product"], now)
        self.scalars["u_product"].assign(product)
        of_m = ops.divide(ops.multiply(rate, then), ops.subtract(1.0, ops.multiply(product, then)))
        of_g = ops.divide(ops.multiply(rate, ops.subtract(1.0, now)), ops.subtract(1.0, product))
        return of_m, of_g, ops.subtract(1.0, ops.power(self.beta_2, step))

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        of_m, of_g, bias = shared
        m = move_toward(slots["momentum"], g, in_float32(self.beta_1))
        v = move_toward(slots["velocity"], ops.square(g), in_float32(self.beta_2))
        ahead = ops.add(ops.multiply(m, of_m), ops.multiply(g, of_g))
        move = ops.divide(ahead, ops.add(ops.sqrt(ops.divide(v, bias)), self.epsilon))
        return ops.subtract(w, move), {"momentum": m, "velocity": v}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
