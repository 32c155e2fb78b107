"""`Rule`: one kind of mistake that the doctor looks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from chainrule.inspect.doctor.examination import Examination
from chainrule.inspect.doctor.findings import Finding


@dataclass(frozen=True)
class Rule:
    """One kind of mistake.

    Args:
        looks_at: what is looked at, in a few words for the reader.
        check: gives the findings; it changes nothing.
        unless: rules whose findings would explain this one's, so that it is left out after them.
        needs_pass: whether the sample must have passed through the network.
        needs_validation: whether there must be validation data.
    """

    looks_at: str
    check: Callable[[Examination], Iterable[Finding]]
    unless: tuple[str, ...] = ()
    needs_pass: bool = False
    needs_validation: bool = False


def list_places(name: str, places: list[int], shape: tuple[int, ...] = (), shown: int = 5) -> str:
    """Columns by number, the first few of them; where a sample has several axes, its elements as they are indexed.

    Example:
        >>> list_places("x", [3]), list_places("x", [1, 2])
        ('x, column 3', 'x, columns 1, 2')
        >>> list_places("x", [1, 2, 3, 4, 5, 6, 7])
        'x, columns 1, 2, 3, 4, 5, … (7 in all)'
        >>> list_places("x", [33], (28, 28))
        'x[:, 1, 5]'
    """
    rest = f", … ({len(places)} in all)" if len(places) > shown else ""
    if len(shape) > 1:
        indices = [", ".join(map(str, map(int, np.unravel_index(place, shape)))) for place in places[:shown]]
        return ", ".join(f"{name}[:, {index}]" for index in indices) + rest
    numbers = ", ".join(map(str, places[:shown]))
    return f"{name}, column{'s' if len(places) > 1 else ''} {numbers}{rest}"


def count(number: int, noun: str) -> str:
    """A number of things.

    Example:
        >>> count(1, "unit"), count(16, "unit")
        ('1 unit', '16 units')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def percent(part: float) -> str:
    """A part of 1 as per cent.

    Example:
        >>> percent(0.125), percent(1.0)
        ('12.5 %', '100 %')
    """
    return f"{100 * part:.3g} %"
