"""The data: how many rows of what shape, how often each class, what columns hold, some rows to look at."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.inspect.judgement import Classes, Labels, Numbers
from chainrule.inspect.markup import Markup, element, join, picture
from chainrule.inspect.page import (
    Section,
    bar,
    bullets,
    paragraph,
    part,
    shorten,
    show_bytes,
    show_number,
    show_share,
    table,
    unfold,
)
from chainrule.inspect.report.sections.subject import Subject, describe_row_shape, name_arrays, to_pixels

_MOST_CLASSES = 40
_MOST_COLUMNS = 60
_FEW_COLUMNS = 12
_SAMPLES = 20


def write_data(subject: Subject) -> Section:
    """The section on the rows that the network is judged by."""
    model = subject.model
    arrays = name_arrays(model, subject.x, "x", model.input_names) | name_arrays(
        model, subject.y, "y", model.output_names if model.gives_outputs else []
    )
    rows = [
        [
            shorten(name),
            f"{len(array):,}",
            describe_row_shape(array),
            array.dtype.name,
            *(show_number(float(value)) for value in (array.min(), array.mean(dtype=np.float64), array.max())),
            show_bytes(array.nbytes),
        ]
        for name, array in arrays.items()
    ]
    head = ["array", "rows", "shape of a row", "type", "smallest", "mean", "largest", "size"]
    return Section(
        "data",
        "Data",
        join(
            paragraph("These are the rows that the network is judged by."),
            table("The arrays", head, rows, texts=(0, 2, 3)),
            [show_targets(subject, place) for place in range(len(subject.judgements))],
            show_columns(subject),
            show_samples(subject),
        ),
    )


def show_targets(subject: Subject, place: int) -> Markup:
    """How often each class occurs, or how the numbers lie."""
    judgement = subject.judgements[place]
    if isinstance(judgement, Numbers):
        title = subject.title(place, "Numbers to predict")
        return part(f"targets-{place}", title, tabulate_numbers(judgement))
    if isinstance(judgement, Labels):
        kind, plural, counts = "label", "labels", judgement.truth.sum(axis=0)
    else:
        kind, plural, counts = "class", "classes", np.bincount(judgement.truth, minlength=len(judgement.names))
    order, note = list(range(len(counts))), None
    if len(counts) > _MOST_CLASSES:
        order = sorted(order, key=lambda k: -counts[k])[:_MOST_CLASSES]
        note = paragraph(f"The {_MOST_CLASSES} most common of {len(counts)} {plural}.", kind="aside")
    most, total = max(1, int(counts.max())), len(judgement.truth)
    rows = [
        [judgement.names[k], f"{counts[k]:,}", join(bar(counts[k] / most), " ", show_share(counts[k] / total))]
        for k in order
    ]
    whole = table(f"Rows of each {kind}", [kind, "rows", "share"], rows)
    return part(f"targets-{place}", subject.title(place, plural.capitalize()), whole, note)


def tabulate_numbers(judgement: Numbers) -> Markup:
    """Where the targets lie."""
    quantiles = np.quantile(judgement.truth[:, :_MOST_COLUMNS], [0, 0.25, 0.5, 0.75, 1], axis=0)
    rows = [
        [name, *(show_number(float(value)) for value in column)]
        for name, column in zip(judgement.names, quantiles.T, strict=False)
    ]
    return table(
        "How the targets are distributed",
        ["target", "smallest", "lower quartile", "median", "upper quartile", "largest"],
        rows,
    )


def show_columns(subject: Subject) -> Markup | None:
    """What each column of a table holds."""
    columns = subject.columns
    if columns is None:
        return None
    wide = columns[:, :_MOST_COLUMNS].astype(np.float64)
    rows = [
        [
            subject.name_column(place),
            *(show_number(float(value)) for value in (column.min(), column.mean(), column.max(), column.std())),
            f"{len(np.unique(column)):,}",
        ]
        for place, column in enumerate(wide.T)
    ]
    whole = table(
        "Columns of x", ["column", "smallest", "mean", "largest", "standard deviation", "distinct values"], rows
    )
    left = columns.shape[1] - len(rows)
    note = paragraph(f"{left:,} more columns are left out.", kind="aside") if left else None
    shown = whole if len(rows) <= _FEW_COLUMNS else unfold(f"What the {len(rows)} columns hold", whole)
    return part("columns", "Columns", shown, note)


def show_samples(subject: Subject) -> Markup | None:
    """Some rows as pictures, from every class."""
    pictures = subject.pictures
    if pictures is None:
        return None
    judgement = subject.judgements[0] if subject.judgements else None
    if isinstance(judgement, Classes) and len(judgement.truth) == len(pictures):
        chosen = choose_samples(judgement.truth, len(judgement.names))
        names = [judgement.names[k] for k in judgement.truth[chosen]]
    else:
        chosen = np.linspace(0, len(pictures) - 1, min(_SAMPLES, len(pictures))).astype(int)
        names = [f"row {row}" for row in chosen]
    pixels = to_pixels(pictures, chosen)
    items = [
        element("figure", picture(image, f"row {row}: {name}"), element("figcaption", name))
        for image, row, name in zip(pixels, chosen, names, strict=True)
    ]
    return part("samples", "Some rows", bullets(items, kind="pictures samples"))


def choose_samples(truth: np.ndarray, classes: int) -> np.ndarray:
    """The first rows of each class in turn, twenty in all, or one of each of the first forty."""
    each = max(1, _SAMPLES // classes)
    found: list[Any] = [np.flatnonzero(truth == k)[:each] for k in range(min(classes, 2 * _SAMPLES))]
    return np.concatenate(found).astype(int)


__all__ = ["write_data"]
