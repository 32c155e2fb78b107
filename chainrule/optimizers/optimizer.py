"""`Optimizer`: what all optimizers share.

One step, in Keras's order:

    divide by the loss's scale → add up over batches → limit the gradients → take away weight decay
    → the optimizer's own formula (`update`) → moving average of the weights → constraints → count

`apply` is traced into the training step. Whatever depends on a counter is an `ops.where` on it, so that one compiled
step serves for all, and a new weight stays an elementwise formula of the weight, its gradient, its slots and scalars:
the compiler puts it behind the matrix product that makes the gradient.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from chainrule import ops, registry
from chainrule.autodiff.reverse import value_and_grad
from chainrule.errors import ChainruleError
from chainrule.graph.tracing import as_operand, current_trace, scope
from chainrule.graph.variable import Variable
from chainrule.optimizers import schedules
from chainrule.optimizers.gradients import limit_gradients

_ACCUMULATOR, _AVERAGE = "gradient_accumulator", "average"


class Optimizer(registry.Configured):
    """What all optimizers share.

    A subclass says which arrays it keeps beside a weight (`slots`), computes what all weights share (`prepare`), and
    gives the formula of a new weight (`update`).

    Args:
        learning_rate: a number, a schedule, or a function without arguments, which is called where the step is traced.
        weight_decay: the part of each weight that is taken away a step, times the learning rate.
        clipnorm: the largest norm of each gradient.
        clipvalue: the largest size of each element of a gradient.
        global_clipnorm: the largest norm of all gradients together.
        use_ema: whether a moving average of each weight is kept: ``a = ema_momentum * a + (1 - ema_momentum) * w``.
            It takes the weight's place at the end of `fit`.
        ema_momentum: of that average.
        ema_overwrite_frequency: the average takes the weight's place every so many steps, too.
        loss_scale_factor: the loss is multiplied by it, and the gradients are divided by it.
        gradient_accumulation_steps: weights change once in so many batches, by the mean of their gradients. Schedules
            count batches, everything else counts changes.
        name: for messages and files.

    Raises:
        ChainruleError: for numbers out of range, and for more than one limit on gradients.

    Example:
        >>> from chainrule.optimizers import SGD
        >>> w = Variable(np.array([1.0, 2.0], "float32"), "w")
        >>> SGD(0.5).apply([np.array([1.0, -1.0], "float32")], [w])
        >>> w.numpy()
        array([0.5, 2.5], dtype=float32)
    """

    needs_closure = False
    """Whether a step needs the loss as a function (`minimize`) and not its gradients alone (`apply`)."""

    def __init__(
        self,
        learning_rate: Any,
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
        self.name = name or type(self).__name__.lower()
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ChainruleError(
                "only one limit on gradients can be set", where=self.name, got=(clipnorm, clipvalue, global_clipnorm)
            )
        self.weight_decay = self._optional_number("weight_decay", weight_decay)
        self.clipnorm = self._optional_number("clipnorm", clipnorm)
        self.clipvalue = self._optional_number("clipvalue", clipvalue)
        self.global_clipnorm = self._optional_number("global_clipnorm", global_clipnorm)
        self.use_ema = bool(use_ema)
        self.ema_momentum = registry.require_number(self.name, "ema_momentum", ema_momentum, 0.0, 1.0)
        self.ema_overwrite_frequency = self._optional_count("ema_overwrite_frequency", ema_overwrite_frequency, 1)
        self.loss_scale_factor = self._optional_number("loss_scale_factor", loss_scale_factor, 1e-30)
        self.gradient_accumulation_steps = self._optional_count(
            "gradient_accumulation_steps", gradient_accumulation_steps, 2
        )
        self.schedule = self._as_schedule(learning_rate)
        start = 0.0 if self.schedule is not None else self._as_rate(learning_rate)
        self._rate = Variable(np.float32(start), name="learning_rate", trainable=False)
        self._iterations = Variable(np.int32(0), name="iterations", trainable=False)
        self.scalars: dict[str, Variable] = {}
        """Numbers that an optimizer keeps for all weights together, by name."""
        self.state: dict[Variable, dict[str, Variable]] = {}
        """Of each weight its slots, by name."""
        self._not_decayed: tuple[frozenset[Variable], re.Pattern[str] | None] = (frozenset(), None)
        self._is_traced = False

    # -- arguments ------------------------------------------------------------------------------------------------

    def _optional_number(self, name: str, value: Any, low: float = 0.0) -> float | None:
        return None if value is None else registry.require_number(self.name, name, value, low, 1e30)

    def _optional_count(self, name: str, value: Any, low: int) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise ChainruleError(
                f"{name} is out of range",
                where=self.name,
                expected=f"a whole number, at least {low}, or None",
                got=repr(value),
            )
        return value

    def _as_rate(self, value: Any) -> float:
        if isinstance(value, Variable | np.ndarray | np.generic) and value.size == 1:
            value = float(np.asarray(value).reshape(()))
        return registry.require_number(self.name, "learning_rate", value, 0.0, 1e30)

    def _as_schedule(self, value: Any) -> Callable[..., Any] | None:
        """The schedule or function that `value` is or describes; None for a number."""
        if isinstance(value, Mapping | str):
            value = schedules.get(value)
        return value if callable(value) else None

    @property
    def learning_rate(self) -> Any:
        """The Variable that holds the rate, or what the schedule gives for the next step."""
        return self._rate if self.schedule is None else self._scheduled(self._iterations.numpy())

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        schedule = self._as_schedule(value)
        if schedule is None and self.schedule is not None:
            raise ChainruleError("the learning rate follows a schedule", where=self.name, fix="compile with a number")
        if schedule is not None and self._is_traced:
            raise ChainruleError(
                "the training step is compiled with the learning rate as it was",
                where=self.name,
                fix="make a new optimizer with the schedule, and compile the model with it",
            )
        if schedule is None:
            self._rate.assign(self._as_rate(value))
        else:
            self.schedule = schedule

    def current_rate(self) -> Any:
        """The rate of the step that comes next, traced."""
        return self._rate if self.schedule is None else self._scheduled(self._iterations)

    def _scheduled(self, iterations: Any) -> Any:
        assert self.schedule is not None
        takes_step = isinstance(self.schedule, schedules.LearningRateSchedule)
        return self.schedule(iterations) if takes_step else self.schedule()

    @property
    def iterations(self) -> Any:
        """How many times the weights have changed."""
        every = self.gradient_accumulation_steps
        if every is None:
            return self._iterations
        left_over = ops.mod(self._iterations, np.int32(every))
        return ops.cast(ops.divide(ops.subtract(self._iterations, left_over), np.int32(every)), "int32")

    # -- state ----------------------------------------------------------------------------------------------------

    def slots(self, variable: Variable) -> dict[str, np.ndarray]:
        """The arrays kept beside a weight, by name, with their first values."""
        return {}

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the arrays kept beside each weight."""
        for variable in variables:
            if variable in self.state:
                continue
            first = dict(self.slots(variable))
            if self.use_ema:
                first[_AVERAGE] = zeros(variable)
            if self.gradient_accumulation_steps is not None:
                first[_ACCUMULATOR] = zeros(variable)
            self.state[variable] = {
                slot: Variable(value, f"{variable.name}/{slot}", trainable=False) for slot, value in first.items()
            }

    @property
    def variables(self) -> list[Variable]:
        """All state, in an order that does not change."""
        kept = [slot for slots in self.state.values() for slot in slots.values()]
        return [self._iterations, self._rate, *self.scalars.values(), *kept]

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leave some weights without weight decay.

        Args:
            var_list: these weights.
            var_names: all weights whose names contain one of these, such as ``["bias"]``.

        Raises:
            ChainruleError: after the first step.
        """
        if self.state:
            raise ChainruleError(
                "the optimizer has its weights already", where=self.name, fix="exclude weights before the first step"
            )
        names = sorted(set(var_names or ()))
        self._not_decayed = (frozenset(var_list or ()), re.compile("|".join(names)) if names else None)

    def uses_weight_decay(self, variable: Variable) -> bool:
        """Whether this weight decays, if any do."""
        excluded, pattern = self._not_decayed
        return variable not in excluded and not (pattern is not None and pattern.search(variable.name))

    # -- a step ---------------------------------------------------------------------------------------------------

    def scale_loss(self, loss: Any) -> Any:
        """The loss that the gradients of `apply` belong to."""
        return loss if self.loss_scale_factor is None else ops.multiply(loss, self.loss_scale_factor)

    def minimize(self, function: Callable[[], Any], variables: Sequence[Variable], has_aux: bool = False) -> Any:
        """One step for ``function()``, which returns the loss, or with `has_aux` the loss and anything else.

        Returns:
            What `function` returned, before the step.

        Example:
            >>> from chainrule.optimizers import SGD
            >>> w = Variable(np.float32(3.0), "w")
            >>> float(SGD(0.5).minimize(lambda: ops.square(w), [w])), float(w.numpy())
            (9.0, 0.0)
        """
        outcome, gradients = self.differentiate(function, variables, has_aux)
        self.apply(gradients, variables)
        return outcome

    def differentiate(self, function: Callable[[], Any], variables: Sequence[Variable], has_aux: bool) -> Any:
        """What `function` returned, and the gradients of its scaled loss."""

        def scaled(_: Any) -> tuple[Any, Any]:
            outcome = function()
            return self.scale_loss(outcome[0] if has_aux else outcome), outcome

        (_, outcome), gradients = value_and_grad(scaled, has_aux=True)(list(variables))
        return outcome, gradients

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """One step for pairs of a gradient and its weight; returns how many there have been."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self.iterations

    def apply(self, gradients: Sequence[Any], variables: Sequence[Variable] | None = None) -> None:
        """One step: assign every weight and all state.

        Args:
            gradients: of the weights, in their order.
            variables: the weights; those of `build` if not given.
        """
        weights = self._match(gradients, variables)
        self._is_traced = self._is_traced or current_trace() is not None
        with scope(self.name):
            if self.loss_scale_factor is not None:
                gradients = [ops.divide(gradient, self.loss_scale_factor) for gradient in gradients]
            due = self.is_due()
            before: dict[Variable, Any] = {}
            if due is not None:
                gradients = self._add_up(gradients, weights, due)
                before = {variable: as_operand(variable) for variable in self._changed(weights)}
            rate = self.current_rate()
            step = ops.add(ops.cast(self.iterations, "float32"), 1.0)
            self.update_all(self._limit(list(gradients)), weights, rate, step)
            for variable, value in before.items():
                variable.assign(ops.where(due, variable, value))
            self._average(weights)
            for weight in weights:
                constrain(weight)
            self._iterations.assign(ops.add(self._iterations, np.int32(1)))

    def _match(self, gradients: Sequence[Any], variables: Sequence[Variable] | None) -> list[Variable]:
        """The weights to these gradients, with their state made."""
        weights = list(self.state) if variables is None else list(variables)
        if len(weights) != len(gradients):
            raise ChainruleError(
                "each weight has one gradient",
                where=self.name,
                expected=f"{len(weights)} gradients",
                got=len(gradients),
                fix=None if weights else "pass the variables, or call build(variables) first",
            )
        self.build(weights)
        return weights

    def is_due(self) -> Any:
        """Whether this batch's step changes the weights; None where every step does."""
        every = self.gradient_accumulation_steps
        if every is None:
            return None
        return ops.equal(ops.mod(ops.add(self._iterations, np.int32(1)), np.int32(every)), np.int32(0))

    def _add_up(self, gradients: Sequence[Any], weights: Sequence[Variable], due: Any) -> list[Any]:
        """The means over the batches since the weights last changed."""
        means = []
        for gradient, weight in zip(gradients, weights, strict=True):
            accumulator = self.state[weight][_ACCUMULATOR]
            total = ops.add(gradient, accumulator)
            accumulator.assign(ops.where(due, ops.zeros_like(total), total))
            means.append(ops.divide(total, float(self.gradient_accumulation_steps or 1)))
        return means

    def _changed(self, weights: Sequence[Variable]) -> list[Variable]:
        """All that `update_all` may assign."""
        slots = [
            slot
            for weight in weights
            for name, slot in self.state[weight].items()
            if name not in (_ACCUMULATOR, _AVERAGE)
        ]
        return [*weights, *self.scalars.values(), *slots]

    def _limit(self, gradients: list[Any]) -> list[Any]:
        return limit_gradients(gradients, self.clipnorm, self.clipvalue, self.global_clipnorm)

    def update_all(self, gradients: Sequence[Any], weights: Sequence[Variable], rate: Any, step: Any) -> None:
        """Assign new weights and slots; `step` counts from 1."""
        shared = self.prepare(rate, step)
        for gradient, variable in zip(gradients, weights, strict=True):
            with scope(variable.name):
                slots = self.state[variable]
                gradient, weight = self.decay(gradient, variable, rate)
                new, changes = self.update(gradient, weight, slots, shared)
                for slot, value in changes.items():
                    slots[slot].assign(value)
                variable.assign(new)

    def prepare(self, rate: Any, step: Any) -> Any:
        """Scalars that all weights share; `step` counts from 1."""
        return rate

    def decay(self, gradient: Any, variable: Variable, rate: Any) -> tuple[Any, Any]:
        """Gradient and weight after weight decay."""
        if not self.weight_decay or not self.uses_weight_decay(variable):
            return gradient, variable
        return gradient, ops.subtract(variable, ops.multiply(variable, ops.multiply(rate, self.weight_decay)))

    def update(self, g: Any, w: Any, slots: Mapping[str, Variable], shared: Any) -> tuple[Any, dict[str, Any]]:
        """The new weight, and the new values of slots by name.

        Args:
            g: the gradient.
            w: the weight.
            slots: by name, as they were.
            shared: what `prepare` gave.
        """
        raise NotImplementedError

    def _average(self, weights: Sequence[Variable]) -> None:
        """Take the new weights into their moving averages."""
        if not self.use_ema:
            return
        count = self.iterations
        # The first average is the weight itself.
        momentum = ops.where(ops.equal(count, np.int32(0)), 0.0, self.ema_momentum)
        for weight in weights:
            average = self.state[weight][_AVERAGE]
            average.assign(ops.add(ops.multiply(average, momentum), ops.multiply(weight, ops.subtract(1.0, momentum))))
            if self.ema_overwrite_frequency is not None:
                every = np.int32(self.ema_overwrite_frequency)
                now = ops.equal(ops.mod(ops.add(count, np.int32(1)), every), np.int32(0))
                weight.assign(ops.where(now, average, weight))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """At the end of training: the moving averages take the weights' places, if there are any."""
        if self.use_ema:
            for variable in var_list:
                if variable in self.state:
                    variable.assign(self.state[variable][_AVERAGE])

    def get_config(self) -> dict[str, Any]:
        rate = float(self._rate.numpy()) if self.schedule is None else registry.describe(self.schedule)
        return {
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "clipvalue": self.clipvalue,
            "global_clipnorm": self.global_clipnorm,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "name": self.name,
        }


def zeros(variable: Variable) -> np.ndarray:
    """As many zeros as the weight has elements, in its shape."""
    return np.zeros(variable.shape, variable.dtype.numpy)


def refuse_without_function(name: str) -> NoReturn:
    """The error for gradients given to an optimizer that must take them itself."""
    raise ChainruleError(
        "gradients alone are not enough: the loss is needed as a function",
        where=name,
        fix="call optimizer.minimize(function, variables)",
    )


def constrain(variable: Variable) -> None:
    """Replace a weight by what its constraint allows."""
    if variable.constraint is not None:
        variable.assign(variable.constraint(variable))
