"""Optimizers of the stochastic-gradient-descent family, with Keras's names, defaults and numbers.

A new weight is an elementwise formula of the weight, its gradient, its moments and scalars that all share;
the compiler puts it behind the matrix product that makes the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.tracing import scope
from chainrule.graph.variable import Variable
from chainrule.optimizers import schedules
from chainrule.optimizers.schedules import LearningRateSchedule


class Optimizer(registry.Configured):
    """What all optimizers share.

    Args:
        learning_rate: a number, or a schedule.
        weight_decay: the part of each weight that is taken away a step, times the learning rate.
        clipnorm: the largest norm of each gradient.
        clipvalue: the largest size of each element of a gradient.
        global_clipnorm: the largest norm of all gradients together.
    """

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ):
        self.name = name or type(self).__name__.lower()
        if isinstance(learning_rate, dict):
            learning_rate = registry.resolve("schedule", learning_rate, schedules.CLASSES)
        self.schedule = learning_rate if isinstance(learning_rate, LearningRateSchedule) else None
        start = 0.0 if self.schedule else registry.require_number(self.name, "learning_rate", learning_rate, 0.0, 1e30)
        self._rate = Variable(np.float32(start), name="learning_rate", trainable=False)
        self.iterations = Variable(np.int32(0), name="iterations", trainable=False)
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ChainruleError(
                "only one limit on gradients can be set", where=self.name, got=(clipnorm, clipvalue, global_clipnorm)
            )
        self.weight_decay, self.clipnorm = weight_decay, clipnorm
        self.clipvalue, self.global_clipnorm = clipvalue, global_clipnorm
        self.state: dict[Variable, list[Variable]] = {}

    @property
    def learning_rate(self) -> Any:
        """The Variable that holds the rate, or the rate that the schedule gives for the next step."""
        return self._rate if self.schedule is None else self.schedule(self.iterations.numpy())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        if self.schedule is not None:
            raise ChainruleError("the learning rate follows a schedule", where=self.name, fix="compile with a number")
        self._rate.assign(registry.require_number(self.name, "learning_rate", value, 0.0, 1e30))

    slots: tuple[str, ...] = ()
    """Names of the arrays kept beside each weight."""

    def slot_names(self) -> tuple[str, ...]:
        return self.slots

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the arrays kept beside each weight."""
        for variable in variables:
            if variable not in self.state:
                self.state[variable] = [
                    Variable(np.zeros(variable.shape, variable.dtype.numpy), f"{variable.name}/{slot}", trainable=False)
                    for slot in self.slot_names()
                ]

    @property
    def variables(self) -> list[Variable]:
        """All state, in an order that does not change."""
        return [self.iterations, self._rate, *(slot for slots in self.state.values() for slot in slots)]

    def apply(self, gradients: Sequence[Any], variables: Sequence[Variable]) -> None:
        """One step: assign every weight and all state."""
        self.build(variables)
        with scope(self.name):
            rate = self._rate if self.schedule is None else self.schedule(self.iterations)
            step = ops.add(ops.cast(self.iterations, "float32"), 1.0)
            gradients = self.limit(list(gradients))
            shared = self.prepare(rate, step)
            for gradient, variable in zip(gradients, variables, strict=True):
                with scope(variable.name):
                    weight: Any = variable
                    if self.weight_decay:
                        weight = ops.subtract(weight, ops.multiply(weight, ops.multiply(rate, self.weight_decay)))
                    new, state = self.update(gradient, weight, self.state[variable], shared)
                    for slot, value in zip(self.state[variable], state, strict=True):
                        slot.assign(value)
                    variable.assign(new)
            self.iterations.assign(ops.add(self.iterations, np.int32(1)))

    def limit(self, gradients: list[Any]) -> list[Any]:
        """The gradients within the limits that were set."""
        if self.clipvalue is not None:
            return [ops.clip(gradient, -self.clipvalue, self.clipvalue) for gradient in gradients]
        if self.clipnorm is not None:
            return [self._shorten(gradient, ops.norm(gradient), self.clipnorm) for gradient in gradients]
        if self.global_clipnorm is not None:
            total: Any = 0.0
            for gradient in gradients:
                total = ops.add(ops.sum(ops.square(gradient)), total)
            length = ops.sqrt(total)
            return [self._shorten(gradient, length, self.global_clipnorm) for gradient in gradients]
        return gradients

    @staticmethod
    def _shorten(gradient: Any, length: Any, limit: float) -> Any:
        return ops.multiply(gradient, ops.divide(limit, ops.maximum(length, limit)))

    def prepare(self, rate: Any, step: Any) -> Any:
        """Scalars that all weights share; `step` counts from 1."""
        return rate

    def update(self, g: Any, w: Any, state: list[Variable], shared: Any) -> tuple[Any, list[Any]]:
        """The new weight and the new state."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        rate = registry.describe(self.schedule) if self.schedule else float(self._rate.numpy())
        return {
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "clipvalue": self.clipvalue,
            "global_clipnorm": self.global_clipnorm,
            "name": self.name,
        }


class SGD(Optimizer):
    """``w -= rate * g``; with momentum ``v = momentum * v - rate * g; w += v``.

    Nesterov's: ``w += momentum * v - rate * g``. Source: Sutskever et al. 2013.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)
        self.momentum = registry.require_number(self.name, "momentum", momentum, 0.0, 1.0)
        self.nesterov = nesterov

    def slot_names(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def update(self, g: Any, w: Any, state: list[Variable], shared: Any) -> tuple[Any, list[Any]]:
        move = ops.multiply(g, shared)
        if not self.momentum:
            return ops.subtract(w, move), []
        v = ops.subtract(ops.multiply(state[0], self.momentum), move)
        if self.nesterov:
            return ops.add(w, ops.subtract(ops.multiply(v, self.momentum), move)), [v]
        return ops.add(w, v), [v]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


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
        name: str | None = None,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)
        self.rho = registry.require_number(self.name, "rho", rho, 0.0, 1.0)
        self.momentum = registry.require_number(self.name, "momentum", momentum, 0.0, 1.0)
        self.epsilon, self.centered = epsilon, centered

    def slot_names(self) -> tuple[str, ...]:
        return ("velocity", *(("momentum",) if self.momentum else ()), *(("average",) if self.centered else ()))

    def update(self, g: Any, w: Any, state: list[Variable], shared: Any) -> tuple[Any, list[Any]]:
        v = ops.add(ops.multiply(state[0], self.rho), ops.multiply(ops.square(g), 1 - self.rho))
        new = [v]
        spread = v
        if self.centered:
            average = ops.add(ops.multiply(state[-1], self.rho), ops.multiply(g, 1 - self.rho))
            spread = ops.subtract(v, ops.square(average))
        move = ops.divide(ops.multiply(g, shared), ops.sqrt(ops.add(spread, self.epsilon)))
        if self.momentum:
            move = ops.add(ops.multiply(state[1], self.momentum), move)
            new.append(move)
        if self.centered:
            new.append(average)
        return ops.subtract(w, move), new

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


