"""What formulas say of a primitive is what it computes: the text is read as Python and evaluated."""

import math
import re
import string

import numpy as np
import pytest

import chainrule as cr
import chainrule.ops
from chainrule.graph.primitive import NO_GRADIENT, PRIMITIVES, Formula, Notation
from chainrule.graph.tracing import apply

KNOWN = dict(PRIMITIVES)
WRITTEN = [primitive for name, primitive in KNOWN.items() if name not in ("input", "constant", "layer")]
LETTERS = ("x", "y", "z", "w")
SIGNS = {"⊙": "*", "·": "*", "−": "-", "²": "**2", "^": "**", "½": "0.5*", "π": "pi", "≤": "<=", "≠": "!="}
NAMES = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    "where": np.where,
    "pi": math.pi,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "erf": np.vectorize(math.erf),
    "abs": np.abs,
    "round": np.round,
    "floor": np.floor,
    "ceil": np.ceil,
}
SMOOTH = [
    primitive
    for primitive in WRITTEN
    if primitive.family == "elementwise" and primitive.vjp is not NO_GRADIENT and primitive.name != "cast"
]


def test_the_registry_is_filled():
    assert chainrule.ops.add and len(WRITTEN) > 50 and len(SMOOTH) > 18


def notation_of(primitive, params):
    return primitive.notation(**params) if callable(primitive.notation) else primitive.notation


def read(formula, operands, result=None):
    """The value of a formula's text, with arrays for its letters."""
    text = string.Template(formula.text).substitute({**{letter: letter for letter in LETTERS}, "v": "v", "g": "g"})
    text = re.sub(r"\|(\w)\|", r"abs(\1)", text)
    text = re.sub(r"⌊(.*)⌋", r"floor(\1)", text)
    text = re.sub(r"⌈(.*)⌉", r"ceil(\1)", text)
    text = re.sub(r"√(\w)", r"sqrt(\1)", text)
    text = re.sub(r"\[¬(\w)\]", r"(1 - 1.0 * \1)", text)
    text = re.sub(r"\[(.*?)\]", lambda match: f"(1.0 * ({match[1].replace(' = ', ' == ')}))", text)
    for sign, python in SIGNS.items():
        text = text.replace(sign, python)
    values = dict(zip(LETTERS, operands, strict=False)) | {"v": result}
    return eval(text, NAMES | values)


@pytest.mark.parametrize("primitive", WRITTEN, ids=str)
def test_every_primitive_is_written_with_all_its_derivatives(primitive):
    for example in primitive.examples():
        notation = notation_of(primitive, example.params)
        assert isinstance(notation, Notation)
        if primitive.vjp is NO_GRADIENT:
            assert not notation.slopes and not notation.gradients
        elif primitive.family == "elementwise":
            assert len(notation.slopes) == len(example.arrays) and not notation.gradients
        else:
            assert len(notation.gradients) in (1, len(example.arrays)) and not notation.slopes


@pytest.mark.parametrize("primitive", WRITTEN, ids=str)
def test_text_and_latex_name_the_same_letters(primitive):
    for example in primitive.examples():
        notation = notation_of(primitive, example.params)
        for formula in (notation.value, *notation.slopes, *notation.gradients):
            if formula is not None:
                assert set(string.Template(formula.text).get_identifiers()) == set(
                    string.Template(formula.latex).get_identifiers()
                )
                assert formula.latex.count("{") == formula.latex.count("}")
                assert not set(formula.latex) & set("⊙·−²√½≤≠∧∨¬Σᵀ")


@pytest.mark.parametrize("primitive", SMOOTH, ids=str)
def test_the_formulas_as_they_are_written_give_value_and_derivative(primitive):
    """The derivative against central differences of the primitive's own meaning, in float64."""
    for example in primitive.examples():
        arrays = [array.astype("float64") if array.dtype.kind == "f" else array for array in example.arrays]
        if not all(array.size for array in arrays):
            continue
        value = primitive.evaluate(*arrays, **example.params)
        np.testing.assert_allclose(read(primitive.notation.value, arrays), value, rtol=1e-12)
        for place, slope in enumerate(primitive.notation.slopes):
            if slope is None:
                assert arrays[place].dtype.kind == "b"
                continue
            moved = [
                primitive.evaluate(*[array + step * (at == place) if array.dtype.kind == "f" else array
                                     for at, array in enumerate(arrays)])
                for step in (-1e-6, 1e-6)
            ]  # fmt: skip
            expected = np.broadcast_to((moved[1] - moved[0]) / 2e-6, value.shape)
            found = np.broadcast_to(read(slope, arrays, value), value.shape)
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_a_wrong_formula_is_seen():
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(read(Formula("1 + $v²"), [np.float64(0.5)], np.tanh(0.5)), 1 - np.tanh(0.5) ** 2)


@pytest.mark.parametrize("name", ["less", "less_equal", "equal", "not_equal"])
def test_comparisons_have_their_signs(name):
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    text = KNOWN[name].notation.value
    found = read(Formula(text.text.replace(" = ", " == ")), [x, y])
    np.testing.assert_array_equal(found, KNOWN[name].evaluate(x, y))


@pytest.mark.parametrize("turned", [(a, b) for a in (False, True) for b in (False, True)])
def test_products_of_matrices_are_written_as_they_are_pulled_back(turned):
    matmul = KNOWN["matmul"]
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3, 2) if turned[0] else (2, 3))
    y = generator.normal(size=(4, 3) if turned[1] else (3, 4))
    params = {"transpose_a": turned[0], "transpose_b": turned[1]}
    weights = generator.normal(size=(2, 4))

    def product(formula):
        text = formula.text.replace("$", "").replace("ᵀ", ".T").replace("·", "@")
        return eval(text, {"x": x, "y": y, "g": weights})

    notation = notation_of(matmul, params)
    np.testing.assert_array_equal(product(notation.value), apply(matmul, x, y, **params))
    found = cr.grad(lambda x, y: cr.ops.sum(apply(matmul, x, y, **params) * weights), argnums=(0, 1))(x, y)
    for formula, gradient in zip(notation.gradients, found, strict=True):
        np.testing.assert_allclose(product(formula), gradient, rtol=1e-12)
