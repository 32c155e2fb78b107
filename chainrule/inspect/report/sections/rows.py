"""A row of the data in a few cells of a table: its numbers where they are few, else those that are most unusual."""

from __future__ import annotations

import numpy as np

from chainrule.inspect.page import show_number
from chainrule.inspect.report.sections.subject import Subject

_FEW = 6
_UNUSUAL = 3


def row_columns(subject: Subject) -> list[str]:
    """The titles of the cells of `describe_row`."""
    columns = subject.columns
    if columns is None:
        return []
    if columns.shape[1] <= _FEW:
        return [subject.name_column(place) for place in range(columns.shape[1])]
    return ["most unusual values"]


def describe_row(subject: Subject, row: int) -> list[str]:
    """A row's numbers; of many the three farthest from their column's mean, with how many spreads they are off."""
    columns = subject.columns
    if columns is None:
        return []
    values = columns[row].astype(np.float64)
    if len(values) <= _FEW:
        return [show_number(float(value)) for value in values]
    mean, spread = subject.centre
    off = np.divide(values - mean, spread, out=np.zeros_like(values), where=spread > 0)
    chosen = np.argsort(-np.abs(off), kind="stable")[:_UNUSUAL]
    return [
        ", ".join(
            f"{subject.name_column(k)} = {show_number(float(values[k]))} ({off[k]:+.1f} standard deviations)"
            for k in chosen
        )
    ]


__all__ = ["describe_row", "row_columns"]
