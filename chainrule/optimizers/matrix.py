"""Optimizers that see a matrix in a weight: Muon's steps are orthogonal, Adafactor's moments rows and columns."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.graph.variable import Variable
from chainrule.optimizers.adam import move_toward, require_beta
from chainrule.optimizers.optimizer import Optimizer, zeros


class Muon(Optimizer):
    """Momentum made orthogonal: ``m = momentum * m + g; w -= rate * scale * orthogonal(m)``; Adam for all but matrices.

    ``orthogonal(x)`` brings the singular values of x near 1: after ``x /= norm(x)``, `ns_steps` times
    ``x = a x + (b A + c A A) x`` with ``A = x xᵀ``. With `nesterov` it is taken of ``g + momentum * m``.
    ``scale = rms_rate * sqrt(the larger dimension)``, or 1 where `rms_rate` is None.

    Args:
        learning_rate: a number or a schedule.
        adam_beta_1, adam_beta_2, epsilon: of the Adam that changes vectors, embeddings and excluded weights.
        adam_weight_decay: weight decay of those; `weight_decay` is that of matrices.
        exclude_layers: patterns; a weight whose name matches one is changed by Adam.
        exclude_embeddings: whether Adam changes weights with "embedding" in their names.
        muon_a, muon_b, muon_c: the coefficients a, b, c.
        adam_lr_ratio: Adam's rate over Muon's.
        momentum: how much of m stays.
        ns_steps: how often the polynomial is applied.
        nesterov: whether to look one step ahead.
        rms_rate: scales steps to those of Adam.

    Source: Jordan et al. 2024; Liu et al., "Muon is scalable for LLM training", 2025.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1.0,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
    ):
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name,
        )  # fmt: skip
        self.adam_beta_1 = require_beta(self.name, "adam_beta_1", adam_beta_1)
        self.adam_beta_2 = require_beta(self.name, "adam_beta_2", adam_beta_2)
        self.adam_weight_decay = self._optional_number("adam_weight_decay", adam_weight_decay)
        self.epsilon = registry.require_number(self.name, "epsilon", epsilon, 0.0, 1e30)
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = float(muon_a), float(muon_b), float(muon_c)
        self.adam_lr_ratio = registry.require_number(self.name, "adam_lr_ratio", adam_lr_ratio, 0.0, 1e30)
        self.momentum = registry.require_number(self.name, "momentum", momentum, 0.0, 1.0)
        self.ns_steps = self._optional_count("ns_steps", ns_steps, 0) or 0
        self.nesterov = nesterov
        self.rms_rate = self._optional_number("rms_rate", rms_rate)

    def uses_adam(self, variable: Variable) -> bool:
        """Whether Adam changes this weight."""
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.name.lower()):
            return True
        return any(re.search(pattern, variable.name) for pattern in self.exclude_layers)

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        if self.uses_adam(variable):
            return {"momentum": zeros(variable), "velocity": zeros(variable)}
        return {"momentum": zeros(variable)}

    def decay(self, gradient: Any, variable: Variable, rate: Any) -> tuple[Any, Any]:
        amount = self.adam_weight_decay if self.uses_adam(variable) else self.weight_decay
        if not amount or not self.uses_weight_decay(variable):
            return gradient, variable
        return gradient, ops.subtract(variable, ops.multiply(variable, ops.multiply(rate, amount)))

    def prepare(self, rate: Any, step: Any) -> Any:
        first = ops.subtract(1.0, ops.power(self.adam_beta_1, step))
        second = ops.sqrt(ops.subtract(1.0, ops.power(self.adam_beta_2, step)))
        return rate, ops.divide(ops.multiply(ops.multiply(rate, self.adam_lr_ratio), second), first)

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        rate, adam_rate = shared
        if "velocity" in slots:
            m = move_toward(slots["momentum"], g, self.adam_beta_1)
            v = move_toward(slots["velocity"], ops.square(g), self.adam_beta_2)
            move = ops.divide(ops.multiply(m, adam_rate), ops.add(ops.sqrt(v), self.epsilon))
            return ops.subtract(w, move), {"momentum": m, "velocity": v}
        m = ops.add(ops.multiply(slots["momentum"], self.momentum), g)
        ahead = ops.add(g, ops.multiply(m, self.momentum)) if self.nesterov else m
        scale = 1.0 if self.rms_rate is None else self.rms_rate * math.sqrt(max(slots["momentum"].shape))
        return ops.subtract(w, ops.multiply(self.orthogonal(ahead), ops.multiply(rate, scale))), {"momentum": m}

    def orthogonal(self, x: Any) -> Any:
        """The matrix with the singular vectors of `x` and singular values near 1."""
        rows, columns = x.shape
        # The product with its own transpose is taken on the shorter side.
        turned = rows > columns
        x = ops.transpose(x) if turned else x
        x = ops.divide(x, ops.add(ops.norm(x), 1e-7))
        for _ in range(self.ns_steps):
            square = ops.matmul(x, ops.transpose(x))
            fourth = ops.matmul(ops.multiply(square, self.muon_c), square)
            mixed = ops.add(ops.multiply(square, self.muon_b), fourth)
            x = ops.add(ops.multiply(x, self.muon_a), ops.matmul(mixed, x))
        return ops.transpose(x) if turned else x

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "adam_beta_1": self.adam_beta_1,
            "adam_beta_2": self.adam_beta_2,
            "adam_weight_decay": self.adam_weight_decay,
            "epsilon": self.epsilon,
            "exclude_layers": self.exclude_layers,
            "exclude_embeddings": self.exclude_embeddings,
            "muon_a": self.muon_a,
            "muon_b": self.muon_b,
            "muon_c": self.muon_c,
            "adam_lr_ratio": self.adam_lr_ratio,
            "momentum": self.momentum,
            "ns_steps": self.ns_steps,
            "nesterov": self.nesterov,
            "rms_rate": self.rms_rate,
        }


