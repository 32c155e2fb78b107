"""Blame: the way back from a loss that is no number to the operation at fault.

In: a model, the `Rewind` of its training and the step whose loss was no number. That step is run again, from the
Variables as they were before it, in the interpreter; what is not finite is followed back to an operation on finite
numbers. Where the way leads to a Variable, the step that spoilt the Variable is looked at in the same way. Out: a
`Provenance`, and the Variables as they were before the step at fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.errors import NonFiniteLossError
from chainrule.graph.variable import Variable
from chainrule.inspect.numbers import format_number
from chainrule.inspect.provenance.faults import Fault, Places, describe_fault, describe_place
from chainrule.inspect.provenance.provenance import LayerNorms, Provenance, StepNorms, count, labelled
from chainrule.inspect.provenance.remedies import suggest
from chainrule.inspect.provenance.tracking import Look, look_at, losses_of, trace_back
from chainrule.training.replay import Place, Replay
from chainrule.training.rewind import Rewind, all_finite

_STEPS = 5
"""Steps before the fault that are told of."""


def explain_bad_step(model: Any, rewind: Rewind, back: int) -> Provenance:
    """Where the fault of a step came from; the Variables are left as they were before the step at fault.

    Where the training cannot be repeated, they are left as they are.

    Args:
        back: how many steps ran after the one whose loss was no number.
    """
    replay = Replay(rewind)
    try:
        found = Search(model, replay).run(replay.count - 1 - back)
        if not found.exact:
            replay.restore()
        return found
    except BaseException:
        replay.restore()
        raise


class Search:
    """The way back to the fault."""

    def __init__(self, model: Any, replay: Replay):
        self.model, self.replay = model, replay
        self.places = Places(model)
        self.flag = model.watch.first_bad_step

    def run(self, bad: int) -> Provenance:
        replay = self.replay
        replay.go_to(max(0, bad - _STEPS))
        replay.mark()
        replay.go_to(bad)
        was_bad = self._is_flagged()
        replay.step()
        if was_bad or not self._is_flagged() or not replay.repeats():
            return self._guess(bad)
        number = bad
        weights: list[Variable] = []
        while True:
            look, place = self._look(number)
            ends = [look.output_of(weight) for weight in weights] or losses_of(look, self.flag)
            origins = trace_back(look, ends)
            spoilt = [look.variables[node] for node in origins if node in look.variables]
            steps = {variable: replay.first_bad(variable, number) for variable in spoilt}
            known = [step for step in steps.values() if step is not None]
            if known:  # the earliest of them is the cause
                number = min(known)
                weights = [variable for variable, step in steps.items() if step == number]
                if self._was_assigned(weights[0], number):
                    return self._tell_assigned(weights[0], number, bad)
                continue
            operations = [node for node in origins if node not in look.variables]
            if operations:
                name = weights[0].name if weights else ""
                node = operations[0]
                fault = describe_fault(look.traced, arrays_of(place), node, origins[node], self.places, name)
                return self._report(number, bad, look, place, fault)
            if spoilt:
                return self._tell_spoilt(spoilt[0], number, bad, look, place)
            return self._tell_invisible(number, bad, look, place)

    def _is_flagged(self) -> bool:
        """Whether the loss of a step since the copy was no number."""
        return int(self.flag.memory) >= 0

    def _look(self, number: int) -> tuple[Look, Place]:
        """A step in the interpreter, from the Variables before it."""
        self.replay.go_to(number)
        place = self.replay.place(number)
        return look_at(place.stretch.executable.traced, arrays_of(place)), place

    def _was_assigned(self, variable: Variable, number: int) -> bool:
        """Whether Python spoilt a Variable after a step, and not the step itself."""
        self.replay.go_to(number)
        self.replay.step()
        return all_finite(variable.memory)

    # -- what there is to tell ------------------------------------------------------------------------------------

    def _report(
        self,
        number: int,
        bad: int,
        look: Look | None,
        place: Place,
        fault: Fault,
        note: str = "",
        fix: str = "",
        exact: bool = True,
    ) -> Provenance:
        """The Provenance of a step; the Variables are those before it."""
        before = self._history(number) if exact else ()
        sample = fault.samples[0] if fault.samples else None
        by_row = sample is not None and self.replay.rewind.by_row
        return Provenance(
            epoch=None if self.replay.rewind.run is None else place.epoch + 1,
            batch=place.step + 1,
            sample=sample,
            row=int(place.stretch.rows(place.offset)[sample]) if by_row else None,
            fault=fault,
            norms=() if look is None else measure_layers(look, self.places, self.model),
            before=before,
            fix=fix or suggest(fault, grows(before), rate_of(self.model.optimizer), scale_of(place)),
            exact=exact,
            note=note,
            earlier=bad - number,
        )

    def _tell_assigned(self, variable: Variable, number: int, bad: int) -> Provenance:
        fault = Fault("", "step", self.places.owners.get(variable.name, ""), variable.name)
        place, then = self.replay.place(number), self.replay.place(number + 1)
        until = (None if self.replay.rewind.run is None else then.epoch + 1, then.step + 1)
        found = replace(self._report(number, bad, None, place, fault), until=until)
        return replace(
            found,
            note=f"{found.step}, and by no step, '{variable.name}' was given a value that is not finite",
            fix="look at the callbacks, and at other code that assigns weights during training",
        )

    def _tell_spoilt(self, variable: Variable, number: int, bad: int, look: Look, place: Place) -> Provenance:
        fault = Fault("", "step", self.places.owners.get(variable.name, ""), variable.name)
        note = f"'{variable.name}' was not finite already "
        if self.replay.rewind.from_beginning and self.replay.rewind.run is not None:
            note += "before the first step of this training: a callback, or the code before fit, put it there"
        elif bad:
            note += f"{count(bad, 'step')} before, at the first step that is known"
        else:
            note += "before the first step that is known"
        fix = "look at where its value comes from: a file, an initializer, a callback, an earlier training"
        return self._report(number, bad, look, place, fault, note, fix)

    def _tell_invisible(self, number: int, bad: int, look: Look, place: Place) -> Provenance:
        known = [node for node in look.largest if node not in look.bad]
        node = max(known, key=lambda node: look.largest[node])
        part, layer, weight = self.places.find(node.scope)
        note = (
            "all numbers are finite in the interpreter, which rounds otherwise than machine code; the largest is "
            f"{format_number(look.largest[node])}, of {node.primitive.name} in {describe_place(part, layer, weight)}"
        )
        return self._report(number, bad, look, place, Fault("", part, layer, weight), note)

    def _guess(self, bad: int) -> Provenance:
        """What can be said where the training does not repeat: the step with the Variables of the copy."""
        replay = self.replay
        place = replay.place(bad)
        replay.go_to(0)
        look = look_at(place.stretch.executable.traced, arrays_of(place))
        origins = trace_back(look, losses_of(look, self.flag))
        operations = [node for node in origins if node not in look.variables]
        note = "the last steps could not be repeated, as something else writes to the model's Variables"
        if operations:
            node = operations[0]
            fault = describe_fault(look.traced, arrays_of(place), node, origins[node], self.places)
            note += f"; these numbers are those with the weights of {count(bad, 'step')} before"
            return self._report(bad, bad, look, place, fault, note, exact=False)
        names = [variable.name for variable, value in replay.after.items() if is_spoilt(variable, value)]
        if names:
            note += f". No longer finite: {', '.join(names[:4])}" + (f", and {len(names) - 4} more" * (len(names) > 4))
        return self._report(bad, bad, None, place, Fault("", "step", ""), note, exact=False)

    def _history(self, number: int) -> tuple[StepNorms, ...]:
        """The steps before one, and this."""
        replay, found = self.replay, []
        for step in range(max(0, number - _STEPS), number + 1):
            replay.go_to(step)
            place = replay.place(step)
            sizes = {weight.name: largest_of(weight.memory) for weight in self.model.trainable_weights}
            name = max(sizes, key=sizes.__getitem__, default="")
            loss = self._run_for_loss()
            epoch = None if self.replay.rewind.run is None else place.epoch + 1
            found.append(StepNorms(epoch, place.step + 1, loss, sizes.get(name, 0.0), name))
        replay.go_to(number)
        return tuple(found)

    def _run_for_loss(self) -> float:
        """The loss of the next step, which is run; of a step of the user's own, what it logged as its loss."""
        watch = self.model.watch
        watch.loss.reset_state()
        self.replay.step()
        own = watch.own.get("train_step", {}).get("loss")
        return float(np.mean(own.memory) if own is not None else watch.loss.result())


