"""A neuron's drawing: its numbers, computed here in NumPy, and what does not fit refused."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Circle

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.plots import figure_to_svg, plot_neuron
from chainrule.plots.style import NEGATIVE, OFF_SCREEN, POSITIVE


def words(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def test_a_linear_unit():
    axes = Figure().subplots()
    assert plot_neuron([2.0, -0.5], 0.25, ax=axes) is axes
    assert words(axes) == ["x₁", "2", "x₂", "−0.5", "b = 0.25", "Σ", "y"]
    colours = [to_hex(line.get_color()) for line in axes.lines]
    assert colours == [POSITIVE, NEGATIVE]
    widths = [line.get_linewidth() for line in axes.lines]
    assert widths == pytest.approx([0.8 + 2.4, 0.8 + 2.4 / 4])
    assert len([patch for patch in axes.patches if isinstance(patch, Circle)]) == 2 + 2


def test_numbers_of_a_neuron_with_inputs():
    w, x, b = np.array([0.5, -1.25]), np.array([2.0, 3.0]), 0.1
    axes = plot_neuron(w, b, "sigmoid", ["age", "<b>$"], x, ax=OFF_SCREEN)
    z = w @ x + b
    assert f"z = {z:.3g}".replace("-", "−") in words(axes)
    assert f"y = {1 / (1 + np.exp(-z)):.3g}" in words(axes)
    assert {"age = 2", r"<b>\$ = 3", "sigmoid"} <= set(words(axes))
    assert "&lt;b&gt;$ = 3" in figure_to_svg(axes, "neuron")


def test_of_many_inputs_the_middle_is_left_out():
    axes = plot_neuron(np.arange(12.0), 0, cr.activations.relu, ax=OFF_SCREEN)
    assert [word for word in words(axes) if word.startswith("x")] == ["x₁", "x₂", "x₃", "x₄", "x₁₁", "x₁₂"]
    assert len([line for line in axes.lines if line.get_marker() == "o"]) == 3
    assert len(plot_neuron(np.ones(8), ax=OFF_SCREEN).lines) == 8


def test_a_number_that_rounds_to_nothing_has_no_sign():
    assert "b = 0" in words(plot_neuron([1.0], -0.0, ax=OFF_SCREEN))


@pytest.mark.parametrize(
    "arguments,says",
    [
        ({"weights": []}, "one weight or more"),
        ({"weights": [1, 2], "input_names": ["a"]}, "got:      1 names"),
        ({"weights": [1, 2], "inputs": [1]}, "2 names, 1 inputs"),
        ({"weights": [np.nan]}, "not finite"),
        ({"weights": [1.0], "activation": "rellu"}, "did you mean 'relu'"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, says):
    with pytest.raises(ChainruleError, match=says):
        plot_neuron(**arguments, ax=OFF_SCREEN)
