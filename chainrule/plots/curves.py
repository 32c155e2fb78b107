"""Curves: what training recorded, functions and their slopes, and what a model has fitted.

In: a history, functions, a model and its data. Out: the Axes that they are drawn on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.autodiff.reverse import grad
from chainrule.errors import ChainruleError
from chainrule.plots.style import add_legend, colour_of, ink, label_axes, new_axes, new_grid, plain, scatter

_FEW = 12  # points, so few that each is marked
_DASHES = ("-", "--", "-.", ":")  # beside colour a second sign of which curve is which

# -- histories ----------------------------------------------------------------------------------------------------


def plot_history(history: Any, names: Sequence[str] | str | None = None, ax: Any = None) -> Any:
    """Loss and metrics by epoch: one panel a name, training as a line, validation dashed.

    Args:
        history: what `fit` returned, or its dict of numbers by name; several of them by label, to compare them. A name
            with fewer numbers than there are epochs, as ``validation_freq=k`` gives, has them at every k-th epoch.
        names: those to draw, without ``val_``; all by default.
        ax: one Axes for one panel (the loss, unless `names` says another), or as many Axes as there are panels.

    Returns:
        The Axes where one was given, else an array of them.

    Raises:
        ChainruleError: for a history without epochs, or without a name asked for.

    Example:
        >>> axes = plot_history({"loss": [0.9, 0.5], "val_loss": [1.0, 0.7], "accuracy": [0.6, 0.8]}, ax="off screen")
        >>> [panel.get_ylabel() for panel in axes]
        ['loss', 'accuracy']
    """
    runs = _runs_of(history)
    known = list(dict.fromkeys(name.removeprefix("val_") for run in runs.values() for name in run[1]))
    single = ax is not None and not isinstance(ax, str | Sequence | np.ndarray)
    chosen = _choose_names(names, known, single)
    columns = min(len(chosen), 2)
    size = (6.4 if columns == 1 else 9.6, 3.6 * -(-len(chosen) // columns))
    panels = new_grid(len(chosen), ax, columns, size)
    for panel, name in zip(panels, chosen, strict=True):
        for place, (label, run) in enumerate(runs.items()):
            _draw_run(panel, name, run, label, colour_of(place), colour_of(place if len(runs) > 1 else 1))
        label_axes(panel, x="epoch", y=name, grid=True)
        panel.xaxis.get_major_locator().set_params(integer=True)
        add_legend(panel)
    return panels[0] if single else panels


Run = tuple[list[int], Mapping[str, Sequence[float]]]
"""Numbers of epochs, from 1, and what was recorded by name."""


def _runs_of(history: Any) -> dict[str, Run]:
    """Histories by label."""
    several = isinstance(history, Mapping) and history and all(_is_history(one) for one in history.values())
    runs = {str(label): _read(one) for label, one in (history if several else {"": history}).items()}
    for label, (epochs, recorded) in runs.items():
        if not epochs or not recorded:
            raise ChainruleError(
                "there is no epoch to draw",
                where="plot_history" + (f", {label!r}" if label else ""),
                expected="what fit returned, a dict of lists of numbers, or several of them by label",
                got=f"{len(recorded)} names and {len(epochs)} epochs",
                fix="train with epochs=1 or more",
            )
    return runs


def _is_history(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "history")


def _read(history: Any) -> Run:
    recorded = history if isinstance(history, Mapping) else getattr(history, "history", None)
    if not isinstance(recorded, Mapping):
        raise ChainruleError(
            "this is no history", where="plot_history", expected="what fit returned, or a dict", got=type(history)
        )
    wrong = [name for name, values in recorded.items() if np.ndim(values) != 1]
    if wrong:
        raise ChainruleError(
            "a history holds one number an epoch",
            where=f"plot_history, {wrong[0]!r}",
            expected="a list of numbers",
            got=repr(recorded[wrong[0]])[:60],
        )
    longest = max((len(values) for values in recorded.values()), default=0)
    numbers = list(getattr(history, "epoch", []))
    # A history that went on through several calls of `fit` has the epochs of the last call alone.
    epochs = [number + 1 for number in numbers] if len(numbers) == longest else list(range(1, longest + 1))
    return epochs, recorded


def _choose_names(names: Sequence[str] | str | None, known: list[str], single: bool) -> list[str]:
    if names is None:
        ordered = sorted(known, key=lambda name: name != "loss")  # the loss first, the others as they were recorded
        return ordered[:1] if single else ordered
    chosen = list(dict.fromkeys(name.removeprefix("val_") for name in ([names] if isinstance(names, str) else names)))
    missing = [name for name in chosen if name not in known]
    if missing or not chosen:
        raise ChainruleError(
            "the history has no such name", where="plot_history", expected=", ".join(known), got=", ".join(missing)
        )
    return chosen


def _draw_run(axes: Any, name: str, run: Run, label: str, trained: str, validated: str) -> None:
    epochs, recorded = run
    both = all(len(recorded.get(prefix + name, ())) for prefix in ("", "val_"))
    for prefix, colour, dashes, kind in (("", trained, "-", "training"), ("val_", validated, "--", "validation")):
        values = recorded.get(prefix + name)
        if values is None or not len(values):
            continue
        every = len(epochs) // len(values)
        where = epochs[every - 1 :: every][: len(values)]
        text = ", ".join(filter(None, (plain(label), kind if both or not label else "")))
        marker = "o" if len(values) <= _FEW else None
        axes.plot(where, list(values), dashes, color=colour, label=text, marker=marker, markersize=4, linewidth=1.6)


# -- functions ----------------------------------------------------------------------------------------------------


def plot_functions(
    functions: Any, low: float = -4.0, high: float = 4.0, derivative: bool = False, count: int = 401, ax: Any = None
) -> Any:
    """Functions of one number as curves, and their slopes, dashed, which the chain rule gives.

    Args:
        functions: one function, several in a list, or by label. Each takes an array (n,) and gives one, element by
            element: activations, or losses as functions of the prediction.
        low, high: from where to where.
        derivative: whether the slopes are drawn as well.
        count: points on each curve.
        ax: Axes to draw on.

    Raises:
        ChainruleError: for a function that does not give one number for each.

    Example:
        >>> import chainrule as cr
        >>> axes = plot_functions([cr.activations.relu, cr.activations.tanh], derivative=True, ax="off screen")
        >>> axes.get_legend_handles_labels()[1]
        ['relu', 'slope of relu', 'tanh', 'slope of tanh']
        >>> def squared(prediction):
        ...     return cr.losses.mean_squared_error(np.ones((len(prediction), 1)), prediction[:, None])
        >>> axes = plot_functions({"squared error, target 1": squared}, ax=axes)
    """
    named = _name_functions(functions)
    if not low < high:
        raise ChainruleError("there is nothing between", where="plot_functions", expected="low < high", got=(low, high))
    axes = new_axes(ax)
    x = np.linspace(low, high, count)
    for place, (label, function) in enumerate(named.items()):
        y = _values(function, x, "plot_functions", label)
        axes.plot(x, y, color=colour_of(place), label=plain(label), linewidth=1.8)
        if derivative:
            slope = np.asarray(grad(lambda v, f=function: ops.sum(f(v)))(x))
            axes.plot(x, slope, "--", color=colour_of(place), label=plain(f"slope of {label}"), linewidth=1.4)
    axes.axhline(0, color=ink(), alpha=0.4, linewidth=0.8, zorder=0.5)
    axes.axvline(0, color=ink(), alpha=0.4, linewidth=0.8, zorder=0.5)
    label_axes(axes, x="x", y="f(x)", grid=True)
    add_legend(axes)
    return axes


def _name_functions(functions: Any) -> dict[str, Callable[[Any], Any]]:
    """Functions by label."""
    if callable(functions):
        functions = [functions]
    if not isinstance(functions, Mapping):
        functions = {str(getattr(function, "__name__", type(function).__name__)): function for function in functions}
    if not functions or not all(callable(function) for function in functions.values()):
        raise ChainruleError(
            "there is no function to draw", where="plot_functions", expected="functions", got=repr(functions)[:60]
        )
    return {str(label): function for label, function in functions.items()}


def _values(function: Callable[[Any], Any], x: np.ndarray, where: str, label: str) -> np.ndarray:
    """The function's numbers at x, (n,)."""
    y = np.asarray(function(x))
    if y.shape != x.shape:
        raise ChainruleError(
            "the function does not give one number for each",
            where=f"{where}, {label!r}",
            expected=f"an array {x.shape}",
            got=f"an array {y.shape}",
            fix="losses take a column: f(y_true, x[:, None])",
        )
    return y