# -- measures -----------------------------------------------------------------------------------------------------


def arrays_of(place: Place) -> list[np.ndarray]:
    """What a step's graph takes: data, the rows of the batch, and the Variables as they are."""
    stretch = place.stretch
    variables = [variable.memory for variable in stretch.executable.traced.variables]
    return [*stretch.arrays[:-1], stretch.rows(place.offset), *variables]


def largest_of(array: np.ndarray) -> float:
    """The largest size of a number; NaN where one is."""
    return float(np.max(np.abs(array))) if array.size else 0.0


def is_spoilt(variable: Variable, value: np.ndarray) -> bool:
    return variable.dtype.is_float and not all_finite(value)


def measure_layers(look: Look, places: Places, model: Any) -> tuple[LayerNorms, ...]:
    """The largest numbers of each layer in a step: what it gave last, its weights, and all of its gradient."""
    output: dict[str, float] = {}
    gradient: dict[str, float] = {}
    weights: dict[str, float] = {}
    for node, size in look.largest.items():
        part, layer, _ = places.find(node.scope)
        if part in ("forward", "loss"):
            output[layer] = size
        elif part == "gradient":
            gradient[layer] = worse(gradient.get(layer, 0.0), size)
    trained = set(model.trainable_weights)
    for node, variable in look.variables.items():
        if variable in trained and node in look.largest:
            owner = places.owners.get(variable.name, model.name)
            weights[owner] = worse(weights.get(owner, 0.0), look.largest[node])
    return tuple(LayerNorms(layer, size, weights.get(layer), gradient.get(layer)) for layer, size in output.items())


