"""How every plot looks, and a plot as SVG for a page.

In: Axes of matplotlib, or nothing. Out: Axes in this project's style, and SVG text that stands in a page of HTML. The
settings of matplotlib (`rcParams`) stay as they are; the style is set on each Axes.

Ink (axes, ticks, text) is black, or what the user's matplotlib has for text; in SVG it becomes `currentColor`, the
colour of the page's text, so that a plot reads on light, on dark and on paper. Data have the colours of `PALETTE`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.interop.archive import write_file
from chainrule.plots.svg import embed_svg

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#a578ff", "#870fff", "#964b78", "#c31e2d", "#7896b4")
"""Colours of data, the first three Okabe and Ito's. Each has a contrast of at least 3 to white and to near-black
(#111111); any two differ in OKLab by 0.08 for normal sight, protanopia, deuteranopia, and by 0.05 for tritanopia."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Beside colour a second sign of what belongs together."""

POSITIVE, NEGATIVE = PALETTE[0], PALETTE[1]
"""Colours of the sign of a number."""

STRONGEST = 0.85
"""Opacity of the strongest colour in a heat map: black text on it on a white ground, and white on black, has a contrast
of more than 4.5."""

OFF_SCREEN = "off screen"
"""Given as `ax`: a new figure of which no window and no notebook knows, for `figure_to_svg`."""

RASTER_LIMIT = 1000
"""Points beyond which they are drawn as an image."""

_INK_BY_GROUND = "svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}"
"""The ink of a file of its own, which has no page to take it from."""


def require_matplotlib() -> Any:
    """The module matplotlib.

    Raises:
        ChainruleError: where it is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise ChainruleError("plots need matplotlib", fix="pip install 'chainrule[plots]'") from None
    return matplotlib


# -- axes ---------------------------------------------------------------------------------------------------------


def new_axes(ax: Any = None, size: tuple[float, float] = (6.4, 4.0), projection: str | None = None) -> Any:
    """Axes in this project's style.

    Args:
        ax: Axes to draw on; None for a new figure of pyplot; `OFF_SCREEN` for a figure without a window.
        size: width and height of a new figure in inches.
        projection: ``"3d"`` for Axes in space.

    Raises:
        ChainruleError: where matplotlib is missing, or `ax` is none of these.

    Example:
        >>> axes = new_axes(OFF_SCREEN)
        >>> new_axes(axes) is axes
        True
    """
    return new_grid(1, ax, size=size, projection=projection)[0]


def new_grid(
    count: int,
    axes: Any = None,
    columns: int | None = None,
    size: tuple[float, float] = (6.4, 4.0),
    projection: str | None = None,
) -> Any:
    """An array (count,) of Axes in this project's style, in rows of `columns`.

    Args:
        count: how many.
        axes: as many Axes to draw on, in an array of any shape or a list; None or `OFF_SCREEN` as in `new_axes`.
        columns: how many lie side by side; all by default.
        size: width and height in inches of the whole new figure.
        projection: as in `new_axes`.

    Raises:
        ChainruleError: where matplotlib is missing, or other things than `count` Axes are given.

    Example:
        >>> new_grid(5, OFF_SCREEN, columns=3).shape
        (5,)
    """
    require_matplotlib()
    if axes is None or (isinstance(axes, str) and axes == OFF_SCREEN):
        found = _make_grid(count, axes, columns or count, size, projection)
    else:
        found = _check_axes(count, axes, projection)
    for one in found:
        _style_axes(one)
    result = np.empty(count, dtype=object)
    result[:] = found
    return result


def _make_grid(count: int, where: Any, columns: int, size: tuple[float, float], projection: str | None) -> list[Any]:
    from matplotlib.figure import Figure

    if where is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=size, layout="constrained")
    else:
        figure = Figure(figsize=size, layout="constrained")
    rows = -(-count // columns)
    # Axes in space keep the colour of their grid from when they are made: grey, faint on any ground.
    with require_matplotlib().rc_context({"grid.color": "#80808055"}):
        return [figure.add_subplot(rows, columns, place + 1, projection=projection) for place in range(count)]


def _check_axes(count: int, axes: Any, projection: str | None) -> list[Any]:
    from matplotlib.axes import Axes

    found = list(np.asarray(axes, dtype=object).reshape(-1))
    wanted = "one Axes" if count == 1 else f"{count} Axes"
    if len(found) != count or not all(isinstance(one, Axes) for one in found):
        got = f"{len(found)} Axes" if all(isinstance(one, Axes) for one in found) else repr(axes)[:60]
        raise ChainruleError("the plot does not fit on what it is to be drawn on", expected=wanted, got=got)
    for one in found:
        if (projection or "rectilinear") != one.name:
            raise ChainruleError(
                "the plot needs Axes of another kind",
                expected=f"projection={projection!r}",
                got=f"projection={one.name!r}",
                fix="leave ax out, or make it with figure.add_subplot(projection=…)",
            )
    return found


def _style_axes(axes: Any) -> None:
    """Thin lines on two sides, small ticks."""
    if axes.name == "3d":
        return
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_linewidth(0.8)
    axes.tick_params(labelsize=9)


def label_axes(axes: Any, title: str = "", x: str = "", y: str = "", grid: bool = False) -> None:
    """Title and names of the axes, which may come from data; `grid` draws faint lines behind them."""
    if title:
        axes.set_title(plain(title), fontsize=11)
    if x:
        axes.set_xlabel(plain(x), fontsize=10)
    if y:
        axes.set_ylabel(plain(y), fontsize=10)
    if grid:
        axes.grid(True, color=ink(), alpha=0.15, linewidth=0.6)
        axes.set_axisbelow(True)


def add_legend(axes: Any, **options: Any) -> Any:
    """A legend without a frame of its own colour, where anything has a label."""
    if axes.get_legend_handles_labels()[0]:
        return axes.legend(frameon=False, fontsize=9, **options)
    return None


def scatter(axes: Any, *places: Any, **options: Any) -> Any:
    """Points; where there are many, they become one image in a figure that is otherwise lines and text."""
    return axes.scatter(*places, rasterized=np.size(places[0]) > RASTER_LIMIT, **options)


def draw_image(axes: Any, pixels: Any, **options: Any) -> Any:
    """Pixels or a heat map, which take as few bytes in SVG as they have cells; without a frame."""
    clear_frame(axes)
    return axes.imshow(pixels, interpolation="none", **options)


def clear_frame(axes: Any) -> None:
    """No ticks and no lines around, as for an image."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


# -- colours and text ---------------------------------------------------------------------------------------------


def ink() -> Any:
    """The colour of text, by which the user's own style of matplotlib is followed."""
    return require_matplotlib().rcParams["text.color"]


def colour_of(place: int) -> str:
    """The colour of the series or class at a place; beyond the palette they come again, with another `marker_of`."""
    return PALETTE[place % len(PALETTE)]


def marker_of(place: int) -> str:
    """The marker of the series or class at a place; no two of the first 64 share marker and colour."""
    return MARKERS[(place + place // len(PALETTE)) % len(MARKERS)]


def sequential_colours(colour: str = PALETTE[0]) -> Any:
    """A colormap from nothing (the ground shows) to a colour of middle lightness.

    Ink is legible on all of it, on a light ground and on a dark one, so numbers in cells need no second colour.
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    red, green, blue = to_rgb(colour)
    return LinearSegmentedColormap.from_list(
        "chainrule_sequential", [(red, green, blue, 0.0), (red, green, blue, STRONGEST)]
    )


def diverging_colours() -> Any:
    """A colormap from `NEGATIVE` through nothing (the ground shows) to `POSITIVE`."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    low, high = to_rgba(NEGATIVE, STRONGEST), to_rgba(POSITIVE, STRONGEST)
    middle = [(*low[:3], 0.0), (*high[:3], 0.0)]
    places = [0.0, 0.5, 0.5, 1.0]
    colours = [low, *middle, high]
    return LinearSegmentedColormap.from_list("chainrule_diverging", list(zip(places, colours, strict=True)))


def plain(text: object, limit: int = 200) -> str:
    """Text from data as matplotlib shows it letter by letter: no formulas, one line, only characters that XML has.

    Example:
        >>> plain("cost in $, not in $x^2$")
        'cost in \\\\$, not in \\\\$x^2\\\\$'
    """
    line = " ".join(str(text).split())
    line = re.sub(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", line)
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return line.replace("$", r"\$")


# -- SVG ----------------------------------------------------------------------------------------------------------


def figure_to_svg(figure: Any, title: str, description: str = "") -> str:
    """A figure as SVG text that stands in a page of HTML.

    Ink becomes `currentColor` and the ground transparent; text stays text; every id is the figure's own, so that
    several figures stand in one page; the same figure gives the same bytes; nothing is asked for from outside.

    Args:
        figure: a figure of matplotlib, or Axes or an array of Axes that lie on one.
        title: what a screen reader says, and a tooltip shows.
        description: a sentence or two of what is to be seen, for those who do not see it.

    Raises:
        ChainruleError: for something that is no figure.

    Example:
        >>> axes = new_axes(OFF_SCREEN)
        >>> lines = axes.plot([1, 2], [3, 4], color=PALETTE[0])
        >>> figure_to_svg(axes, "A line")[:43]
        '<svg xmlns="http://www.w3.org/2000/svg" vie'
    """
    matplotlib = require_matplotlib()
    figure = _figure_of(figure)
    buffer = io.BytesIO()
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "chainrule",
        "svg.image_inline": True,
        "image.composite_image": False,  # images whose interpolation is "none" keep their few pixels
    }
    with matplotlib.rc_context(settings):
        # A figure that the user's own style gave a colour for its ground has none here.
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            pad_inches=0.06,
            dpi=150,
            metadata={"Date": None, "Creator": None},
        )
    words = [plain(text, limit=1000).replace(r"\$", "$") for text in (title, description)]
    return embed_svg(buffer.getvalue(), _ink_colours(matplotlib), *words)


def save_svg(figure: Any, path: Any, title: str, description: str = "") -> None:
    """Write a figure as an SVG file that reads on a light and on a dark ground.

    Args:
        figure, title, description: as of `figure_to_svg`.
        path: of the file; it is written whole or not at all.

    Example:
        >>> axes = new_axes(OFF_SCREEN)
        >>> lines = axes.plot([1, 2], [3, 4], color=PALETTE[0])
        >>> save_svg(axes, "line.svg", "A line")
    """
    root, rest = figure_to_svg(figure, title, description).split(">", 1)
    write_file(path, f"{root}><style>{_INK_BY_GROUND}</style>{rest}\n".encode())


def _figure_of(figure: Any) -> Any:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    if isinstance(figure, Sequence | np.ndarray) and not isinstance(figure, str) and len(figure):
        figure = np.asarray(figure, dtype=object).reshape(-1)[0]
    found = figure.get_figure(root=True) if isinstance(figure, Artist) else None
    if not isinstance(found, Figure):
        raise ChainruleError("this is no figure", where="figure_to_svg", expected="a Figure or Axes", got=type(figure))
    return found


def _ink_colours(matplotlib: Any) -> set[str]:
    """What black and the user's own style have for axes, ticks and text."""
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return {"#000000", *(matplotlib.colors.to_hex(matplotlib.rcParams[name]) for name in names)}
