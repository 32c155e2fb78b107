"""Relatives of Adam beyond Keras's list: NAdamW, RAdam, AdaBelief and Adan. `adam.py` has the letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.graph.variable import Variable
from chainrule.optimizers.adam import move_toward, require_beta
from chainrule.optimizers.optimizer import Optimizer, zeros


def bias(beta: float, step: Any) -> Any:
    """``1 - beta**step``: how much of a mean that began at zero there is by now."""
    return ops.subtract(1.0, ops.power(beta, step))


class NAdamW(Optimizer):
    """Adam with Nesterov's momentum and weight decay apart from the gradient.

    ``w -= rate m' / (sqrt(v / (1 - beta_2**t)) + epsilon)`` with
    ``m' = beta_1 m / (1 - beta_1**(t+1)) + (1 - beta_1) g / (1 - beta_1**t)``.

    The numbers are those of Optax's nadamw. Source: Dozat 2016; Loshchilov and Hutter 2017.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.0001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
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
        of_m = ops.divide(ops.multiply(rate, self.beta_1), bias(self.beta_1, ops.add(step, 1.0)))
        of_g = ops.divide(ops.multiply(rate, 1 - self.beta_1), bias(self.beta_1, step))
        return of_m, of_g, bias(self.beta_2, step)

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        of_m, of_g, second = shared
        m = move_toward(slots["momentum"], g, self.beta_1)
        v = move_toward(slots["velocity"], ops.square(g), self.beta_2)
        ahead = ops.add(ops.multiply(m, of_m), ops.multiply(g, of_g))
        move = ops.divide(ahead, ops.add(ops.sqrt(ops.divide(v, second)), self.epsilon))
        return ops.subtract(w, move), {"momentum": m, "velocity": v}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class RAdam(Optimizer):
    """Adam without division while v has seen too few gradients to be trusted.

    With ``r = 2 / (1 - beta_2) - 1`` and ``r_t = r - 2 t beta_2**t / (1 - beta_2**t)``, where ``r_t > 5``:
    ``w -= rate c m' sqrt(1 - beta_2**t) / (sqrt(v) + epsilon)`` with ``m' = m / (1 - beta_1**t)`` and
    ``c = sqrt((r_t - 4) (r_t - 2) r / ((r - 4) (r - 2) r_t))``; before that ``w -= rate m'``.

    The numbers are those of PyTorch, weight decay as everywhere here apart from the gradient. Source: Liu et al. 2019.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
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
        # Below, r would be 4 at most: too few gradients at any time.
        self.beta_2 = registry.require_number(self.name, "beta_2", beta_2, 0.61, 1.0, open_high=True)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"momentum": zeros(variable), "velocity": zeros(variable)}

    def prepare(self, rate: Any, step: Any) -> Any:
        # r_t is a small difference of large numbers: float32 would leave no digit of it.
        t = ops.cast(step, "float64")
        first, second = bias(self.beta_1, t), bias(self.beta_2, t)
        most = 2.0 / (1.0 - self.beta_2) - 1.0
        power = ops.subtract(1.0, second)
        length = ops.subtract(most, ops.divide(ops.multiply(ops.multiply(t, power), 2.0), second))
        trusted = ops.greater(length, 5.0)
        safe = ops.maximum(length, 5.0)
        above = ops.multiply(ops.multiply(ops.subtract(safe, 4.0), ops.subtract(safe, 2.0)), most)
        below = ops.multiply(safe, (most - 4.0) * (most - 2.0))
        plain = ops.divide(ops.cast(rate, "float64"), first)
        divided = ops.multiply(plain, ops.sqrt(ops.multiply(ops.divide(above, below), second)))
        return trusted, ops.cast(divided, "float32"), ops.cast(plain, "float32")

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        trusted, divided, plain = shared
        m = move_toward(slots["momentum"], g, self.beta_1)
        v = move_toward(slots["velocity"], ops.square(g), self.beta_2)
        adapted = ops.divide(ops.multiply(m, divided), ops.add(ops.sqrt(v), self.epsilon))
        move = ops.where(trusted, adapted, ops.multiply(m, plain))
        return ops.subtract(w, move), {"momentum": m, "velocity": v}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class AdaBelief(Optimizer):
    """Adam that divides by how far gradients are from their mean: ``s = beta_2 s + (1 - beta_2) (g - m)**2 + root``.

    ``w -= rate m' / (sqrt(s / (1 - beta_2**t)) + epsilon)`` with ``m' = m / (1 - beta_1**t)``, or with `nesterov`
    ``m' = beta_1 m / (1 - beta_1**(t+1)) + (1 - beta_1) g / (1 - beta_1**t)``.

    Args:
        learning_rate: a number or a schedule.
        beta_1: how much of the mean of the gradients stays.
        beta_2: how much of the mean of the squared distances stays.
        epsilon: added to the root.
        epsilon_root: added under the root, at every step.
        nesterov: whether to look one step ahead.

    The numbers are those of Optax. Source: Zhuang et al. 2020.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-16,
        epsilon_root: float = 1e-16,
        nesterov: bool = False,
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
        self.epsilon_root = registry.require_number(self.name, "epsilon_root", epsilon_root, 0.0, 1e30)
        self.nesterov = nesterov

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"momentum": zeros(variable), "spread": zeros(variable)}

    def prepare(self, rate: Any, step: Any) -> Any:
        if self.nesterov:
            of_m = ops.divide(ops.multiply(rate, self.beta_1), bias(self.beta_1, ops.add(step, 1.0)))
            of_g = ops.divide(ops.multiply(rate, 1 - self.beta_1), bias(self.beta_1, step))
        else:
            of_m, of_g = ops.divide(rate, bias(self.beta_1, step)), None
        return of_m, of_g, bias(self.beta_2, step)

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        of_m, of_g, second = shared
        m = move_toward(slots["momentum"], g, self.beta_1)
        s = ops.add(move_toward(slots["spread"], ops.square(ops.subtract(g, m)), self.beta_2), self.epsilon_root)
        ahead = ops.multiply(m, of_m)
        if self.nesterov:
            ahead = ops.add(ahead, ops.multiply(g, of_g))
        move = ops.divide(ahead, ops.add(ops.sqrt(ops.divide(s, second)), self.epsilon))
        return ops.subtract(w, move), {"momentum": m, "spread": s}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "epsilon_root": self.epsilon_root,
            "nesterov": self.nesterov,
        }


