"""A model as a notebook shows it: a drawing beside the table of its layers.

In: a model. Out: HTML that stands in a page, light or dark: it has the page's text colour and no rules of style. Names
are escaped; of a model with very many layers the drawing counts what repeats, and the table opens when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from chainrule.models.summary import count_weights, summary_rows
from chainrule.utils import drawing
from chainrule.utils.drawing import Box

_MOST_ROWS = 40
_MOST_BOXES = 24

_CELL = "padding: 0.2em 0.8em; border-bottom: 1px solid rgba(128, 128, 128, 0.35)"


def model_to_html(model: Any) -> str:
    """The representation that a notebook asks for.

    Example:
        >>> import chainrule as cr
        >>> page = model_to_html(cr.Sequential([cr.Input((2,)), cr.layers.Dense(3, name="<b>")]))
        >>> "&lt;b&gt; (Dense)" in page, "<b>" in page
        (True, False)
    """
    name = f"<p><strong>{escape(type(model).__name__)}</strong> {escape(repr(model.name))}</p>"
    if not model.built:
        layers = "".join(f"<li>{escape(f'{one.name} ({type(one).__name__})')}</li>" for one in model.layers)
        unbuilt = "<p>Not built: no weights yet. The first data, or an Input, give them.</p>"
        return f"<div>{name}{unbuilt}<ol>{layers}</ol></div>"
    totals = "".join(f"<div>{escape(text)}: {count:,}</div>" for text, count in count_weights(model).items())
    side = f"<div>{_tables(summary_rows(model))}{totals}</div>"
    row = "display: flex; flex-wrap: wrap; gap: 1.5em; align-items: flex-start"
    return f'<div>{name}<div style="{row}">{_drawing(model)}{side}</div></div>'


def _tables(rows: Sequence[Sequence[str]]) -> str:
    """The table; where it is long, what is beyond the first layers opens when asked for."""
    head, layers = rows[0], rows[1:]
    if len(layers) <= _MOST_ROWS:
        return _table(head, layers)
    first, rest = layers[: _MOST_ROWS // 2], layers[_MOST_ROWS // 2 :]
    more = f"<details><summary>{len(rest):,} more layers</summary>{_table(head, rest)}</details>"
    return _table(head, first) + more


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    number = head.index("Param #")

    def cell(tag: str, place: int, text: str, scope: str = "") -> str:
        side = "right" if place == number else "left"
        return f'<{tag}{scope} style="{_CELL}; text-align: {side}">{escape(text)}</{tag}>'

    titles = "".join(cell("th", place, text, ' scope="col"') for place, text in enumerate(head))
    body = "".join(
        "<tr>" + "".join(cell("td", place, text) for place, text in enumerate(row)) + "</tr>" for row in rows
    )
    style = "border-collapse: collapse; color: inherit"
    return f'<table style="{style}"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'


def _drawing(model: Any) -> str:
    """The network as boxes; of a formula in Python, whose order is not known, nothing."""
    from chainrule.models.sequential import Sequential

    if not model.layers or (model.network is None and not isinstance(model, Sequential)):
        return ""
    boxes = drawing.boxes_of(model, True, False, True)
    if len(boxes) > _MOST_BOXES:
        boxes = _count_repeats(boxes)
    svg = drawing.draw(boxes, f"the network {model.name}", standalone=False)
    if len(boxes) > _MOST_BOXES:
        return f"<details><summary>Drawing of {len(boxes):,} layers</summary>{svg}</details>"
    return f"<div>{svg}</div>"


def _count_repeats(boxes: Sequence[Box]) -> list[Box]:
    """The boxes without those that repeat others; the first of a part that repeats tells how often."""
    from chainrule.plots.network import collapse_boxes

    kept, parts = collapse_boxes(boxes)
    for part in parts:
        others = f" with the {part.period - 1} below" if part.period > 1 else ""
        first = kept[part.start]
        first.lines = [*first.lines, f"× {part.count}{others}"]
    return kept


__all__ = ["model_to_html"]
