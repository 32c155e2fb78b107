"""A microscope in words: tables of 80 columns and of HTML, and the sentence that says what depth has done.

In: a `Microscope`, or one for each epoch. Out: text, and HTML in which everything is escaped.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from chainrule.errors import unknown_name
from chainrule.inspect.markup import Markup, element
from chainrule.inspect.microscope.reports import LayerReport
from chainrule.naming import keep_end

WIDTH = 80
_NAME = 20  # letters of a layer's name at most
_EPOCHS = 6  # columns of epochs at most
_UNKNOWN = "-"

_KNOWS = ("layer", "shape", "probe", "class\nseparation", "likeness\nto input", "effective\nrank")
_LEARNS = ("layer", "mean", "spread", "dead\nunits", "saturated\nunits", "relative\ngradient", "update /\nweight")
_LEGEND = (
    "Probe: what a linear model on this layer alone gets right. Separation: the part of the spread that lies between "
    "classes. Likeness: linear CKA. Relative gradient: its norm by that of the last layer. Update / weight: how far "
    "one step moves the weights."
)


def find_layer(layers: Sequence[LayerReport], name: str) -> LayerReport:
    """The report of this name."""
    for layer in layers:
        if layer.name == name:
            return layer
    raise unknown_name("layer", name, [layer.name for layer in layers])


# -- cells --------------------------------------------------------------------------------------------------------


def format_score(value: float | None, measure: str) -> str:
    """An accuracy in percent, an R² as a number.

    Example:
        >>> format_score(0.9375, "accuracy"), format_score(0.9375, "R²"), format_score(None, "accuracy")
        ('93.8 %', '0.938', '-')
    """
    if value is None:
        return _UNKNOWN
    return f"{100 * value:.1f} %" if measure == "accuracy" else f"{value:.3f}"


def format_known(value: float | None, pattern: str) -> str:
    """A number by this pattern, and a dash where there is none."""
    return _UNKNOWN if value is None else format(value, pattern)


def rows_of_knowledge(microscope: Any) -> list[tuple[str, ...]]:
    """What each stage knows, the head first."""
    rows: list[tuple[str, ...]] = [_KNOWS]
    for layer in microscope.stages:
        cells = (
            format_score(layer.probe, microscope.measure),
            format_known(layer.separation, ".3f"),
            format_known(layer.likeness_to_input, ".3f"),
            format_known(layer.effective_rank, ".1f"),
        )
        rows.append((keep_end(layer.name, _NAME), "x".join(map(str, layer.shape)) or "1", *cells))
    return rows


def rows_of_learning(microscope: Any) -> list[tuple[str, ...]]:
    """How each layer learns, the head first."""
    rows: list[tuple[str, ...]] = [_LEARNS]
    for layer in microscope.stages:
        cells = (
            f"{layer.mean:.3g}",
            f"{layer.std:.3g}",
            format_known(layer.dead, "d"),
            format_known(layer.saturated, "d"),
            format_known(layer.gradient_share, ".3g"),
            format_known(layer.update_ratio, ".2e"),
        )
        rows.append((keep_end(layer.name, _NAME), *cells))
    return rows


# -- sentences ----------------------------------------------------------------------------------------------------


def describe_rows(microscope: Any) -> str:
    """What was looked at, and how good the model is there."""
    parts = [f"{microscope.rows:,} rows", f"loss {microscope.loss:.4g}"]
    if microscope.accuracy is not None:
        parts.append(f"{microscope.measure} {format_score(microscope.accuracy, microscope.measure)}")
    return ", ".join(parts)


def describe_depth(microscope: Any) -> str:
    """What the layers do to the input, measured: how far they lead away from it, and towards the result.

    Nothing where there is no layer.
    """
    stages = microscope.stages
    if len(stages) < 2:
        return ""
    away = describe_change("the likeness to the input", [layer.likeness_to_input for layer in stages], "raw")
    told = {"accuracy": "the accuracy of a linear probe", "R²": "the R² of a linear probe"}
    near = describe_change(told.get(microscope.measure, ""), [layer.probe for layer in stages], microscope.measure)
    found = ", and ".join(part for part in (away, near) if part)
    return f"From the input to {stages[-1].name}, {found}." if found else ""


def describe_change(what: str, values: Sequence[float | None], measure: str) -> str:
    """Whether a number rises or falls from the first to the last, and whether at each layer; nothing if unknown.

    Example:
        >>> describe_change("the likeness", [1.0, 0.5, 0.25], "raw")
        'the likeness falls at every layer, from 1.000 to 0.250'
    """
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not what:
        return ""
    first, last = format_score(known[0], measure), format_score(known[-1], measure)
    if first == last:
        return f"{what} is {first} at both ends"
    rises = known[-1] > known[0]
    steady = all((after > before) == rises and after != before for before, after in pairwise(known))
    where = " at every layer," if steady and len(known) > 2 else ""
    return f"{what} {'rises' if rises else 'falls'}{where} from {first} to {last}"


def describe_unchanged(microscope: Any) -> str:
    """The layers that the tables leave out."""
    names = [layer.name for layer in microscope.layers if layer.kind == "unchanged"]
    return f"Left out, as they only pass on an earlier layer's content: {', '.join(names)}." if names else ""


def remarks_on(microscope: Any) -> list[str]:
    """The sentences beneath the tables."""
    return [text for text in (describe_depth(microscope), describe_unchanged(microscope), _LEGEND) if text]


# -- text ---------------------------------------------------------------------------------------------------------


def format_microscope(microscope: Any) -> str:
    """Both tables, and what depth has done."""
    parts = [
        f"What each layer knows: {describe_rows(microscope)}",
        draw_columns(rows_of_knowledge(microscope)),
        "How it learns",
        draw_columns(rows_of_learning(microscope)),
        *(textwrap.fill(text, WIDTH, break_long_words=False) for text in remarks_on(microscope)),
    ]
    return "\n\n".join(parts)


def draw_columns(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side; what the first row holds may have several lines."""
    heads = [head.split("\n") for head in rows[0]]
    height = max(map(len, heads))
    lines = [[""] * (height - len(words)) + words for words in heads]
    cells = [*zip(*lines, strict=True), *rows[1:]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    drawn = []
    for row in cells:
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        drawn.append("  ".join([first, *others]).rstrip())
    drawn.insert(height, "-" * max(map(len, drawn)))
    return "\n".join(drawn)


def rows_of_history(history: Mapping[int, Any]) -> list[tuple[str, ...]]:
    """The probe by layer, an epoch a column; of many epochs the first, the last, and some between."""
    epochs = sorted(history)
    if len(epochs) > _EPOCHS:
        epochs = [epochs[round(place * (len(epochs) - 1) / (_EPOCHS - 1))] for place in range(_EPOCHS)]
    rows: list[tuple[str, ...]] = [("layer", *(f"epoch\n{epoch + 1}" for epoch in epochs))]
    last = history[epochs[-1]]
    for place, stage in enumerate(last.stages):
        found = [history[epoch].stages for epoch in epochs]
        cells = [
            format_score(stages[place].probe, last.measure) if place < len(stages) else _UNKNOWN for stages in found
        ]
        rows.append((keep_end(stage.name, _NAME), *cells))
    rows.append(("the model", *(format_score(history[epoch].accuracy, last.measure) for epoch in epochs)))
    return rows


def format_history(history: Mapping[int, Any]) -> str:
    """What a linear probe reads from each layer, epoch by epoch."""
    if not history:
        return "What each layer knows: no epoch was looked at yet"
    last = history[max(history)]
    head = f"What a linear probe reads from each layer: {last.measure} on {last.rows:,} rows"
    return f"{head}\n\n{draw_columns(rows_of_history(history))}"


# -- HTML ---------------------------------------------------------------------------------------------------------


def make_table(caption: str, rows: Sequence[Sequence[str]]) -> Markup:
    """A table whose first row and first column are heads."""
    head = element("tr", [element("th", cell.replace("\n", " "), scope="col") for cell in rows[0]])
    body = [
        element("tr", element("th", row[0], scope="row"), [element("td", cell) for cell in row[1:]]) for row in rows[1:]
    ]
    return element("table", element("caption", caption), element("thead", head), element("tbody", body))


def microscope_to_html(microscope: Any) -> str:
    """Both tables and the sentences."""
    knows = make_table(f"What each layer knows: {describe_rows(microscope)}", rows_of_knowledge(microscope))
    learns = make_table("How it learns", rows_of_learning(microscope))
    return str(element("section", knows, learns, [element("p", text) for text in remarks_on(microscope)]))


def history_to_html(history: Mapping[int, Any]) -> str:
    """The probe by layer and epoch."""
    if not history:
        return str(element("p", format_history(history)))
    caption = "What a linear probe reads from each layer"
    return str(make_table(caption, rows_of_history(history)))


__all__ = ["find_layer", "format_history", "format_microscope", "history_to_html", "microscope_to_html"]
