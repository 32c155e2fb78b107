"""What layers have made of the data, drawn: knowledge by depth, projections, likeness, how activations are spread.

In: a `Microscope` (`inspect/microscope/`), which `model.inspect(x, y)` gives. Out: Axes. Layers that hand on the
content of an earlier one, such as Flatten, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, unknown_name
from chainrule.inspect.microscope.reports import LayerReport
from chainrule.plots.activity import add_scale, name_class
from chainrule.plots.style import (
    add_legend,
    clear_frame,
    colour_of,
    draw_image,
    ink,
    label_axes,
    marker_of,
    new_axes,
    new_grid,
    plain,
    sequential_colours,
)

_ACROSS = 4  # panels side by side
_NUMBERED = 10  # stages up to which the cells of a heat map have numbers
_NAMED = 20  # classes up to which each is named
_NAME = 20  # letters of a layer's name
_POINTS = 1000  # that are drawn of a projection
_VECTORS = 200  # points that stay shapes in a file; more become one image, which is smaller
_APART = 0.07  # of a panel, that two names are at least apart


# -- by depth -----------------------------------------------------------------------------------------------------


def plot_distillation(microscope: Any, ax: Any = None) -> Any:
    """How depth distils the result from the input: what a linear probe reads from each layer, and the likeness to the
    input that is left.

    Args:
        microscope: what `model.inspect` gave; or several by epoch, as in ``InspectLayers.history``, whose probes become
            a line each, from faint to strong.
        ax: Axes to draw on.

    Raises:
        ChainruleError: for something else, or where nothing could be probed.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(8, "relu"), cr.layers.Dense(2, "softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy")
        >>> x = np.random.default_rng(0).standard_normal((200, 2))
        >>> axes = plot_distillation(model.inspect(x, (x[:, 0] > 0).astype(int)), ax="off screen")
        >>> [label.get_text() for label in axes.get_xticklabels()]
        ['input', 'dense', 'dense_1']
    """
    found = microscope if isinstance(microscope, Mapping) else {-1: microscope}
    if not found:
        raise ChainruleError("there is no epoch to draw", where="plot_distillation", fix="train with epochs=1 or more")
    for one in found.values():
        _require_microscope(one, "plot_distillation")
    last = found[max(found)]
    if last.measure == "none":
        raise ChainruleError("nothing was probed", where="plot_distillation", fix="give targets with a loss")
    places = np.arange(len(last.stages))
    axes = new_axes(ax, (max(4.8, 1.6 + 0.9 * len(places)), 3.8))
    for number, epoch in enumerate(sorted(found)):
        newest = number == len(found) - 1
        probes = _as_line([stage.probe for stage in found[epoch].stages])
        label = f"linear probe, {last.measure}" + (f", epoch {epoch + 1}" if len(found) > 1 else "")
        axes.plot(
            places[: len(probes)],
            probes,
            marker=marker_of(0),
            color=colour_of(0),
            alpha=1.0 if newest else 0.25 + 0.4 * number / len(found),
            linewidth=2 if newest else 1,
            markersize=6 if newest else 3,
            label=label if newest or number == 0 else None,
        )
    likeness = _as_line([stage.likeness_to_input for stage in last.stages])
    axes.plot(
        places,
        likeness,
        linestyle="--",
        marker=marker_of(1),
        color=colour_of(1),
        linewidth=2,
        label="likeness to the input (linear CKA)",
    )
    if last.accuracy is not None:
        axes.axhline(last.accuracy, color=ink(), linewidth=1, linestyle=":", label=f"the network, {last.measure}")
    drawn = np.concatenate([np.ravel(line.get_ydata()) for line in axes.lines])
    least = float(np.nanmin(drawn)) if np.isfinite(drawn).any() else 0.0
    axes.set_ylim(np.floor(10 * least - 1) / 10 if least < 0 else max(0.0, np.floor(10 * least - 1) / 10), 1.04)
    _name_stages(axes, last.stages)
    label_axes(axes, y="", grid=True)
    add_legend(axes, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    return axes


def plot_gradient_flow(microscope: Any, ax: Any = None) -> Any:
    """How large the loss's gradient is at each layer, on a logarithmic scale: what of it reaches the first.

    A point is the norm of the gradient at the layer's output; the number at it, its `LayerReport.gradient_share`.

    Raises:
        ChainruleError: for something else than a `Microscope`.
    """
    _require_microscope(microscope, "plot_gradient_flow")
    stages = microscope.stages[1:]
    axes = new_axes(ax, (max(4.8, 1.6 + 0.9 * len(stages)), 3.6))
    norms = _as_line([stage.gradient_norm for stage in stages])
    norms[~(norms > 0)] = np.nan  # there is no place for zero on this scale
    places = np.arange(len(stages))
    axes.plot(places, norms, marker="o", color=colour_of(0), linewidth=2)
    if np.isfinite(norms).any():
        axes.set_yscale("log")
        low, high = np.log10(np.nanmin(norms)), np.log10(np.nanmax(norms))
        axes.set_ylim(10 ** np.floor(low - 0.1), 10 ** np.ceil(high + 0.2))
    for place, stage, norm in zip(places, stages, norms, strict=True):
        share = f"{stage.gradient_share:.3g} ×" if stage.gradient_share is not None else ""
        known = bool(np.isfinite(norm))
        axes.annotate(
            share if known else "none",
            (place, norm if known else 0.02),
            (0, 7),
            xycoords="data" if known else axes.get_xaxis_transform(),
            textcoords="offset points",
            ha="center",
            color=ink(),
            fontsize=9,
        )
    axes.margins(x=0.12)
    _name_stages(axes, stages)
    label_axes(axes, y="norm of the gradient", grid=True)
    return axes


def plot_similarity(microscope: Any, ax: Any = None) -> Any:
    """How alike the representations are, each with each: linear CKA, from 0 to 1.

    Raises:
        ChainruleError: for something else than a `Microscope`.
    """
    _require_microscope(microscope, "plot_similarity")
    alike = stage_similarity(microscope)
    size = len(alike)
    side = min(2.2 + 0.55 * size, 8.0)
    axes = new_axes(ax, (side + 1.0, side))
    image = draw_image(axes, alike, cmap=sequential_colours(), vmin=0, vmax=1)
    if size <= _NUMBERED:
        for (row, column), value in np.ndenumerate(alike):
            if np.isfinite(value):
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink(), fontsize=9)
    names = [plain(stage.name, limit=_NAME) for stage in microscope.stages]
    axes.set_xticks(range(size), names, fontsize=9, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names, fontsize=9)
    axes.tick_params(length=0)
    add_scale(axes, image, "linear CKA")
    return axes


def stage_similarity(microscope: Any) -> np.ndarray:
    """Linear CKA of each stage with each, the input first: (stages, stages)."""
    kept = [place for place, layer in enumerate(microscope.layers) if layer.kind != "unchanged"]
    with_input = [stage.likeness_to_input for stage in microscope.stages]
    size = len(with_input)
    alike = np.empty((size, size))
    alike[0] = alike[:, 0] = _as_line(with_input)
    alike[1:, 1:] = microscope.similarity[np.ix_(kept, kept)]
    return alike


# -- the rows -----------------------------------------------------------------------------------------------------


def plot_projections(microscope: Any, class_names: Sequence[Any] | None = None, axes: Any = None) -> Any:
    """The rows as each layer sees them, in the plane of its two principal components: input first, a panel a layer.

    A class has a colour, a marker, and its name where the median of its points lies; numbers of a regression have a
    colour scale. Under each panel stands what a linear probe reads. Of more than 1,000 rows, 1,000 are drawn.

    Args:
        class_names: of the classes; their numbers by default.
        axes: as many Axes as the microscope has stages.

    Returns:
        An array of Axes.

    Raises:
        ChainruleError: for something else than a `Microscope`.
    """
    _require_microscope(microscope, "plot_projections")
    stages = microscope.stages
    across = min(len(stages), _ACROSS)
    down = -(-len(stages) // across)
    grid = new_grid(len(stages), axes, across, (2.2 * across, 2.7 * down))
    colours = None
    for one, stage in zip(grid, stages, strict=True):
        clear_frame(one)
        if stage.projection is not None:
            colours = _draw_points(one, stage.projection, microscope, class_names) or colours
            one.margins(0.1)
        one.set_title(plain(stage.name, limit=24), fontsize=12)
        probe = "" if stage.probe is None else f"probe: {_format_score(stage.probe, microscope.measure)}"
        one.set_xlabel(probe, fontsize=11)
    if colours is not None:
        add_scale(grid[-1], colours, "target")
    return grid


def _draw_points(axes: Any, points: np.ndarray, microscope: Any, class_names: Sequence[Any] | None) -> Any:
    """Points by class, or by number; of numbers, what a colour scale is made of."""
    labels = microscope.labels
    if len(points) > _POINTS:
        shown = np.random.default_rng(0).permutation(len(points))[:_POINTS]
        points, labels = points[shown], None if labels is None else labels[shown]
    as_image = len(points) > _VECTORS
    if labels is None:
        axes.scatter(*points.T, s=7, color=colour_of(0), linewidths=0, alpha=0.6, rasterized=as_image)
        return None
    if not microscope.classes:
        return axes.scatter(*points.T, s=9, c=labels, cmap=_two_colours(), linewidths=0, alpha=0.8, rasterized=as_image)
    classes = [label for label in np.unique(labels) if label >= 0]
    middles = []
    for place, label in enumerate(classes):
        own = points[labels == label]
        middles.append(np.median(own, axis=0))
        colour, marker = colour_of(place), marker_of(place)
        axes.scatter(*own.T, s=9, color=colour, marker=marker, linewidths=0, alpha=0.75, rasterized=as_image)
    if 0 < len(classes) <= _NAMED:
        for label, (x, y) in zip(classes, _spread(np.array(middles), np.ptp(points, axis=0)), strict=True):
            text = name_class(class_names, label)
            axes.text(x, y, text, ha="center", va="center", color=ink(), fontsize=12, fontweight="bold", zorder=4)
    return None


def _spread(places: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Places moved apart that are nearer to each other than a name is large, in a panel of this size."""
    unit = np.where(size > 0, size, 1.0)
    found = places / unit
    for _ in range(50):
        gaps = found[:, None] - found[None, :]
        distances = np.linalg.norm(gaps, axis=2)
        np.fill_diagonal(distances, np.inf)
        push = np.maximum(_APART - distances, 0.0) / 2
        ways = gaps / np.maximum(distances, 1e-9)[..., None]
        found = found + np.sum(ways * push[..., None], axis=1)
    return found * unit


