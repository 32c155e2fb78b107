"""SVG as matplotlib writes it, made fit to stand in a page.

In: the bytes of a file, and which colours are ink. Out: text of one element, smaller, without what speaks of the file
or reaches beyond it. Matplotlib itself is not needed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_POINT = 4 / 3  # CSS pixels in a point
_NO_CHARACTERS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # which XML does not have


def embed_svg(data: bytes, ink: Iterable[str], title: str, description: str = "") -> str:
    """The drawing as one element that scales: ink is the page's, ids have a prefix that the content gives.

    Args:
        data: a file that matplotlib wrote, with text as text.
        ink: colours as ``#rrggbb`` that become the colour of the page's text.
        title, description: what it shows, for those who do not see it.

    Example:
        >>> path = b'<path d="M 0 0" style="fill: #000000"/>'
        >>> svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 3 3">' + path + b"</svg>"
        >>> embed_svg(svg, ["#000000"], "a dot")[-51:]
        '<path d="M 0 0" style="fill: currentColor" /></svg>'
    """
    root = ElementTree.fromstring(_NO_CHARACTERS.sub(b"?", data))
    _drop_surroundings(root)
    _use_page_ink(root, ink)
    key = "f" + hashlib.sha256(ElementTree.tostring(root) + title.encode("utf-8", "replace")).hexdigest()[:10]
    _own_ids(root, f"{key}-")
    return _write_svg(root, key, title, description)


def _drop_surroundings(root: Any) -> None:
    """Take out what speaks of the file, and the rule of style that would hold for the whole page; shorten names."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{_SVG}metadata" or child.tag == f"{_SVG}style":
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        for name in [name for name in element.attrib if name.startswith(_XLINK)]:
            element.set(name.removeprefix(_XLINK), "".join(element.attrib.pop(name).split()))
        if element.get("transform", "").startswith("rotate(-0 "):  # text that is not turned
            del element.attrib["transform"]
        if "d" in element.attrib:
            element.set("d", " ".join(element.attrib["d"].split()))
        if element.tag not in ("text", "tspan"):
            element.text = None
        element.tail = None
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("defs", "g") and not len(child):
                parent.remove(child)


def _use_page_ink(root: Any, colours: Iterable[str]) -> None:
    """Ink in the colour of the page's text, and its fonts."""
    pattern = re.compile(r"\b(fill|stroke): (" + "|".join(sorted(colours)) + r")(?![0-9a-f])")
    for element in root.iter():
        style = element.get("style")
        if not style:
            continue
        style = pattern.sub(r"\1: currentColor", style)
        style = re.sub(r";? *font-family: [^;]*", "", style)
        style = re.sub(r"\bfont: ([^;]*?\d+px)[^;]*", lambda found: f"font: {found[1]} {FONTS}", style)
        element.set("style", style.strip("; "))


def _own_ids(root: Any, prefix: str) -> None:
    """Ids that are used get a prefix; others go."""
    used = {
        found
        for element in root.iter()
        for value in (element.get("href", ""), element.get("clip-path", ""), element.get("style", ""))
        if not value.startswith("data:")
        for found in re.findall(r"#([\w.-]+)", value)
    }
    for element in root.iter():
        name = element.get("id")
        if name is not None and name in used:
            element.set("id", prefix + name)
        elif name is not None:
            del element.attrib["id"]
        if element.get("href", "").startswith("#"):
            element.set("href", f"#{prefix}{element.attrib['href'][1:]}")
        for attribute in ("clip-path", "style"):
            if "url(#" in element.get(attribute, ""):
                element.set(attribute, element.attrib[attribute].replace("url(#", f"url(#{prefix}"))


def _write_svg(root: Any, key: str, title: str, description: str) -> str:
    """The text, with a root that scales, names itself, and hands down the page's ink."""
    left, top, width, height = (float(number) for number in root.attrib["viewBox"].split())
    root.attrib.clear()
    names = [f"{key}-title", *([f"{key}-text"] if description else [])]
    attributes = {
        "xmlns": _SVG.strip("{}"),
        "viewBox": f"{left:g} {top:g} {width:g} {height:g}",
        "width": f"{width * _POINT:.0f}",
        "height": f"{height * _POINT:.0f}",
        "role": "img",
        "aria-labelledby": " ".join(names),
        "fill": "currentColor",
        "stroke-linejoin": "round",
        "font-family": FONTS,
        "style": "max-width: 100%; height: auto",
    }
    root.attrib.update(attributes)
    heads: Iterable[tuple[str, str]] = [("title", title), ("desc", description)]
    for place, (tag, text) in enumerate(heads):
        if text:
            element = ElementTree.Element(tag, {"id": names[place]})
            element.text = text
            root.insert(place, element)
    return ElementTree.tostring(root, encoding="unicode")


__all__ = ["FONTS", "embed_svg"]
