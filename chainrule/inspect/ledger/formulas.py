"""Formulas with names in them: a primitive's notation, filled in with the names of its operands.

In: a node of a graph and what its operands are called. Out: `Formula`s without placeholders, as text and as LaTeX.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence

import numpy as np

from chainrule.graph.ir import CONSTANT, INPUT, Node
from chainrule.graph.primitive import Formula, Notation

ONE = Formula("1")
_MINUS_ONE = Formula("−1")
_LETTERS = ("x", "y", "z", "w")
_SHORT_NAME = re.compile(r"([A-Za-z])(\d*)$")
_SPECIAL = {"\\": r"\textbackslash ", "^": r"\textasciicircum ", "~": r"\textasciitilde "}
_SPELLED = re.compile(r"\\(textbackslash |textasciicircum |textasciitilde |.)")
WORDS = re.compile(r"\\text\{((?:\\.|[^\\{}])*)\}")
"""Words within LaTeX, as `spell_words` writes them."""


def spell_words(words: str) -> str:
    """Words as LaTeX.

    Example:
        >>> print(spell_words("dense_1/{x}"))
        \\text{dense\\_1/\\{x\\}}
    """
    escaped = "".join(_SPECIAL.get(sign, f"\\{sign}" if sign in "_{}$%&#" else sign) for sign in words)
    return rf"\text{{{escaped}}}"


def read_words(spelled: str) -> str:
    """The words that stand within ``\\text{…}``."""
    signs = {latex[1:]: sign for sign, latex in _SPECIAL.items()}
    return _SPELLED.sub(lambda match: signs.get(match[1], match[1]), spelled)


def write_name(name: str) -> Formula:
    """A value's name: ``v12`` with its number as an index, longer names upright."""
    short = _SHORT_NAME.match(name)
    if short is None:
        return Formula(name, spell_words(name))
    return Formula(name, f"{short[1]}_{{{short[2]}}}" if short[2] else short[1])


def write_cotangent(name: str) -> Formula:
    """What the result changes by with a value: v̄12, of longer names ∇kernel."""
    short = _SHORT_NAME.match(name)
    if short is None:
        return Formula(f"∇{name}", rf"\nabla {spell_words(name)}")
    index = f"_{{{short[2]}}}" if short[2] else ""
    return Formula(f"{short[1]}\u0304{short[2]}", rf"\bar{{{short[1]}}}{index}")


def write_number(array: np.ndarray) -> Formula:
    """A single number as it stands in a formula; a negative one in brackets."""
    value = array.reshape(()).item()
    if isinstance(value, bool | int):
        text = str(value).lower()
    elif math.isinf(value):
        return Formula("(−∞)" if value < 0 else "∞", r"(-\infty)" if value < 0 else r"\infty")
    elif value == 0 or 1e-4 <= abs(value) < 1e10:
        # As short as tells it from its neighbours in its own dtype.
        text = np.format_float_positional(array.dtype.type(value), trim="-")
    else:
        text = f"{value:.6g}"
    mantissa, _, power = text.partition("e")
    latex = mantissa
    if power:
        text = f"{mantissa}e{int(power)}"
        latex = rf"10^{{{int(power)}}}" if mantissa == "1" else rf"{mantissa} \cdot 10^{{{int(power)}}}"
    if text.startswith("-"):
        return Formula(f"(−{text[1:]})", f"({latex})")
    return Formula(text, latex)


def is_number(node: Node) -> bool:
    """Whether a node is a single number known beforehand, which formulas write out."""
    return node.primitive is CONSTANT and node.params["value"].array.size == 1


def notation_of(node: Node) -> Notation:
    """The notation of a node's primitive; one without any is written as a function of its operands."""
    notation = node.primitive.notation
    if notation is None:
        name = node.primitive.name
        return Notation(Formula(f"{name}($all)", f"{spell_words(name)}($all)"))
    return notation(**node.params) if callable(notation) else notation


