"""Neurons as images show their weights, and a row's way through the layers what each gives."""

import numpy as np
import pytest
from matplotlib import pyplot

import chainrule as cr
from chainrule import plots
from chainrule.errors import ChainruleError, DataError
from chainrule.plots.activity import as_grid

RNG = np.random.default_rng(9)
X = RNG.integers(0, 256, (20, 8, 6)).astype("uint8")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def make_model():
    cr.set_random_seed(0)
    return cr.Sequential(
        [
            cr.Input((8, 6), dtype="uint8"), cr.layers.Rescaling(1 / 255), cr.layers.Flatten(),
            cr.layers.Dense(12, "relu", name="first"), cr.layers.Dropout(0.2), cr.layers.Dense(3, name="$last_1$"),
        ]
    )  # fmt: skip


def test_filters_are_the_kernel_pixel_by_pixel():
    model = make_model()
    axes = plots.plot_filters(model, ax="off screen")
    mosaic = axes.images[0].get_array().filled(np.nan)
    kernel = model.layers[2].kernel.numpy()
    np.testing.assert_allclose(mosaic[:8, :6], kernel[:, 0].reshape(8, 6))
    np.testing.assert_allclose(mosaic[9:17, 7:13], kernel[:, 5].reshape(8, 6))  # 12 neurons: rows of 4
    low, high = axes.images[0].get_clim()
    assert low == -high
    assert axes.get_title() == "weights of first, 12 neurons"
    assert plots.plot_filters(model, count=5, ax="off screen").get_title() == "weights of first, 5 of 12 neurons"
    turned = plots.plot_filters(model, shape=(6, 8), ax="off screen").images[0].get_array().filled(np.nan)
    np.testing.assert_allclose(turned[:6, :8], kernel[:, 0].reshape(6, 8))


def test_filters_of_no_image_are_refused():
    model = cr.Sequential([cr.Input((48,)), cr.layers.Dense(3)])
    with pytest.raises(ChainruleError, match="shape="):
        plots.plot_filters(model)
    with pytest.raises(ChainruleError, match="48 pixels"):
        plots.plot_filters(make_model(), shape=(7, 7))
    assert plots.plot_filters(model, shape=(6, 8), ax="off screen").images
    with pytest.raises(ChainruleError, match="no dense layer"):
        plots.plot_filters(cr.Sequential([cr.Input((8, 6)), cr.layers.Flatten()]))


def test_activations_follow_one_row():
    model = make_model()
    image, hidden, output = plots.plot_activations(model, X[3], class_names=["a", "b", "c"], axes="off screen")
    np.testing.assert_array_equal(image.images[0].get_array(), X[3])
    values = np.maximum(X[3].reshape(1, -1) / 255 @ model.layers[2].kernel.numpy() + model.layers[2].bias.numpy(), 0)
    np.testing.assert_allclose(hidden.images[0].get_array(), values.reshape(3, 4), rtol=1e-5, atol=1e-6)
    logits = values @ model.layers[4].kernel.numpy() + model.layers[4].bias.numpy()
    np.testing.assert_allclose([bar.get_width() for bar in output.patches], logits[0], rtol=1e-5, atol=1e-6)
    assert [label.get_text() for label in output.get_yticklabels()] == ["a", "b", "c"]
    with pytest.raises(ChainruleError, match="do not fit the model"):
        plots.plot_activations(model, X[3, :5])


def test_a_row_of_a_table_becomes_a_strip():
    model = cr.Sequential([cr.Input((5,)), cr.layers.Dense(30)])
    first, last = plots.plot_activations(model, np.arange(5.0), axes="off screen")
    assert np.ma.count(first.images[0].get_array()) == 5
    assert last.images[0].get_array().shape == (5, 6)
    assert plots.plot_activations(model, np.arange(5.0), shape=(1, 5), axes="off screen")[0].images


def test_grids_are_filled_row_by_row():
    np.testing.assert_array_equal(as_grid(np.arange(12.0)), np.arange(12.0).reshape(3, 4))
    padded = as_grid(np.arange(7.0))
    assert padded.shape == (3, 3) and np.isnan(padded).sum() == 2
    assert as_grid(np.zeros((2, 9))).shape == (2, 9)


def test_a_class_without_a_name_is_refused():
    with pytest.raises(DataError, match="no name"):
        plots.plot_activations(make_model(), X[0], class_names=["a", "b"], axes="off screen")


def test_activations_that_are_not_finite_stay_empty():
    model = make_model()
    model.layers[2].kernel.assign(np.full((48, 12), 3e38))
    _, hidden, output = plots.plot_activations(model, X[0], axes="off screen")
    assert np.ma.count(hidden.images[0].get_array()) == 0
    plots.figure_to_svg(output, "diverged")


def test_the_layers_of_a_graph_with_two_inputs():
    first, second = cr.Input((4,), name="a"), cr.Input((2,), name="b")
    both = cr.layers.Concatenate()([cr.layers.Dense(3, name="one")(first), second])
    model = cr.Model([first, second], cr.layers.Dense(2, name="two")(both))
    grid = plots.plot_activations(model, [np.ones(4), np.ones(2)], axes="off screen")
    assert [one.get_title() for one in grid] == ["input", "one", "concatenate", "two"]
