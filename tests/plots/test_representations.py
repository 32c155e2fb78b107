"""Plots of representations show the numbers of the microscope."""

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

import chainrule as cr
from chainrule import plots
from chainrule.errors import ChainruleError, DataError

RNG = np.random.default_rng(9)
X = RNG.integers(0, 256, (300, 8, 6)).astype("uint8")
Y = (X[:, 0, 0] > 99).astype(int) + (X[:, 1, 1] > 180)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def make_model(compiled=True):
    cr.set_random_seed(0)
    model = cr.Sequential(
        [
            cr.Input((8, 6), dtype="uint8"), cr.layers.Rescaling(1 / 255), cr.layers.Flatten(),
            cr.layers.Dense(12, "relu", name="first"), cr.layers.Dropout(0.2), cr.layers.Dense(3, name="$last_1$"),
        ]
    )  # fmt: skip
    if compiled:
        model.compile("adam", cr.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture(scope="module")
def watched():
    model = make_model()
    watcher = cr.inspect.InspectLayers(X, Y)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[watcher])
    return model, watcher


@pytest.fixture(scope="module")
def microscope(watched):
    return watched[1].history[2]


def axes_like(count):
    return Figure().subplots(1, count, squeeze=False)[0]


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_distillation_draws_probe_and_likeness_by_depth(microscope):
    axes = axes_like(1)[0]
    assert plots.plot_distillation(microscope, ax=axes) is axes
    probe, likeness, network = axes.lines
    np.testing.assert_allclose(probe.get_ydata(), [stage.probe for stage in microscope.stages])
    np.testing.assert_allclose(likeness.get_ydata(), [stage.likeness_to_input for stage in microscope.stages])
    np.testing.assert_allclose(network.get_ydata(), microscope.accuracy)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["input", "first", r"\$last_1\$"]
    low, high = axes.get_ylim()
    assert low <= min(probe.get_ydata()) and high >= 1


def test_distillation_by_epoch(watched):
    _, watcher = watched
    axes = plots.plot_distillation(watcher.history, ax="off screen")
    for line, seen in zip(axes.lines, watcher.history.values(), strict=False):
        np.testing.assert_allclose(line.get_ydata(), [stage.probe for stage in seen.stages])
    assert axes.lines[0].get_alpha() < axes.lines[2].get_alpha() == 1
    assert "epoch 1" in axes.get_legend().get_texts()[0].get_text()


def test_gradient_flow_is_the_norm_and_its_share(microscope):
    axes = plots.plot_gradient_flow(microscope, ax="off screen")
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [stage.gradient_norm for stage in microscope.stages[1:]])
    assert axes.get_yscale() == "log"
    assert words(axes) == [f"{microscope['first'].gradient_share:.3g} ×", "1 ×"]


def test_similarity_has_a_cell_for_each_two(microscope):
    axes = plots.plot_similarity(microscope, ax="off screen")
    cells = axes.images[0].get_array()
    kept = [place for place, layer in enumerate(microscope.layers) if layer.kind != "unchanged"]
    np.testing.assert_allclose(cells[1:, 1:], microscope.similarity[np.ix_(kept, kept)])
    np.testing.assert_allclose(cells[0], [1, *(microscope.layers[place].likeness_to_input for place in kept)])
    assert words(axes)[1] == f"{cells[0, 1]:.2f}"


def test_projections_draw_each_class_and_name_it(microscope):
    grid = plots.plot_projections(microscope, ["low", "middle", "$high"], axes=axes_like(3))
    for axes, stage in zip(grid, microscope.stages, strict=True):
        assert words(axes) == ["low", "middle", r"\$high"]
        for label, points in enumerate(axes.collections):
            np.testing.assert_allclose(points.get_offsets(), stage.projection[microscope.labels == label])
        assert axes.get_xlabel() == f"probe: {100 * stage.probe:.1f} %"
    with pytest.raises(DataError, match="no name"):
        plots.plot_projections(microscope, ["low", "middle"], axes="off screen")


def test_many_points_are_drawn_as_one_image():
    model = make_model()
    rows = np.repeat(X, 5, axis=0)
    grid = plots.plot_projections(model.inspect(rows, np.repeat(Y, 5)), axes="off screen")
    assert sum(len(points.get_offsets()) for points in grid[0].collections) == 1000
    assert all(points.get_rasterized() for points in grid[0].collections)
    assert plots.figure_to_svg(grid, "projections").count("<image") == 3


def test_names_do_not_lie_on_each_other():
    from chainrule.plots.representations import _spread

    places = np.array([[0.0, 0.0], [0.1, 0.0], [50.0, 80.0]])
    moved = _spread(places, np.array([100.0, 100.0]))
    assert np.linalg.norm(moved[0] - moved[1]) >= 6.9
    np.testing.assert_array_equal(moved[2], places[2])


def test_a_regression_has_a_colour_scale():
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(3, "tanh"), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = RNG.standard_normal((50, 4))
    seen = model.inspect(x, x[:, 0])
    grid = plots.plot_projections(seen, axes="off screen")
    np.testing.assert_allclose(grid[0].collections[0].get_array(), seen.labels)
    assert len(grid[0].figure.axes) == len(seen.stages) + 1
    assert grid[0].get_xlabel() == f"probe: R² {seen.probe_of_input:.3f}"


def test_histograms_draw_the_counts(microscope):
    for of in ("activations", "gradients"):
        grid = plots.plot_histograms(microscope, of, axes="off screen")
        for axes, stage in zip(grid, microscope.stages[1:], strict=True):
            histogram = stage.histogram if of == "activations" else stage.gradient_histogram
            values, edges, _ = axes.patches[0].get_data()
            np.testing.assert_array_equal(values, histogram.counts)
            np.testing.assert_allclose(edges, histogram.edges)
    with pytest.raises(ChainruleError, match="activations"):
        plots.plot_histograms(microscope, "weights")


@pytest.mark.parametrize(
    "plot", [plots.plot_distillation, plots.plot_projections, plots.plot_similarity, plots.plot_histograms,
             plots.plot_gradient_flow]
)  # fmt: skip
def test_something_else_is_refused(plot):
    with pytest.raises(ChainruleError, match="no Microscope"):
        plot(np.ones(3))


def test_without_targets_there_is_nothing_to_distil():
    model = cr.Sequential([cr.Input((6,)), cr.layers.Embedding(9, 4), cr.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    seen = model.inspect(RNG.integers(0, 9, (20, 6)), RNG.integers(0, 3, (20, 6)))
    with pytest.raises(ChainruleError, match="nothing was probed"):
        plots.plot_distillation(seen)
    with pytest.raises(ChainruleError, match="no epoch"):
        plots.plot_distillation({})
    assert len(plots.plot_projections(seen, axes="off screen")) == 3


def test_a_network_that_has_diverged_can_be_drawn():
    model = make_model()
    model.layers[2].kernel.assign(np.full((48, 12), 3e38))
    seen = model.inspect(X, Y)
    for plot in (plots.plot_distillation, plots.plot_similarity, plots.plot_gradient_flow):
        plots.figure_to_svg(plot(seen, ax="off screen"), "diverged")
    for of in ("activations", "gradients"):
        plots.figure_to_svg(plots.plot_histograms(seen, of, axes="off screen"), "diverged")
    plots.figure_to_svg(plots.plot_projections(seen, axes="off screen"), "diverged")
