"""Rows that stand in the data several times, of which a validation split would hold out some and train on others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from chainrule.graph.tree import flatten
from chainrule.inspect.doctor.examination import Examination
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.leakage import as_keys
from chainrule.inspect.doctor.rules.rule import percent

FEWEST_ROWS = 50
"""Rows below which repetition is most often meant."""

REPEATED = 0.2
"""Part of the rows that are copies of earlier ones, above which it is told."""

FEW_VALUES = 10
"""Different values up to which a column is a category, a switch, or part of a one-hot code."""

ROOM = 10.0
"""Combinations of values for each row, below which rows would repeat by chance."""


def find_repeated_rows(examination: Examination) -> Iterator[Finding]:
    """Rows that are copies of earlier ones, in x and y, where chance does not explain it."""
    if examination.data is None or examination.rows < FEWEST_ROWS:
        return
    x, y, _ = examination.data
    arrays = [leaf for leaf in flatten((x, y))[0] if isinstance(leaf, np.ndarray)]
    times = Counter(as_keys(arrays))
    copies = 1 - len(times) / examination.rows
    if copies > REPEATED and has_room(flatten(x)[0], examination.rows):
        yield Finding(
            rule="repeated-rows",
            severity="note",
            where="x and y",
            problem="many rows are copies of others, so that a validation split would test on rows that were trained "
            "on",
            evidence=f"{percent(copies)} of {examination.rows:,} rows are copies of earlier ones; the most frequent "
            f"one stands there {max(times.values())} times",
            fix="keep each row once before splitting: numpy.unique(x, axis=0, return_index=True) gives their places",
        )


def has_room(arrays: list[np.ndarray], rows: int) -> bool:
    """Whether columns of many values have so many combinations that chance would not repeat a row."""
    combinations, wanted = 0.0, math.log(ROOM * rows)
    for array in arrays:
        for column in array.reshape(len(array), -1).T:
            values = len(np.unique(column))
            combinations += math.log(values) if values > FEW_VALUES else 0.0
            if combinations >= wanted:
                return True
    return False
