"""The drawing of a network: well-formed, a box a layer, names escaped."""

import xml.etree.ElementTree as ElementTree

import chainrule as cr

SVG = "{http://www.w3.org/2000/svg}"


def test_a_box_a_layer_and_an_arrow_an_array(tmp_path):
    x = cr.Input((4,), name="given")
    h = cr.layers.Dense(4, name="wide")(x)
    model = cr.Model(x, cr.layers.Dense(1, name="last")(x + h))
    path = tmp_path / "model.svg"
    text = cr.utils.plot_model(model, path)
    assert path.read_text("utf-8") == text
    root = ElementTree.fromstring(text)
    assert len(root.findall(f"{SVG}rect[@class='box']")) == 4
    assert len(root.findall(f"{SVG}path[@class='arrow']")) == 4
    words = [element.text for element in root.findall(f"{SVG}text")]
    assert {"given: InputLayer", "wide: Dense", "add", "last: Dense", "20 parameters", "(None, 4)"} <= set(words)


def test_names_are_escaped():
    model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(1, name="<script>&")])
    text = cr.utils.plot_model(model, None)
    assert "<script>" not in text and ElementTree.fromstring(text) is not None
