"""The gate through which every text of a page goes."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from browser.outline import Outline
from browser.payloads import PAYLOADS

from chainrule.errors import ChainruleError
from chainrule.inspect.markup import Markup, clean_svg, element, escape, frame, join, picture, style_sheet

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1">{}</svg>'


def page(*parts: Markup) -> Outline:
    """The parts within a page that is well otherwise."""
    body = element("body", element("h1", "Title"), *parts)
    return Outline(str(element("html", element("head", element("title", "Title")), body, lang="en")))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_text_wherever_it_stands(payload: str) -> None:
    text = element("p", payload, element("td", payload), [payload, (payload,)])
    attribute = element("img", src="data:image/png;base64,", alt=payload)
    outline = page(text, attribute, join(payload), element("details", class_=payload, aria_label=payload))
    assert outline.faults == []
    assert set(outline.elements) == {"html", "head", "title", "body", "h1", "p", "td", "img", "details"}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_in_a_drawing_is_text(payload: str) -> None:
    svg = SVG.format(f'<text x="1">{escape(payload)}</text><g id="{escape(payload)}" class="{escape(payload)}"/>')
    outline = page(clean_svg(svg, payload, payload))
    assert outline.faults == []


def test_ready_html_is_taken_from_nobody() -> None:
    with pytest.raises(ChainruleError, match="taken from nobody"):
        Markup("<b>bold</b>")
    with pytest.raises(TypeError):
        "<p>" + element("p")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("script", {}),
        ("iframe", {}),
        ("p", {"onclick": "f()"}),
        ("p", {"srcdoc": "x"}),
        ("a", {"href": "javascript:f()"}),
        ("a", {"href": "https://example.org"}),
        ("img", {"src": "x.png"}),
        ("img", {"src": "data:image/svg+xml;base64,AAAA"}),
        ("p", {"style": "background: url(x)"}),
        ("p", {"style": "width: 1px; behavior: x"}),
    ],
)
def test_what_may_not_stand_in_a_page(name: str, attributes: dict[str, str]) -> None:
    with pytest.raises(ChainruleError, match="may not stand in a page"):
        element(name, **attributes)


@pytest.mark.parametrize("rules", ["p { background: url(x) }", "@import 'x'", "</style><script>f()</script>"])
def test_a_style_sheet_fetches_nothing_and_ends_itself(rules: str) -> None:
    with pytest.raises(ChainruleError, match="may not stand"):
        style_sheet(rules)


def test_a_drawing_keeps_shapes_alone() -> None:
    inside = (
        "<style>* { fill: red }</style><script>f()</script><foreignObject><p>x</p></foreignObject>"
        "<metadata>m</metadata>"
        '<a href="javascript:f()"><path d="M0 0"/></a><image href="https://example.org/x.png" width="3" height="4"/>'
        '<image xlink:href="data:image/png;base64,AAAA" width="3" height="4"/><path id="a" d="M0 0" onload="f()"/>'
        '<use href="#a" style="fill: url(#a)"/><rect style="fill: url(https://example.org)" width="2" height="5"/>'
        "<animate attributeName='href'/><set/>"
    )
    text = str(clean_svg(SVG.format(inside), "title", "words", prefix="d7"))
    assert page(clean_svg(SVG.format(inside), "title", "words", prefix="d7")).faults == []
    for gone in ("style>", "<script", "foreign", "metadata", "<a", "example.org", "onload", "animate", "<set"):
        assert gone not in text
    assert '<path id="d7-a" d="M0 0"></path>' in text
    assert '<use href="#d7-a" style="fill: url(#d7-a)"></use>' in text
    assert '<image href="data:image/png;base64,AAAA" width="3" height="4"></image>' in text
    assert '<rect width="2" height="5"></rect>' in text
    assert '<title id="d7-title">title</title><desc id="d7-description">words</desc>' in text


def test_what_is_no_drawing_is_refused() -> None:
    with pytest.raises(ChainruleError, match="no SVG"):
        clean_svg("<svg><g></svg>", "broken")


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3)])
def test_a_picture_holds_its_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    text = str(picture(pixels, "noise", scale=2))
    assert 'alt="noise" width="10" height="6"' in text
    png = base64.b64decode(text.split("base64,")[1].split('"')[0])
    start = png.index(b"IDAT") + 4
    rows = np.frombuffer(zlib.decompress(png[start : png.index(b"IEND") - 8]), np.uint8).reshape(3, -1)
    np.testing.assert_array_equal(rows[:, 1:].reshape(shape), pixels)
    assert not rows[:, 0].any() and png[25] == (0 if len(shape) == 2 else 2)


def test_a_frame_holds_a_page_that_may_do_nothing() -> None:
    text = str(frame('<p class="x">1</p>', '"title"'))
    assert 'sandbox=""' in text and 'srcdoc="&lt;p class=&quot;x&quot;&gt;1&lt;/p&gt;"' in text


def test_the_outline_sees_faults() -> None:
    wrong = (
        "<html><body><h2>x</h2><p id=a></p><p id=a></p><img src=//x><table><tr><th>1</th></tr></table>"
        "<a href='#b' onclick='f()'>x</a><script>f()</script><h4>y</h4><svg></svg></b>"
    )
    faults = "\n".join(Outline(wrong).faults)
    for part in (
        "no lang",
        "id 'a' twice",
        "without alt",
        "'//x'",
        "caption",
        "scope",
        "nowhere",
        "onclick",
        "<script>",
    ):
        assert part in faults
    for part in ("h4 after h2", "without a name", "closes", "begin with [2]"):
        assert part in faults
