"""The ledger as text and as a page: 80 columns, well formed, and nothing of a name is taken for HTML or LaTeX."""

import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.cells import cell_len

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.graph.primitive import PRIMITIVES, Formula
from chainrule.inspect.ledger.formulas import (
    binding,
    fill,
    notation_of,
    read_words,
    spell_words,
    write_cotangent,
    write_name,
    write_number,
)
from chainrule.inspect.ledger.mathml import write_formula
from chainrule.inspect.numbers import describe, describe_in_full, format_number

EVIL = "<script>alert(1)</script>\"'&amp;${x}\\href{javascript:alert(1)}{y}"
VOID = {"meta", "br", "hr", "img", "col"}


class Reader(HTMLParser):
    """Whether every element is closed, what stands in them, and the anchors."""

    def __init__(self, page):
        super().__init__()
        self.open, self.names, self.ids, self.links, self.texts = [], [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        assert not any(name.startswith("on") for name in found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def classifier(name="dense"):
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(5, "relu", name=name), cr.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def explain(model):
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    return model.explain(x, np.array([0, 1, 2, 0, 1, 2]))


@pytest.fixture(scope="module")
def ledger():
    return explain(classifier())


def test_the_table_for_a_function():
    assert str(cr.explain(lambda x: x * x + x)(3.0)).splitlines() == [
        "f(x): 2 operations, f = 12",
        "",
        "formula                  value              local derivative   ∂f/∂…",
        "─" * 80,
        "x (input)                3                                     7",
        "v1 = x·x                 9                  by x: x = 3        1",
        "                                            by x: x = 3",
        "v2 = v1 + x              12                 by v1: 1           1",
        "                                            by x: 1",
        "",
        "where gradients meet, they add up",
        "  x̄ = v̄2 + v̄1·x + v̄1·x",
        "    = 1 + 3 + 3 = 7",
    ]


def test_all_text_fits_80_columns(ledger):
    long = cr.Variable(np.ones((3, 4), "f"), name="a_very_long_name_" * 6 + "/and_a_long_last_part" * 3)
    other = cr.explain(lambda x: cr.ops.sum(x * long) + cr.ops.mean(cr.ops.exp(x * 1e-8) - long * 1e9))(
        np.ones((3, 4), "f") * 1.23456e-7
    )
    for text in (str(ledger), ledger.to_text(), str(other), other.to_text(), str(ledger.neuron("dense", 1))):
        for line in text.splitlines():
            assert cell_len(line) <= 80, line


def test_the_table_has_every_entry_and_every_number(ledger):
    text, of_adam = str(ledger), str(ledger["adam"])
    for entry in ledger:
        first = entry.formula.text if entry.kind == "operation" else entry.name
        assert first.split(" = ")[0] in (of_adam if entry.scope.split("/")[0] == "adam" else text)
    count = len(ledger["adam"])
    assert f"── adam: {count} operations that have no gradient; ledger['adam'] shows them" in text
    assert "loss" in text and "adam/dense/kernel" in of_adam and "→ new kernel" in of_adam
    assert f"𝓛 = {format_number(ledger.result)}" in text


def test_an_entry_in_full():
    ledger = cr.explain(lambda x, y: x * cr.ops.sin(y))(2.0, 0.0)
    assert str(ledger["y"]).splitlines() == [
        "y (input)",
        "  value                                     0",
        "  gradient     from v1: v̄1·cos(y)           2",
    ]
    assert "= v̄" not in str(ledger["v1"]) and "∂v1/∂y       cos(y)" in str(ledger["v1"])


@pytest.mark.parametrize("open_at_once", [True, False])
def test_the_page_is_well_formed_and_its_links_lead_somewhere(ledger, open_at_once):
    part = ledger["dense"] if open_at_once else ledger
    page = Reader(part.to_html())
    assert len(page.ids) == len(set(page.ids))
    inner = {f"#{name}" for name in page.ids}
    assert set(page.links) <= inner
    assert {"#v1", "#dense-kernel"} <= inner
    assert "script" not in page.names and not {"link", "iframe", "object"} & set(page.names)
    assert page.names.count("math") > 5 and page.names.count("annotation") == page.names.count("math")
    assert "prefers-color-scheme: dark" in part.to_html() and "@media print" in part.to_html()
    assert not re.search(r"(src|href)=.?https?:", part.to_html())


def test_nothing_in_a_name_is_taken_for_html_or_latex():
    def f(arguments):
        return cr.ops.sum(arguments[EVIL] * arguments[EVIL])

    weight = cr.Variable(np.ones(2, "f"), name=EVIL)
    pages = [cr.explain(f)({EVIL: np.ones(2, "f")}), cr.explain(lambda x: cr.ops.sum(x * weight))(np.ones(2, "f"))]
    model = explain(classifier("<script>alert(1)<-script>"))
    for value in (*pages, model, model.neuron("<script>alert(1)<-script>", 1)):
        for text in (value.to_html(), value._repr_html_()):
            page = Reader(text)
            assert "script" not in page.names and "alert" in "".join(page.texts)
            assert all(link.startswith("#") for link in page.links)
    assert f"by {EVIL}" not in pages[0].to_html()


def test_a_ledger_in_a_notebook(ledger, monkeypatch):
    fragment = ledger._repr_html_()
    assert Reader(fragment).names.count("math") > 5 and "<html" not in fragment
    monkeypatch.setitem(sys.modules, "latex2mathml", None)
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    plain = ledger._repr_html_()
    assert Reader(plain).names == ["pre"] and "v1 = x·kernel" in plain
    with pytest.raises(ChainruleError, match=r"chainrule\[report\]"):
        ledger.to_html()


@pytest.mark.parametrize("name", [name for name in PRIMITIVES if name not in ("input", "constant", "layer")])
def test_every_notation_becomes_mathml(name):
    primitive = PRIMITIVES[name]
    letters = [write_name(letter) for letter in ("v1", "kernel", EVIL, "w")]
    for example in primitive.examples()[:2]:
        notation = primitive.notation(**example.params) if callable(primitive.notation) else primitive.notation
        for formula in (notation.value, *notation.slopes, *notation.gradients):
            if formula is not None:
                markup = str(write_formula(fill(formula, letters, write_name("v9"), False)))
                root = ElementTree.fromstring(markup)
                assert root.tag == "math" and "&amp;#x" not in markup
                assert not [
                    node for node in root.iter() if node.tag in ("mlink", "a", "script") or "href" in node.attrib
                ]


def test_words_come_back_as_they_were():
    for words in ("dense_1/kernel", EVIL, "a^b~c", "50 % & {x} #1 \\\\ $"):
        assert read_words(spell_words(words)[6:-1]) == words
        shown = "".join(ElementTree.fromstring(str(write_formula(Formula("", spell_words(words)))))[0][0].itertext())
        assert shown.strip("\u00a0") == words


def test_names_and_numbers_in_formulas():
    assert write_name("v12") == Formula("v12", "v_{12}") and write_name("x").latex == "x"
    assert write_cotangent("v12").text == "v\u030412" and write_cotangent("kernel").text == "∇kernel"
    written = [write_number(np.asarray(value)).text for value in (2.0, -0.5, True, 7, 1e-7, np.float32(0.1), -np.inf)]
    assert written == ["2", "(−0.5)", "true", "7", "1e-7", "0.1", "(−∞)"]
    assert write_number(np.asarray(-2.5e-9)).latex == r"(-2.5 \cdot 10^{-9})"


def test_a_primitive_without_notation_is_written_as_a_function():
    node = cr.explain(lambda x, y: x + y)(1.0, 2.0).recording.graph.outputs[0]
    bare = type("Bare", (), {"primitive": type("P", (), {"notation": None, "name": "my_op"}), "params": {}})()
    assert notation_of(node).value.text == "$x + $y"
    assert (
        fill(notation_of(bare).value, [write_name("a"), write_name("b")], write_name("v1"), True).text == "my_op(a, b)"
    )


def test_small_arrays_are_numbers_and_large_ones_statistics():
    assert describe(np.float32(-0.0)) == ["0"] and describe(np.array([True, False])) == ["[true, false]"]
    assert describe(np.array([1.0, np.nan] * 5))[1] == "5 not finite"
    assert describe(np.zeros((3, 4)))[1] == "all 0" and describe(np.arange(12) > 3)[1] == "8 of 12 true"
    values = np.random.default_rng(0).normal(size=(20, 30))
    text = describe_in_full(values)
    assert text == (
        f"(20,30)  mean {values.mean():.5g}  std {values.std():.5g}  min {values.min():.5g}  max {values.max():.5g}"
    )
    assert describe(np.zeros((0, 3))) == ["[]"]


def test_how_tightly_formulas_bind():
    known = {
        "x + y": 1,
        "−x": 1,
        "x ⊙ y": 2,
        "2·x": 2,
        "x / y": 2,
        "x ^ y": 3,
        "v²": 3,
        "x": 4,
        "f(x + y)": 4,
        "x = y": 0,
    }
    assert {text: binding(text) for text in known} == known
