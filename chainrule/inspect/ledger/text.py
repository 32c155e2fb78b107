"""A ledger as text: a table of 80 columns, or every entry in full."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

from chainrule.graph.tree import flatten
from chainrule.inspect.ledger.formulas import write_cotangent
from chainrule.inspect.numbers import describe, describe_in_full, format_number
from chainrule.naming import keep_end

if TYPE_CHECKING:
    from chainrule.inspect.ledger.entries import Entry, Part
    from chainrule.inspect.ledger.ledger import Ledger

WIDTH = 80
_COLUMNS = (24, 18, 18, 17)
_LABEL, _FORMULA = 12, 28
_ASIDE = 6
"""Operations of a layer, or of the optimizer, up to which the table shows them though none has a gradient."""


def format_table(ledger: Ledger) -> str:
    """The ledger as a table: formula, value, derivative by each operand, gradient; then where gradients meet."""
    lines = [*format_head(ledger), "", *format_entries(ledger)]
    meets = [entry for entry in ledger.entries if entry.meets]
    if meets:
        lines += ["", "where gradients meet, they add up"]
    for entry in meets:
        lines += format_meeting(entry)
    return "\n".join(lines)


def format_entries(ledger: Ledger) -> list[str]:
    """The table alone."""
    heads = ("formula", "value", "local derivative", f"∂{keep_end(ledger.result_name, 12)}/∂…")
    lines = format_row([[head] for head in heads])
    for part, within in groupby(ledger.entries, key=lambda entry: entry.scope.split("/")[0]):
        entries = list(within)
        if is_aside(entries, ledger):
            told = f"{part}: {len(entries)} operations that have no gradient; ledger[{part!r}] shows them"
            lines.append(f"── {keep_end(told, WIDTH - 4)} ".ljust(WIDTH, "─"))
            continue
        for scope, inner in groupby(entries, key=lambda entry: entry.scope):
            lines.append(f"── {keep_end(scope, WIDTH - 10)} ".ljust(WIDTH, "─") if scope else "─" * WIDTH)
            for entry in inner:
                cells = [_name_cell(entry), describe(entry.value), _slope_cell(entry), _gradient_cell(entry)]
                lines += format_row(cells)
    return lines


def is_aside(entries: Sequence[Entry], ledger: Ledger) -> bool:
    """Whether the table tells these in one line: many operations beside the chain rule, such as an optimizer's."""
    beside = len(entries) < len(ledger.entries) and all(entry.scope for entry in entries)
    return beside and len(entries) > _ASIDE and all(entry.gradient is None for entry in entries)


def format_head(ledger: Ledger) -> list[str]:
    """What was explained, how many operations it took, and what came out."""
    operations = sum(entry.kind == "operation" for entry in ledger.entries)
    results = flatten(ledger.result)[0]
    result = f", {ledger.result_name} = {describe_in_full(results[0])}" if len(results) == 1 else ""
    head = f"{ledger.title}: {operations} operation{'s' * (operations != 1)}{result}"
    return textwrap.wrap(f"{head}; {ledger.note}" if ledger.note else head, WIDTH)


def format_row(cells: Sequence[Sequence[str]]) -> list[str]:
    """A row whose cells may have several lines each; long ones are broken."""
    broken = [
        [part for line in cell for part in break_line(line, width)] for cell, width in zip(cells, _COLUMNS, strict=True)
    ]
    rows = []
    for place in range(max(map(len, broken))):
        texts = [cell[place] if place < len(cell) else "" for cell in broken]
        rows.append(" ".join(pad(text, width) for text, width in zip(texts, _COLUMNS, strict=True)).rstrip())
    return rows


def break_line(line: str, width: int) -> list[str]:
    """A line as lines of at most this width; what follows the first is set in by two."""
    if cell_len(line) <= width:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent="  ", break_long_words=True, break_on_hyphens=False)


def pad(text: str, width: int) -> str:
    """A text with spaces up to a width; a bar over a letter takes no room."""
    return text + " " * (width - cell_len(text))


def _name_cell(entry: Entry) -> list[str]:
    lines = [entry.formula.text if entry.kind == "operation" else f"{entry.name} ({entry.kind})"]
    if entry.becomes:
        lines.append(f"  → new {short_name(entry.becomes)}")
    return lines


