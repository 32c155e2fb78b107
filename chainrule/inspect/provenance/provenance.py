"""Provenance: where the first NaN or infinity of a training came from.

A `Provenance` is what `blame` found: the step, the sample, the operation at fault with its operands, the numbers of the
layers in that step and of the steps before it, and what to do. It prints as a report of 80 columns, and is the
`provenance` of a `NonFiniteLossError`.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from chainrule.inspect.numbers import format_number
from chainrule.inspect.provenance.faults import Fault, Operand
from chainrule.naming import keep_end

_ROWS = 12
"""Layers that are printed."""
_WIDTH = 80


@dataclass(frozen=True)
class LayerNorms:
    """A layer in the step at fault: the largest size of a number in its output, weights, and gradient.

    None stands for what it does not have.
    """

    layer: str
    output: float
    weights: float | None
    gradient: float | None


@dataclass(frozen=True)
class StepNorms:
    """A step: its loss, and the largest size of a number in the weights that it began with.

    Args:
        epoch: counted from 1; None for `train_on_batch`.
        batch: number of the step in the epoch, counted from 1.
        weight: name of the Variable with that number.
    """

    epoch: int | None
    batch: int
    loss: float
    largest: float
    weight: str


@dataclass(frozen=True)
class Provenance:
    """Where the first number came from that was not finite.

    Args:
        epoch, batch: of the step at fault, counted from 1; it may come before the one whose loss was no number.
            The epoch is None for `train_on_batch`.
        sample: the first row of the batch that is concerned, counted from 0; None where the operation has no rows.
        row: its number in the arrays that `fit` was given, counted from 0; None where they came as batches.
        fault: the operation, its layer and operands.
        norms: of the layers, in that step, in the order of their calls.
        before: of the steps that led there, the last the one at fault.
        fix: what to do.
        exact: whether the step was repeated with the very numbers of the training; else `note` tells what is known.
        earlier: how many steps before the one whose loss was no number.
        until: epoch and batch of the next step, where it came about between the two, as a callback can do it; else
            None.
    """

    epoch: int | None
    batch: int
    sample: int | None
    row: int | None
    fault: Fault
    norms: tuple[LayerNorms, ...]
    before: tuple[StepNorms, ...]
    fix: str
    exact: bool = True
    note: str = ""
    earlier: int = 0
    until: tuple[int | None, int] | None = None

    @property
    def layer(self) -> str:
        """The layer's name; of the loss ``loss``."""
        return self.fault.layer

    @property
    def operation(self) -> str:
        """The operation's name, such as ``log``."""
        return self.fault.operation

    @property
    def part(self) -> str:
        """``forward``, ``loss``, ``gradient``, ``update`` or ``step``."""
        return self.fault.part

    @property
    def step(self) -> str:
        """When it came about, in words: the step, or the two that it lies between."""
        here = name_step(self.epoch, self.batch)
        if self.until is None:
            return here
        epoch, batch = self.until
        return f"between {here} and {name_step(None if epoch == self.epoch else epoch, batch)}"

    @property
    def headline(self) -> str:
        """Operation and place in one line."""
        if not self.operation:
            return self.note
        return f"{self.fault.formula}, in {self.fault.place}"

    def __str__(self) -> str:
        return "\n".join([*self._heads(), *self._layers(), *self._steps()])

    def _heads(self) -> list[str]:
        fault = self.fault
        text = self.step
        earlier = self.earlier - (self.until is not None)
        if earlier:
            text += f", {count(earlier, 'step')} before the loss"
        lines = labelled("step", text)
        if self.sample is not None:
            text = f"row {self.sample} of the batch"
            if self.row is not None:
                text += f", row {self.row} of the data"
            others = len(fault.samples) - 1
            lines += labelled(
                "sample", f"{text}, counted from 0" + (f"; and {count(others, 'row')} more" if others else "")
            )
        if fault.operation:
            part = {"forward": "", "loss": "", "step": ""}.get(fault.part, f", {fault.part}")
            name = fault.layer or "-"
            lines += labelled("layer", name + part + (f" of '{fault.weight}'" if fault.weight else ""))
            many = f" {list(fault.index)}; {fault.bad} of {fault.size} are not finite" if fault.index else ""
            lines += labelled("result", f"{fault.operation}, {fault.type}{many}")
            for operand in dict.fromkeys(fault.operands):
                lines += labelled("operand", describe(operand))
        if self.note and (fault.operation or not self.exact):
            lines += labelled("note", self.note)
        return lines

    def _layers(self) -> list[str]:
        if not self.norms:
            return []
        lines = ["", f"  {'largest number in':36}{'output':>12}{'weights':>12}{'gradient':>12}"]
        rows = [
            f"  {keep_end(row.layer, 35):36}{cell(row.output):>12}{cell(row.weights):>12}{cell(row.gradient):>12}"
            for row in self.norms
        ]
        if len(rows) > _ROWS:
            names = [row.layer for row in self.norms]
            at = names.index(self.layer) if self.layer in names else len(rows) - 1
            first = min(max(0, at - _ROWS // 2), len(rows) - _ROWS)
            rows = [*["  …"] * (first > 0), *rows[first : first + _ROWS], *["  …"] * (first + _ROWS < len(names))]
        return lines + rows

    def _steps(self) -> list[str]:
        if not self.before:
            return []
        lines = ["", f"  {'step':36}{'loss':>12}  largest weight"]
        for step in self.before:
            name = keep_end(step.weight, _WIDTH - 63)
            lines.append(
                f"  {name_step(step.epoch, step.batch):36}{cell(step.loss):>12}  {cell(step.largest):<10} {name}"
            )
        return lines


# -- text ---------------------------------------------------------------------------------------------------------


def labelled(label: str, text: str) -> list[str]:
    """A text behind a label, in lines as wide as the page."""
    head = f"  {label + ':':10}"
    return textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False)


def describe(operand: Operand) -> str:
    """An operand in words: its number at the place, and all of them."""
    here = "" if operand.value is None else f"{format_number(operand.value)}, "
    spread = f"{operand.low:.4g} … {operand.high:.4g}, norm {operand.norm:.4g}"
    return f"{here}from {operand.source}: {operand.type}, {spread}"


def name_step(epoch: int | None, batch: int) -> str:
    """A step in words.

    Example:
        >>> name_step(2, 20), name_step(None, 3)
        ('epoch 2, batch 20', 'batch 3')
    """
    return f"batch {batch}" if epoch is None else f"epoch {epoch}, batch {batch}"


def cell(value: float | None) -> str:
    """A number of a table; nothing for what is not there."""
    return "" if value is None else f"{value:.4g}"


def count(number: int, what: str) -> str:
    """A number of things.

    Example:
        >>> count(1, "step"), count(2, "step")
        ('1 step', '2 steps')
    """
    return f"{number} {what}" + ("s" if number != 1 else "")
