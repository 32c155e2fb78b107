"""How good a classifier is: metrics, confusions, its worst mistakes, and whether its probabilities can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import plots
from chainrule.inspect.judgement import Classes, Labels
from chainrule.inspect.markup import Markup, element, join, picture
from chainrule.inspect.page import Section, bullets, figure, named, paragraph, show_number, show_share, table, unfold
from chainrule.inspect.report.quality import (
    ClassQuality,
    Interval,
    area_under_curve,
    judge_classes,
    mean_interval,
    wilson,
)
from chainrule.inspect.report.sections.rows import describe_row, row_columns
from chainrule.inspect.report.sections.subject import Subject, to_pixels
from chainrule.plots.predictions import calibration, confusion_matrix, find_mistakes
from chainrule.plots.style import OFF_SCREEN

_MOST_CLASSES = 20
_MISTAKES = 24
_LISTED = 12
_LEAST = 1e-12
_SMALL_ERROR = 0.02


def write_classes(subject: Subject, place: int) -> list[Section]:
    """The sections on one output that chooses among classes."""
    judgement = subject.judgements[place]
    assert isinstance(judgement, Classes)
    confusions = confusion_matrix(judgement.truth, judgement.answers, len(judgement.names))
    qualities = judge_classes(confusions)
    sections = [
        Section(f"results-{place}", subject.title(place, "Metrics"), show_metrics(subject, place, qualities)),
        Section(
            f"confusions-{place}",
            subject.title(place, "Confusions"),
            show_confusions(subject, judgement, confusions),
        ),
        Section(
            f"mistakes-{place}",
            subject.title(place, "Worst mistakes"),
            show_mistakes(subject, judgement),
        ),
    ]
    if judgement.probable:
        body = show_calibration(subject, judgement.truth, judgement.scores)
        sections.append(Section(f"calibration-{place}", subject.title(place, "Calibration"), body))
    return sections


# -- metrics ------------------------------------------------------------------------------------------------------


def show_interval(interval: Interval) -> str:
    return f"{show_share(interval.low)} to {show_share(interval.high)}"


def show_metrics(subject: Subject, place: int, qualities: list[ClassQuality]) -> Markup:
    """All rows together, then class by class."""
    judgement = subject.judgements[place]
    assert isinstance(judgement, Classes)
    accuracy = wilson(int(judgement.right.sum()), len(judgement.truth))
    present = [quality for quality in qualities if quality.rows]
    recall = float(np.mean([quality.recall.value for quality in present]))
    f1 = float(np.mean([quality.f1 for quality in present]))
    rows: list[list[Any]] = [
        [named("Accuracy", "rows that are right"), show_share(accuracy.value, 2), show_interval(accuracy)],
        [
            named("Balanced accuracy", "the mean of the classes' recalls: a rare class counts as much"),
            show_share(recall, 2),
            "–",
        ],
        [named("F1", "the harmonic mean of precision and recall, averaged over the classes"), show_share(f1, 2), "–"],
    ]
    if judgement.probable:
        true = judgement.scores[np.arange(len(judgement.truth)), judgement.truth]
        loss = mean_interval(-np.log(np.maximum(true, _LEAST)))
        meaning = "−log of the probability given to the true class"
        rows.append([named("Log loss", meaning), f"{loss.value:.4f}", f"{loss.low:.4f} to {loss.high:.4f}"])
    if len(judgement.names) == 2:
        area = area_under_curve(judgement.scores[:, 1] - judgement.scores[:, 0], judgement.truth == 1)
        rows.append([named("Area under the ROC curve", "0.5 is chance, 1 is perfect"), f"{area:.4f}", "–"])
    by_class = [
        [
            name,
            f"{quality.rows:,}",
            show_share(quality.recall.value),
            show_interval(quality.recall),
            show_share(quality.precision),
            show_share(quality.f1),
        ]
        for name, quality in zip(judgement.names, qualities, strict=True)
    ]
    head = ["class", "rows", "recall", "95 % interval", "precision", "F1"]
    details = table(subject.title(place, "Class by class"), head, by_class)
    return join(
        table(subject.title(place, "All rows together"), ["metric", "value", "95 % interval"], rows),
        details if len(by_class) <= _MOST_CLASSES else unfold(f"All {len(by_class)} classes", details),
    )


# -- confusions ---------------------------------------------------------------------------------------------------


def show_confusions(subject: Subject, judgement: Classes, confusions: np.ndarray) -> Markup:
    """The matrix, and the pairs that are mixed up most."""
    off = confusions.copy()
    np.fill_diagonal(off, 0)
    pairs = sorted(zip(*np.nonzero(off), strict=True), key=lambda pair: -off[pair])[:_LISTED]
    rows = [
        [
            judgement.names[true],
            judgement.names[said],
            f"{off[true, said]:,}",
            show_share(off[true, said] / confusions[true].sum()),
        ]
        for true, said in pairs
    ]
    listed = (
        table(
            "The most common confusions", ["true class", "taken for", "rows", "share of its class"], rows, texts=(0, 1)
        )
        if rows
        else None
    )
    chosen = np.arange(len(judgement.names))
    note = None
    if len(chosen) > _MOST_CLASSES:
        chosen = np.sort(np.argsort(-(off.sum(axis=0) + off.sum(axis=1)), kind="stable")[:_MOST_CLASSES])
        note = paragraph(
            f"Of {len(judgement.names)} classes the {_MOST_CLASSES} that are mixed up most are shown.", kind="aside"
        )
    names = [judgement.names[k] for k in chosen]
    some = confusions[np.ix_(chosen, chosen)]
    matrix = table(
        "Confusion matrix: the true class down, the answer across",
        ["true class", *names],
        [[name, *(f"{count:,}" for count in row)] for name, row in zip(names, some, strict=True)],
    )
    wrong = int(off.sum())
    top = f" The most common mistake: {rows[0][0]} taken for {rows[0][1]}, {rows[0][2]} times." if rows else ""
    count = len(judgement.truth)
    drawing = subject.drawings.plot(
        "Confusion matrix",
        f"{count - wrong:,} of {count:,} rows lie on the diagonal, {wrong:,} off it.{top}",
        lambda: plots.plot_confusion(judgement.truth, judgement.answers, judgement.names, ax=OFF_SCREEN),
    )
    caption = "Down: the true class. Across: what the network says. The rows on the diagonal are right."
    return join(figure(drawing, caption, matrix), note, listed)


# -- mistakes -----------------------------------------------------------------------------------------------------


def show_mistakes(subject: Subject, judgement: Classes) -> Markup:
    """The rows in which the network was most certain of something wrong."""
    wrong = int((~judgement.right).sum())
    if not wrong:
        return paragraph("There are none: every row is right.")
    worst = find_mistakes(judgement.truth, judgement.probabilities, _MISTAKES)
    text = f"{wrong:,} of {len(judgement.truth):,} are wrong"
    if wrong > len(worst):
        text += f"; these {len(worst)} are the ones in which the network was surest"
    intro = paragraph(f"{text}.")
    names = judgement.names

    def score(row: int, k: int) -> str:
        value = float(judgement.scores[row, k])
        return show_share(value) if judgement.probable else show_number(value)

    pictures = subject.pictures
    if pictures is not None and len(judgement.truth) == len(pictures):
        pixels = to_pixels(pictures, [mistake.row for mistake in worst])
        items = [
            element(
                "figure",
                picture(image, f"row {found.row}: true class {names[found.true]}, taken for {names[found.predicted]}"),
                element(
                    "figcaption",
                    element("strong", f"{names[found.true]} → {names[found.predicted]}"),
                    f" {score(found.row, found.predicted)}",
                    element("br"),
                    f"row {found.row}",
                ),
            )
            for image, found in zip(pixels, worst, strict=True)
        ]
        legend = "Under each image: the true class → what the network says, and how sure it is of that."
        return join(intro, bullets(items, kind="pictures"), paragraph(legend, kind="aside"))
    head = ["row", "true class", "taken for", "confidence", "of the true class", *row_columns(subject)]
    rows = [
        [
            str(judgement.rows[found.row]),
            names[found.true],
            names[found.predicted],
            score(found.row, found.predicted),
            score(found.row, found.true),
            *describe_row(subject, int(judgement.rows[found.row])),
        ]
        for found in worst
    ]
    return join(intro, table("The worst mistakes", head, rows, texts=(1, 2, *range(5, len(head)))))


# -- calibration --------------------------------------------------------------------------------------------------


def show_calibration(subject: Subject, truth: np.ndarray, probabilities: np.ndarray) -> Markup:
    """Whether of the answers given with 80 % four in five are right."""
    found = calibration(truth, probabilities)
    lean = float(found.counts @ (found.confidence - found.accuracy))
    if found.error < _SMALL_ERROR:
        verdict = "The probabilities can be taken at face value"
    else:
        verdict = f"The network is {'surer' if lean > 0 else 'less sure'} than it should be"
    rows = [
        [
            f"{show_share(found.edges[place], 0)} to {show_share(found.edges[place + 1], 0)}",
            f"{found.counts[place]:,}",
            show_share(found.confidence[place]),
            show_share(found.accuracy[place]),
        ]
        for place in np.flatnonzero(found.counts)
    ]
    numbers = table("Answers by confidence", ["confidence", "answers", "mean confidence", "accuracy"], rows)
    drawing = subject.drawings.plot(
        "Calibration",
        f"Expected calibration error {show_share(found.error, 2)}. {verdict}.",
        lambda: plots.plot_calibration(truth, probabilities, ax=OFF_SCREEN),
    )
    caption = "How often an answer is right, by how sure the network is of it. On the line the two agree."
    return join(
        paragraph(
            f"{verdict}: on average its confidence and its accuracy differ by {100 * found.error:.2f} percentage "
            "points (expected calibration error)."
        ),
        figure(drawing, caption, numbers),
    )


# -- labels -------------------------------------------------------------------------------------------------------


def write_labels(subject: Subject, place: int) -> list[Section]:
    """The sections on one output that says yes or no to several labels."""
    judgement = subject.judgements[place]
    assert isinstance(judgement, Labels)
    said = judgement.probabilities > 0.5
    rows, wrong = [], said != judgement.truth
    for column, name in enumerate(judgement.names):
        confusions = confusion_matrix(judgement.truth[:, column].astype(int), said[:, column].astype(int), 2)
        quality = judge_classes(confusions)[1]
        area = area_under_curve(judgement.probabilities[:, column], judgement.truth[:, column])
        right = wilson(int((~wrong[:, column]).sum()), len(said))
        rows.append(
            [
                name,
                f"{quality.rows:,}",
                show_share(right.value),
                show_interval(right),
                show_share(quality.recall.value),
                show_share(quality.precision),
                show_number(round(area, 4)),
            ]
        )
    head = [
        "label",
        "rows with it",
        "right",
        "95 % interval",
        "recall",
        "precision",
        "area under ROC",
    ]
    sure = np.abs(judgement.probabilities - 0.5) * wrong
    worst = [row for row in np.argsort(-sure.max(axis=1), kind="stable")[:_LISTED] if wrong[row].any()]
    mistakes = [
        [
            str(row),
            ", ".join(judgement.names[k] for k in np.flatnonzero(judgement.truth[row])) or "none",
            ", ".join(
                f"{judgement.names[k]} ({show_share(judgement.probabilities[row, k])})"
                for k in np.flatnonzero(wrong[row])
            ),
            *describe_row(subject, int(row)),
        ]
        for row in worst
    ]
    columns = ["row", "true labels", "wrong about", *row_columns(subject)]
    shown = (
        table("The worst mistakes", columns, mistakes, texts=range(1, len(columns)))
        if mistakes
        else paragraph("There are none.")
    )
    return [
        Section(f"results-{place}", subject.title(place, "Metrics"), table("Label by label", head, rows)),
        Section(f"mistakes-{place}", subject.title(place, "Worst mistakes"), shown),
        Section(
            f"calibration-{place}",
            subject.title(place, "Calibration"),
            show_calibration(subject, judgement.truth.reshape(-1).astype(int), judgement.probabilities.reshape(-1)),
        ),
    ]


__all__ = ["write_classes", "write_labels"]