def plot_histograms(microscope: Any, of: str = "activations", axes: Any = None) -> Any:
    """How the activations, or the gradients at them, are spread: a panel a layer, counts on a logarithmic scale.

    Args:
        of: ``activations`` or ``gradients``.
        axes: as many Axes as there are layers that change something.

    Returns:
        An array of Axes.

    Raises:
        ChainruleError: for something else than a `Microscope`, or another `of`.
    """
    _require_microscope(microscope, "plot_histograms")
    if of not in ("activations", "gradients"):
        raise unknown_name("quantity", of, ["activations", "gradients"], where="plot_histograms")
    stages = microscope.stages[1:]
    across = min(len(stages), _ACROSS)
    down = -(-len(stages) // max(across, 1))
    grid = new_grid(len(stages), axes, across, (2.9 * across, 2.5 * down))
    for place, (one, stage) in enumerate(zip(grid, stages, strict=True)):
        histogram = stage.histogram if of == "activations" else stage.gradient_histogram
        one.stairs(histogram.counts, histogram.edges, fill=True, color=colour_of(0 if of == "activations" else 1))
        if histogram.counts.any():  # else no number was finite
            one.set_yscale("log", nonpositive="clip")
            one.set_ylim(bottom=0.5)
        one.locator_params(axis="x", nbins=4)
        one.xaxis.set_major_formatter("{x:.3g}")
        mean, std = (stage.mean, stage.std) if of == "activations" else (stage.gradient_mean, stage.gradient_std)
        label_axes(one, title=plain(stage.name, limit=28), x=f"mean {mean:.2g}, spread {std:.2g}")
        if place % across == 0:
            label_axes(one, y=of)
    return grid


# -- pieces -------------------------------------------------------------------------------------------------------


def _require_microscope(value: Any, where: str) -> None:
    if not hasattr(value, "stages"):
        raise ChainruleError(
            "this is no Microscope", where=where, expected="what model.inspect(x, y) gives", got=type(value).__name__
        )


def _as_line(values: Sequence[float | None]) -> np.ndarray:
    """Numbers, NaN where there is none."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _name_stages(axes: Any, stages: Sequence[LayerReport]) -> None:
    names = [plain(stage.name, limit=_NAME) for stage in stages]
    slanted = len(names) * max(map(len, names), default=0) > 50
    turn = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(range(len(names)), names, fontsize=9, **turn)


def _format_score(value: float, measure: str) -> str:
    return f"{100 * value:.1f} %" if measure == "accuracy" else f"{measure} {value:.3f}"


def _two_colours() -> Any:
    """From one colour of the palette to another, both legible on light and dark, for numbers."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("chainrule_numbers", [colour_of(1), "#999999", colour_of(0)])


__all__ = [
    "plot_distillation",
    "plot_gradient_flow",
    "plot_histograms",
    "plot_projections",
    "plot_similarity",
]
