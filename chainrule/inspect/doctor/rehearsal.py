"""A few steps of training with the model's own optimizer, and with other learning rates; nothing stays of them.

In: a compiled model and rows of data. Out: the losses of the steps. The optimizer is a copy; the weights, and all else
that the steps change, have their old values afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.graph.tracing import trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import type_of
from chainrule.graph.variable import kept
from chainrule.optimizers import Optimizer
from chainrule.optimizers.schedules import LearningRateSchedule
from chainrule.optimizers.wrapper import Wrapper
from chainrule.runtime.jit import build
from chainrule.training.prepare import Data


class Rehearsal:
    """Steps of training on the same rows, from the weights of the moment.

    Args:
        model: compiled.
        optimizer: a copy of the model's, which these steps change.
        data: x, y and weights as `prepare` gives them; all rows are one batch.
        eager: compute with NumPy in place of machine code.

    Raises:
        ChainruleError: for an optimizer that takes no such steps, as `fit` does.

    Example:
        >>> import chainrule as cr
        >>> from chainrule.training.prepare import prepare
        >>> model = cr.Sequential([cr.Input((1,)), cr.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(cr.optimizers.SGD(0.25), "mse")
        >>> rows = np.ones((4, 1), "float32")
        >>> data = prepare(model, rows, rows)
        >>> Rehearsal(model, copy_optimizer(model.optimizer), data, eager=True).run(steps=3).round(3)
        array([1., 0., 0.])
    """

    def __init__(self, model: Any, optimizer: Any, data: Data, eager: bool):
        self.model, self.optimizer = model, optimizer
        self.given: Optimizer = innermost(model.optimizer)
        self.leaves, tree = flatten(data)
        self.traced = trace(self._step, [type_of(leaf) for leaf in self.leaves], tree)
        self.executable = build(self.traced, eager=eager)

    def _step(self, *data: Any) -> Any:
        x, y, weight = data
        return self.optimizer.minimize(
            lambda: self.model.forward(x, y, weight, training=True)[1], self.model.trainable_variables
        )

    def rate(self, step: int) -> float:
        """The rate that the model's optimizer has in a step, counted from 0."""
        schedule = self.given.schedule
        if schedule is None:
            return float(np.asarray(self.given.learning_rate))
        return float(np.asarray(schedule(step) if isinstance(schedule, LearningRateSchedule) else schedule()))

    def run(self, steps: int, factor: float = 1.0) -> np.ndarray:
        """The loss before each step, with so many times the learning rate; shorter where it is no finite number."""
        losses: list[float] = []
        with kept(self.traced.assigned), np.errstate(all="ignore"):
            for step in range(steps):
                self.optimizer.learning_rate = self.rate(step) * factor
                losses.append(float(self.executable(*self.leaves)[0]))
                if not np.isfinite(losses[-1]):
                    break
        return np.array(losses)


def innermost(optimizer: Any) -> Optimizer:
    """The optimizer within those that go around another."""
    while isinstance(optimizer, Wrapper):
        optimizer = optimizer.optimizer
    found: Optimizer = optimizer
    return found


def copy_optimizer(optimizer: Any) -> Any:
    """A new optimizer of the same settings, whose learning rate can be set, and that changes weights in every step.

    Raises:
        ChainruleError: for one of the user's own that cannot be made from its configuration.
    """
    config = dict(optimizer.get_config())
    if isinstance(optimizer, Wrapper):
        inner = optimizer.optimizer
        config["optimizer"] = copy_optimizer(inner)
    else:
        config["learning_rate"] = 0.0
        if config.get("gradient_accumulation_steps") is not None:
            config["gradient_accumulation_steps"] = None  # all batches are the same here, and so is their mean
    return type(optimizer).from_config(config)
