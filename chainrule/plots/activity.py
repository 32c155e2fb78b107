"""Single neurons and single rows, drawn: what a neuron's weights look for, and what each layer makes of one image.

In: a model, and a row of its input. Out: Axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.data.arrays import check_array, check_count
from chainrule.errors import ChainruleError, DataError
from chainrule.graph.tree import flatten, map_leaves
from chainrule.inspect.microscope.measures import as_matrix
from chainrule.inspect.microscope.reports import place_content
from chainrule.layers.layer import collect_results, inner_layers
from chainrule.naming import free_name
from chainrule.plots.style import colour_of, diverging_colours, draw_image, ink, label_axes, new_axes, new_grid, plain

_NAMED = 20  # units of the output up to which each is a bar with a name
_NAME = 20  # letters of a layer's name


def plot_filters(model: Any, count: int = 64, shape: Sequence[int] | None = None, ax: Any = None) -> Any:
    """What each neuron of the first dense layer looks for: its weights as an image, each pixel where its input lies.

    Blue adds to the neuron's sum, orange takes from it, as strong as the weight; all have the same scale, which ends
    where 1 in 200 weights lies beyond. Neurons stand in rows, in their order.

    Args:
        model: built.
        count: how many neurons at most, the first ones.
        shape: (height, width) of the images; by default that of the model's input, (height, width) or
            (height, width, 1).

    Raises:
        ChainruleError: for a model without a dense layer on images.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((8, 8)), cr.layers.Flatten(), cr.layers.Dense(6)])
        >>> plot_filters(model, ax="off screen").get_title()
        'weights of dense, 6 neurons'
    """
    check_count("count", count)
    layer = first_dense(model)
    kernel = layer.kernel.numpy().astype(np.float64)
    height, width = picture_shape(model, shape, "plot_filters", len(kernel))
    shown = min(count, kernel.shape[1])
    across, down = fill_rows(shown)
    mosaic = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for place in range(shown):
        top, left = (place // across) * (height + 1), (place % across) * (width + 1)
        mosaic[top : top + height, left : left + width] = kernel[:, place].reshape(height, width)
    limit = float(np.quantile(np.abs(kernel[:, :shown]), 0.995)) or 1.0
    axes = new_axes(ax, (min(0.62 * across + 1.2, 10), min(0.62 * down + 0.8, 10)))
    image = draw_image(axes, mosaic, cmap=diverging_colours(), vmin=-limit, vmax=limit)
    of = f"{shown} neurons" if shown == kernel.shape[1] else f"{shown} of {kernel.shape[1]} neurons"
    label_axes(axes, title=f"weights of {layer.name}, {of}")
    add_scale(axes, image, "weight")
    return axes


def first_dense(model: Any) -> Any:
    """The first layer with a kernel of (features, units)."""
    for layer in inner_layers(model):
        if getattr(getattr(layer, "kernel", None), "ndim", 0) == 2:
            return layer
    raise ChainruleError(
        "the model has no dense layer that is built", where="plot_filters", fix="call it on data, or put cr.Input first"
    )


def picture_shape(model: Any, shape: Sequence[int] | None, where: str, size: int | None = None) -> tuple[int, int]:
    """Height and width of the model's input.

    Args:
        size: numbers that must fill them.
    """
    known = tuple(model.input_kinds()[0][0]) if shape is None else tuple(shape)
    found = known[:-1] if len(known) == 3 and known[-1] == 1 else known
    if len(found) != 2 or size is not None and found[0] * found[1] != size:
        raise ChainruleError(
            "the inputs are not images",
            where=where,
            expected="height x width" + (f" of {size} pixels" if size is not None else ""),
            got=known,
            fix="give the images' shape, as in shape=(28, 28)",
        )
    return int(found[0]), int(found[1])


def plot_activations(
    model: Any, x: Any, shape: Sequence[int] | None = None, class_names: Sequence[Any] | None = None, axes: Any = None
) -> Any:
    """One row on its way through the layers: the image first, then what each layer makes of it, a pixel a unit.

    Units stand in rows, as nearly square as they go; the last layer's, where there are few, are bars. Blue is above
    zero, orange below, each panel with its own scale.

    Args:
        model: built; it may be without a loss.
        x: one row, of the shape of the model's input.
        shape: (height, width) of the image; by default that of the input. A row that is no image becomes a strip.
        class_names: of the output's units.
        axes: as many Axes as there are panels.

    Returns:
        An array of Axes.

    Raises:
        ChainruleError: for a row of another shape, or with numbers that are not finite.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((8, 8)), cr.layers.Flatten(), cr.layers.Dense(6, "relu")])
        >>> [one.get_title() for one in plot_activations(model, np.ones((8, 8)), axes="off screen")]
        ['input', 'dense']
    """
    stages = activations_of(model, x)
    names, values = list(stages), list(stages.values())
    few = len(values) > 1 and values[-1].ndim == 1 and values[-1].size <= _NAMED
    across = min(len(values), 6)
    grid = new_grid(len(values), axes, across, (2.0 * across, 2.3 * -(-len(values) // across)))
    for place, (one, name, value) in enumerate(zip(grid, names, values, strict=True)):
        one.set_title(plain(name, limit=_NAME), fontsize=10)
        if place == 0 and (image := _as_image(model, value, shape)) is not None:
            draw_image(one, image, cmap="gray")
        elif few and place == len(values) - 1:
            _draw_bars(one, value, class_names)
        else:
            limit = float(np.abs(value).max(initial=0.0, where=np.isfinite(value))) or 1.0
            draw_image(one, as_grid(value), cmap=diverging_colours(), vmin=-limit, vmax=limit)
            for spine in one.spines.values():  # the ground shows where a unit is silent
                spine.set_visible(True)
                spine.set_linewidth(0.4)
        one.set_anchor("N")
    return grid


def activations_of(model: Any, x: Any) -> dict[str, np.ndarray]:
    """The row itself, and what each layer makes of it that makes something new; by the layers' names."""
    rows = map_leaves(lambda leaf: check_array("x", np.asarray(leaf)[None]), model.arrange_inputs(x))
    rows = model.adjust_ranks(rows)
    model.ensure_fits(rows)
    given = flatten(rows)[0]
    content = [np.concatenate([as_matrix(leaf) for leaf in given], axis=1)]
    found = {"input": np.asarray(given[0][0]) if len(given) == 1 else content[0][0]}
    with collect_results() as results, np.errstate(all="ignore"):
        model(rows, training=False)
    for result in results:
        if result.layer is model:
            continue
        output = np.asarray(flatten(result.outputs)[0][0])
        before = len(content)
        if place_content(result.layer, output, content) == before:
            name = result.scope.removeprefix(f"{model.name}/")
            value = output[0].astype(np.float64)
            found[free_name(name, found)] = np.where(np.isfinite(value), value, np.nan)
    return found


