"""The target among the inputs, and rows of the training data among those to validate on.

What a column gives away cannot be told from what is easily learned by its numbers alone. So a column is named where it
knows the target nearly exactly and every other column knows far less; where there is but one column, or several that
know as much, nothing is said. A column of as few values as there are classes that is a copy of the class is named in
any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.data.arrays import spread_rows
from chainrule.graph.tree import flatten
from chainrule.inspect.doctor.examination import SAMPLE_ROWS, Examination, Target
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.rule import list_places, percent

FEWEST_ROWS = 50
"""Rows below which a column may separate classes by chance."""

CORRELATED = 0.999
"""Size of the correlation from which one number is the other: 0.2 % of the variance is left."""

OTHERS_CORRELATED = 0.99
"""What no other column may reach; neighbours in time do, and are no leak."""

FEWEST_COLUMNS = 3
"""Columns below which there are no others to compare with."""

FEWEST_OF_CLASS = 10
"""Rows of a class below which a column may tell it by chance."""

OTHERS_CHANGES = 0.25
"""Part of the class changes that shuffled rows would show, which every other column must exceed: one that separates the
classes well has far fewer."""

GAP = 0.1
"""Part of a column's range that lies between two classes where it was made from them, and not they from it."""

MOST_COLUMNS = 4_096
"""Columns looked at; images of 64 by 64 pixels."""

_DROP = "drop the column if it is not known when predictions are made"

SHARED = 0.01
"""Part of the validation rows among the training rows from which the scores are no longer of unseen rows."""


@dataclass(frozen=True)
class Table:
    """An array of x as columns: (rows, columns) in float64.

    Args:
        shape: of a sample.
    """

    name: str
    shape: tuple[int, ...]
    columns: np.ndarray

    def where(self, places: list[int]) -> str:
        return list_places(self.name, places, self.shape)


def find_leaked_target(examination: Examination) -> Iterator[Finding]:
    """Columns that are the target, or know it."""
    if not examination.targets:
        return
    rows = min(examination.rows, SAMPLE_ROWS)
    chosen = spread_rows(examination.rows, rows)
    tables = [
        Table(part.name, part.values.shape[1:], part.values[chosen].reshape(rows, -1).astype(np.float64))
        for part in examination.inputs
        if part.values.size <= MOST_COLUMNS * len(part.values)
    ]
    columns = sum(table.columns.shape[1] for table in tables)
    if rows < FEWEST_ROWS or columns < FEWEST_COLUMNS:
        return
    for target in examination.targets:
        values = target.values[chosen]
        if target.labels is not None:
            yield from find_class_columns(tables, target, target.labels[chosen])
        elif values.ndim == 2 and values.shape[1] == 1 or values.ndim == 1:
            yield from find_number_columns(tables, target, values.reshape(rows).astype(np.float64))


def find_number_columns(tables: list[Table], target: Target, values: np.ndarray) -> Iterator[Finding]:
    """Columns that a target is a linear function of, where no other column is near it."""
    found = [abs(correlate(table.columns, values)) for table in tables]
    others = np.concatenate([sizes[sizes <= CORRELATED] for sizes in found])
    if others.size < FEWEST_COLUMNS - 1 or others.max() > OTHERS_CORRELATED:
        return
    for table, sizes in zip(tables, found, strict=True):
        places = np.flatnonzero(sizes > CORRELATED)
        if len(places):
            yield Finding(
                rule="target-leakage",
                severity="warning",
                where=table.where(places.tolist()),
                problem=f"the target {target.name} stands among the inputs",
                evidence=f"correlation {sizes[places].max():.6f}; of the other columns at most {others.max():.3f}",
                fix=_DROP,
            )


