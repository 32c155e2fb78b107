"""Formulas for a page: from LaTeX to MathML, with the LaTeX kept beside it.

In: a `Formula`. Out: Markup. The words in a formula come from users, so the converter never sees them: they are put
back as text when it is done.
"""

from __future__ import annotations

import functools
import html
import re
from typing import Any
from xml.etree.ElementTree import Element

from chainrule.errors import ChainruleError
from chainrule.graph.primitive import Formula
from chainrule.inspect.ledger.formulas import WORDS, read_words
from chainrule.inspect.markup import _HERE, Markup, escape

_FIRST = 0xE000  # of the characters for private use, one for each \text of a formula
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_ELEMENTS = frozenset(
    [
        "math",
        "mfrac",
        "mi",
        "mn",
        "mo",
        "mover",
        "mpadded",
        "mroot",
        "mrow",
        "mspace",
        "msqrt",
        "mstyle",
        "msub",
        "msubsup",
        "msup",
        "mtable",
        "mtd",
        "mtext",
        "mtr",
        "munder",
        "munderover",
    ]
)
_ATTRIBUTES = frozenset({"accent", "columnalign", "fence", "form", "mathvariant", "stretchy"})


def require_converter() -> Any:
    """The function from LaTeX to a tree of MathML.

    Raises:
        ChainruleError: without the package latex2mathml.
    """
    try:
        from latex2mathml.converter import convert_to_element
    except ImportError:
        raise ChainruleError(
            "a page with formulas needs latex2mathml", where="to_html", fix="pip install 'chainrule[report]'"
        ) from None
    return convert_to_element


@functools.lru_cache(maxsize=4096)
def write_formula(formula: Formula) -> Markup:
    """A formula as MathML.

    Example:
        >>> print(write_formula(Formula("x²", "x^{2}")))
        <math displaystyle="true"><semantics><mrow><msup><mi>x</mi><mrow><mn>2</mn></mrow></msup></mrow><annotation
          encoding="application/x-tex">x^{2}</annotation></semantics></math>
    """
    words: list[str] = []

    def hide(match: re.Match[str]) -> str:
        words.append(read_words(match[1]))
        return rf"\text{{{chr(_FIRST + len(words) - 1)}}}"

    latex = WORDS.sub(hide, _PRIVATE.sub("\ufffd", formula.latex))
    root = require_converter()(latex)
    inner = "".join(_write(child, words) for child in root)
    note = f'<annotation encoding="application/x-tex">{escape(formula.latex)}</annotation>'
    return Markup(f'<math displaystyle="true"><semantics>{inner}{note}</semantics></math>', _HERE)


def _write(node: Element, words: list[str]) -> str:
    if node.tag not in _ELEMENTS:
        raise ChainruleError("this element may not stand in a formula", where="write_formula", got=node.tag)
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attrib.items() if name in _ATTRIBUTES)
    # The converter writes signs as references; words come last, so that nothing in them is read as one.
    text = escape(html.unescape(node.text or ""))
    text = _PRIVATE.sub(lambda match: escape(words[ord(match[0]) - _FIRST]), text)
    # MathML drops spaces at the ends of words.
    text = re.sub("^ | $", "\u00a0", text) if node.tag == "mtext" else text
    # A function's name is no sign between two operands, and has no space around it.
    tag = "mi" if node.tag == "mo" and text.isalpha() else node.tag
    return f"<{tag}{attributes}>{text}{''.join(_write(child, words) for child in node)}</{tag}>"
