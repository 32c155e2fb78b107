"""One neuron of a Dense layer, spelled out: inputs times weights, their sum, the bias, the activation; and back.

In: the recording and the entries of a ledger, a layer, the number of a neuron, a row of the batch. Out: a `Neuron`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.cells import cell_len

from chainrule.errors import ChainruleError
from chainrule.graph.tree import flatten
from chainrule.inspect.ledger import html
from chainrule.inspect.ledger.entries import Contents, Entry, Recording
from chainrule.inspect.numbers import format_number
from chainrule.layers import Dense

_SHOWN = 12
"""Inputs that are listed; of more, those with the largest products."""


@dataclass(frozen=True, eq=False)
class Neuron:
    """A neuron's part in a row's result: ``z = x·w + b``, ``a = φ(z)``, with ``𝓛`` what gradients are of.

    Args:
        layer: its layer's name; `number` its own, `row` the row of the batch.
        inputs, weights, products: x, w and ``x ⊙ w``, of shape (F,).
        bias: b; None of a layer without.
        sum: z, as the layer computed it.
        output: a.
        activation: the name of φ.
        slope: φ'(z), where a depends on this z alone; None of a softmax, say.
        output_gradient, sum_gradient: ā and z̄.
        input_gradients: ``z̄·w``: what this neuron hands back to each input.
        weight_gradients: ``z̄·x``: this row's part in the gradients of the weights. That of the bias is z̄.
        all_rows: the gradients of the weights, all rows together.
        all_rows_bias: that of the bias; None of a layer without.
        result_name: what gradients are of.
    """

    layer: str
    number: int
    row: int
    inputs: np.ndarray
    weights: np.ndarray
    products: np.ndarray
    bias: np.ndarray | None
    sum: np.ndarray
    output: np.ndarray
    activation: str
    slope: np.ndarray | None
    output_gradient: np.ndarray
    sum_gradient: np.ndarray
    input_gradients: np.ndarray
    weight_gradients: np.ndarray
    all_rows: np.ndarray
    all_rows_bias: np.ndarray | None
    result_name: str

    @property
    def title(self) -> str:
        return f"neuron {self.number} of {self.layer}, row {self.row}"

    @property
    def shown(self) -> np.ndarray:
        """The inputs that are listed: all, or of many those with the largest products."""
        if len(self.products) <= _SHOWN:
            return np.arange(len(self.products))
        return np.sort(np.argsort(-np.abs(self.products), kind="stable")[:_SHOWN])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads and lines of the table of inputs; the last line is that of those that are not listed, if there are."""
        d = f"∂{self.result_name}"
        heads = ["i", "x", "w", "x·w", f"{d}/∂x = z̄·w", f"{d}/∂w = z̄·x", "w̄, all rows"]
        columns = (self.inputs, self.weights, self.products, self.input_gradients, self.weight_gradients, self.all_rows)
        lines = [[str(place), *(format_number(column[place], 4) for column in columns)] for place in self.shown]
        rest = np.setdiff1d(np.arange(len(self.products)), self.shown)
        if len(rest):
            lines.append([f"{len(rest)} more", "", "", format_number(self.products[rest].sum(), 4), "", "", ""])
        return heads, lines

    def steps(self) -> list[tuple[str, str, str, str]]:
        """Sum, bias, activation: name, formula, value, gradient."""
        lines = [("x·w", "sum of the products", format_number(self.products.sum()), "")]
        if self.bias is not None:
            of_all = "" if self.all_rows_bias is None else f", all rows {format_number(self.all_rows_bias)}"
            lines.append(("b", "bias", format_number(self.bias), f"b̄ = z̄{of_all}"))
        slope = "" if self.slope is None else f" = ā·φ'(z), φ'(z) = {format_number(self.slope)}"
        lines.append(
            (
                "z",
                "x·w + b" if self.bias is not None else "x·w",
                format_number(self.sum),
                f"z̄ = {format_number(self.sum_gradient)}{slope}",
            )
        )
        lines.append(
            ("a", f"{self.activation}(z)", format_number(self.output), f"ā = {format_number(self.output_gradient)}")
        )
        return lines

    def __str__(self) -> str:
        heads, lines = self.table()
        widths = [max(cell_len(line[place]) for line in [heads, *lines]) for place in range(len(heads))]
        text = [self.title, ""]
        for line in [heads, *lines]:
            cells = [" " * (width - cell_len(cell)) + cell for cell, width in zip(line, widths, strict=True)]
            text.append(" ".join(cells).rstrip())
        text.append("")
        text += [
            f"{name:<4} {formula:<20} {value:>12}   {gradient}".rstrip()
            for name, formula, value, gradient in self.steps()
        ]
        return "\n".join(text)

    def to_html(self) -> str:
        """A page of its own."""
        return html.make_neuron_page(self)

    def _repr_html_(self) -> str:
        return html.make_neuron_fragment(self)