class Adafactor(Optimizer):
    """Steps relative to the weight's size, with moments of rows and columns in place of those of elements.

    With ``b = 1 - t**beta_2_decay`` and ``s = g**2 + epsilon_1``, of a matrix

        r = b r + (1 - b) mean(s, -1)        c = b c + (1 - b) mean(s, -2)        v = (r / mean(r)) cᵀ

    and of a vector ``v = b v + (1 - b) s``. Then, with rms the root of the mean square, ``u = g / sqrt(v)`` and
    ``w -= max(epsilon_2, rms(w)) * min(rate, 1 / sqrt(t)) * u / max(1, rms(u) / clip_threshold)``.

    Args:
        learning_rate: a number or a schedule.
        beta_2_decay: how fast b approaches 1, below 0.
        epsilon_1: keeps v above 0.
        epsilon_2: the least size of a weight.
        clip_threshold: the largest rms of u.
        relative_step: accepted for Keras's sake; the rate is at most ``1 / sqrt(t)`` in any case, as there.

    Source: Shazeer and Stern 2018.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
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
        self.beta_2_decay = registry.require_number(self.name, "beta_2_decay", beta_2_decay, -1e30, 0.0)
        self.epsilon_1 = registry.require_number(self.name, "epsilon_1", epsilon_1, 0.0, 1e30)
        self.epsilon_2 = registry.require_number(self.name, "epsilon_2", epsilon_2, 0.0, 1e30)
        self.clip_threshold = registry.require_number(self.name, "clip_threshold", clip_threshold, 1e-30, 1e30)
        self.relative_step = relative_step

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        shape = variable.shape
        if len(shape) < 2:
            return {"velocity": zeros(variable)}
        dtype = variable.dtype.numpy
        return {"rows": np.zeros(shape[:-1], dtype), "columns": np.zeros(shape[:-2] + shape[-1:], dtype)}

    def prepare(self, rate: Any, step: Any) -> Any:
        largest = ops.minimum(rate, ops.divide(1.0, ops.sqrt(step)))
        return largest, ops.subtract(1.0, ops.power(step, self.beta_2_decay))

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        rate, kept = shared

        def blend(before: Any, value: Any) -> Any:
            return ops.add(ops.multiply(before, kept), ops.multiply(value, ops.subtract(1.0, kept)))

        squares = ops.add(ops.square(g), self.epsilon_1)
        if "velocity" in slots:
            v = blend(slots["velocity"], squares)
            new = {"velocity": v}
        else:
            r = blend(slots["rows"], ops.mean(squares, -1))
            c = blend(slots["columns"], ops.mean(squares, -2))
            relative = ops.divide(r, ops.mean(r, -1, keepdims=True))
            v = ops.multiply(ops.expand_dims(relative, -1), ops.expand_dims(c, -2))
            new = {"rows": r, "columns": c}
        u = ops.divide(g, ops.sqrt(v))
        size = ops.multiply(ops.maximum(_rms(w), self.epsilon_2), rate)
        excess = ops.maximum(ops.divide(_rms(u), self.clip_threshold), 1.0)
        return ops.subtract(w, ops.multiply(u, ops.divide(size, excess))), new

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }


def _rms(x: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(x)))
