"""Histories, functions, fits: what is drawn are the numbers given, or formulas done here by hand."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.plots import figure_to_svg, plot_descent, plot_fit, plot_functions, plot_history, plot_plane
from chainrule.plots.style import OFF_SCREEN, PALETTE

HISTORY = {
    "accuracy": [0.5, 0.7, 0.8, 0.9],
    "loss": [1.0, 0.8, 0.7, 0.6],
    "val_loss": [1.1, 0.9],
    "learning_rate": [0.1] * 4,
}


def one_axes():
    return Figure().subplots()


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


# -- histories ----------------------------------------------------------------------------------------------------


def test_a_panel_a_name_the_loss_first():
    panels = plot_history(HISTORY, ax=OFF_SCREEN)
    assert [panel.get_ylabel() for panel in panels] == ["loss", "accuracy", "learning_rate"]
    loss = lines(panels[0])
    assert loss["training"].get_ydata() == pytest.approx(HISTORY["loss"])
    assert list(loss["training"].get_xdata()) == [1, 2, 3, 4]
    assert loss["training"].get_linestyle() == "-" and loss["validation"].get_linestyle() == "--"
    assert list(lines(panels[1])) == ["training"]


def test_validation_at_every_second_epoch_stands_there():
    validation = lines(plot_history(HISTORY, ax=OFF_SCREEN)[0])["validation"]
    assert list(validation.get_xdata()) == [2, 4] and list(validation.get_ydata()) == [1.1, 0.9]


def test_one_axes_has_the_loss_or_what_is_asked_for():
    axes = one_axes()
    assert plot_history(HISTORY, ax=axes) is axes and axes.get_ylabel() == "loss"
    other = one_axes()
    assert plot_history(HISTORY, "val_accuracy", ax=other) is other and other.get_ylabel() == "accuracy"
    two = Figure().subplots(1, 2)
    assert list(plot_history(HISTORY, ["loss", "accuracy"], ax=two)) == list(two)


def test_runs_are_compared_by_colour():
    runs = {"slow": {"loss": [3, 2]}, "fast <b>$": {"loss": [3, 1], "val_loss": [3, 2]}}
    (panel,) = plot_history(runs, ax=OFF_SCREEN)
    found = lines(panel)
    assert list(found) == ["slow", r"fast <b>\$, training", r"fast <b>\$, validation"]
    assert [line.get_color() for line in found.values()] == [PALETTE[0], PALETTE[1], PALETTE[1]]
    assert "fast &lt;b&gt;$, training" in figure_to_svg(panel, "runs")


def test_what_fit_returned_is_drawn_by_the_number_of_the_epoch():
    x = np.linspace(-1, 1, 20, dtype="float32")[:, None]
    model = cr.Sequential([cr.Input((1,)), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(x, 2 * x, epochs=5, initial_epoch=3, verbose=0)
    line = lines(plot_history(history, ax=OFF_SCREEN)[0])["training"]
    assert list(line.get_xdata()) == [4, 5] and line.get_ydata() == pytest.approx(history.history["loss"])


def test_values_that_are_not_finite_leave_a_gap():
    figure_to_svg(plot_history({"loss": [1.0, float("nan"), float("inf"), 0.5]}, ax=OFF_SCREEN), "gap")


@pytest.mark.parametrize(
    "history,says",
    [
        ({}, "no epoch"),
        ({"loss": []}, "no epoch"),
        ({"run": {"loss": []}}, "plot_history, 'run'"),
        ({"loss": 3.0}, "one number an epoch"),
        ({"loss": [[1, 2]]}, "one number an epoch"),
        ("text", "no history"),
    ],
)
def test_what_is_no_history_is_refused(history, says):
    with pytest.raises(ChainruleError, match=says):
        plot_history(history, ax=OFF_SCREEN)


def test_names_and_axes_that_do_not_fit_are_refused():
    with pytest.raises(ChainruleError, match="expected: accuracy, loss, learning_rate"):
        plot_history(HISTORY, "acuracy", ax=OFF_SCREEN)
    with pytest.raises(ChainruleError, match="got:      1 Axes"):
        plot_history(HISTORY, ["loss", "accuracy"], ax=one_axes())


# -- functions ----------------------------------------------------------------------------------------------------


def test_curves_and_slopes_are_those_of_the_formulas():
    axes = one_axes()
    functions = {"tanh": cr.activations.tanh, "square": lambda x: x * x}
    assert plot_functions(functions, -2, 3, derivative=True, count=11, ax=axes) is axes
    found = lines(axes)
    x = np.linspace(-2, 3, 11)
    for label, expected in {
        "tanh": np.tanh(x),
        "slope of tanh": 1 - np.tanh(x) ** 2,
        "square": x**2,
        "slope of square": 2 * x,
    }.items():
        np.testing.assert_allclose(found[label].get_xdata(), x)
        np.testing.assert_allclose(found[label].get_ydata(), expected, atol=1e-12)


def test_losses_are_functions_of_the_prediction():
    def squared(prediction):
        return cr.losses.mean_squared_error(np.ones((len(prediction), 1)), prediction[:, None])

    found = lines(plot_functions({"mse": squared}, 0, 2, derivative=True, count=5, ax=OFF_SCREEN))
    assert found["mse"].get_ydata() == pytest.approx([1, 0.25, 0, 0.25, 1])
    assert found["slope of mse"].get_ydata() == pytest.approx([-2, -1, 0, 1, 2])


@pytest.mark.parametrize(
    "functions,options,says",
    [
        ([], {}, "no function"),
        ({"a": 3}, {}, "no function"),
        ({"sum": lambda x: x.sum()}, {}, "plot_functions, 'sum'"),
        (np.tanh, {"low": 2, "high": 2}, "low < high"),
    ],
)
def test_functions_that_give_no_curve_are_refused(functions, options, says):
    with pytest.raises(ChainruleError, match=says):
        plot_functions(functions, ax=OFF_SCREEN, **options)


# -- fits ---------------------------------------------------------------------------------------------------------


def test_points_and_the_line_of_a_model():
    x, y = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 3.0, 7.0])
    model = cr.Sequential([cr.Input((1,)), cr.layers.Dense(1)])
    model.set_weights([np.array([[2.0]]), np.array([1.0])])
    axes = one_axes()
    assert plot_fit(model, x, y, ax=axes) is axes
    np.testing.assert_allclose(axes.collections[0].get_offsets(), [[0, 1], [1, 3], [3, 7]])
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), 2 * line.get_xdata() + 1, rtol=1e-5)
    assert line.get_xdata()[0] < 0 and line.get_xdata()[-1] > 3


def test_steps_fade_from_faint_to_strong():
    steps = {f"step {number}": lambda x, number=number: number * x for number in range(3)}
    axes = plot_fit(steps, [0, 1, 2], [0, 2, 4], fade=True, ax=OFF_SCREEN)
    shares = [line.get_alpha() for line in axes.lines]
    assert shares == sorted(shares) and shares[-1] == 1.0 and len({line.get_color() for line in axes.lines}) == 1
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["data", "step 0", "step 1", "step 2"]


def test_curves_differ_in_colour_and_in_dashes():
    lines = {f"step {number}": lambda x, number=number: number * x for number in range(3)}
    axes = plot_fit(lines, [0, 1, 2], [0, 2, 4], ax=OFF_SCREEN)
    assert len({line.get_color() for line in axes.lines}) == len({line.get_linestyle() for line in axes.lines}) == 3


def test_a_plane_is_seen_with_points_before_and_behind_it():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    y = np.array([0.5, 1.0, 2.0, 2.5])  # above, on, on, below x₁ + 2 x₂
    axes = plot_plane(lambda rows: rows @ np.array([1.0, 2.0]), x, y, ax=OFF_SCREEN)
    points = [found for found in axes.collections if hasattr(found, "_offsets3d")]
    behind, before = sorted(points, key=lambda found: found.zorder)
    (surface,) = (found for found in axes.collections if found not in points)
    assert behind.zorder < surface.zorder < before.zorder
    assert len(behind._offsets3d[0]) == 1 and len(before._offsets3d[0]) == 3
    assert len(axes.lines) == 4
    ends = sorted(float(abs(np.diff(line.get_data_3d()[2])[0])) for line in axes.lines)
    assert ends == pytest.approx([0, 0, 0.5, 0.5])
    towards = np.array([np.cos(np.radians(axes.azim)), np.sin(np.radians(axes.azim))])
    assert towards @ np.array([1.0, 2.0]) < -1  # from where the plane is low
    assert "<image" not in figure_to_svg(axes, "plane")


def test_a_level_plane_and_one_number_are_drawn():
    figure_to_svg(plot_plane(lambda rows: np.zeros(len(rows)), [[0, 0], [1, 1]], [0, 1], ax=OFF_SCREEN), "level")
    figure_to_svg(plot_fit(lambda x: x, [1.0], [1.0], ax=OFF_SCREEN), "one")


@pytest.mark.parametrize(
    "draw,says",
    [
        (lambda: plot_fit(np.sin, np.zeros((3, 2)), np.zeros(3), ax=OFF_SCREEN), r"plot_fit, x[\s\S]*\(N,\)"),
        (lambda: plot_fit(np.sin, np.zeros(3), np.zeros(2), ax=OFF_SCREEN), "different numbers of rows"),
        (lambda: plot_fit(np.sum, np.zeros(3), np.zeros(3), ax=OFF_SCREEN), "one number a row"),
        (lambda: plot_fit(3, np.zeros(3), np.zeros(3), ax=OFF_SCREEN), "no model"),
        (lambda: plot_plane(np.sum, np.zeros((3, 3)), np.zeros(3), ax=OFF_SCREEN), r"plot_plane, x[\s\S]*\(N, 2\)"),
        (lambda: plot_plane(np.sum, np.zeros((3, 2)), np.zeros(3), ax=one_axes()), "projection='3d'"),
        (lambda: plot_descent([1, 2, 3], max, ax=OFF_SCREEN), r"expected: \(steps, 2\)"),
        (lambda: plot_descent([(np.nan, 1)], max, ax=OFF_SCREEN), "no finite place"),
    ],
)
def test_data_of_other_shapes_are_refused(draw, says):
    with pytest.raises(ChainruleError, match=says):
        draw()


# -- the way down -------------------------------------------------------------------------------------------------


def test_ways_over_lines_of_equal_loss():
    def loss(w, b):
        return w**2 + 4 * b**2

    def walk(rate):
        places = [np.array([3.0, 1.0])]
        for _ in range(6):
            places.append(places[-1] - rate * np.array([2, 8]) * places[-1])
        return places

    axes = one_axes()
    paths = {"too small": walk(0.01), "right": walk(0.1), "too large": walk(0.26)}
    assert plot_descent(paths, loss, names=("w", "$b"), ax=axes) is axes
    assert axes.get_ylabel() == r"\$b"
    for line, (label, path) in zip(axes.lines, paths.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_allclose(line.get_xydata(), path)
    contour = next(c for c in axes.collections if hasattr(c, "levels"))
    for level, path in zip(contour.levels, contour.get_paths(), strict=True):
        height = loss(*path.vertices.T)
        np.testing.assert_allclose(height, level, rtol=0.15, atol=0.05)
    left, right = axes.get_xlim()
    assert left < min(path[:, 0].min() for path in map(np.array, paths.values())) and right > 3


def test_a_way_ends_where_it_is_no_longer_finite():
    path = [(1.0, 1.0), (2.0, 2.0), (np.inf, 0.0), (1.0, 1.0)]
    axes = plot_descent(path, lambda w, b: w + b, region=((0, 3), (0, 4)), ax=OFF_SCREEN)
    assert axes.lines[0].get_xydata().tolist() == [[1, 1], [2, 2]]
    assert axes.get_xlim() == (0, 3) and axes.get_ylim() == (0, 4)