def find_neuron(recording: Recording, contents: Contents, result_name: str, name: str, number: int, row: int) -> Neuron:
    """The neuron of this number in the layer of this name; of a layer called more than once, in its first call."""
    where = f"layer '{name}'"
    call = next((call for call in recording.calls if _path(recording, call.scope) == name), None)
    if call is None or not isinstance(call.layer, Dense):
        kind = "no layer" if call is None else type(call.layer).__name__
        dense = [_path(recording, call.scope) for call in recording.calls if isinstance(call.layer, Dense)]
        raise ChainruleError(
            "only the neurons of a Dense layer are spelled out",
            where=where,
            expected=f"one of {', '.join(dict.fromkeys(dense))}" if dense else "a Dense layer",
            got=kind,
            fix=f"look at its operations with ledger[{name!r}]",
        )
    layer = call.layer
    if not 0 <= number < layer.units:
        raise ChainruleError("there is no such neuron", where=where, expected=f"0 to {layer.units - 1}", got=number)
    variables = dict(zip(recording.traced.variables, recording.graph.inputs[recording.traced.arguments :], strict=True))
    by_name = {entry.name: entry for entry in contents.entries}

    def entry_of(variable: Any) -> Entry:
        return by_name[contents.names[variables[variable]]]

    kernel = entry_of(layer.kernel)
    bias = entry_of(layer.bias) if layer.use_bias else None
    after = iter([entry for entry in contents.entries if entry.scope == name])
    product = next(entry for entry in after if kernel.name in entry.operands)
    total = product if bias is None else next(entry for entry in after if entry.operation == "add")
    output = by_name[contents.names[flatten(call.outputs)[0][0]]]
    given = by_name[product.operands[0]]
    rows = given.value.reshape(-1, given.value.shape[-1])
    if not 0 <= row < len(rows):
        raise ChainruleError("there is no such row", where=where, expected=f"0 to {len(rows) - 1}", got=row)

    def at(array: np.ndarray | None, like: np.ndarray) -> np.ndarray:
        """This row's number of this neuron; what the result does not depend on has a gradient of 0."""
        return np.zeros((), like.dtype) if array is None else array.reshape(-1, layer.units)[row, number]

    x, w = rows[row], kernel.value[:, number]
    z_gradient = at(total.gradient, total.value)
    slope = None
    if output is total:
        slope = np.ones((), total.value.dtype)
    elif output.operands == (total.name,) and output.outgoing and output.outgoing[0].slope_value is not None:
        slope = at(output.outgoing[0].slope_value, output.value)
    no_gradient = np.zeros_like(kernel.value)
    return Neuron(
        layer=name,
        number=number,
        row=row,
        inputs=x,
        weights=w,
        products=x * w,
        bias=None if bias is None else bias.value[number],
        sum=at(total.value, total.value),
        output=at(output.value, output.value),
        activation=getattr(layer.activation, "__name__", type(layer.activation).__name__),
        slope=slope,
        output_gradient=at(output.gradient, output.value),
        sum_gradient=z_gradient,
        input_gradients=z_gradient * w,
        weight_gradients=z_gradient * x,
        all_rows=(no_gradient if kernel.gradient is None else kernel.gradient)[:, number],
        all_rows_bias=None if bias is None or bias.gradient is None else bias.gradient[number],
        result_name=result_name,
    )


def _path(recording: Recording, scope: str) -> str:
    return scope.removeprefix(f"{recording.prefix}/") if recording.prefix else scope
