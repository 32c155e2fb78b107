"""How well a classifier does, drawn: confusions, calibration, its worst mistakes; and images.

In: targets, predictions, data. Out: Axes. The numbers come from `predictions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.data.arrays import check_count
from chainrule.errors import DataError
from chainrule.plots.predictions import (
    Mistake,
    as_probabilities,
    calibration,
    confusion_matrix,
    find_mistakes,
)
from chainrule.plots.style import (
    NEGATIVE,
    POSITIVE,
    STRONGEST,
    add_legend,
    clear_frame,
    colour_of,
    draw_image,
    ink,
    label_axes,
    new_axes,
    new_grid,
    plain,
)

_MOST_NUMBERED = 20  # classes up to which the cells have numbers


def plot_confusion(
    y_true: Any, y_pred: Any, class_names: Sequence[Any] | None = None, normalize: bool = False, ax: Any = None
) -> Any:
    """Which classes are taken for which: a row a true class, a column a predicted one.

    Right ones have one colour, wrong ones another, as strong as the square root of the cell's share of its row, so that
    rare confusions show.

    Args:
        y_true: labels (N,), or one-hot (N, K).
        y_pred: labels (N,), or probabilities: (N, K), or (N,) of the second of two classes.
        class_names: of the K classes; their numbers by default.
        normalize: whether cells say their share of the row instead of a count.
        ax: Axes to draw on.

    Raises:
        DataError: for other arrays, or names that do not fit.

    Example:
        >>> axes = plot_confusion([0, 1, 1, 1], [0, 1, 1, 0], ["cat", "dog"], ax="off screen")
        >>> [text.get_text() for text in axes.texts]
        ['1', '0', '1', '2']
    """
    counts = confusion_matrix(y_true, y_pred, None if class_names is None else len(class_names))
    size = len(counts)
    names = _short_names(class_names, size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(3.2 + 0.36 * size, 9.0)
    axes = new_axes(ax, (side + 0.6, side))
    axes.imshow(_colour_cells(shares), interpolation="none")
    if size <= _MOST_NUMBERED:
        letters = max(len(f"{counts.max():,}"), 4 if normalize else 1)
        font = min(11.0, 72 * 0.30 * 2.2 / letters, 130 / size)
        for (row, column), count in np.ndenumerate(counts):
            text = f"{shares[row, column]:.2f}" if normalize else f"{count:,}"
            bold = "bold" if row == column else "normal"
            faint = 0.45 if count == 0 else 1.0
            axes.text(
                column, row, text, ha="center", va="center", color=ink(), fontsize=font, fontweight=bold, alpha=faint
            )
    _name_ticks(axes, names)
    label_axes(axes, x="predicted", y="true")
    return axes


def _colour_cells(shares: np.ndarray) -> np.ndarray:
    """Colours (K, K, 4): the strength is their opacity, so that the ground shows where there is nothing."""
    from matplotlib.colors import to_rgb

    cells = np.empty((*shares.shape, 4))
    cells[..., :3] = to_rgb(NEGATIVE)
    diagonal = np.arange(len(shares))
    cells[diagonal, diagonal, :3] = to_rgb(POSITIVE)
    cells[..., 3] = STRONGEST * np.sqrt(shares)
    return cells


def _short_names(class_names: Sequence[Any] | None, size: int) -> list[str]:
    if class_names is None:
        return [str(number) for number in range(size)]
    if len(class_names) != size:
        raise DataError("the names do not fit the classes", where="class_names", expected=size, got=len(class_names))
    return [plain(name, limit=24) for name in class_names]


def _name_ticks(axes: Any, names: list[str]) -> None:
    """The classes' names; of very many every k-th."""
    every = -(-len(names) // 40)
    places = range(0, len(names), every)
    shown = [names[place] for place in places]
    slanted = len(names) * max(map(len, shown)) > 40
    font = 9 if len(names) <= _MOST_NUMBERED else 7
    turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(places, shown, fontsize=font, **turn)
    axes.set_yticks(places, shown, fontsize=font)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def plot_calibration(y_true: Any, probabilities: Any, bins: int = 10, ax: Any = None) -> Any:
    """How often predictions of a certainty are right: a reliability diagram; on the diagonal the two agree.

    A line is the share of a bin that is right, the coloured rest of its bar what the confidence differs. Below stands
    the expected calibration error, Σ |B_m| / N · |accuracy(B_m) − confidence(B_m)|.

    Args:
        y_true: labels (N,), or one-hot (N, K).
        probabilities: (N, K), or (N,) of the second of two classes.
        bins: of the confidence, from 0 to 1.
        ax: Axes to draw on.

    Raises:
        DataError: for numbers that are no probabilities, or labels without one.

    Example:
        >>> axes = plot_calibration([0, 1, 1, 0], [0.1, 0.9, 0.9, 0.9], ax="off screen")
        >>> axes.get_xlabel()
        'confidence (expected calibration error 0.150)'

    Source: Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks, ICML 2017.
    """
    found = calibration(y_true, probabilities, bins)
    axes = new_axes(ax, (5.2, 4.6))
    used = found.counts > 0
    left, width = found.edges[:-1][used], np.diff(found.edges)[used]
    accuracy, confidence = found.accuracy[used], found.confidence[used]
    low, gap = np.minimum(accuracy, confidence), np.abs(accuracy - confidence)
    axes.bar(left, low, width, align="edge", color=POSITIVE, label="right")
    for chosen, colour, label in (
        (confidence > accuracy, NEGATIVE, "too certain"),
        (accuracy > confidence, colour_of(2), "too uncertain"),
    ):
        if chosen.any():
            axes.bar(left[chosen], gap[chosen], width[chosen], low[chosen], align="edge", color=colour, label=label)
    axes.hlines(accuracy, left, left + width, color=ink(), linewidth=1.6)
    axes.plot([0, 1], [0, 1], "--", color=ink(), alpha=0.7, linewidth=1, label="as certain as right")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    label_axes(axes, x=f"confidence (expected calibration error {found.error:.3f})", y="share that is right")
    add_legend(axes, loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=4, columnspacing=0.9, handlelength=1.2)
    return axes


# -- images -------------------------------------------------------------------------------------------------------


def plot_images(images: Any, titles: Sequence[Any] | None = None, columns: int | None = None, axes: Any = None) -> Any:
    """Images side by side.

    Args:
        images: (n, height, width), or with 1, 3 or 4 channels (n, height, width, channels); whole numbers are pixels
            from 0 to 255, other numbers from 0 to 1, or, where they go beyond, from the smallest to the largest of all.
        titles: one an image.
        columns: how many in a row; by default up to 6.
        axes: n Axes to draw on.

    Returns:
        An array (n,) of Axes.

    Raises:
        DataError: for other shapes, or titles that do not fit.

    Example:
        >>> grid = plot_images(np.zeros((3, 8, 8)), titles=["a", "b", "c"], axes="off screen")
        >>> [one.get_title() for one in grid]
        ['a', 'b', 'c']
    """
    pixels = as_pictures(images)
    if titles is not None and len(titles) != len(pixels):
        raise DataError("the titles do not fit the images", where="titles", expected=len(pixels), got=len(titles))
    across = min(len(pixels), 6) if columns is None else check_count("columns", columns, where="plot_images")
    down = -(-len(pixels) // across)
    grid = new_grid(len(pixels), axes, across, (1.35 * across, (1.35 if titles is None else 1.6) * down))
    for place, (one, picture) in enumerate(zip(grid, pixels, strict=True)):
        draw_image(one, picture, cmap="gray", vmin=0, vmax=1)
        if titles is not None:
            one.set_title(plain(titles[place], limit=40), fontsize=9)
    return grid


def is_pictures(values: Any) -> bool:
    """Whether an array has the shape of images."""
    shape = np.shape(values)
    return len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4))


