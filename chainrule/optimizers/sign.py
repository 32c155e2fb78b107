"""Optimizers that follow the sign of the gradient alone: Lion and Rprop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.variable import Variable
from chainrule.optimizers.optimizer import Optimizer, zeros


class Lion(Optimizer):
    """``w -= rate * sign(beta_1 m + (1 - beta_1) g)``, then ``m = beta_2 m + (1 - beta_2) g``.

    Source: Chen et al. 2023.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        self.beta_1 = registry.require_number(self.name, "beta_1", beta_1, 1e-30, 1.0)
        self.beta_2 = registry.require_number(self.name, "beta_2", beta_2, 0.0, 1.0)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"momentum": zeros(variable)}

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        def blend(beta: float) -> Any:
            return ops.add(ops.multiply(slots["momentum"], beta), ops.multiply(g, 1 - beta))

        return ops.subtract(w, ops.multiply(ops.sign(blend(self.beta_1)), shared)), {"momentum": blend(self.beta_2)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}


class Rprop(Optimizer):
    """``w -= s * sign(g)``, each element with a step length s of its own: longer until the sign of g turns.

    Where ``g * (the gradient before)`` is positive ``s *= etas[1]``; where it is negative ``s *= etas[0]``, the element
    stays, and its gradient counts as 0. For gradients of all data, not of batches.

    Args:
        learning_rate: the first step length.
        etas: the factors for a turn and for no turn.
        step_sizes: the shortest and the longest step.

    The numbers are those of PyTorch. Source: Riedmiller and Braun 1993.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        etas: Sequence[float] = (0.5, 1.2),
        step_sizes: Sequence[float] = (1e-6, 50.0),
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
        shorter, longer = etas
        if not 0.0 < shorter < 1.0 < longer:
            raise ChainruleError(
                "the factors do not fit", where=self.name, expected="etas with 0 < first < 1 < second", got=etas
            )
        low, high = step_sizes
        if not 0.0 <= low <= high:
            raise ChainruleError(
                "the step sizes do not fit", where=self.name, expected="step_sizes (shortest, longest)", got=step_sizes
            )
        self.etas, self.step_sizes = (float(shorter), float(longer)), (float(low), float(high))

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        return {"gradient_before": zeros(variable), "step_size": zeros(variable)}

    def prepare(self, rate: Any, step: Any) -> Any:
        return rate, ops.equal(step, 1.0)

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        rate, is_first = shared
        turn = ops.multiply(g, slots["gradient_before"])
        turned = ops.less(turn, 0.0)
        shorter, longer = self.etas
        factor = ops.where(turned, shorter, ops.where(ops.greater(turn, 0.0), longer, 1.0))
        length = ops.clip(ops.multiply(ops.where(is_first, rate, slots["step_size"]), factor), *self.step_sizes)
        kept = ops.where(turned, 0.0, g)
        move = ops.multiply(ops.sign(kept), length)
        return ops.subtract(w, move), {"gradient_before": kept, "step_size": length}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "etas": self.etas, "step_sizes": self.step_sizes}
