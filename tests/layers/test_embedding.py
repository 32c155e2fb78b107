"""Embeddings and Einstein's sums: compiled equals interpreted, gradients by the weights, training, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, NonFiniteLossError

TABLE = np.random.default_rng(0).normal(0, 1, (6, 3)).astype("float32")
NUMBERS = np.array([[0, 5, 5], [2, 0, 1]], "int32")


def test_rows_and_the_gradient_that_is_added_up_in_them() -> None:
    layer = cr.layers.Embedding(6, 3, weights=TABLE)
    np.testing.assert_array_equal(cr.jit(layer)(NUMBERS), TABLE[NUMBERS])
    np.testing.assert_array_equal(layer(NUMBERS.astype("float32")), TABLE[NUMBERS])
    cotangent = np.arange(18, dtype="float32").reshape(2, 3, 3)

    def total(weights: Any, numbers: Any) -> Any:
        return cr.ops.sum(layer(numbers) * cotangent)

    (slope,) = cr.jit(lambda numbers: cr.grad(total)(layer.trainable_weights, numbers))(NUMBERS)
    wanted = np.zeros_like(TABLE)
    np.add.at(wanted, NUMBERS, cotangent)
    np.testing.assert_allclose(slope, wanted, rtol=1e-6)


def test_numbers_without_a_vector() -> None:
    layer = cr.layers.Embedding(6, 3)
    with pytest.raises(ChainruleError, match="no vector"):
        layer(np.array([[0, 6]]))
    found = cr.jit(layer)(np.array([[0, 6, -1]]))
    np.testing.assert_array_equal(np.isnan(found).all(-1), [[False, True, True]])
    model = cr.Sequential([cr.layers.Embedding(6, 3), cr.layers.Flatten(), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(NonFiniteLossError):
        model.fit(np.array([[0, 6]] * 8), np.zeros((8, 1)), verbose=0)


def test_training_moves_only_the_rows_that_were_read() -> None:
    layer = cr.layers.Embedding(6, 3, weights=TABLE)
    model = cr.Sequential([cr.Input((2,), dtype="int32"), layer, cr.layers.Flatten(), cr.layers.Dense(1)])
    model.compile(cr.optimizers.SGD(0.1), "mse")
    model.fit(np.array([[1, 4]] * 8), np.ones((8, 1)), epochs=2, verbose=0)
    moved = (layer.get_weights()[0] != TABLE).any(axis=1)
    np.testing.assert_array_equal(moved, [False, True, False, False, True, False])


def test_configurations() -> None:
    embedding = cr.layers.Embedding(6, 3, "zeros", "l2", "unit_norm", mask_zero=True, name="words")
    again = cr.layers.Embedding.from_config(embedding.get_config())
    assert again.get_config() == embedding.get_config()
    dense = cr.layers.EinsumDense("abc,cd->abd", (None, 5), "relu", "d", "he_normal", kernel_regularizer="l1")
    assert cr.layers.EinsumDense.from_config(dense.get_config()).get_config() == dense.get_config()


@pytest.mark.parametrize(
    ("equation", "shape", "size", "bias", "kernel"),
    [
        ("ab,bc->ac", (7, 4), 5, "c", (4, 5)),
        ("...b,bc->...c", (7, 3, 4), 5, "c", (4, 5)),
        ("ab...,bc->ac...", (7, 4, 3), 5, "c", (4, 5)),
        ("abc,bd->adc", (7, 3, 4), (5, None), "dc", (3, 5)),
        ("abc,cde->abde", (7, 3, 4), (None, 2, 5), "e", (4, 2, 5)),
    ],
)
def test_einsum_is_that_of_numpy(equation: str, shape: Any, size: Any, bias: str, kernel: Any) -> None:
    layer = cr.layers.EinsumDense(equation, size, bias_axes=bias, bias_initializer="normal")
    x = np.random.default_rng(1).normal(0, 1, shape).astype("float32")
    found = cr.jit(layer)(x)
    w, b = layer.get_weights()
    assert w.shape == kernel
    np.testing.assert_allclose(found, np.einsum(equation, x, w) + b, rtol=1e-4, atol=1e-5)


def test_the_variance_of_a_kernel_counts_the_summed_axes() -> None:
    layer = cr.layers.EinsumDense("abc,dbc->ad", 40, kernel_initializer="lecun_normal")
    layer(np.zeros((1, 20, 30), "float32"))
    np.testing.assert_allclose(layer.get_weights()[0].std(), 1 / np.sqrt(600), rtol=0.05)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.layers.Embedding(0, 3), "input_dim is not a size"),
        (lambda: cr.layers.Embedding(3, 1.5), "output_dim is not a size"),
        (lambda: cr.layers.EinsumDense("ab->ab", 3), "not an equation"),
        (lambda: cr.layers.EinsumDense("...ab,bc->ac...", 3), "not an equation"),
        (lambda: cr.layers.EinsumDense("ab,bc->ac", 3)(np.zeros((2, 3, 4))), "other axes"),
        (lambda: cr.layers.EinsumDense("ab,bc->ac", (3, 4))(np.zeros((2, 3))), "output_shape does not fit"),
        (lambda: cr.layers.EinsumDense("abc,bcd->abd", (7, 5))(np.zeros((2, 3, 4))), "has two sizes"),
        (lambda: cr.layers.EinsumDense("ab,abc->ac", 3)(np.zeros((2, 3))), "is not known"),
        (lambda: cr.layers.EinsumDense("ab,bc->ac", 3, bias_axes="b")(np.zeros((2, 3))), "no such axes"),
    ],
)
def test_refusals(make: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        make()
