"""What a report is about: a model, rows, answers, and what the instruments said of them, gathered once.

In: what `make_report` was given. Out: a `Subject`, which every section reads, and the drawings of the page.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.inspect.judgement import Judgement
from chainrule.inspect.markup import Markup, clean_svg
from chainrule.inspect.page import shorten
from chainrule.plots.classification import as_pictures
from chainrule.plots.style import figure_to_svg, require_matplotlib

_LEAST_PIXELS = 64
_MOST_SIDE = 256


class Drawings:
    """The drawings of a page, each with ids of its own; none where matplotlib is missing."""

    def __init__(self) -> None:
        self.count = 0
        try:
            require_matplotlib()
            self.plotting = True
        except ChainruleError:
            self.plotting = False

    def plot(self, title: str, description: str, draw: Callable[[], Any]) -> Markup | None:
        """What `draw` draws with matplotlib; None without matplotlib, and for a plot that has nothing to show.

        Args:
            draw: returns Axes, or an array of them.
        """
        axes = attempt(draw) if self.plotting else ""
        return None if isinstance(axes, str) else self.keep(figure_to_svg(axes, title, description), title, description)

    def keep(self, svg: str, title: str, description: str = "") -> Markup:
        """A drawing that is SVG already."""
        self.count += 1
        return clean_svg(svg, title, description, prefix=f"drawing-{self.count}")


@dataclass(frozen=True)
class Subject:
    """What the sections tell of.

    Args:
        x, y: the rows that the network is judged by, as they were given.
        sample: rows as in training, (x, y).
        judgements: the answers beside the truth, an output after the other.
        results: what `evaluate` says, by name.
        history: a number an epoch, by name.
        config: the options of the run; to be shown as JSON.
        diagnosis, microscope, profile: what the instruments said, or why they said nothing.
    """

    model: Any
    x: Any
    y: Any
    sample: tuple[Any, Any]
    judgements: tuple[Judgement, ...]
    results: Mapping[str, Any]
    history: Mapping[str, list[float]]
    question: str
    feature_names: tuple[str, ...] | None
    config: Mapping[str, Any] | None
    command: str
    diagnosis: Any
    microscope: Any
    profile: Any
    drawings: Drawings

    @functools.cached_property
    def pictures(self) -> np.ndarray | None:
        """The rows as pictures, where they are some."""
        return find_pictures(self.x, self.feature_names is not None)

    @functools.cached_property
    def centre(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each column of a table."""
        assert self.columns is not None
        wide = self.columns.astype(np.float64)
        return wide.mean(axis=0), wide.std(axis=0)

    @functools.cached_property
    def columns(self) -> np.ndarray | None:
        """The rows as a table of numbers, where they are one and no pictures."""
        array = only_array(self.x)
        return array if array is not None and array.ndim == 2 and self.pictures is None else None

    def name_column(self, place: int) -> str:
        """The name of a column of x."""
        return self.feature_names[place] if self.feature_names is not None else f"column {place}"

    def title(self, place: int, text: str) -> str:
        """The title of a section on an output, which is named where there are several."""
        if len(self.judgements) == 1:
            return text
        return f"{shorten(self.judgements[place].output)}: {text.lower()}"


def attempt(look: Callable[[], Any]) -> Any:
    """What an instrument says, or why it says nothing: one that does not fit a network leaves the others their say."""
    try:
        return look()
    except ChainruleError as error:
        return str(error)


def name_arrays(model: Any, data: Any, name: str, names: list[str]) -> dict[str, np.ndarray]:
    """The arrays of a nest by name."""
    if data is None:
        return {}
    if isinstance(data, Mapping):
        return {f"{name}[{key!r}]": np.asarray(value) for key, value in data.items()}
    if isinstance(data, list | tuple) and len(names) > 1 and len(data) == len(names):
        return {f"{name}[{key!r}]": np.asarray(value) for key, value in zip(names, data, strict=True)}
    return {name: np.asarray(data)}


def describe_row_shape(array: np.ndarray) -> str:
    """What one row of an array is."""
    return " × ".join(map(str, array.shape[1:])) or "one number"


def only_array(data: Any) -> np.ndarray | None:
    """The data's one array, if it is one."""
    if isinstance(data, Mapping) or (
        isinstance(data, list | tuple) and data and np.ndim(data[0]) > 0 and hasattr(data[0], "shape")
    ):
        return None
    return np.asarray(data)


def find_pictures(data: Any, named: bool) -> np.ndarray | None:
    """Rows as pixels (N, height, width) or (N, height, width, 3); None for what is rather a table or a sequence.

    Args:
        named: whether the columns have names: then they are no pixels.

    Rows of F numbers from 0 on, F a square such as 784, are taken for the pixels of a square picture.
    """
    array = only_array(data)
    if array is None or array.dtype.kind not in "uif" or named:
        return None
    found: np.ndarray | None = None
    if array.ndim == 4 and array.shape[-1] in (1, 3):
        found = array[..., 0] if array.shape[-1] == 1 else array
    elif array.ndim == 3 and (array.dtype == np.uint8 or array.shape[1] == array.shape[2] >= 8):
        found = array
    elif array.ndim == 2 and array.shape[1] >= _LEAST_PIXELS and array.min() >= 0:
        side = int(array.shape[1] ** 0.5)
        found = array.reshape(-1, side, side) if side * side == array.shape[1] else None
    return found if found is not None and max(found.shape[1:3]) <= _MOST_SIDE else None


def to_pixels(pictures: np.ndarray, chosen: Any) -> np.ndarray:
    """Some pictures with pixels from 0 to 255."""
    pixels: np.ndarray = np.round(255 * as_pictures(pictures[chosen])).astype(np.uint8)
    return pixels


__all__ = [
    "Drawings",
    "Subject",
    "attempt",
    "describe_row_shape",
    "find_pictures",
    "name_arrays",
    "only_array",
    "to_pixels",
]
