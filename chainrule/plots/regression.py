"""How near predicted numbers come to the truth, drawn.

In: targets and predictions, (N,) or (N, D). Out: Axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.data.arrays import check_count
from chainrule.errors import DataError
from chainrule.plots.style import add_legend, colour_of, ink, label_axes, marker_of, new_axes, plain, scatter

_MOST_POINTS = 3000


def plot_predictions(y_true: Any, y_pred: Any, names: Sequence[Any] | None = None, ax: Any = None) -> Any:
    """What is predicted against what is true; on the dashed line the two are equal.

    Args:
        y_true, y_pred: (N,) or (N, D); of very many rows some are drawn, evenly over all of them.
        names: of the D numbers.
        ax: Axes to draw on.

    Raises:
        DataError: for arrays that differ in shape, or names that do not fit.

    Example:
        >>> axes = plot_predictions([1.0, 2.0, 3.0], [1.1, 1.9, 3.2], ax="off screen")
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('true', 'predicted')
    """
    true, predicted = _columns(y_true, y_pred)
    labels = _labels(names, true.shape[1])
    axes = new_axes(ax, (5.2, 4.6))
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    chosen = np.unique(np.linspace(0, len(true) - 1, min(len(true), _MOST_POINTS)).astype(int))
    for place, label in enumerate(labels):
        points = true[chosen, place], predicted[chosen, place]
        options = {"s": 12, "alpha": 0.6, "linewidths": 0, "marker": marker_of(place), "color": colour_of(place)}
        scatter(axes, *points, label=label if len(labels) > 1 else None, **options)
    axes.plot([low, high], [low, high], "--", color=ink(), alpha=0.7, linewidth=1, label="equal")
    label_axes(axes, x="true", y="predicted", grid=True)
    add_legend(axes)
    return axes


def plot_residuals(y_true: Any, y_pred: Any, names: Sequence[Any] | None = None, bins: int = 40, ax: Any = None) -> Any:
    """How often predictions are off by how much, predicted less true; much to one side is a bias.

    Args:
        y_true, y_pred: (N,) or (N, D).
        names: of the D numbers.
        bins: of the histogram.
        ax: Axes to draw on.

    Raises:
        DataError: for arrays that differ in shape, or names that do not fit.

    Example:
        >>> axes = plot_residuals([1.0, 2.0, 3.0], [1.1, 1.9, 3.2], ax="off screen")
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('predicted − true', 'rows')
    """
    true, predicted = _columns(y_true, y_pred)
    labels = _labels(names, true.shape[1])
    count = check_count("bins", bins, where="plot_residuals")
    residuals = predicted - true
    reach = float(np.abs(residuals).max()) or 1.0
    edges = np.linspace(-reach, reach, count + 1)
    axes = new_axes(ax, (5.2, 3.6))
    for place, label in enumerate(labels):
        heights, _ = np.histogram(residuals[:, place], edges)
        colour, name = colour_of(place), label if len(labels) > 1 else None
        axes.stairs(heights, edges, color=colour, fill=len(labels) == 1, alpha=0.85, linewidth=1.6, label=name)
    axes.axvline(0, linestyle="--", color=ink(), alpha=0.7, linewidth=1)
    label_axes(axes, x="predicted − true", y="rows", grid=True)
    add_legend(axes)
    return axes


def _columns(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as (N, D) in float64."""
    true, predicted = (np.asarray(values, dtype=np.float64) for values in (y_true, y_pred))
    true, predicted = (values[:, None] if values.ndim == 1 else values for values in (true, predicted))
    if true.ndim != 2 or true.shape != predicted.shape or not true.size:
        raise DataError(
            "targets and predictions do not fit",
            where="y_pred",
            expected=f"(N,) or (N, D), as y_true: {true.shape}",
            got=predicted.shape,
        )
    known = np.isfinite(true).all(axis=1) & np.isfinite(predicted).all(axis=1)
    if not known.all():
        raise DataError("there are values that are not finite", where="y_pred", got=f"{np.sum(~known)} rows with them")
    return true, predicted


def _labels(names: Sequence[Any] | None, count: int) -> list[str]:
    if names is not None and len(names) != count:
        raise DataError("the names do not fit the numbers", where="names", expected=count, got=len(names))
    return [plain(name, limit=40) for name in (names if names is not None else range(count))]


__all__ = ["plot_predictions", "plot_residuals"]
