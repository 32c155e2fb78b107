"""The way down: the path of two weights over the hills of the loss.

In: weights after each step, and the loss as a function of them. Out: the Axes that they are drawn on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.plots.style import add_legend, colour_of, ink, label_axes, new_axes, plain


def plot_descent(
    paths: Any,
    loss: Callable[[float, float], Any],
    names: tuple[str, str] = ("w", "b"),
    region: tuple[tuple[float, float], tuple[float, float]] | None = None,
    ax: Any = None,
) -> Any:
    """The way that two weights took in training, over the lines of equal loss.

    Args:
        paths: (steps, 2), the weights after each step; several by label, such as one a learning rate.
        loss: of the two weights, a number.
        names: of the weights.
        region: from where to where each weight is shown; by default all that the paths visit.
        ax: Axes to draw on.

    Raises:
        ChainruleError: for paths of another shape, or without a finite number.

    Example:
        >>> path = [(4 * 0.8**step, 2 * 0.5**step) for step in range(10)]
        >>> axes = plot_descent({"learning rate 0.1": path}, lambda w, b: w**2 + 2 * b**2, ax="off screen")
        >>> [line.get_label() for line in axes.lines]
        ['learning rate 0.1']
    """
    named = {label: _path(path) for label, path in (paths if isinstance(paths, Mapping) else {"": paths}).items()}
    (left, right), (bottom, top) = region or _region_of(named.values())
    axes = new_axes(ax, (6.4, 4.8))
    across, along = np.linspace(left, right, 50), np.linspace(bottom, top, 50)
    heights = np.array([[float(loss(w, b)) for w in across] for b in along])
    finite = heights[np.isfinite(heights)]
    if finite.size and finite.min() < finite.max():
        # As many lines near the lowest place, where the loss is flat, as on the steep slopes.
        levels = np.unique(np.quantile(finite, np.linspace(0.01, 0.98, 14)))
        axes.contour(across, along, heights, levels=levels, colors=[ink()], alpha=0.35, linewidths=0.8)
    for place, (label, path) in enumerate(named.items()):
        colour = colour_of(place)
        marks = {"marker": "o", "markersize": 4.0 if len(path) <= 60 else 2.0}
        axes.plot(path[:, 0], path[:, 1], color=colour, linewidth=1.5, label=plain(label) or "_", **marks)
        axes.scatter(*path[0], s=70, facecolors="none", edgecolors=colour, linewidths=1.6, zorder=3)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    label_axes(axes, x=names[0], y=names[1])
    add_legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(named))  # above, where there are no lines
    return axes


def _path(path: Any) -> np.ndarray:
    """A way as (steps, 2), up to where it is no longer finite."""
    array = np.asarray(path, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ChainruleError(
            "a way has two weights a step", where="plot_descent", expected="(steps, 2)", got=array.shape
        )
    finite = np.isfinite(array).all(axis=1)
    array = array[: len(array) if finite.all() else int(np.argmin(finite))]
    if not len(array):
        raise ChainruleError("the way has no finite place", where="plot_descent", got=repr(path)[:60])
    return array


def _region_of(paths: Iterable[np.ndarray]) -> tuple[tuple[float, float], tuple[float, float]]:
    """What holds the paths, and a margin around."""
    places = np.concatenate(list(paths))
    low, high = places.min(axis=0), places.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    low, high = low - 0.15 * width, high + 0.15 * width
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


__all__ = ["plot_descent"]
