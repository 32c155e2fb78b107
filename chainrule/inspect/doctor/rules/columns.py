"""Columns of tables that say nothing: constant ones, and copies of others.

Tables are arrays of x with one row of numbers a sample. Columns of images are pixels, and constant ones at the border
are as they should be; a wide table whose columns are mostly its ground, such as a flattened image or a bag of words, is
looked at in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.inspect.doctor.examination import Examination, NamedArray
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.rule import list_places

WIDE_TABLE = 64
"""Columns from which a table may be a flattened image or a bag of words: 8 by 8 pixels are the smallest in use."""

FEWEST_ROWS = 30
"""Rows that a column needs before a constant or a copy is more than chance."""

FEWEST_DEPARTURES = 10
"""Rows in which a column must leave its most frequent value before a copy is no accident: of 30 rows, 10 can be chosen
in 30 million ways."""


def tables_in(examination: Examination) -> Iterator[NamedArray]:
    """The arrays of x that have columns, and rows enough to judge them."""
    for part in examination.inputs:
        if part.values.ndim == 2 and len(part.values) >= FEWEST_ROWS:
            yield part


def find_constant_columns(examination: Examination) -> Iterator[Finding]:
    """Columns with one value in all rows."""
    for part in tables_in(examination):
        low, high = part.values.min(axis=0), part.values.max(axis=0)
        places = np.flatnonzero(low == high)
        if part.values.shape[1] >= WIDE_TABLE:  # the ground of an image, a word that does not occur
            places = places[~np.isin(low[places], (0, np.median(part.values[0])))]
        if not len(places):
            continue
        values = sorted({float(low[place]) for place in places})
        yield Finding(
            rule="constant-columns",
            severity="warning",
            where=list_places(part.name, places.tolist()),
            problem="the column never changes, so that nothing can be learned from it"
            if len(places) == 1
            else "the columns never change, so that nothing can be learned from them",
            evidence=f"always {', '.join(f'{value:g}' for value in values[:5])} in {len(part.values):,} rows",
            fix="find out why, or drop it: numpy.delete(x, places, axis=1)",
        )


def find_duplicate_columns(examination: Examination) -> Iterator[Finding]:
    """Columns that hold the same numbers in all rows."""
    for part in tables_in(examination):
        first_with: dict[int, int] = {}
        pairs = []
        for place, column in each_column(part.values):
            before = first_with.setdefault(hash(column.tobytes()), place)
            if before != place and np.array_equal(column, part.values[:, before]):
                if departures(column) >= FEWEST_DEPARTURES:
                    pairs.append((before, place))
        for before, place in pairs[:5]:
            yield Finding(
                rule="duplicate-columns",
                severity="warning",
                where=list_places(part.name, [before, place]),
                problem="the second column is a copy of the first",
                evidence=f"equal in all {len(part.values):,} rows"
                + (f"; {len(pairs)} such pairs in all" if len(pairs) > 1 else ""),
                fix=f"drop it, unless it was meant to be another: numpy.delete(x, {place}, axis=1)",
            )


def each_column(table: np.ndarray, together: int = 64) -> Iterator[tuple[int, np.ndarray]]:
    """The columns with their numbers; a few are copied together, so that memory is read in order."""
    for first in range(0, table.shape[1], together):
        for place, column in enumerate(np.ascontiguousarray(table[:, first : first + together].T)):
            yield first + place, column


def departures(column: np.ndarray) -> int:
    """In how many rows a column is not what it is most often."""
    _, counts = np.unique(column, return_counts=True)
    return int(len(column) - counts.max())