def fill(formula: Formula, operands: Sequence[Formula], result: Formula, scalar: bool) -> Formula:
    """A formula of a notation with names in it; between single numbers ⊙ is the ordinary product."""

    def write(template: str, names: list[str], value: str, cotangent: str, product: tuple[str, str]) -> str:
        filled = dict(zip(_LETTERS, names, strict=False)) | {"v": value, "g": cotangent, "all": ", ".join(names)}
        return string.Template(template.replace(*product) if scalar else template).substitute(filled)

    cotangent = write_cotangent(result.text)
    text = write(formula.text, [name.text for name in operands], result.text, cotangent.text, (" ⊙ ", "·"))
    latex = write(formula.latex, [name.latex for name in operands], result.latex, cotangent.latex, (r"\odot", r"\cdot"))
    return Formula(text, latex)


def times(cotangent: Formula, slope: Formula, scalar: bool, summed: bool) -> Formula:
    """``cotangent ⊙ slope``, added up where one number was used for every element."""
    if slope == ONE:
        product = cotangent
    elif slope == _MINUS_ONE:
        product = Formula(f"−{cotangent.text}", f"-{cotangent.latex}")
    else:
        text, latex = slope.text, slope.latex
        if re.search(r"[ ·/]|^−", text):
            text, latex = f"({text})", f"({latex})"
        sign, spelled = ("·", r"\cdot") if scalar else (" ⊙ ", r"\odot")
        product = Formula(f"{cotangent.text}{sign}{text}", rf"{cotangent.latex} {spelled} {latex}")
    return Formula(f"sum({product.text})", rf"\sum {product.latex}") if summed else product


# -- a formula in one line ------------------------------------------------------------------------------------------


def write_in_one(node: Node, longest: int) -> Formula:
    """The formula of a value with all operations that lead to it in one: ``x·x + 1``.

    Inputs have their names, arrays that are known beforehand are a plain c. What gets longer than so many characters is
    no formula any more, but that many dots.
    """
    if is_number(node):
        return write_number(node.params["value"].array)
    if node.primitive is INPUT:
        return write_name(node.params["name"])
    if node.primitive is CONSTANT:
        return write_name("c")
    template = notation_of(node).value
    operands = []
    for place, operand in enumerate(node.inputs):
        inner = write_in_one(operand, longest)
        if len(inner.text) > longest:
            return Formula("…" * (longest + 1))
        bare = not needs_brackets(template, place, inner)
        text = inner.text if bare else f"({inner.text})"
        bare = bare or template.latex.startswith((r"\frac", r"\sqrt"))
        operands.append(Formula(text, inner.latex if bare else f"({inner.latex})"))
    return fill(template, operands, Formula("v"), not node.shape)


def needs_brackets(template: Formula, place: int, inner: Formula) -> bool:
    """Whether a formula in the place of an operand needs brackets around it."""
    letter = f"${_LETTERS[place]}" if place < len(_LETTERS) else "$all"
    if re.search(rf"[(,|⌊⌈\[]\s*{re.escape(letter)}\s*[]),;:|⌋⌉]", template.text):
        return False
    own, other = binding(template.text), binding(inner.text)
    if own == other:
        return place > 0 and not re.search(" [+⊙] ", template.text)
    return other < own


def binding(formula: str) -> int:
    """How tightly the outermost operation of a formula binds: 1 sums, 2 products, 3 powers, 4 names; 0 words."""
    depth = 0
    outer = ""
    for sign in formula:
        depth -= sign in ")]⌋⌉"
        outer += "" if depth else sign
        depth += sign in "([⌊⌈"
    outer = re.sub(r"\s*\[\s*\]", "[]", outer)
    if re.search(" [+−] |^−", outer):
        return 1
    if re.search(" [⊙/] |·", outer):
        return 2
    if re.search(" \\^ |[²ᵀ√]", outer):
        return 3
    return 0 if " " in outer else 4
