"""How good predicted numbers are: errors with their uncertainty, predictions beside the truth, the worst rows."""

from __future__ import annotations

import numpy as np

from chainrule import plots
from chainrule.inspect.judgement import Numbers
from chainrule.inspect.markup import Markup, join
from chainrule.inspect.page import Section, figure, named, paragraph, show_number, table
from chainrule.inspect.report.quality import Interval, judge_numbers
from chainrule.inspect.report.sections.rows import describe_row, row_columns
from chainrule.inspect.report.sections.subject import Subject
from chainrule.plots.style import OFF_SCREEN

_MOST_NAMED = 20
_MOST_DRAWN = 6
_WORST = 12
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def write_regression(subject: Subject, place: int) -> list[Section]:
    """The sections on one output of numbers."""
    judgement = subject.judgements[place]
    assert isinstance(judgement, Numbers)
    return [
        Section(f"results-{place}", subject.title(place, "Metrics"), show_metrics(subject, place)),
        Section(
            f"predictions-{place}",
            subject.title(place, "Predicted and true"),
            show_predictions(subject, judgement),
        ),
        Section(
            f"mistakes-{place}",
            subject.title(place, "Worst rows"),
            show_worst(subject, judgement),
        ),
    ]


def show_interval(interval: Interval) -> str:
    return f"{show_number(float(f'{interval.low:.4g}'))} to {show_number(float(f'{interval.high:.4g}'))}"


def show_metrics(subject: Subject, place: int) -> Markup:
    """A row a number, or all of very many together."""
    judgement = subject.judgements[place]
    assert isinstance(judgement, Numbers)
    columns = [(name, judgement.truth[:, k], judgement.answers[:, k]) for k, name in enumerate(judgement.names)]
    if len(columns) > _MOST_NAMED:
        columns = [("all together", judgement.truth.reshape(-1), judgement.answers.reshape(-1))]
    rows = []
    for name, truth, answers in columns:
        quality = judge_numbers(truth, answers)
        for metric, interval, meaning in (
            (
                "R²",
                quality.explained,
                "the share of the variance that is explained: 0 is as good as the mean, 1 is perfect",
            ),
            ("Mean absolute error", quality.absolute, "how far a prediction is off on average"),
            ("Root mean square error", quality.root_square, "the same, with large errors counting more"),
        ):
            label = metric if len(columns) == 1 else f"{name}: {metric}"
            rows.append([named(label, meaning), show_number(float(f"{interval.value:.4g}")), show_interval(interval)])
    note = "The intervals come from resampling the rows (bootstrap); they hold as far as the rows are a fair sample."
    return join(
        table(subject.title(place, "All rows together"), ["metric", "value", "95 % interval"], rows),
        paragraph(note, kind="aside"),
    )


def show_predictions(subject: Subject, judgement: Numbers) -> Markup:
    """Predicted against true, and how the errors lie."""
    truth, answers, names = judgement.truth, judgement.answers, judgement.names
    left = len(names) - _MOST_DRAWN
    note = paragraph(f"The first {_MOST_DRAWN} of {len(names)} numbers are drawn.", kind="aside") if left > 0 else None
    drawn = slice(None, _MOST_DRAWN)
    residuals = answers - truth
    quantiles = np.quantile(residuals[:, drawn], _QUANTILES, axis=0)
    rows = [
        [name, *(show_number(float(f"{value:.4g}")) for value in column)]
        for name, column in zip(names[drawn], quantiles.T, strict=True)
    ]
    head = ["predicted − true", *(f"{share:.0%}" for share in _QUANTILES)]
    numbers = table("Quantiles of the errors: the share of the rows that lie below", head, rows)
    mean = float(residuals.mean())
    bias = (
        f"The predictions are {show_number(abs(float(f'{mean:.3g}')))} too {'high' if mean > 0 else 'low'} on average."
    )
    scattered = subject.drawings.plot(
        "Predicted against true",
        f"{len(truth):,} rows; points on the dashed line are predicted exactly. {bias}",
        lambda: plots.plot_predictions(truth[:, drawn], answers[:, drawn], names[drawn], ax=OFF_SCREEN),
    )
    half, most = f"{rows[0][3]} and {rows[0][5]}", f"{rows[0][2]} and {rows[0][6]}"
    counted = subject.drawings.plot(
        "How far predictions are off",
        f"Half of the errors lie between {half}, nine in ten between {most}.",
        lambda: plots.plot_residuals(truth[:, drawn], answers[:, drawn], names[drawn], ax=OFF_SCREEN),
    )
    return join(
        paragraph(bias),
        figure(scattered, "Predicted against true; on the dashed line both are equal.", None),
        figure(
            counted, "How often predictions are off, and by how much; errors mostly to one side are a bias.", numbers
        ),
        note,
    )


def show_worst(subject: Subject, judgement: Numbers) -> Markup:
    """The rows with the largest errors."""
    error = np.abs(judgement.answers - judgement.truth)
    worst = np.argsort(-error.max(axis=1), kind="stable")[:_WORST]
    columns = error[worst].argmax(axis=1)
    several = len(judgement.names) > 1
    rows = []
    for row, column in zip(worst, columns, strict=True):
        truth, answer = judgement.truth[row, column], judgement.answers[row, column]
        cells = [show_number(float(f"{value:.4g}")) for value in (truth, answer, answer - truth)]
        name = [judgement.names[column]] if several else []
        rows.append([str(judgement.rows[row]), *name, *cells, *describe_row(subject, int(judgement.rows[row]))])
    head = ["row", *(["of"] if several else []), "true", "predicted", "off by", *row_columns(subject)]
    texts = (*([1] if several else []), *(range(4 + several, len(head)) if len(row_columns(subject)) == 1 else ()))
    return table(f"The {len(rows)} rows with the largest errors", head, rows, texts=(0, *texts))


__all__ = ["write_regression"]