def as_grid(values: np.ndarray) -> np.ndarray:
    """Numbers in rows, NaN behind the last; a matrix stays what it is."""
    if values.ndim == 2:
        return values
    flat = values.reshape(-1)
    across, down = fill_rows(flat.size)
    return np.pad(flat, (0, across * down - flat.size), constant_values=np.nan).reshape(down, across)


def fill_rows(count: int) -> tuple[int, int]:
    """Across and down, as nearly square as rows are filled; not filled where they would be more than twice as wide.

    Example:
        >>> fill_rows(64), fill_rows(128), fill_rows(7)
        ((8, 8), (16, 8), (3, 3))
    """
    root = int(np.ceil(np.sqrt(count)))
    across = next((width for width in range(root, int(1.5 * root) + 1) if count % width == 0), root)
    return across, -(-count // across)


def _as_image(model: Any, value: np.ndarray, shape: Sequence[int] | None) -> np.ndarray | None:
    """The input as an image; None where it is none."""
    if shape is not None:
        return value.reshape(picture_shape(model, shape, "plot_activations", value.size))
    if value.ndim == 3 and value.shape[-1] == 1:
        return np.asarray(value[..., 0])
    return value if value.ndim == 2 else None


def _draw_bars(axes: Any, values: np.ndarray, class_names: Sequence[Any] | None) -> None:
    """A bar a unit, the largest strong."""
    places = np.arange(values.size)
    colours = [colour_of(0) if value >= 0 else colour_of(1) for value in values]
    bars = axes.barh(places, values, color=colours)
    for place, bar in enumerate(bars):
        bar.set_alpha(1.0 if values[place] == values.max() else 0.5)
    axes.set_yticks(places, [name_class(class_names, place) for place in places], fontsize=8)
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=3)
    axes.axvline(0, color=ink(), linewidth=0.8)


def name_class(class_names: Sequence[Any] | None, label: Any) -> str:
    """The name of a class, by default its number."""
    if class_names is None:
        return str(int(label))
    if not 0 <= int(label) < len(class_names):
        raise DataError("a class has no name", where="class_names", expected=int(label) + 1, got=len(class_names))
    return plain(class_names[int(label)], limit=16)


def add_scale(axes: Any, image: Any, label: str) -> None:
    """A scale of the colours of an image beside it."""
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, pad=0.03)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


__all__ = ["add_scale", "name_class", "plot_activations", "plot_filters"]
