"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.graph.variable import Variable
from chainrule.optimizers.optimizer import Optimizer, zeros


class SGD(Optimizer):
    """``w -= rate * g``; with momentum ``v = momentum * v - rate * g; w += v``.

    Nesterov's: ``w += momentum * v - rate * g``. `Optimizer` tells of the further arguments.

    Source: Sutskever et al. 2013.
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

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"momentum": zeros(variable)} if self.momentum else {}

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        move = ops.multiply(g, shared)
        if not self.momentum:
            return ops.subtract(w, move), {}
        v = ops.subtract(ops.multiply(slots["momentum"], self.momentum), move)
        if self.nesterov:
            return ops.add(w, ops.subtract(ops.multiply(v, self.momentum), move)), {"momentum": v}
        return ops.add(w, v), {"momentum": v}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