def correlate(columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The correlation of each column with some values; 0 where one of the two never changes."""
    centred, wanted = columns - columns.mean(axis=0), values - values.mean()
    size = np.sqrt((centred**2).sum(axis=0) * (wanted**2).sum())
    return np.divide(wanted @ centred, size, out=np.zeros_like(size), where=size > 0)


def find_class_columns(tables: list[Table], target: Target, labels: np.ndarray) -> Iterator[Finding]:
    """Columns that are the class, or one class of several; and columns along which the classes lie one after the other,
    where along every other column they are mixed.

    With rows sorted by such a column, the class changes as often as there are classes less one.
    """
    # Rows with equal numbers must not stand in the order that they came in, which may be that of the classes.
    order = np.random.default_rng(0).permutation(len(labels))
    labels, shuffled = labels[order], [table.columns[order] for table in tables]
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        return
    expected = len(labels) * (1 - float(((counts / len(labels)) ** 2).sum()))
    fewest = len(classes) - 1
    changes = [count_changes(columns, labels) for columns in shuffled]
    others = np.concatenate([part[part > fewest] for part in changes])
    mixed = counts.min() >= FEWEST_OF_CLASS and others.size and others.min() > OTHERS_CHANGES * expected
    for table, columns, part in zip(tables, shuffled, changes, strict=True):
        copies = find_copies(columns, labels, classes[counts >= FEWEST_OF_CLASS])
        sorting = [place for place in np.flatnonzero(part <= fewest).tolist() if mixed and place not in copies]
        if copies:
            told = sorted(set().union(*copies.values()))
            yield Finding(
                rule="target-leakage",
                severity="warning" if len(told) >= fewest else "note",  # some classes do have a mark of their own
                where=table.where(list(copies)),
                problem=f"the class in {target.name} stands among the inputs",
                evidence=f"in all of {len(labels):,} rows it tells class {', '.join(map(str, told[:5]))} from the "
                "others",
                fix=_DROP,
            )
        if sorting:
            apart = all(are_apart(columns[:, place], labels) for place in sorting)
            yield Finding(
                rule="target-leakage",
                severity="warning" if apart else "note",  # a threshold may be all there is to learn
                where=table.where(sorting),
                problem=f"the column alone tells the class in {target.name}",
                evidence=f"sorted by it, the rows change class {fewest} time{'s' if fewest > 1 else ''}; sorted by any "
                f"other column at least {int(others.min()):,} times",
                fix=_DROP,
            )


def find_copies(columns: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> dict[int, set[int]]:
    """Columns of few values that tell classes from all others without an error, each with the classes that it tells."""
    found: dict[int, set[int]] = {}
    for place, column in enumerate(columns.T):
        values = np.unique(column[:FEWEST_ROWS])  # most columns have too many, which is soon seen
        if not 2 <= len(values) <= len(classes) or not np.isin(column, values).all():
            continue
        classes_of_value = [np.unique(labels[column == value]) for value in values]
        alone = [int(part[0]) for part in classes_of_value if len(part) == 1]
        told = {of_class for of_class in alone if len(np.unique(column[labels == of_class])) == 1}
        if told & set(classes.tolist()):
            found[place] = told
    return found


def are_apart(column: np.ndarray, labels: np.ndarray) -> bool:
    """Whether there is a gap between the classes, along a column that sorts them."""
    in_order = np.argsort(column, kind="stable")
    borders = np.flatnonzero(np.diff(labels[in_order]))
    gaps = np.diff(column[in_order])[borders]
    return bool((gaps > GAP * (column.max() - column.min())).all())


def count_changes(columns: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How often the class changes from row to row, with the rows sorted by each column."""
    order = np.argsort(columns, axis=0, kind="stable")
    in_order = labels[order]
    return np.count_nonzero(in_order[1:] != in_order[:-1], axis=0)


def find_shared_rows(examination: Examination) -> Iterator[Finding]:
    """Rows to validate on that are training rows too."""
    assert examination.validation is not None and examination.data is not None
    arrays = flatten(examination.data[0])[0]
    trained = as_keys(arrays)
    tested = as_keys([part.astype(array.dtype) for part, array in zip(examination.validation, arrays, strict=True)])
    known = set(trained)
    shared = sum(key in known for key in tested) / len(tested)
    # Rows of few numbers repeat of themselves: two coins have four.
    repeated = 1 - len(known) / len(trained)
    if shared > SHARED and shared > 2 * repeated:
        yield Finding(
            rule="shared-rows",
            severity="warning",
            where="validation_data",
            problem="rows to validate on are among the training rows, so that learning by heart looks like skill",
            evidence=f"{percent(shared)} of {len(tested):,} rows; of the training rows {percent(repeated)} repeat "
            "others",
            fix="split the rows once, without repetition, or let fit do so: validation_split=0.1",
        )


def as_keys(arrays: list[np.ndarray]) -> list[int]:
    """A number for the bytes of each row, of all arrays together; of other bytes another, but for one in 10**19."""
    parts = [np.ascontiguousarray(array).reshape(len(array), -1) for array in arrays]
    joined = np.concatenate([part.view(np.uint8).reshape(len(part), -1) for part in parts], axis=1)
    return [hash(row.tobytes()) for row in joined]
