"""A page of HTML read as a browser and a screen reader would: everything that is wrong with it, by name."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise

_EMPTY = {"br", "hr", "img", "meta", "col", "input", "link", "base", "embed", "source"}
_LIVE = {
    "script", "iframe", "object", "embed", "link", "base", "form", "input", "button", "video", "audio", "foreignobject",
    "animate", "set", "template", "noscript", "textarea", "math",
}  # fmt: skip
_WORDS = {"alt", "aria-label", "class", "content", "id", "title"}


class Outline(HTMLParser):
    """The elements of a page, and its faults.

    Args:
        page: the text of the file.
    """

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.elements: list[str] = []
        self.texts: list[str] = []
        self.images: list[str] = []
        self.feed(page)
        self.close()
        self.faults += [f"<{name}> is not closed" for name in self.open]
        self.faults += [f"id {name!r} twice" for name in set(self.ids) if self.ids.count(name) > 1]
        self.faults += [f"a link to nowhere: {link}" for link in self.links if link.removeprefix("#") not in self.ids]
        levels = [level for level, _ in self.headings]
        self.faults += [f"h{b} after h{a}" for a, b in pairwise(levels) if b > a + 1]
        if levels[:1] != [1] or levels.count(1) != 1:
            self.faults.append(f"headings begin with {levels[:1]}, {levels.count(1)} of the first level")

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append(tag)
        if tag in _LIVE:
            self.faults.append(f"<{tag}>")
        if len(given) < len(attrs):
            self.faults.append(f"an attribute twice in <{tag}>")
        for name, value in given.items():
            if name.startswith("on"):
                self.faults.append(f"<{tag} {name}={value!r}>")
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"):
                if not value.startswith(("#", "data:image/png;base64,")):
                    self.faults.append(f"<{tag} {name}={value!r}>")
            if name not in _WORDS and "url(" in value.replace("url(#", ""):
                self.faults.append(f"<{tag} {name}={value!r}>")
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "img":
            self.images.append(given.get("alt", ""))
            if not given.get("alt"):
                self.faults.append("an image without alt")
        if tag == "th" and given.get("scope") not in ("row", "col"):
            self.faults.append("a <th> without scope")
        if tag == "html" and not given.get("lang"):
            self.faults.append("no lang")
        if tag == "svg" and (given.get("role") != "img" or not given.get("aria-labelledby")):
            self.faults.append("a drawing without a name")
        if self.open[-1:] == ["table"] and tag != "caption" and self.elements[-2] == "table":
            self.faults.append("a table without a caption")
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append((int(tag[1]), ""))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1:] != [tag]:
            self.faults.append(f"</{tag}> closes {self.open[-1:]}")
        elif self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.texts.append(data)
        if self.headings and self.open[-1:] and self.open[-1] in ("h1", "h2", "h3"):
            level, text = self.headings[-1]
            self.headings[-1] = level, text + data

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"a comment: {data[:30]}")