def worse(one: float, other: float) -> float:
    """The larger of two numbers, or NaN."""
    return float(np.maximum(one, other))


def grows(steps: Sequence[StepNorms]) -> bool:
    """Whether the largest weight became much larger within these steps."""
    return len(steps) > 1 and not steps[-1].largest < 10 * steps[0].largest


def rate_of(optimizer: Any) -> float | None:
    """The learning rate at this moment; None where there are several."""
    try:
        return float(np.asarray(optimizer.learning_rate))
    except (AttributeError, TypeError, ValueError):
        return None


def scale_of(place: Place) -> float:
    """The largest size of a number in the batch's first input."""
    first, rows = place.stretch.arrays[0], place.stretch.rows(place.offset)
    return largest_of(first[rows]) if first.dtype.kind == "f" else 0.0


def refusal(model: Any, rewind: Rewind | None, where: str, back: int) -> NonFiniteLossError:
    """The error for a loss that is no number.

    Args:
        rewind: None where nothing was kept.
        back: how many steps ran after the one whose loss it is.
    """
    problem, expected = "the loss became NaN or infinite", "a finite loss"
    fix = "lower the learning rate, set clipnorm, or scale the inputs"
    if rewind is None:
        return NonFiniteLossError(problem, where=where, expected=expected, fix=fix)
    try:
        found = explain_bad_step(model, rewind, back)
    except Exception as failure:  # whatever happens here, the loss was no number: that must be told
        error = NonFiniteLossError(problem, where=where, expected=expected, fix=fix)
        error.__cause__ = failure
        return error
    got, fix = ("\n".join(labelled("", text)).removeprefix("  :").strip() for text in (found.headline, found.fix))
    return NonFiniteLossError(problem, where=where, expected=expected, got=got, fix=fix, provenance=found)