class Adam(Optimizer):
    """Moments ``m += (g - m)(1 - beta_1)`` and ``v += (g**2 - v)(1 - beta_2)``; ``w -= rate' m / (sqrt(v) + epsilon)``.

    ``rate' = rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)`` makes good that the moments begin at zero.
    Source: Kingma and Ba 2014.
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
        name: str | None = None,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)
        self.beta_1 = registry.require_number(self.name, "beta_1", beta_1, 0.0, 1.0, open_high=True)
        self.beta_2 = registry.require_number(self.name, "beta_2", beta_2, 0.0, 1.0, open_high=True)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)
        self.amsgrad = amsgrad

    def slot_names(self) -> tuple[str, ...]:
        return ("momentum", "velocity", *(("velocity_hat",) if self.amsgrad else ()))

    def prepare(self, rate: Any, step: Any) -> Any:
        first = ops.subtract(1.0, ops.power(self.beta_1, step))
        second = ops.sqrt(ops.subtract(1.0, ops.power(self.beta_2, step)))
        return ops.divide(ops.multiply(rate, second), first)

    def update(self, g: Any, w: Any, state: list[Variable], shared: Any) -> tuple[Any, list[Any]]:
        m = ops.add(state[0], ops.multiply(ops.subtract(g, state[0]), 1 - self.beta_1))
        v = ops.add(state[1], ops.multiply(ops.subtract(ops.square(g), state[1]), 1 - self.beta_2))
        new = [m, v]
        spread = v
        if self.amsgrad:
            spread = ops.maximum(state[2], v)
            new.append(spread)
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
        name: str | None = None,
    ):
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue, global_clipnorm, name
        )


CLASSES: dict[str, type[Optimizer]] = {
    "SGD": SGD,
    "sgd": SGD,
    "RMSprop": RMSprop,
    "rmsprop": RMSprop,
    "Adam": Adam,
    "adam": Adam,
    "AdamW": AdamW,
    "adamw": AdamW,
}


def get(identifier: Any) -> Optimizer:
    """The optimizer of this name, class or config."""
    found: Optimizer = registry.resolve("optimizer", identifier, CLASSES)
    return found


__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "get", "schedules"]
