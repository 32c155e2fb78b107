"""A model in a notebook: a drawing beside a table, names escaped, no style that leaves it, size in bounds."""

import re
from xml.etree import ElementTree

import chainrule as cr

Dense = cr.layers.Dense
EVIL = "<script>alert(1)</script>"


def page_of(model):
    """The parsed HTML, which is XML as well."""
    text = model._repr_html_()
    assert "<style" not in text and "<script" not in text and not re.search("#[0-9a-f]{6}", text)
    return text, ElementTree.fromstring(text.replace('xmlns="http://www.w3.org/2000/svg"', ""))


def test_a_drawing_beside_the_table():
    model = cr.Sequential([cr.Input((4,)), Dense(3, "relu", name=EVIL), Dense(2)], name="a & b")
    text, root = page_of(model)
    head, *rows = ([cell.text for cell in row] for row in root.iter("tr"))
    assert head == ["Layer (type)", "Output shape", "Param #"]
    assert rows == [[f"{EVIL} (Dense)", "(None, 3)", "15"], ["dense (Dense)", "(None, 2)", "8"]]
    assert len(root.findall(".//svg/rect[@class='box']")) == 2
    assert root.find(".//svg/title").text == "the network a & b"
    assert {element.get("fill") for element in root.iter("text")} == {"currentColor"}
    assert "Total params: 23" in text and "Sequential 'a & b'" in "".join(root.itertext())


def test_branches_say_what_they_take():
    x = cr.Input((4,), name="given")
    h = Dense(4, name="wide")(x)
    _, root = page_of(cr.Model(x, Dense(1, name="last")(x + h)))
    rows = [[cell.text or "" for cell in row] for row in root.iter("tr")]
    assert rows[0][-1] == "Connected to" and rows[-1][-1] == "add"


def test_a_model_without_weights_says_so():
    text, root = page_of(cr.Sequential([Dense(3, name=EVIL), Dense(2)]))
    assert "Not built" in text and [item.text for item in root.iter("li")] == [f"{EVIL} (Dense)", "dense (Dense)"]


def test_a_formula_in_python_has_a_table_alone():
    class Mine(cr.Model):
        def __init__(self):
            super().__init__()
            self.last = Dense(2)

        def call(self, x):
            return self.last(x)

    model = Mine()
    model.predict([[1.0, 2.0]])
    text, root = page_of(model)
    assert root.find(".//svg") is None and "(Dense)</td>" in text


def test_hundreds_of_layers_are_counted_and_open_when_asked_for():
    model = cr.Sequential([cr.Input((4,)), *(Dense(4, "relu") for _ in range(200)), Dense(1)])
    text, root = page_of(model)
    assert len(list(root.iter("tr"))) == 201 + 2 and len(root.findall(".//details")) == 1
    assert root.find(".//details/summary").text == "181 more layers"
    assert [element.text for element in root.iter("text") if "×" in element.text] == [
        "× 199"
    ]  # the first takes the input
    assert len(text) < 150_000
    different = cr.Sequential([cr.Input((4,)), *(Dense(4 + number) for number in range(30))])
    _, root = page_of(different)
    assert root.find(".//details/summary").text == "Drawing of 30 layers" and root.find(".//details/svg") is not None
