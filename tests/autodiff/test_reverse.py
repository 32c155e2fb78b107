import numpy as np
import pytest

import chainrule as cr
from chainrule.autodiff.check import check_gradients
from chainrule.errors import ChainruleError, TracingError
from chainrule.graph.primitive import PRIMITIVES, Primitive
from chainrule.graph.tracing import apply
from chainrule.ops import dot, relu, softmax


def test_gradients_of_gradients():
    assert float(cr.grad(cr.grad(cr.grad(lambda x: x * x * x)))(2.0)) == 6.0


def test_inner_and_outer_derivatives_do_not_mix():
    assert float(cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(2.0)) == 1.0


def test_a_nest_of_arrays_keeps_its_structure():
    gradient = cr.grad(lambda p: cr.ops.sum(p["a"] * p["b"][0]))({"a": np.ones(2, "f"), "b": [np.full(2, 3, "f")]})
    np.testing.assert_array_equal(gradient["a"], [3, 3])
    np.testing.assert_array_equal(gradient["b"][0], [1, 1])


def test_stop_gradient_counts_as_a_constant():
    assert float(cr.grad(lambda x: x * cr.stop_gradient(x))(3.0)) == 3.0


def textbook(parameters, x, y):
    W1, b1, W2, b2 = parameters

    def loss(y, p):
        return cr.losses.CategoricalCrossentropy()(y, p)

    return loss(y, softmax(dot(relu(dot(x, W1) + b1), W2) + b2))


def test_the_textbook_example_as_it_is_written():
    generator = np.random.default_rng(0)
    parameters = [generator.standard_normal(shape) for shape in ((4, 5), (5,), (5, 3), (3,))]
    x, y = generator.standard_normal((6, 4)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    value, gradients = cr.value_and_grad(textbook)(parameters, x, y)
    compiled_value, compiled = cr.jit(cr.value_and_grad(textbook))(parameters, x, y)
    np.testing.assert_allclose(compiled_value, value, rtol=1e-12)
    for number, (gradient, other) in enumerate(zip(gradients, compiled, strict=True)):
        np.testing.assert_allclose(other, gradient, rtol=1e-10, atol=1e-12)
        moved = [p + 1e-6 * (number == place) for place, p in enumerate(parameters)]
        back = [p - 1e-6 * (number == place) for place, p in enumerate(parameters)]
        slope = (textbook(moved, x, y) - textbook(back, x, y)) / 2e-6
        np.testing.assert_allclose(gradient.sum(), slope, rtol=1e-5, atol=1e-7)


def test_a_chain_of_500_steps_needs_no_recursion():
    def chain(x):
        for _ in range(500):
            x = cr.ops.sin(x)
        return x

    assert np.isfinite(cr.grad(chain)(1.0))
    np.testing.assert_allclose(cr.jit(cr.grad(chain))(1.0), cr.grad(chain)(1.0), rtol=1e-4)


def test_the_checker_finds_a_wrong_rule():
    def wrong(g, result, x):
        return (g * x * 2.01,)

    primitive = Primitive("wrong_square", "elementwise", lambda x: x, np.square, wrong)
    try:
        with pytest.raises(ChainruleError, match="first derivative is wrong"):
            check_gradients(lambda x: apply(primitive, x), [np.array([1.0, 2.0])])
    finally:
        del PRIMITIVES["wrong_square"]


def test_control_flow_on_a_traced_value_is_refused():
    with pytest.raises(TracingError, match="where"):
        cr.jit(lambda x: x if x > 0 else -x)(1.0)


def test_only_a_single_number_has_a_gradient():
    with pytest.raises(ChainruleError, match="single number"):
        cr.grad(lambda x: x)(np.ones(3, "f"))
