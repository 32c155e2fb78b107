"""A network as the textbook draws it: neurons as circles, layer by layer, weights as lines between them.

In: a built model. Out: the Axes that it is drawn on. Layers that stand in one line and hold neurons become columns of
circles; anything else, such as a model that branches, becomes boxes and arrows, arranged as in `utils/drawing.py`. What
repeats, as in a deep network, is drawn once and counted.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.plots.style import (
    NEGATIVE,
    POSITIVE,
    add_legend,
    clear_frame,
    colour_of,
    ink,
    new_axes,
    plain,
    require_matplotlib,
)
from chainrule.utils import drawing
from chainrule.utils.drawing import Box

_RADIUS = 0.34
_COLUMN = 2.9  # from one column of neurons to the next, in distances between neurons
_MOST_WEIGHTS = 2000
_PIXELS = 96  # an inch, in which `utils/drawing.py` counts


def plot_network(model: Any, most: int = 10, ax: Any = None) -> Any:
    """Draw a model: a column of circles a layer of neurons, or boxes where layers branch.

    A line is a weight: its colour the sign, its width the size, compared with the layer's largest. Where a layer has
    more neurons than are drawn, lines only tell what is connected. Layers without neurons stand below those that they
    follow; what repeats stands once, with how many times.

    Args:
        model: a built model.
        most: circles in a column; of more neurons some are left out.
        ax: Axes to draw on.

    Raises:
        ChainruleError: for a model that is not built.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(3, "tanh"), cr.layers.Dense(1)])
        >>> len(plot_network(model, ax="off screen").patches)
        6
    """
    model.require_built()
    columns = columns_of(model)
    if columns is None:
        return _draw_boxes(model, ax)
    return _draw_columns(_collapse_columns(columns), max(most, 3), ax)


# -- what repeats -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Neighbours in a list: `period` entries from `start`, that come `count` times."""

    start: int
    period: int
    count: int


