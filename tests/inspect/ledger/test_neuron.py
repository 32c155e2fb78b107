"""One neuron's numbers: re-computed in NumPy, and those of the ledger."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError


def make(activation="tanh", units=3, last="softmax", **options):
    cr.set_random_seed(1)
    layers = [cr.Input((4,)), cr.layers.Dense(units, activation, bias_initializer="ones", **options)]
    model = cr.Sequential([*layers, cr.layers.Dropout(0.1), cr.layers.Dense(3, last)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    return model, x, model.explain(x, np.array([0, 1, 2, 0, 1, 2]))


def test_a_neuron_is_products_sum_bias_activation_and_back():
    model, x, ledger = make()
    for number, row in ((0, 0), (2, 5)):
        neuron = ledger.neuron("dense", number, row=row)
        w = model.layers[0].kernel.numpy()[:, number]
        np.testing.assert_array_equal(neuron.inputs, x[row])
        np.testing.assert_array_equal(neuron.weights, w)
        np.testing.assert_array_equal(neuron.products, x[row] * w)
        assert neuron.sum == ledger["v3"].value[row, number] and float(neuron.bias) == 1
        np.testing.assert_allclose(neuron.products.sum() + neuron.bias, neuron.sum, rtol=1e-5)
        np.testing.assert_allclose(np.tanh(neuron.sum), neuron.output, rtol=1e-6)
        np.testing.assert_allclose(neuron.slope, 1 - np.tanh(neuron.sum) ** 2, rtol=1e-5)
        np.testing.assert_allclose(neuron.sum_gradient, neuron.output_gradient * neuron.slope, rtol=1e-5)
        assert neuron.sum_gradient == ledger["v3"].gradient[row, number] and neuron.sum_gradient != 0
        np.testing.assert_array_equal(neuron.weight_gradients, neuron.sum_gradient * x[row])
        np.testing.assert_array_equal(neuron.input_gradients, neuron.sum_gradient * w)


def test_rows_add_up_to_the_gradient_of_the_weights_and_neurons_to_that_of_the_inputs():
    _, x, ledger = make()
    rows = [ledger.neuron("dense", 1, row) for row in range(len(x))]
    np.testing.assert_allclose(sum(one.weight_gradients for one in rows), rows[0].all_rows, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(sum(one.sum_gradient for one in rows), rows[0].all_rows_bias, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(rows[0].all_rows, ledger.gradients["dense/kernel"][:, 1])
    neurons = [ledger.neuron("dense", number, 2) for number in range(3)]
    np.testing.assert_allclose(
        sum(one.input_gradients for one in neurons), ledger.gradients["x"][2], rtol=1e-4, atol=1e-7
    )


def test_activations_that_mix_neurons_and_layers_without_bias():
    _, _, ledger = make(None, use_bias=False)
    neuron = ledger.neuron("dense", 0)
    assert neuron.bias is None and neuron.slope == 1 and neuron.activation == "linear"
    assert neuron.output == neuron.sum
    assert ledger.neuron("dense_1", 2).slope is None and "φ'" not in str(ledger.neuron("dense_1", 2))


def test_of_many_inputs_the_largest_products_are_listed():
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((50,)), cr.layers.Dense(2)])
    model.compile("sgd", "mse")
    neuron = model.explain(np.random.default_rng(0).normal(size=(3, 50)), np.ones((3, 2))).neuron("dense", 1)
    assert len(neuron.shown) == 12 and "38 more" in str(neuron)
    least = np.abs(neuron.products[neuron.shown]).min()
    assert np.sum(np.abs(neuron.products) > least) == 11


def test_more_axes_and_functions_of_layers():
    cr.set_random_seed(0)
    layer = cr.layers.Dense(2, "relu")
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    ledger = cr.explain(lambda x: cr.ops.sum(layer(x) ** 2))(x)
    neuron = ledger.neuron("dense", 1, row=4)
    np.testing.assert_array_equal(neuron.inputs, x[1, 1])
    np.testing.assert_allclose(neuron.output, layer(x)[1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(neuron.output_gradient, 2 * neuron.output, rtol=1e-6)


def test_what_is_no_neuron_is_refused():
    _, _, ledger = make()
    with pytest.raises(ChainruleError, match=r"(?s)Dense layer.*dense, dense_1.*Dropout"):
        ledger.neuron("dropout", 0)
    with pytest.raises(ChainruleError, match="no such neuron"):
        ledger.neuron("dense", 3)
    with pytest.raises(ChainruleError, match="no such row"):
        ledger.neuron("dense", 0, row=6)
    with pytest.raises(ChainruleError, match="Dense"):
        ledger.neuron("loss", 0)
