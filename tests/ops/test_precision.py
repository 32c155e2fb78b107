"""Products of factors rounded to bfloat16: against float64 products of the rounded factors, at sizes around a block."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.target import host_targets
from chainrule.graph.types import ArrayType, OpenDim, float32
from chainrule.ops.elementwise import rounded_to_bfloat16
from chainrule.runtime.jit import compile_function

HEIGHTS = (1, 4, 5, 11, 12, 13, 25, 33)


def test_rounding_is_to_the_nearest_even():
    values = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -np.inf, np.nan, 3.4e38], "float32")
    rounded = np.array([1.0, 1.0, 1 + 2**-6, 1 + 2**-7, -np.inf, np.nan, np.inf], "float32")
    np.testing.assert_array_equal(rounded_to_bfloat16(values), rounded)


@pytest.mark.parametrize("target", host_targets())
@pytest.mark.parametrize("depth", [1, 2, 15, 16, 17, 31, 32, 33, 65])
def test_products_are_those_of_the_rounded_factors(depth, target):
    widths = (1, 15, 16, 17, 32, 33) if target == "avx512" else (5,)
    rng = np.random.default_rng(depth)

    def products(a, rights, turned):
        forward = [cr.ops.matmul(a, right, precision="bfloat16") for right in rights]
        return forward, [cr.ops.matmul(a, cr.ops.transpose(right), precision="bfloat16") for right in turned]

    executable = compile_function(
        products,
        ArrayType(float32, (OpenDim("batch"), depth)),
        [ArrayType(float32, (depth, width)) for width in widths],
        [ArrayType(float32, (width, depth)) for width in widths],
        target=target,
    )
    for height in HEIGHTS:
        a = rng.standard_normal((height, depth)).astype("float32")
        rights = [rng.standard_normal((depth, width)).astype("float32") for width in widths]
        results = executable(a, *rights, *(np.ascontiguousarray(right.T) for right in rights))
        left = rounded_to_bfloat16(a).astype("float64")
        for place, right in enumerate(rights):
            expected = left @ rounded_to_bfloat16(right).astype("float64")
            for result in (results[place], results[len(widths) + place]):
                np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5 * depth**0.5)


def test_a_weights_gradient_is_a_product_of_rounded_factors_too():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((21, 40)).astype("float32"), rng.standard_normal((40, 9)).astype("float32")
    y = rng.standard_normal((21, 9)).astype("float32")

    def loss(w):
        return cr.ops.sum(cr.ops.matmul(x, w, precision="bfloat16") * y)

    gradient = cr.jit(cr.grad(loss))(w)
    rounded = rounded_to_bfloat16(x).astype("float64").T @ rounded_to_bfloat16(y).astype("float64")
    np.testing.assert_allclose(gradient, rounded, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(cr.grad(loss)(w), rounded, rtol=1e-4, atol=1e-4)


def test_a_row_has_the_same_bits_alone_and_in_a_batch():
    rng = np.random.default_rng(1)
    model = cr.Sequential([cr.Input((50,)), cr.layers.Dense(40, "relu", dtype="mixed_bfloat16"), cr.layers.Dense(3)])
    x = rng.standard_normal((70, 50)).astype("float32")
    together = model.predict(x)
    for row in (0, 11, 12, 69):
        np.testing.assert_array_equal(model.predict(x[row : row + 1])[0], together[row])


def test_the_policy_is_taken_by_layers_made_after_it():
    assert cr.config.dtype_policy() == "float32"
    cr.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = cr.layers.Dense(3)
    finally:
        cr.config.set_dtype_policy("float32")
    assert layer.get_config()["dtype"] == "mixed_bfloat16"
    assert cr.layers.Dense(3).get_config()["dtype"] == "float32"
    with pytest.raises(cr.ChainruleError, match="mixed_bfloat16"):
        cr.config.set_dtype_policy("mixed_bfloat")
    with pytest.raises(cr.ChainruleError, match="dtype policy"):
        cr.layers.Dense(3, dtype=16)


def test_another_precision_is_refused():
    with pytest.raises(cr.ChainruleError, match="bfloat16"):
        cr.ops.matmul(np.eye(2, dtype="float32"), np.eye(2, dtype="float32"), precision="half")