def find_repeats(signatures: Sequence[Hashable], longest: int = 12) -> list[Part]:
    """Divide a list into parts, runs that repeat three times or more and single entries, so that few entries are left.

    Args:
        longest: the period of a run at most.

    Example:
        >>> find_repeats(["in", "a", "b", "a", "b", "a", "b", "out"])
        [Part(start=0, period=1, count=1), Part(start=1, period=2, count=3), Part(start=7, period=1, count=1)]
    """
    size = len(signatures)
    equal = {period: [0] * (size + 1) for period in range(1, min(longest, size // 3) + 1)}
    best: list[tuple[int, Part]] = []  # from the last place to the first: entries left from there on, and the part
    left = [0] * (size + 1)
    for place in reversed(range(size)):
        choices = [(1 + left[place + 1], Part(place, 1, 1))]
        for period, run in equal.items():
            # How many entries from here on are those of a period later.
            same = place + period < size and signatures[place] == signatures[place + period]
            run[place] = run[place + 1] + 1 if same else 0
            count = 1 + run[place] // period
            if count >= 3:
                choices.append((period + left[place + period * count], Part(place, period, count)))
        best.append(min(choices, key=lambda choice: (choice[0], -choice[1].period * choice[1].count)))
        left[place] = best[-1][0]
    parts: list[Part] = []
    place = 0
    while place < size:
        parts.append(best[size - 1 - place][1])
        place += parts[-1].period * parts[-1].count
    return parts


# -- columns of neurons -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A layer of neurons.

    Args:
        units: how many.
        name: of the layer.
        lines: what else stands below: the activation, layers that follow and have no neurons.
        kernel: weights from the column before, (units there, units).
        count, span: how often it comes, with the columns after it, `span` in all.
    """

    units: int
    name: str
    lines: tuple[str, ...] = ()
    kernel: np.ndarray | None = None
    count: int = 1
    span: int = 1


def columns_of(model: Any) -> list[Column] | None:
    """The layers of neurons of a model whose layers follow one another; None for another model."""
    kinds = model.input_kinds()
    if len(kinds) != 1 or not _is_chain(model):
        return None
    shape = kinds[0][0]
    text = " × ".join(map(str, shape)) or "1"
    columns = [Column(math.prod(shape), "inputs", (text,))]
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        last = columns[-1]
        kernel = getattr(layer, "kernel", None)
        result = layer.result_shape
        if not isinstance(result, tuple) or not all(isinstance(size, int) for size in result):
            return None
        if kernel is not None and tuple(kernel.shape) == (last.units, math.prod(result)):
            activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
            lines = (str(kernel.shape[1]), *([activation] if activation != "linear" else []))
            columns.append(Column(kernel.shape[1], layer.name, lines, np.asarray(kernel.numpy(), dtype=np.float64)))
        elif kernel is None and math.prod(result) == last.units:
            kind = type(layer).__name__
            columns[-1] = replace(last, lines=(*last.lines, kind))
        else:
            return None
    return columns if len(columns) > 1 else None


def _is_chain(model: Any) -> bool:
    """Whether each layer takes what the one before gives, and nothing else is done."""
    if model.network is None:
        return bool(model.layers) and model.gives_outputs and hasattr(model, "add")
    boxes = drawing.boxes_of_network(model.network, False, False, True)
    line = all(after.parents == [before] for before, after in pairwise(boxes))
    return line and len(boxes) == len(model.layers)


def _collapse_columns(columns: Sequence[Column]) -> list[Column]:
    """One of each that repeats, with how many times."""
    shapes = [None if column.kernel is None else column.kernel.shape for column in columns]
    kept: list[Column] = []
    for part in find_repeats([(column.lines, shape) for column, shape in zip(columns, shapes, strict=True)]):
        chosen = list(columns[part.start : part.start + part.period])
        chosen[0] = replace(chosen[0], count=part.count, span=part.period)
        kept.extend(chosen)
    return kept


def _places(units: int, most: int) -> tuple[list[int], np.ndarray]:
    """The numbers of the neurons that are drawn, and their heights."""
    if units <= most:
        return list(range(units)), (units - 1) / 2 - np.arange(units, dtype=np.float64)
    upper, lower = (most + 1) // 2, most // 2
    heights = (most + 1) / 2 - np.concatenate([np.arange(upper), np.arange(upper + 2, most + 2)])
    return [*range(upper), *range(units - lower, units)], heights


def _draw_columns(columns: Sequence[Column], most: int, ax: Any) -> Any:
    require_matplotlib()
    from matplotlib.patches import Circle

    tallest = max(min(column.units, most + 2) for column in columns)
    width = _COLUMN * (len(columns) - 1)
    axes = new_axes(ax, (min(0.5 * (width + 3), 16.0), min(0.36 * tallest + 1.5, 9.0)))
    clear_frame(axes)
    axes.set_aspect("equal")
    bottom, top = -tallest / 2 - 0.3, tallest / 2 + 0.3
    places = [_places(column.units, most) for column in columns]
    for number, (before, after) in enumerate(pairwise(places)):
        _draw_weights(axes, columns[number + 1], columns[number], before, after, number * _COLUMN)
    for number, (column, (drawn, heights)) in enumerate(zip(columns, places, strict=True)):
        x = number * _COLUMN
        colour = colour_of(2) if number == 0 else colour_of(0)
        for height in heights:
            axes.add_patch(Circle((x, height), _RADIUS, facecolor=colour, edgecolor=ink(), linewidth=0.8, zorder=3))
        if len(drawn) < column.units:
            for step in (-0.28, 0.0, 0.28):
                middle = (heights[(most + 1) // 2 - 1] + heights[(most + 1) // 2]) / 2
                axes.plot([x], [middle + step], "o", color=ink(), markersize=2, zorder=3)
        text = "\n".join(plain(line, limit=18) for line in (column.name, *column.lines))
        axes.text(x, bottom, text, ha="center", va="top", color=ink(), fontsize=9, linespacing=1.35)
        if column.count > 1:
            left, right = x - 0.8, x + (column.span - 1) * _COLUMN + 0.8
            axes.plot([left, left, right, right], [top - 0.15, top, top, top - 0.15], color=ink(), linewidth=1)
            middle, text = (left + right) / 2, f"× {column.count}"
            axes.text(middle, top + 0.1, text, ha="center", va="bottom", color=ink(), fontsize=10, fontweight="bold")
    axes.set_xlim(-1.4, width + 1.4)
    deepest = max(len(column.lines) for column in columns) + 1
    axes.set_ylim(bottom - 0.62 * deepest, top + (0.9 if any(column.count > 1 for column in columns) else 0))
    add_legend(axes, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return axes


def _draw_weights(axes: Any, column: Column, source: Column, before: Any, after: Any, x: float) -> None:
    """The lines into a column."""
    from matplotlib.collections import LineCollection

    (drawn_before, heights_before), (drawn_after, heights_after) = before, after
    rows, across = np.meshgrid(np.arange(len(drawn_before)), np.arange(len(drawn_after)), indexing="ij")
    starts = np.stack([np.full(rows.size, x + _RADIUS), heights_before[rows.ravel()]], axis=1)
    ends = np.stack([np.full(rows.size, x + _COLUMN - _RADIUS), heights_after[across.ravel()]], axis=1)
    lines: Any = np.stack([starts, ends], axis=1)
    whole = len(drawn_before) == source.units and len(drawn_after) == column.units
    if column.kernel is None or not whole or rows.size > _MOST_WEIGHTS:
        axes.add_collection(LineCollection(lines, colors=ink(), alpha=0.18, linewidths=0.6, zorder=1))
        return
    weights = np.nan_to_num(column.kernel.ravel(), posinf=0.0, neginf=0.0)
    widths = 0.4 + 2.2 * np.abs(weights) / (np.abs(weights).max() or 1.0)
    for sign, colour, label in ((1, POSITIVE, "positive weight"), (-1, NEGATIVE, "negative weight")):
        chosen = np.sign(weights) == sign
        if chosen.any():
            named = label in axes.get_legend_handles_labels()[1]
            drawn = LineCollection(lines[chosen], colors=colour, linewidths=widths[chosen], zorder=1)
            drawn.set_label("_" if named else label)
            axes.add_collection(drawn)


# -- boxes --------------------------------------------------------------------------------------------------------


def _draw_boxes(model: Any, ax: Any) -> Any:
    """Layers as boxes, from the inputs down."""
    require_matplotlib()
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path

    boxes, parts = collapse_boxes(drawing.boxes_of(model, True, False, True))
    width, height = drawing.arrange(boxes)
    brackets = max(width, drawing.right_edge(boxes))
    width = brackets + (60 if parts else 0)
    axes = new_axes(ax, (width / _PIXELS, height / _PIXELS))
    clear_frame(axes)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal")
    scale = 1.0 if ax is None or isinstance(ax, str) else _scale_of(axes, width, height)
    curve = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    for box in boxes:
        for parent in box.parents:
            *points, (end, _) = drawing.curve_between(parent, box, boxes)
            path = Path([*points, (end, box.y)], curve)
            axes.add_patch(
                FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=9 * scale, color=ink(), linewidth=scale)
            )
        corner, size = (box.x + 3, box.y + 3), (box.width - 6, box.height - 6)
        ground = FancyBboxPatch(corner, *size, boxstyle="round,pad=3", facecolor=POSITIVE, alpha=0.15, linewidth=0)
        outline = FancyBboxPatch(corner, *size, boxstyle="round,pad=3", fill=False, edgecolor=ink(), linewidth=0.8)
        axes.add_patch(ground)
        axes.add_patch(outline)
        for place, line in enumerate(box.lines):
            x, y, text = box.x + 10, box.y + 16 + 17 * place, plain(line, limit=60)
            weight = "normal" if place else "bold"
            axes.text(x, y, text, va="center", color=ink(), fontsize=8.5 * scale, fontweight=weight)
    for part in parts:
        first, last = boxes[part.start], boxes[part.start + part.period - 1]
        top, bottom, x = first.y, last.y + last.height, brackets
        axes.plot([x - 5, x, x, x - 5], [top, top, bottom, bottom], color=ink(), linewidth=1)
        text, middle = f"× {part.count}", (top + bottom) / 2
        axes.text(x + 8, middle, text, va="center", color=ink(), fontsize=10 * scale, fontweight="bold")
    return axes


def _scale_of(axes: Any, width: float, height: float) -> float:
    """How much smaller than the drawing in pixels the given Axes are."""
    room, (across, down) = axes.get_position(), axes.get_figure(root=True).get_size_inches()
    return float(min(1.0, room.width * across * _PIXELS / width, room.height * down * _PIXELS / height))


def collapse_boxes(boxes: Sequence[Box]) -> tuple[list[Box], list[Part]]:
    """Boxes without those that repeat others, and the parts of what is left that come several times."""
    numbers = {id(box): number for number, box in enumerate(boxes)}
    signatures = [
        (
            tuple(line.split(": ", 1)[-1] for line in box.lines),  # without the layer's name
            tuple(number - numbers[id(parent)] for parent in box.parents),
        )
        for number, box in enumerate(boxes)
    ]
    kept: list[Box] = []
    stands_for: dict[int, Box] = {}
    repeated: list[Part] = []
    for part in find_repeats(signatures):
        if part.count > 1:
            repeated.append(replace(part, start=len(kept)))
        for step in range(part.period * part.count):
            box = boxes[part.start + step]
            if step < part.period:
                parents = [stands_for[numbers[id(parent)]] for parent in box.parents]
                kept.append(Box(box.lines, list(dict.fromkeys(parents))))
                stands_for[part.start + step] = kept[-1]
            else:
                stands_for[part.start + step] = stands_for[part.start + step % part.period]
    return kept, repeated


__all__ = ["Column", "Part", "collapse_boxes", "columns_of", "find_repeats", "plot_network"]
