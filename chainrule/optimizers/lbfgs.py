"""`LBFGS`: steps along the gradient times an estimate of the inverse Hessian, for the loss of all data at once.

A call of `minimize` compiles loss and gradient once and evaluates them as often as it needs; what lies between, a few
products of vectors, is NumPy's. `line_search.py` chooses the length of a step.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import registry
from chainrule.errors import ChainruleError, unknown_name
from chainrule.graph.tracing import current_trace
from chainrule.graph.variable import Variable
from chainrule.optimizers.line_search import Point, search_strong_wolfe
from chainrule.optimizers.optimizer import Optimizer, constrain, refuse_without_function
from chainrule.runtime.jit import jit


@dataclass
class Memory:
    """What is known of the curvature: pairs of a step s and the change y of the gradient along it, the oldest first."""

    pairs: deque[tuple[np.ndarray, np.ndarray]]
    gradient: np.ndarray | None = None
    direction: np.ndarray = field(default_factory=lambda: np.zeros(0))
    length: float = 1.0
    scale: float = 1.0

    def learn(self, gradient: np.ndarray) -> None:
        """Take in the gradient after the step ``length * direction``."""
        if self.gradient is not None:
            change, step = gradient - self.gradient, self.direction * self.length
            # Along a step without curvature there is nothing to learn.
            if change @ step > 1e-10:
                self.pairs.append((step, change))
                self.scale = float(change @ step / (change @ change))
        self.gradient = gradient

    def descend(self, gradient: np.ndarray) -> np.ndarray:
        """``-H gradient``, where H is the estimate of the inverse Hessian, in two loops over the pairs."""
        direction = -gradient
        parts = []
        for step, change in reversed(self.pairs):
            parts.append(step @ direction / (change @ step))
            direction = direction - parts[-1] * change
        direction = direction * self.scale
        for (step, change), part in zip(self.pairs, reversed(parts), strict=True):
            direction = direction + (part - change @ direction / (change @ step)) * step
        return direction


class LBFGS(Optimizer):
    """The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno.

    Each iteration goes ``learning_rate`` (the very first less) along ``-H g``, H an estimate of the inverse Hessian
    from the last `history_size` steps; with a line search as far as is good. It needs the loss as a function, of all
    data, so `minimize` is called in place of `fit`.

    Args:
        learning_rate: the length of a step, or what the line search begins with.
        max_iter: iterations a call of `minimize`.
        max_eval: evaluations of the function a call; ``max_iter * 5 // 4`` if not given.
        tolerance_grad: enough, when no element of the gradient is larger.
        tolerance_change: enough, when neither weights nor loss change more.
        history_size: steps remembered. They are not saved with a model.
        line_search_fn: None or "strong_wolfe".
        name: for messages and files.

    The numbers are those of PyTorch. Source: Nocedal and Wright, "Numerical optimization", 2006.

    Example:
        >>> from chainrule import ops
        >>> w = Variable(np.array([-1.0, 1.0]), "w")
        >>> def rosenbrock():
        ...     x, y = ops.split(w, 2)
        ...     return ops.sum((1.0 - x) ** 2 + 100.0 * (y - x * x) ** 2)
        >>> optimizer = LBFGS(max_iter=50, line_search_fn="strong_wolfe")
        >>> float(optimizer.minimize(rosenbrock, [w]))
        4.0
        >>> w.numpy().round(4)
        array([1., 1.])
    """

    needs_closure = True

    def __init__(
        self,
        learning_rate: Any = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        name: str | None = None,
    ):
        super().__init__(learning_rate, name=name)
        if line_search_fn not in (None, "strong_wolfe"):
            raise unknown_name("line_search_fn", line_search_fn, ("strong_wolfe", "None"), where=self.name)
        self.max_iter = self._optional_count("max_iter", max_iter, 1) or 1
        self.max_eval = self._optional_count("max_eval", max_eval, 1)
        self.tolerance_grad = registry.require_number(self.name, "tolerance_grad", tolerance_grad, 0.0, 1e30)
        self.tolerance_change = registry.require_number(self.name, "tolerance_change", tolerance_change, 0.0, 1e30)
        self.history_size = self._optional_count("history_size", history_size, 1) or 1
        self.line_search_fn = line_search_fn
        self._memory = Memory(deque(maxlen=self.history_size))
        self._compiled: tuple[Callable[[], Any], Callable[[], Any]] | None = None

    def apply(self, gradients: Sequence[Any], variables: Sequence[Variable] | None = None) -> None:
        refuse_without_function(self.name)

    def minimize(self, function: Callable[[], Any], variables: Sequence[Variable], has_aux: bool = False) -> Any:
        """Up to `max_iter` iterations for ``function()``, the loss of all data.

        Returns:
            What `function` returned at the beginning.
        """
        weights = list(variables)
        if current_trace() is not None:
            raise ChainruleError(
                "the number of evaluations depends on the loss, so a step cannot be traced",
                where=self.name,
                fix="call optimizer.minimize(function, model.trainable_variables) with the loss of all data, not fit",
            )
        self.build(weights)
        evaluate = self._compile(function, weights, has_aux)
        outcome, gradients = evaluate()
        loss = float(outcome[0] if has_aux else outcome)

        def evaluate_at(values: np.ndarray, direction: np.ndarray, length: float) -> tuple[float, np.ndarray]:
            _write(weights, values + length * direction)
            again, slopes = evaluate()
            return float(again[0] if has_aux else again), _flatten(slopes)

        self._descend(evaluate_at, weights, loss, _flatten(gradients))
        for weight in weights:
            constrain(weight)
        self._iterations.assign(self._iterations.numpy() + 1)
        return outcome

    def _compile(self, function: Callable[[], Any], weights: list[Variable], has_aux: bool) -> Callable[[], Any]:
        """`function` and its gradient as machine code; that of the last call serves again."""
        if self._compiled is None or self._compiled[0] is not function:
            self._compiled = function, jit(lambda: self.differentiate(function, weights, has_aux))
        return self._compiled[1]

    def _descend(
        self,
        evaluate_at: Callable[[np.ndarray, np.ndarray, float], tuple[float, np.ndarray]],
        weights: list[Variable],
        loss: float,
        gradient: np.ndarray,
    ) -> None:
        """The iterations; writes the weights."""
        memory, rate = self._memory, float(np.asarray(self.current_rate()))
        left = (self.max_iter * 5 // 4 if self.max_eval is None else self.max_eval) - 1
        for iteration in range(1, self.max_iter + 1):
            if np.abs(gradient).max() <= self.tolerance_grad:
                return
            is_first = memory.gradient is None
            memory.learn(gradient)
            direction = memory.direction = memory.descend(gradient)
            memory.length = min(1.0, 1.0 / float(np.abs(gradient).sum())) * rate if is_first else rate
            slope = float(gradient @ direction)
            if slope > -self.tolerance_change:
                return
            values, before = _flatten(weights), loss
            if self.line_search_fn is not None:
                here = Point(0.0, loss, gradient, slope)
                found, count = search_strong_wolfe(
                    functools.partial(evaluate_at, values, direction), here, direction, memory.length, left
                )
                memory.length, loss, gradient = found.t, found.loss, found.gradient
                left -= count
                _write(weights, values + memory.length * direction)
            elif iteration < self.max_iter:
                loss, gradient = evaluate_at(values, direction, memory.length)
                left -= 1
            else:
                _write(weights, values + memory.length * direction)
            if left <= 0 or np.abs(direction * memory.length).max() <= self.tolerance_change:
                return
            if abs(loss - before) < self.tolerance_change:
                return

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": super().get_config()["learning_rate"],
            "max_iter": self.max_iter,
            "max_eval": self.max_eval,
            "tolerance_grad": self.tolerance_grad,
            "tolerance_change": self.tolerance_change,
            "history_size": self.history_size,
            "line_search_fn": self.line_search_fn,
            "name": self.name,
        }


def _flatten(arrays: Sequence[Any]) -> np.ndarray:
    return np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])


def _write(weights: Sequence[Variable], values: np.ndarray) -> None:
    at = 0
    for weight in weights:
        weight.assign(values[at : at + weight.size].reshape(weight.shape))
        at += weight.size