# -- fits ---------------------------------------------------------------------------------------------------------


def plot_fit(models: Any, x: Any, y: Any, fade: bool = False, ax: Any = None) -> Any:
    """Data of one feature as points, and what models make of it as curves.

    Args:
        models: a model or a function of an array (n,); several by label, such as a line after each step.
        x, y: data, (N,) or (N, 1).
        fade: whether the curves share a colour and the earlier are fainter, as for steps of one training.
        ax: Axes to draw on.

    Raises:
        ChainruleError: for data of another shape, or a model that does not give one number a row.

    Example:
        >>> x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.9, 5.1])
        >>> steps = {"start": lambda x: 0 * x, "end": lambda x: 2 * x + 1}
        >>> [line.get_label() for line in plot_fit(steps, x, y, fade=True, ax="off screen").lines]
        ['start', 'end']
    """
    x, y = _column("x", x, "plot_fit"), _column("y", y, "plot_fit")
    _check_rows(x, y, "plot_fit")
    named = models if isinstance(models, Mapping) else {"fit": models}
    axes = new_axes(ax)
    scatter(axes, x, y, s=20, color=colour_of(0), linewidths=0, label="data", zorder=2)
    margin = 0.04 * (float(x.max() - x.min()) or 1.0)
    grid = np.linspace(x.min() - margin, x.max() + margin, 200)
    for place, (label, model) in enumerate(named.items()):
        values = predict_rows(model, grid[:, None], "plot_fit")
        share = 0.35 + 0.65 * (place + 1) / len(named) if fade else 1.0
        colour = colour_of(1 if fade else 1 + place)
        dashes = "-" if fade else _DASHES[place % len(_DASHES)]
        axes.plot(grid, values, dashes, color=colour, alpha=share, linewidth=2, label=plain(label), zorder=3)
    label_axes(axes, x="x", y="y", grid=True)
    add_legend(axes)
    return axes


