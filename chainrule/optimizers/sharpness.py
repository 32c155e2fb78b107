"""Sharpness-aware minimization: `SAM`, an optimizer around another that takes two gradients a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import ops, registry
from chainrule.graph.tracing import as_operand, scope
from chainrule.graph.variable import Variable
from chainrule.optimizers.gradients import global_norm
from chainrule.optimizers.optimizer import refuse_without_function
from chainrule.optimizers.wrapper import Wrapper


class SAM(Wrapper):
    """The step of another optimizer, for the gradient where the loss is worst within `rho` of the weights.

    ``w' = w + rho * g(w) / norm(g(w))``, the norm of all gradients together; then the other optimizer's step from w
    with ``g(w')``. Both gradients are of one batch, so the loss must be known as a function: `minimize`, which `fit`
    calls. What the layers themselves keep (averages of BatchNormalization) is counted twice.

    Args:
        optimizer: an optimizer, its name or its config.
        rho: how far to look for the worst.
        name: for messages and files.

    The numbers are those of Optax. Source: Foret et al. 2020.

    Example:
        >>> import numpy as np
        >>> from chainrule.optimizers import SGD
        >>> w = Variable(np.float32(1), "w")
        >>> float(SAM(SGD(0.5), rho=0.5).minimize(lambda: ops.square(w), [w])), float(w.numpy())
        (1.0, -0.5)
    """

    def __init__(self, optimizer: Any = "sgd", rho: float = 0.05, name: str | None = None):
        super().__init__(optimizer, name)
        self.rho = registry.require_number(self.name, "rho", rho, 0.0, 1e30)
        self.needs_closure = True

    def apply(self, gradients: Sequence[Any], variables: Sequence[Variable] | None = None) -> None:
        refuse_without_function(self.name)

    def minimize(self, function: Callable[[], Any], variables: Sequence[Variable], has_aux: bool = False) -> Any:
        weights = list(variables)
        self.build(weights)
        outcome, gradients = self.differentiate(function, weights, has_aux)
        before = [as_operand(weight) for weight in weights]
        with scope(self.name):
            # Where all gradients are zero, so is the way to go.
            reach = ops.divide(self.rho, ops.maximum(global_norm(gradients), 1e-30))
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.assign(ops.add(weight, ops.multiply(gradient, reach)))
        _, worst = self.differentiate(function, weights, has_aux)
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value)
        self.optimizer.apply(worst, weights)
        return outcome

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho}
