"""HTML that cannot be broken by what stands in it: one gate through which every text of a page goes.

In: plain values, whoever they come from. Out: `Markup`, which is no `str`, so that it mixes with text only here:

    element("td", "<b>")                 <td>&lt;b&gt;</td>
    element("p", "so ", element("em", x))
    clean_svg(drawing, "a plot")         a drawing, taken apart and built anew from what is allowed
    picture(array, "a seven")            an image within the page

Elements and attributes are those of a list without scripts; a link leads to a place in the page, an image is held in
the page itself. Nothing else makes Markup, and nothing takes ready HTML.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

import numpy as np

from chainrule.errors import ChainruleError, DataError
from chainrule.interop.events import png


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXT_ELEMENTS = _names(
    "a abbr article aside b bdi body caption code dd details div dl dt em figcaption figure footer h1 h2 h3 h4 head "
    "header html li main nav ol p pre section small span strong sub summary sup table tbody td tfoot th thead time "
    "title tr ul"
)
_EMPTY_ELEMENTS = _names("br hr img meta col")
_DRAWN_ELEMENTS = _names(
    "g path rect circle ellipse line polyline polygon text tspan title desc defs use clipPath linearGradient "
    "radialGradient stop marker pattern image"
)
_ATTRIBUTES = _names(
    "alt class colspan content datetime dir headers height href http-equiv id lang name open role rowspan scope src "
    "start style tabindex charset width"
)
_DRAWN_ATTRIBUTES = _names(
    "clip-path clip-rule clipPathUnits cx cy d dominant-baseline dx dy fill fill-opacity fill-rule font-family "
    "font-size font-style font-weight fx fy gradientTransform gradientUnits marker-end marker-mid marker-start "
    "markerHeight markerUnits markerWidth offset opacity orient patternTransform patternUnits points "
    "preserveAspectRatio r refX refY rotate rx ry shape-rendering stop-color stop-opacity stroke stroke-dasharray "
    "stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity stroke-width style text-anchor "
    "textLength transform transform-origin vector-effect viewBox x x1 x2 y y1 y2"
)
_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""What may not stand in a page, escaped or not: no characters, and signs that turn the letters after them around."""

_DATA_IMAGE = "data:image/png;base64,"
_VALUES = {
    "href": re.compile("#.*"),
    "src": re.compile(re.escape(_DATA_IMAGE) + "[A-Za-z0-9+/=]*"),
    "style": re.compile(r"(?:[a-z-]+: ?-?[\d.]+(?:%|em|rem|px)?;? ?)*"),
}
"""What these attributes may say: places in the page, images in the page, sizes."""

_REFERENCE = re.compile(r"url\(\s*['\"]?([^)'\"]*)['\"]?\s*\)")
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"


class Markup:
    """A piece of a page. It is made by the functions of this module, and only by them."""

    __slots__ = ("_text",)

    def __init__(self, text: str, made_here: object = None):
        if made_here is not _HERE:
            raise ChainruleError(
                "ready HTML is taken from nobody", where="Markup", fix="build it with element(name, *children)"
            )
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Markup({self._text!r})"


_HERE = object()

Child = Markup | str | int | float | None


def escape(text: Any) -> str:
    """A value as text of a page or of an attribute in quotes.

    Example:
        >>> escape('<img src=x onerror="alert(1)">')
        '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'
    """
    return html.escape(_NO_CHARACTERS.sub("\ufffd", str(text)), quote=True)


def render(child: Child | Iterable[Any]) -> str:
    """A child as HTML: Markup as it is, None as nothing, lists one after the other, everything else as text."""
    if child is None:
        return ""
    if isinstance(child, Markup):
        return str(child)
    if isinstance(child, list | tuple):
        return "".join(map(render, child))
    return escape(child)


def join(*children: Any) -> Markup:
    """Children one after the other."""
    return Markup(render(children), _HERE)