def plot_plane(model: Any, x: Any, y: Any, names: Sequence[str] = ("x₁", "x₂", "y"), ax: Any = None) -> Any:
    """Data of two features as points in space, and the plane or surface that a model has fitted, with what is missed.

    Args:
        model: a model or a function of rows (n, 2).
        x, y: data, (N, 2), and (N,) or (N, 1).
        names: of the three axes.
        ax: Axes with ``projection="3d"``.

    Raises:
        ChainruleError: for data of another shape, or a model that does not give one number a row.

    Example:
        >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> axes = plot_plane(lambda x: x @ np.array([1.0, 2.0]), x, np.array([0.1, 1.0, 1.9, 3.0]), ax="off screen")
        >>> axes.name
        '3d'
    """
    points, y = np.asarray(x, dtype=np.float64), _column("y", y, "plot_plane")
    if points.ndim != 2 or points.shape[1] != 2:
        raise ChainruleError("the data do not lie in space", where="plot_plane, x", expected="(N, 2)", got=points.shape)
    _check_rows(points, y, "plot_plane")
    axes = new_axes(ax, (6.0, 5.0), projection="3d")
    first, second = (np.linspace(column.min(), column.max(), 9) for column in points.T)
    across, along = np.meshgrid(first, second)
    rows = np.stack([across.ravel(), along.ravel()], axis=1)
    surface = predict_rows(model, rows, "plot_plane").reshape(across.shape)
    fitted = predict_rows(model, points, "plot_plane")
    # Of the plane the upper side is seen, so points above it lie before it and points below it behind.
    axes.computed_zorder = False
    axes.plot_surface(
        across, along, surface, color=colour_of(1), alpha=0.35, edgecolor=colour_of(1), linewidth=0.5, shade=False,
        rcount=len(second), ccount=len(first), zorder=2,
    )  # fmt: skip
    for above, layer in ((False, 1), (True, 3)):
        rows = (y >= fitted) == above
        for (a, b), value, guess in zip(points[rows][:200], y[rows], fitted[rows], strict=False):
            axes.plot([a, a], [b, b], [value, guess], color=ink(), alpha=0.5, linewidth=0.8, zorder=layer)
        if rows.any():
            scatter(
                axes,
                points[rows, 0],
                points[rows, 1],
                y[rows],
                color=colour_of(0),
                s=22,
                depthshade=False,
                zorder=layer,
            )
    axes.view_init(elev=25, azim=_side_of_view(surface))
    for axis, name in zip((axes.xaxis, axes.yaxis, axes.zaxis), names, strict=True):
        axis.set_label_text(plain(name))
        axis.set_pane_color((0.5, 0.5, 0.5, 0.06))
        axis.set_tick_params(labelsize=8)
    return axes


def _side_of_view(surface: np.ndarray) -> float:
    """The angle in degrees from which a surface is seen from where it is low, a little aslant, and never edge-on."""
    along, across = np.gradient(surface)
    if np.allclose((along.mean(), across.mean()), 0):
        return -60.0
    return float(np.degrees(np.arctan2(-along.mean(), -across.mean()))) + 35


def predict_rows(model: Any, x: np.ndarray, where: str) -> np.ndarray:
    """What a model, or a function, gives for rows (n, F): one number each, (n,).

    A function of one feature takes (n,), as its formula is written.
    """
    if hasattr(model, "predict"):
        values = np.asarray(model.predict(x.astype(np.float32), verbose=0))
    elif callable(model):
        values = np.asarray(model(x[:, 0] if x.shape[1] == 1 else x))
    else:
        raise ChainruleError("this is no model", where=where, expected="a model or a function", got=type(model))
    if values.size != len(x):
        raise ChainruleError(
            "the model does not give one number a row", where=where, expected=f"({len(x)},)", got=values.shape
        )
    return values.reshape(-1)


def _column(name: str, values: Any, where: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not array.size:
        raise ChainruleError(
            "the plot needs a column of numbers", where=f"{where}, {name}", expected="(N,) or (N, 1)", got=array.shape
        )
    return array


def _check_rows(x: np.ndarray, y: np.ndarray, where: str) -> None:
    if len(x) != len(y):
        raise ChainruleError("x and y have different numbers of rows", where=where, expected=len(x), got=len(y))


__all__ = ["plot_fit", "plot_functions", "plot_history", "plot_plane", "predict_rows"]