def _slope_cell(entry: Entry) -> list[str]:
    lines = []
    for part in entry.outgoing:
        if part.slope is None:
            lines.append(f"to {short_name(part.operand)}: {part.formula.text}")
            continue
        value = ""
        if part.slope_value is not None and part.slope_value.size == 1:
            number = format_number(part.slope_value)
            value = "" if number == part.slope.text.replace("−", "-") else f" = {number}"
        lines.append(f"by {short_name(part.operand)}: {part.slope.text}{value}")
    return lines


def _gradient_cell(entry: Entry) -> list[str]:
    return [] if entry.gradient is None else describe(entry.gradient)


def short_name(name: str) -> str:
    """The last part of a Variable's name."""
    return name.rsplit("/", 1)[-1]


def format_meeting(entry: Entry) -> list[str]:
    """A value that is used more than once: the parts of its gradient, and their sum."""
    own = write_cotangent(short_name(entry.name)).text
    formula = f"  {own} = {' + '.join(part.formula.text for part in entry.meets)}"
    lines = textwrap.wrap(formula, WIDTH, subsequent_indent="      ", break_on_hyphens=False)
    if entry.gradient is not None and entry.gradient.size == 1:
        numbers = " + ".join(format_number(part.value) for part in entry.meets)
        sums = f"{' ' * (2 + cell_len(own))} = {numbers} = {format_number(entry.gradient)}"
        lines += textwrap.wrap(sums, WIDTH, subsequent_indent="      ", drop_whitespace=True)
    return lines


# -- in full ------------------------------------------------------------------------------------------------------


def format_in_full(ledger: Ledger) -> str:
    """Every entry with all its numbers."""
    return "\n\n".join(["\n".join(format_head(ledger)), *(format_entry(entry) for entry in ledger.entries)])


def format_entry(entry: Entry) -> str:
    """An entry with all its numbers: value, gradient and its parts, derivatives, and what goes back to operands."""
    head = entry.formula.text if entry.kind == "operation" else f"{entry.name} ({entry.kind})"
    lines = [f"{head}    in {entry.scope}" if entry.scope else head]
    lines += _line("value", entry.operation if entry.kind == "operation" else "", entry.value)
    if entry.becomes:
        lines.append(f"  becomes      the new {entry.becomes}")
    lines += _gradient_lines(entry)
    for part in entry.outgoing:
        if part.slope is not None and part.slope_value is not None:
            label = f"∂{short_name(entry.name)}/∂{short_name(part.operand)}"
            lines += _line(label, part.slope.text, part.slope_value)
    for part in entry.outgoing:
        lines += _line(f"to {short_name(part.operand)}", part.formula.text, part.value)
    return "\n".join(line for text in lines for line in _within(text))


def _gradient_lines(entry: Entry) -> Iterable[str]:
    if entry.gradient is None:
        return ["  gradient     none: the result does not depend on it smoothly, or not at all"]
    if len(entry.incoming) == 1:
        return _line("gradient", source_of(entry.incoming[0]), entry.gradient)
    lines = list(_line("gradient", f"{len(entry.incoming)} parts add up", entry.gradient))
    for part in entry.incoming:
        lines += _line("  part", source_of(part), part.value)
    return lines


def source_of(part: Part) -> str:
    """Where a part of a gradient comes from."""
    return f"from {part.operation}: {part.formula.text}" if part.operation else "of the result by itself"


def _line(label: str, formula: str, value: np.ndarray) -> list[str]:
    """``  label   formula   value``; a value that has no room there stands below."""
    text = describe_in_full(value)
    head = f"  {pad(label, _LABEL)} {formula}".rstrip()
    if cell_len(head) <= 3 + _LABEL + _FORMULA and 4 + _LABEL + _FORMULA + len(text) <= WIDTH:
        return [f"{pad(head, 4 + _LABEL + _FORMULA)}{text}"]
    return [head, f"{' ' * (3 + _LABEL)}{text}"]


def _within(line: str) -> list[str]:
    if cell_len(line) <= WIDTH:
        return [line]
    return textwrap.wrap(line, WIDTH, subsequent_indent=" " * (5 + _LABEL), break_on_hyphens=False)