def as_pictures(images: Any) -> np.ndarray:
    """Images as numbers from 0 to 1, (n, height, width) or with 3 or 4 channels."""
    array = np.asarray(images)
    if not is_pictures(array) or not array.size or array.dtype.kind not in "biuf":
        raise DataError(
            "these are no images",
            where="images",
            expected="numbers (n, height, width) or (n, height, width, 1, 3 or 4)",
            got=f"{array.dtype} {array.shape}",
            fix="reshape rows of pixels: x.reshape(-1, 28, 28)",
        )
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return array / 255.0
    wide = np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = min(wide.min(), 0.0), max(wide.max(), 1.0)
    if low == 0.0 and high == 1.0:
        return wide
    return (wide - wide.min()) / ((wide.max() - wide.min()) or 1.0)


def plot_mistakes(
    x: Any,
    y_true: Any,
    probabilities: Any,
    count: int = 12,
    class_names: Sequence[Any] | None = None,
    axes: Any = None,
) -> Any:
    """The mistakes of which a classifier is most certain: images, titled ``3 → 5 (0.98)``, or rows of a table.

    Args:
        x: the data that the predictions are of, (N, …); images as `plot_images` takes them.
        y_true: labels (N,), or one-hot (N, K).
        probabilities: (N, K), or (N,) of the second of two classes.
        count: how many at most.
        class_names: of the K classes; their numbers by default.
        axes: `count` Axes to draw on, those without a mistake stay empty; for a table, or no mistakes, one.

    Returns:
        An array of the Axes.

    Raises:
        DataError: for arrays that do not fit.

    Example:
        >>> grid = plot_mistakes(np.zeros((3, 8, 8)), [0, 1, 1], [0.6, 0.9, 0.02], axes="off screen")
        >>> [one.get_title() for one in grid]
        ['1 → 0 (0.98)', '0 → 1 (0.60)']
    """
    most = check_count("count", count, where="plot_mistakes")
    data = np.asarray(x)
    if len(data) != len(np.asarray(y_true)):
        raise DataError("x and y_true differ in rows", where="x", expected=len(np.asarray(y_true)), got=len(data))
    found = find_mistakes(y_true, probabilities, most)
    names = _short_names(class_names, as_probabilities("probabilities", probabilities).shape[1])
    titles = [f"{names[one.true]} → {names[one.predicted]} ({one.confidence:.2f})" for one in found]
    given = axes is not None and not isinstance(axes, str)
    if found and is_pictures(data):
        pixels = data[[one.row for one in found]]
        grid = list(np.asarray(axes, dtype=object).reshape(-1)) if given else axes
        spare = grid[len(found) :] if isinstance(grid, list) else []
        drawn = plot_images(pixels, None, None, grid[: len(found)] if isinstance(grid, list) else grid)
        for one, title in zip(drawn, titles, strict=True):
            one.set_title(title, fontsize=9)
        for one in spare:
            one.set_axis_off()
        return np.asarray(grid, dtype=object) if given else drawn
    grid = new_grid(1, axes, size=(6.4, 0.5 + 0.28 * max(len(found), 1)))
    _draw_table(grid[0], data, found, titles)
    return grid


def _draw_table(axes: Any, data: np.ndarray, found: Sequence[Mistake], titles: Sequence[str]) -> None:
    """The mistakes as rows of text: number, classes, and the first features."""
    clear_frame(axes)
    if not found:
        axes.text(0.5, 0.5, "no mistakes", ha="center", va="center", color=ink(), transform=axes.transAxes)
        return
    flat = data.reshape(len(data), -1)
    shown = min(flat.shape[1], 5)
    head = ["row", "true → taken for", *(f"x[{place}]" for place in range(shown))]
    cells = [
        [str(one.row), title, *(plain(_short(value), limit=12) for value in flat[one.row, :shown])]
        for one, title in zip(found, titles, strict=True)
    ]
    table = axes.table(cellText=cells, colLabels=head, loc="center", cellLoc="left", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    table.auto_set_column_width(list(range(len(head))))
    for (row, _), cell in table.get_celld().items():
        cell.get_text().set_color(ink())
        cell.set_edgecolor(ink())
        cell.set_facecolor("none")
        cell.set_linewidth(0.8 if row == 0 else 0.3)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


__all__ = [
    "as_pictures",
    "is_pictures",
    "plot_calibration",
    "plot_confusion",
    "plot_images",
    "plot_mistakes",
]