class Adan(Optimizer):
    """Nesterov's momentum from differences of gradients: with ``d = g - (the gradient before)``

        m += (g - m) (1 - beta_1)
        v += (d - v) (1 - beta_2)
        n += ((g + (1 - beta_2) d)**2 - n) (1 - beta_3)

    and each divided by its ``1 - beta**t``, ``w -= rate (m + (1 - beta_2) v) / (sqrt(n + epsilon_root) + epsilon)``.

    The numbers are those of Optax. Source: Xie et al. 2022.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.98,
        beta_2: float = 0.92,
        beta_3: float = 0.99,
        epsilon: float = 1e-8,
        epsilon_root: float = 1e-8,
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
        self.beta_3 = require_beta(self.name, "beta_3", beta_3)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)
        self.epsilon_root = registry.require_number(self.name, "epsilon_root", epsilon_root, 0.0, 1e30)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {name: zeros(variable) for name in ("momentum", "difference", "velocity", "minus_gradient")}

    def prepare(self, rate: Any, step: Any) -> Any:
        of_m = ops.divide(rate, bias(self.beta_1, step))
        of_v = ops.divide(ops.multiply(rate, 1 - self.beta_2), bias(self.beta_2, step))
        # At the first step there is no gradient before, and so no difference.
        some = ops.where(ops.greater(step, 1.0), 1.0, 0.0)
        return of_m, of_v, bias(self.beta_3, step), some

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        of_m, of_v, third, some = shared
        d = ops.multiply(ops.add(g, slots["minus_gradient"]), some)
        m = move_toward(slots["momentum"], g, self.beta_1)
        v = move_toward(slots["difference"], d, self.beta_2)
        ahead = ops.add(g, ops.multiply(d, 1 - self.beta_2))
        n = move_toward(slots["velocity"], ops.square(ahead), self.beta_3)
        root = ops.sqrt(ops.add(ops.divide(n, third), self.epsilon_root))
        move = ops.divide(ops.add(ops.multiply(m, of_m), ops.multiply(v, of_v)), ops.add(root, self.epsilon))
        # Kept with the other sign: the gradient itself, as a result of its own, would be a kernel of its own.
        return ops.subtract(w, move), {
            "momentum": m,
            "difference": v,
            "velocity": n,
            "minus_gradient": ops.negative(g),
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "beta_3": self.beta_3,
            "epsilon": self.epsilon,
            "epsilon_root": self.epsilon_root,
        }
