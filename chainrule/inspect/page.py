"""The page of a report: its frame, and the few pieces that its sections are made of.

In: sections, each a title and Markup. Out: one HTML file that needs nothing else: no script, no font, no request. It
follows the reader's light or dark, prints in dark ink on white, and is walked through with the keyboard alone. How it
looks is in `page.css`; that nothing breaks out of it is in `markup.py`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.inspect.markup import Markup, element, join, render, style_sheet

_STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_LONG_WORD = 24  # letters beyond which a word may be parted anywhere, so that a name does not push the page aside
_NARROW, _BETWEEN, _MARKUP = 38, 2, 12  # letters of a narrow screen, between two columns, and of what is no text

LONGEST = 60
"""Letters of a name that came from data, at most."""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        key: the id by which it is linked to.
    """

    key: str
    title: str
    body: Markup


def write_page(title: str, lead: Markup, sections: Sequence[Section], foot: Markup) -> str:
    """The whole file.

    Args:
        title: of the page, and of the window.
        lead: what stands under the title, before the first section.
        foot: the last line.
    """
    links = [element("li", element("a", section.title, href=f"#{section.key}")) for section in sections]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        style_sheet(_STYLE.read_text("utf-8")),
    )
    body = element(
        "body",
        element("a", "Skip to the report", href="#report", class_="skip"),
        element("nav", element("p", "Contents", id="contents"), element("ol", links), aria_labelledby="contents"),
        element(
            "main",
            element("header", element("h1", title), lead),
            [
                element(
                    "section",
                    element("h2", section.title, id=f"{section.key}-title"),
                    section.body,
                    id=section.key,
                    aria_labelledby=f"{section.key}-title",
                )
                for section in sections
            ],
            id="report",
            tabindex="-1",
        ),
        element("footer", foot),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


# -- pieces -------------------------------------------------------------------------------------------------------


def paragraph(*children: Any, kind: str | None = None) -> Markup:
    """A paragraph; `kind` is a class of `page.css`."""
    return element("p", *children, class_=kind)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Any]], texts: Collection[int] = (0,)) -> Markup:
    """A table whose first column names its rows; one that is too wide for a narrow screen can be moved sideways.

    Args:
        head: the titles of the columns.
        texts: the columns that hold text; the others hold numbers and stand to the right.

    Example:
        >>> print(table("Sizes", ["name", "size"], [["<a>", 3]]))
        <table><caption>Sizes</caption>...<th scope="row">&lt;a&gt;</th><td class="number">3</td></tr></tbody></table>
    """
    lines = [list(row) for row in rows]

    def style(column: int, cell: Any) -> str | None:
        names = [] if column in texts else ["number"]
        if longest_word(cell) > _LONG_WORD:
            names.append("long")
        return " ".join(names) or None

    def cells(row: Sequence[Any]) -> list[Markup]:
        first = element("th", row[0], scope="row", class_=style(0, row[0]))
        rest = enumerate(row[1:], start=1)
        return [first, *(element("td", cell, class_=style(place, cell)) for place, cell in rest)]

    titles = [element("th", title, scope="col", class_=style(place, title)) for place, title in enumerate(head)]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", titles)),
        element("tbody", [element("tr", cells(row)) for row in lines]),
    )
    letters = [
        max([longest_word(title), *(least_width(row[place], place in texts) for row in lines)])
        for place, title in enumerate(head)
    ]
    if sum(letters) + _BETWEEN * len(head) <= _NARROW:
        return whole
    return element("div", whole, class_="sideways", role="region", tabindex="0", aria_label=f"{caption} (table)")


def longest_word(cell: Any) -> int:
    """Letters of a cell that stand together."""
    return 0 if isinstance(cell, Markup) else max(map(len, str(cell).split()), default=0)


def least_width(cell: Any, breaks: bool) -> int:
    """Letters that a cell needs, where a text may break between words and a number may not."""
    if isinstance(cell, Markup):
        return _MARKUP
    return min(_LONG_WORD, longest_word(cell)) if breaks else len(str(cell))


def figure(drawing: Markup | None, caption: Any, numbers: Markup | None = None) -> Markup:
    """A drawing with what it shows, and its numbers for those who want them or do not see it.

    Without a drawing the numbers stand open in its place.
    """
    if drawing is None:
        return join(numbers)
    shown = element("figure", element("div", drawing, class_="drawing"), element("figcaption", caption))
    return shown if numbers is None else join(shown, unfold("The numbers", numbers))


def unfold(summary: str, *children: Any) -> Markup:
    """What is shown when it is asked for; on paper always."""
    return element("details", element("summary", summary), *children)


def facts(pairs: Iterable[tuple[str, Any]], kind: str = "facts") -> Markup:
    """Names and values."""
    return element(
        "dl", [element("div", element("dt", name), element("dd", value)) for name, value in pairs], class_=kind
    )


def bullets(items: Iterable[Any], kind: str | None = None) -> Markup:
    """A list without numbers."""
    return element("ul", [element("li", item) for item in items], class_=kind)


def bar(share: float) -> Markup:
    """A bar as long as a share of one; the number stands beside it."""
    length = min(100.0, max(0.0, 100 * share)) if math.isfinite(share) else 0.0
    return element(
        "span", element("span", style=f"width: {length:.1f}%", class_="bar-fill"), class_="bar", aria_hidden="true"
    )


def named(name: str, meaning: str) -> Markup:
    """A name with what it means, for the first cell of a row."""
    return join(name, " ", element("span", meaning, class_="aside"))


def part(key: str, title: str, *children: Any) -> Markup:
    """A part of a section, with a title of its own."""
    return join(element("h3", title, id=key), *children)


# -- words and numbers --------------------------------------------------------------------------------------------


def shorten(text: Any, limit: int = LONGEST) -> str:
    """A name on one line, cut where it is long.

    Example:
        >>> shorten("a\\nb"), shorten("x" * 100, 5)
        ('a b', 'xxxx…')
    """
    words = " ".join(str(text).split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def show_share(value: float, digits: int = 1) -> str:
    """A share of one in percent.

    Example:
        >>> show_share(0.98765)
        '98.8\\xa0%'
    """
    return f"{100 * value:.{digits}f}\u00a0%" if math.isfinite(value) else "–"


def show_number(value: float) -> str:
    """A number with four figures.

    Example:
        >>> show_number(1 / 3), show_number(123456.0), show_number(float("nan"))
        ('0.3333', '123,456', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def show_bytes(count: int) -> str:
    """A size.

    Example:
        >>> show_bytes(1536), show_bytes(47_040_000)
        ('1.5 kB', '47.0 MB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


__all__ = [
    "Section",
    "bar",
    "bullets",
    "facts",
    "named",
    "figure",
    "paragraph",
    "part",
    "render",
    "shorten",
    "show_bytes",
    "show_number",
    "show_share",
    "table",
    "unfold",
    "write_page",
]
