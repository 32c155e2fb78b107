"""fg(x) == f(g(x)), with the user's functions in it."""

import sys

import numpy as np
import pytest
from rich.cells import cell_len

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.inspect import explain_chain


def g(x):
    return x * x + 1


def f(u):
    return cr.ops.sin(u) / u


def test_the_product_of_the_derivatives_is_the_derivative_of_the_whole():
    for x in (2.0, -0.5, 0.0):
        chain = explain_chain(f, g)(np.float64(x))
        inner, outer = chain.links
        u = x * x + 1
        assert inner.value == u and inner.slope == 2 * x
        assert outer.value == pytest.approx(np.sin(u) / u, rel=1e-12)
        assert outer.slope == pytest.approx(np.cos(u) / u - np.sin(u) / u**2, rel=1e-12)
        assert chain.product == outer.slope * inner.slope
        assert chain.product == pytest.approx(float(cr.grad(lambda x: f(g(x)))(np.float64(x))), rel=1e-12, abs=1e-15)
        assert chain.slope == cr.grad(lambda x: f(g(x)))(np.float64(x))


def test_the_page_has_the_functions_in_it():
    chain = explain_chain(f, g)(2.0)
    text = str(chain)
    assert text.splitlines()[0] == "f(g(x)) at x = 2"
    for line in (
        "u = g(x) = x·x + 1",
        "y = f(u) = sin(u) / u",
        "du/dx",
        "dy/dx = dy/du·du/dx = ",
        "cr.grad of f(g(x))",
    ):
        assert line in text
    assert "return x * x + 1" in text and "test_chain.py line" in text and "/test_chain.py" not in text
    assert "v1 = x·x" in text and "v1 = sin(u)" in text
    assert all(cell_len(line) <= 80 for line in text.splitlines())


def test_jacobians_of_arrays_and_more_than_two_functions():
    x = np.array([0.1, -0.4, 0.3])
    matrix = np.random.default_rng(0).normal(size=(4, 3))

    def mix(x):
        return cr.ops.dot(matrix, x)

    chain = explain_chain(cr.ops.sum, cr.ops.softmax, cr.ops.tanh, mix)(x)
    assert [link.output for link in chain.links] == ["u", "v", "w", "y"]
    np.testing.assert_allclose(chain.links[0].slope, matrix)
    np.testing.assert_allclose(chain.links[1].slope, np.diag(1 - np.tanh(matrix @ x) ** 2), rtol=1e-12)
    s = chain.links[2].value
    np.testing.assert_allclose(chain.links[2].slope, np.diag(s) - np.outer(s, s), atol=1e-12)
    np.testing.assert_allclose(chain.product, chain.slope, atol=1e-12)
    assert chain.product.shape == (1, 3) and "∂y/∂x = ∂y/∂w·∂w/∂v·∂v/∂u·∂u/∂x" in str(chain)
    assert all(cell_len(line) <= 80 for line in str(chain).splitlines())


def test_functions_without_a_name_and_long_ones():
    chain = explain_chain(lambda u: u * 2, lambda x: -x)(3)
    assert chain.title == "f(g(x))" and float(chain.product) == -2

    def long(x):
        for _ in range(30):
            x = cr.ops.sin(x) * x
        return x

    assert explain_chain(long, long)(1.0).links[0].formula.text == "u = long(x)"
    built = explain_chain(cr.ops.exp, cr.ops.negative)(0.0)
    assert float(built.product) == -1


def test_as_html(monkeypatch):
    chain = explain_chain(f, g)(2.0)
    page = chain.to_html()
    assert "<mfrac>" in page and "return x * x + 1" in page and "<script" not in page
    assert "<math" in chain._repr_html_()
    monkeypatch.setitem(sys.modules, "latex2mathml", None)
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    assert chain._repr_html_().startswith("<pre>")


def test_what_is_no_chain_is_refused():
    with pytest.raises(ChainruleError, match="two links"):
        explain_chain(f)
    with pytest.raises(ChainruleError, match="too large"):
        explain_chain(cr.ops.sum, g)(np.ones(17))
    with pytest.raises(ChainruleError, match="one array"):
        explain_chain(f, lambda x: (x, x))(1.0)
