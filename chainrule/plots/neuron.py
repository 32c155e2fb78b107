"""One neuron as the textbook draws it: inputs, weights, the sum with its bias, the activation, the result.

In: numbers. Out: the Axes that they are drawn on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import activations
from chainrule.errors import ChainruleError
from chainrule.plots.style import NEGATIVE, POSITIVE, clear_frame, colour_of, ink, new_axes, plain

_MOST = 8  # inputs that are all drawn
_SUM, _ACTIVATION, _RESULT = 3.4, 5.6, 7.5  # where they stand; the inputs stand at 0
_LOWER_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def plot_neuron(
    weights: Any,
    bias: float = 0.0,
    activation: Any = None,
    input_names: Sequence[Any] | None = None,
    inputs: Any = None,
    ax: Any = None,
) -> Any:
    """A neuron: y = φ(w₁·x₁ + … + wₙ·xₙ + b).

    The colour of a weight's line is its sign, the width its size.

    Args:
        weights: w, (n,); of more than eight the middle ones are left out.
        bias: b.
        activation: φ, a name or a function; without one the unit is linear.
        input_names: of the n inputs; x₁ … xₙ by default.
        inputs: x, (n,); with them, the sum and the result are told as numbers.
        ax: Axes to draw on.

    Raises:
        ChainruleError: for other shapes, or an activation that is not known.

    Example:
        >>> axes = plot_neuron([2.0, -1.0], 0.5, "relu", inputs=[1.0, 3.0], ax="off screen")
        >>> [text.get_text() for text in axes.texts if text.get_text()[:1] in ("z", "y")]
        ['z = −0.5', 'y = 0']
    """
    w = np.asarray(weights, dtype=np.float64).reshape(-1)
    x = None if inputs is None else np.asarray(inputs, dtype=np.float64).reshape(-1)
    names = [f"x{number + 1}".translate(_LOWER_DIGITS) for number in range(len(w))]
    if input_names is not None:
        names = [plain(name, limit=18) for name in input_names]
    if not len(w) or len(names) != len(w) or (x is not None and len(x) != len(w)):
        raise ChainruleError(
            "weights, inputs and names do not fit one another",
            where="plot_neuron",
            expected=f"{len(w)} of each" if len(w) else "one weight or more",
            got=f"{len(names)} names" + (f", {len(x)} inputs" if x is not None else ""),
        )
    if not np.isfinite([*w, bias]).all():
        raise ChainruleError("a weight is not finite", where="plot_neuron", got=f"w = {w.tolist()}, b = {bias}"[:80])
    function = None if activation is None else activations.get(activation)
    drawn = list(range(len(w))) if len(w) <= _MOST else [0, 1, 2, 3, len(w) - 2, len(w) - 1]
    rows = len(drawn) + (len(drawn) < len(w))
    places = np.arange(len(drawn)) if rows == len(drawn) else np.array([0, 1, 2, 3, 5, 6])
    heights = (rows - 1) / 2 - places
    axes = new_axes(ax, (7.6, max(2.6, 0.62 * rows + 0.9)))
    clear_frame(axes)
    axes.set_aspect("equal")
    for number, height in zip(drawn, heights, strict=True):
        value = None if x is None else x[number]
        _draw_input(axes, names[number], value, float(w[number]), float(height), float(np.abs(w).max()) or 1.0)
    if len(drawn) < len(w):
        for step in (-0.2, 0.0, 0.2):
            axes.plot([0], [(heights[3] + heights[4]) / 2 + step], "o", color=ink(), markersize=2)
    floor = min(-1.7, -rows / 2 - 0.1)
    _draw_bias(axes, float(bias), floor)
    _circle(axes, _SUM, 0, colour_of(0), "Σ", 17)
    z = None if x is None else float(w @ x + bias)
    last, y = _SUM, z
    if function is not None:
        _arrow(axes, _SUM, _ACTIVATION, "" if z is None else f"z = {_number(z)}")
        _draw_activation(axes, function)
        last, y = _ACTIVATION, None if z is None else float(np.asarray(function(np.array([z])))[0])
    text = "y" if y is None else f"y = {_number(y)}"
    _arrow(axes, last, _RESULT if function is not None else _ACTIVATION + 0.2, text)
    axes.set_xlim(-2.6 if input_names is not None or x is not None else -1.0, _RESULT + 0.3)
    axes.set_ylim(floor - 0.45, max(1.2, rows / 2 + 0.2))
    return axes


def _number(value: float) -> str:
    """A number as the textbook writes it."""
    text = f"{value:.3g}"
    return "0" if text == "-0" else text.replace("-", "−")


def _circle(axes: Any, x: float, y: float, colour: str, text: str, size: float) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), 0.52, facecolor=colour, alpha=0.25, zorder=2))
    axes.add_patch(Circle((x, y), 0.52, fill=False, edgecolor=ink(), linewidth=1.0, zorder=3))
    axes.text(x, y, text, ha="center", va="center", color=ink(), fontsize=size, zorder=4)


def _arrow(axes: Any, start: float, end: float, text: str) -> None:
    """From a circle to the right, with a text above."""
    last = end - 0.56 if end == _ACTIVATION else end
    options = {"arrowstyle": "-|>", "color": ink(), "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (last, 0), (start + 0.52, 0), arrowprops=options)
    if text:
        axes.text((start + 0.5 + last) / 2, 0.14, text, ha="center", va="bottom", color=ink(), fontsize=9)


def _draw_input(axes: Any, name: str, value: float | None, weight: float, height: float, largest: float) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((0, height), 0.13, facecolor=colour_of(2), edgecolor=ink(), linewidth=0.8, zorder=3))
    text = name if value is None else f"{name} = {_number(value)}"
    axes.text(-0.25, height, text, ha="right", va="center", color=ink(), fontsize=10)
    # The line ends where the circle of the sum begins.
    length = float(np.hypot(_SUM, height))
    stop = (_SUM - 0.52 * _SUM / length, height - height * (1 - 0.52 / length))
    colour = POSITIVE if weight >= 0 else NEGATIVE
    width = 0.8 + 2.4 * abs(weight) / largest
    axes.plot([0.13, stop[0]], [height, stop[1]], color=colour, linewidth=width, zorder=1, solid_capstyle="round")
    slope = float(np.degrees(np.arctan2(-height, _SUM)))
    axes.text(
        0.95, height * (1 - 0.95 / _SUM) + 0.06, _number(weight), ha="center", va="bottom", color=ink(), fontsize=9,
        rotation=slope, rotation_mode="anchor", zorder=4,
    )  # fmt: skip


def _draw_bias(axes: Any, bias: float, floor: float) -> None:
    options = {"arrowstyle": "-|>", "color": ink(), "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (_SUM, -0.52), (_SUM, floor + 0.2), arrowprops=options)
    axes.text(_SUM, floor + 0.12, f"b = {_number(bias)}", ha="center", va="top", color=ink(), fontsize=10)


def _draw_activation(axes: Any, function: Any) -> None:
    """The activation as a circle with its curve in it, its name below."""
    _circle(axes, _ACTIVATION, 0, colour_of(3), "", 1)
    x = np.linspace(-3, 3, 61)
    y = np.asarray(function(x), dtype=np.float64)
    if y.shape == x.shape and np.isfinite(y).all():
        middle, half = (y.max() + y.min()) / 2, (y.max() - y.min()) / 2 or 1.0
        axes.plot(_ACTIVATION + x * 0.1, (y - middle) / half * 0.28, color=ink(), linewidth=1.6, zorder=4)
    name = plain(getattr(function, "__name__", type(function).__name__), limit=18)
    axes.text(_ACTIVATION, -0.62, name, ha="center", va="top", color=ink(), fontsize=9)


__all__ = ["plot_neuron"]
