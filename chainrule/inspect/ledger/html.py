"""A ledger as a page: a section for each layer, an entry that unfolds for each operation, formulas in MathML.

In: a ledger, a neuron, or a chain. Out: a page of its own (`page.py`), or a part of one for notebooks. Each entry is
an anchor by its name, so ``page.html#v7`` leads to it, and operands are links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.primitive import Formula
from chainrule.inspect.ledger.mathml import require_converter, write_formula
from chainrule.inspect.ledger.text import format_head
from chainrule.inspect.markup import Markup, element, join, style_sheet
from chainrule.inspect.numbers import describe_in_full, format_number, format_shape
from chainrule.inspect.page import Section, table, write_page
from chainrule.naming import free_name, keep_end

if TYPE_CHECKING:
    from chainrule.inspect.ledger.chain import Chain
    from chainrule.inspect.ledger.entries import Entry, Part
    from chainrule.inspect.ledger.ledger import Ledger
    from chainrule.inspect.ledger.neuron import Neuron

_STYLE = """
.ledger details { margin: 0.15rem 0; border-left: 2px solid var(--line, #8888); padding-left: 0.6rem; }
.ledger summary { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; align-items: baseline; cursor: pointer; }
.ledger summary::before { content: "▸"; width: 0.8em; }
.ledger details[open] > summary::before { content: "▾"; }
.ledger summary .number { margin-left: auto; }
.ledger .number { font-variant-numeric: tabular-nums; font-size: 0.85rem; }
.ledger dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0.2rem 1rem; }
.ledger dl { align-items: center; margin: 0.4rem 0 0.8rem; }
.ledger dt { opacity: 0.75; }
.ledger dd { margin: 0; padding-block: 0.15rem; overflow: auto hidden; }
.ledger math { font-size: 1.1em; }
.ledger dd > math, .ledger dd > span { margin-right: 1rem; }
.ledger table.matrix { width: auto; border-collapse: collapse; margin: 0.2rem 0; }
.ledger table.matrix td { padding: 0 0.5rem; text-align: right; border: 0; font-size: 0.85rem; }
.ledger table.matrix { border-left: 1px solid currentColor; border-right: 1px solid currentColor; }
.ledger :target { outline: 2px solid var(--link, #0b57a4); outline-offset: 2px; }
@media print { .ledger details::details-content { content-visibility: visible; height: auto; } }
"""

_MATRIX = 64
"""Up to so many elements a matrix is shown as one."""

_OPEN = 12
"""Up to so many entries are unfolded from the beginning."""


def make_page(ledger: Ledger) -> str:
    """The ledger as a page of its own."""
    require_converter()
    anchors = name_anchors(ledger.entries, "")
    shown = len(ledger.entries) <= _OPEN
    sections = [
        Section(key, title, element("div", entries, class_="ledger"))
        for key, title, entries in _groups(ledger, anchors, shown)
    ]
    lead = join(style_sheet(_STYLE), element("p", " ".join(format_head(ledger))), _gradients(ledger))
    return write_page(f"Ledger: {ledger.title}", lead, sections, element("span", "chainrule"))


def make_fragment(ledger: Ledger) -> str:
    """The ledger as a part of a page, for notebooks; without the package for formulas, its text."""
    try:
        require_converter()
    except ChainruleError:
        return str(element("pre", str(ledger)))
    anchors = name_anchors(ledger.entries, f"ledger-{id(ledger):x}-")
    shown = len(ledger.entries) <= _OPEN
    parts = [
        element("details", element("summary", element("strong", title)), entries, open=True)
        for _, title, entries in _groups(ledger, anchors, shown)
    ]
    head = element("p", " ".join(format_head(ledger)))
    return str(element("div", style_sheet(_STYLE), head, parts, class_="ledger"))


def name_anchors(entries: Iterable[Entry], prefix: str) -> dict[str, str]:
    """An id for each entry, made of its name."""
    anchors: dict[str, str] = {}
    for entry in entries:
        plain = prefix + re.sub(r"[^\w.-]", "-", entry.name)
        anchors[entry.name] = free_name(plain, set(anchors.values()))
    return anchors


def _groups(ledger: Ledger, anchors: Mapping[str, str], shown: bool) -> list[tuple[str, str, list[Markup]]]:
    """Key, title and entries of each section; a scope that comes again is a section again."""
    taken = set(anchors.values())
    groups = []
    for scope, group in groupby(ledger.entries, key=lambda entry: entry.scope):
        entries = list(group)
        title = scope or ("operations" if any(entry.kind == "operation" for entry in entries) else "inputs")
        key = free_name("layer-" + re.sub(r"[^\w.-]", "-", title), taken)
        taken.add(key)
        groups.append((key, title, [show_entry(entry, anchors, shown) for entry in entries]))
    return groups


def _gradients(ledger: Ledger) -> Markup | None:
    """The table of the gradients by inputs and weights."""
    if not ledger.gradients:
        return None
    rows = [
        [name, describe_in_full(ledger.contents.value_of(name)), describe_in_full(gradient)]
        for name, gradient in ledger.gradients.items()
    ]
    heads = ["by", "value", f"∂{ledger.result_name}/∂…"]
    return table(f"How {ledger.result_name} changes", heads, rows, texts=(0, 1, 2))


def show_entry(entry: Entry, anchors: Mapping[str, str], shown: bool) -> Markup:
    """An entry that unfolds: its formula and value, and beneath all its numbers."""
    title: Any = write_formula(entry.formula) if entry.kind == "operation" else element("span", entry.name)
    kind = None if entry.kind == "operation" else element("small", entry.kind)
    summary = element(
        "summary", title, kind, element("span", keep_end(describe_in_full(entry.value), 70), class_="number")
    )
    facts: list[tuple[Any, Markup]] = [("value", show_array(entry.value))]
    if entry.operands:
        facts.append(("reads", join([join(_link(name, anchors), " ") for name in entry.operands])))
    if entry.becomes:
        facts.append(("becomes", join("the new ", _link(entry.becomes, anchors))))
    if len(entry.incoming) == 1:
        part = entry.incoming[0]
        facts.append((join("gradient, ", _from(part, anchors)), _numbers(part.formula, part.value)))
    elif entry.gradient is not None:
        facts.append(("gradient, the sum of", show_array(entry.gradient)))
        facts += [(_from(part, anchors), _numbers(part.formula, part.value)) for part in entry.incoming]
    for part in entry.outgoing:
        if part.slope is not None and part.slope_value is not None:
            label = join("derivative by ", _link(part.operand, anchors))
            facts.append((label, _numbers(part.slope, part.slope_value)))
    for part in entry.outgoing:
        facts.append((join("hands back to ", _link(part.operand, anchors)), _numbers(part.formula, part.value)))
    body = element("dl", [join(element("dt", name), element("dd", value)) for name, value in facts])
    return element("details", summary, body, id=anchors[entry.name], open=shown)


def _link(name: str, anchors: Mapping[str, str]) -> Markup | str:
    return element("a", name, href=f"#{anchors[name]}") if name in anchors else name


def _from(part: Part, anchors: Mapping[str, str]) -> Markup:
    return join("from ", _link(part.operation, anchors)) if part.operation else join("of the result by itself")


def _numbers(formula: Formula, value: np.ndarray) -> Markup:
    return join(write_formula(formula), show_array(value))


def show_array(array: np.ndarray) -> Markup:
    """A small matrix as such, everything else in words, and what is the same everywhere."""
    if 1 < array.size <= _MATRIX and array.ndim in (1, 2) and np.any(array != array.flat[0]):
        rows = [element("tr", [element("td", format_number(item)) for item in row]) for row in np.atleast_2d(array)]
        return join(element("span", format_shape(array), class_="number"), element("table", rows, class_="matrix"))
    return element("span", describe_in_full(array), class_="number")


# -- a neuron, a chain ------------------------------------------------------------------------------------------------


def make_neuron_page(neuron: Neuron) -> str:
    """A neuron as a page of its own."""
    return write_page(
        neuron.title.capitalize(),
        join(style_sheet(_STYLE)),
        [Section("neuron", "w·x + b", show_neuron(neuron))],
        element("span", "chainrule"),
    )


def make_neuron_fragment(neuron: Neuron) -> str:
    """A neuron as a part of a page."""
    return str(element("div", style_sheet(_STYLE), element("p", element("strong", neuron.title)), show_neuron(neuron)))


def show_neuron(neuron: Neuron) -> Markup:
    """The table of a neuron's inputs, and the steps from their sum to its output."""
    heads, lines = neuron.table()
    inputs = table("inputs, weights, and how the result changes with them", heads, lines, texts=())
    steps = table("sum, bias, activation", ["", "formula", "value", "gradient"], neuron.steps(), texts=(0, 1, 3))
    return element("div", inputs, steps, class_="ledger")


def make_chain_page(chain: Chain) -> str:
    """A chain as a page of its own."""
    require_converter()
    sections = [Section("chain", "The chain rule", show_chain(chain))]
    for place, link in enumerate(chain.links):
        anchors = name_anchors(link.ledger.contents.entries, f"link{place}-")
        entries = [show_entry(entry, anchors, True) for entry in link.ledger.entries]
        source = element("pre", element("code", link.source)) if link.source else None
        body = element("div", source, entries, class_="ledger")
        sections.append(Section(f"link{place}", f"{link.output} = {link.name}({link.input})", body))
    lead = join(style_sheet(_STYLE), element("p", chain.head))
    return write_page(chain.title, lead, sections, element("span", "chainrule"))


def make_chain_fragment(chain: Chain) -> str:
    """A chain as a part of a page; without the package for formulas, its text."""
    try:
        require_converter()
    except ChainruleError:
        return str(element("pre", str(chain)))
    return str(element("div", style_sheet(_STYLE), element("p", chain.head), show_chain(chain), class_="ledger"))


def show_chain(chain: Chain) -> Markup:
    """Every link's value and derivative, and their product."""
    facts: list[tuple[Any, Markup]] = [(chain.links[0].input, show_array(chain.x))]
    for link in chain.links:
        title = write_formula(link.formula)
        facts.append((title, show_array(link.value)))
        facts.append((write_formula(link.slope_name), show_array(link.slope)))
    facts.append((write_formula(chain.product_formula), show_array(chain.product)))
    facts.append((f"cr.grad of {chain.title}", show_array(chain.slope)))
    return element(
        "div",
        element("dl", [join(element("dt", name), element("dd", value)) for name, value in facts]),
        class_="ledger",
    )