def element(kind: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element of HTML with its children.

    Args:
        children: texts, numbers, Markup, lists of them; None is left out.
        attributes: ``class_`` is written for class, ``aria_label`` for aria-label; None and False are left out, True
            stands without a value.

    Raises:
        ChainruleError: for elements, attributes and addresses that are not allowed.

    Example:
        >>> print(element("p", "1 < 2", element("br"), class_="note"))
        <p class="note">1 &lt; 2<br></p>
    """
    written = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    text = "".join(_attribute(key, value, _ATTRIBUTES) for key, value in written.items())
    if kind in _EMPTY_ELEMENTS:
        return Markup(f"<{kind}{text}>", _HERE)
    if kind not in _TEXT_ELEMENTS:
        raise _refusal("element", kind)
    return Markup(f"<{kind}{text}>{render(children)}</{kind}>", _HERE)


def _attribute(name: str, value: Any, allowed: frozenset[str]) -> str:
    if value is None or value is False:
        return ""
    if name not in allowed and not re.fullmatch("aria-[a-z]+", name):
        raise _refusal("attribute", name)
    if value is True:
        return f" {name}"
    rule = _VALUES.get(name)
    if rule and not rule.fullmatch(str(value)):
        raise _refusal(f"value of '{name}'", value)
    return f' {name}="{escape(value)}"'


def _refusal(kind: str, name: Any) -> ChainruleError:
    return ChainruleError(f"this {kind} may not stand in a page", where="element", got=repr(name))


def frame(page: str, title: str, height: int = 720) -> Markup:
    """A whole page within another: neither's rules reach the other, and the inner one may do nothing but show."""
    name, source = escape(title), escape(page)
    return Markup(
        f'<iframe sandbox="" title="{name}" width="100%" height="{height:d}" srcdoc="{source}"></iframe>', _HERE
    )


def style_sheet(rules: str) -> Markup:
    """The rules of a page, from a file of this package: they may not end their element, nor fetch anything."""
    if "</" in rules or "@import" in rules or "url(" in rules:
        raise _refusal("style sheet", rules[:40])
    return Markup(f"<style>{rules}</style>", _HERE)


# -- drawings -----------------------------------------------------------------------------------------------------


def clean_svg(text: str, title: str, description: str = "", prefix: str = "drawing") -> Markup:
    """A drawing for the page: only shapes and texts of the SVG are kept, and its ids get a name of their own.

    Scripts, styles for the whole page, links, metadata, handlers of events and foreign content are left out.

    Args:
        text: an SVG file; one that is no XML is refused.
        title, description: what the drawing shows, for those who do not see it.
        prefix: of the ids; another for every drawing of a page.

    Example:
        >>> svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>1</script><g id="a" onclick="f()"/></svg>'
        >>> print(clean_svg(svg, "empty", prefix="d"))
        <svg role="img" aria-labelledby="d-title"><title id="d-title">empty</title><g id="d-a"></g></svg>
    """
    try:
        root = ElementTree.fromstring(_NO_CHARACTERS.sub("\ufffd", text))
    except ElementTree.ParseError as error:
        raise DataError("the drawing is no SVG", where=title, got=str(error)) from None
    names = [f"{prefix}-title", f"{prefix}-description"] if description else [f"{prefix}-title"]
    head = f'<title id="{escape(names[0])}">{escape(title)}</title>'
    if description:
        head += f'<desc id="{escape(names[1])}">{escape(description)}</desc>'
    attributes = f' role="img" aria-labelledby="{escape(" ".join(names))}"{_drawn_attributes(root, prefix)}'
    for attribute in ("width", "height"):
        size = re.fullmatch(r"([\d.]+)(pt|px)?", root.get(attribute, ""))
        if size:
            pixels = float(size[1]) * (4 / 3 if size[2] == "pt" else 1)
            attributes += f' {attribute}="{pixels:g}"'
    return Markup(f"<svg{attributes}>{head}{_drawn_children(root, prefix, top=True)}</svg>", _HERE)


def _drawn_children(parent: ElementTree.Element, prefix: str, top: bool = False) -> str:
    parts = [escape(parent.text) if parent.text and parent.text.strip() else ""]
    for child in parent:
        name = child.tag.removeprefix(_SVG) if isinstance(child.tag, str) else ""
        if name in _DRAWN_ELEMENTS and not (top and name in ("title", "desc")):
            size = "".join(_attribute(key, child.get(key), _ATTRIBUTES) for key in ("width", "height"))
            parts.append(f"<{name}{_drawn_attributes(child, prefix)}{size}>{_drawn_children(child, prefix)}</{name}>")
        if child.tail and child.tail.strip():
            parts.append(escape(child.tail))
    return "".join(parts)


def _drawn_attributes(node: ElementTree.Element, prefix: str) -> str:
    """The allowed attributes, with ids and references to them renamed."""
    parts = []
    for name, value in node.attrib.items():
        key = name.removeprefix(_XLINK)
        if key == "id":
            parts.append(f' id="{escape(f"{prefix}-{value}")}"')
        elif key == "class":
            parts.append(f' class="{escape(value)}"')
        elif key == "href" and value.startswith("#"):
            parts.append(f' href="{escape(f"#{prefix}-{value[1:]}")}"')
        elif key == "href" and value.startswith(_DATA_IMAGE):
            parts.append(f' href="{escape(value)}"')
        elif key in _DRAWN_ATTRIBUTES and all(found.startswith("#") for found in _REFERENCE.findall(value)):
            parts.append(f' {key}="{escape(_REFERENCE.sub(lambda found: f"url(#{prefix}-{found[1][1:]})", value))}"')
    return "".join(parts)


# -- pictures -----------------------------------------------------------------------------------------------------


def picture(pixels: np.ndarray, description: str, scale: int = 1) -> Markup:
    """An image within the page.

    Args:
        pixels: from 0 to 255, (height, width) grey or (height, width, 3) in colour.
        description: for those who do not see it.
        scale: pixels of the page for one of the image.
    """
    address = _DATA_IMAGE + base64.b64encode(png(pixels)).decode("ascii")
    height, width = pixels.shape[:2]
    return element("img", src=address, alt=description, width=width * scale, height=height * scale)


__all__ = ["Child", "Markup", "clean_svg", "element", "escape", "frame", "join", "picture", "render", "style_sheet"]
