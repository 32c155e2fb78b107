"""`Wrapper`: an optimizer that lets another one take its step, and then does something with the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from chainrule import ops, registry
from chainrule.graph.tracing import as_operand, scope
from chainrule.graph.variable import Variable
from chainrule.optimizers.optimizer import Optimizer, constrain
from chainrule.optimizers.table import get


class Wrapper(Optimizer):
    """What all optimizers around another share.

    Rate, limits, weight decay, counters are those of the optimizer within. A subclass says which arrays it keeps
    beside a weight (`slots`), what all weights share (`prepare`), and what becomes of a weight after the step
    (`follow`).

    Args:
        optimizer: an optimizer, its name or its config.
        name: for messages and files.
    """

    def __init__(self, optimizer: Any, name: str | None = None):
        # Not Optimizer.__init__: a wrapper has no rate and no counter of its own.
        self.name = name or type(self).__name__.lower()
        self.optimizer = get(optimizer)
        self.scalars = {}
        self.state = {}
        self.needs_closure = self.optimizer.needs_closure

    @property
    def learning_rate(self) -> Any:
        """That of the optimizer within."""
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        """How many times the weights have changed."""
        return self.optimizer.iterations

    def current_rate(self) -> Any:
        return self.optimizer.current_rate()

    def is_due(self) -> Any:
        return self.optimizer.is_due()

    def scale_loss(self, loss: Any) -> Any:
        return self.optimizer.scale_loss(loss)

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        self.optimizer.exclude_from_weight_decay(var_list, var_names)

    def build(self, variables: Sequence[Variable]) -> None:
        self.optimizer.build(variables)
        for variable in variables:
            if variable not in self.state:
                self.state[variable] = {
                    slot: Variable(value, f"{variable.name}/{slot}", trainable=False)
                    for slot, value in self.slots(variable).items()
                }

    @property
    def variables(self) -> list[Variable]:
        """The state of the optimizer within, then this one's."""
        kept = [slot for slots in self.state.values() for slot in slots.values()]
        return [*self.optimizer.variables, *self.scalars.values(), *kept]

    def apply(self, gradients: Sequence[Any], variables: Sequence[Variable] | None = None) -> None:
        weights = self._match(gradients, variables)
        self._around(weights, lambda: self.optimizer.apply(gradients, weights))

    def minimize(self, function: Callable[[], Any], variables: Sequence[Variable], has_aux: bool = False) -> Any:
        weights = list(variables)
        self.build(weights)
        return self._around(weights, lambda: self.optimizer.minimize(function, weights, has_aux))

    def _around(self, weights: list[Variable], take_step: Callable[[], Any]) -> Any:
        """A step of the optimizer within, and what follows it."""
        due = self.is_due()
        rate = as_operand(self.current_rate())
        step = ops.add(ops.cast(self.iterations, "float32"), 1.0)
        before = [as_operand(weight) for weight in weights]
        outcome = take_step()
        with scope(self.name):
            slots = [slot for weight in weights for slot in self.state[weight].values()]
            kept = {variable: as_operand(variable) for variable in (*weights, *self.scalars.values(), *slots)}
            shared = self.prepare(rate, step)
            for weight, value in zip(weights, before, strict=True):
                with scope(weight.name):
                    new, changes = self.follow(weight, value, self.state[weight], shared)
                    for slot, changed in changes.items():
                        self.state[weight][slot].assign(changed)
                    weight.assign(new)
            if due is not None:
                for variable, value in kept.items():
                    variable.assign(ops.where(due, variable, value))
            for weight in weights:
                constrain(weight)
        return outcome

    def follow(self, w: Any, before: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        """The weight that stays after the step, and the new values of slots by name.

        Args:
            w: the weight after the step of the optimizer within.
            before: the weight before it.
            slots: by name, as they were.
            shared: what `prepare` gave.
        """
        raise NotImplementedError

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        self.optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {"optimizer": registry.describe(self.optimizer), "name": self.name}
