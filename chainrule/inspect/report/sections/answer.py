"""The first screen: what the network does, how good it is and how sure that is, and what to look at first."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.inspect.judgement import Classes, Judgement, Labels, Numbers
from chainrule.inspect.markup import Markup, element, join
from chainrule.inspect.page import bullets, facts, paragraph, shorten, show_number, show_share
from chainrule.inspect.report.quality import Interval, judge_numbers, wilson
from chainrule.inspect.report.sections.subject import Subject
from chainrule.plots.predictions import confusion_matrix

_SEVERE = ("error", "warning")


def write_lead(subject: Subject) -> Markup:
    """What stands under the title."""
    return join(
        paragraph(subject.question, kind="question") if subject.question else None,
        paragraph(describe_network(subject), kind="answer"),
        [answer(subject, place) for place in range(len(subject.judgements))],
        None if subject.judgements else paragraph(describe_results(subject)),
        look_first(subject),
        None
        if subject.drawings.plotting
        else paragraph(
            "The plots are left out and their numbers shown, as matplotlib is not installed: ",
            element("code", "pip install 'chainrule[plots]'"),
            kind="aside",
        ),
    )


def describe_network(subject: Subject) -> str:
    """What goes in, what comes out, how large it is."""
    model = subject.model
    sizes = [" × ".join(map(str, shape)) or "1" for shape, _ in model.input_kinds()]
    if subject.pictures is not None:
        given = f"images of {' × '.join(map(str, subject.pictures.shape[1:3]))} pixels"
    else:
        given = f"{' and '.join(sizes)} {'number' if sizes == ['1'] else 'numbers'}"
    outcomes = [describe_outcome(judgement) for judgement in subject.judgements] or ["gives numbers"]
    layers = len(model.layers)
    return (
        f"The network “{shorten(model.name)}” takes {given} and {' and '.join(outcomes)}. "
        f"It has {layers} layer{'s' if layers != 1 else ''} and {model.count_params():,} parameters."
    )


def describe_outcome(judgement: Judgement) -> str:
    if isinstance(judgement, Classes):
        return f"assigns one of {len(judgement.names)} classes"
    if isinstance(judgement, Labels):
        return f"says yes or no to each of {len(judgement.names)} labels"
    width = judgement.truth.shape[1]
    return "predicts a number" if width == 1 else f"predicts {width} numbers"


def answer(subject: Subject, place: int) -> Markup:
    """The main numbers of an output."""
    judgement = subject.judgements[place]
    head = element("p", element("b", f"Output {shorten(judgement.output)}")) if len(subject.judgements) > 1 else None
    if isinstance(judgement, Numbers):
        return join(head, answer_numbers(judgement))
    if isinstance(judgement, Labels):
        return join(head, answer_labels(judgement))
    return join(head, answer_classes(judgement))


def answer_classes(judgement: Classes) -> Markup:
    count = len(judgement.truth)
    share = wilson(int(judgement.right.sum()), count)
    common = np.bincount(judgement.truth, minlength=len(judgement.names))
    always = judgement.names[int(common.argmax())]
    return facts(
        [
            (f"of {count:,} rows are right", show_share(share.value, digits_of(share))),
            (
                "95 % interval",
                f"{show_share(share.low, digits_of(share))} to {show_share(share.high, digits_of(share))}",
            ),
            (f"by always saying “{always}”", show_share(common.max() / count)),
        ],
        kind="numbers",
    )


def answer_labels(judgement: Labels) -> Markup:
    said = judgement.probabilities > 0.5
    right = wilson(int((said == judgement.truth).sum()), judgement.truth.size)
    whole = wilson(int((said == judgement.truth).all(axis=1).sum()), len(judgement.truth))
    never = max(judgement.truth.mean(), 1 - judgement.truth.mean())
    return facts(
        [
            (f"of {judgement.truth.size:,} labels are right", show_share(right.value, digits_of(right))),
            (f"of {len(judgement.truth):,} rows with all labels right", show_share(whole.value, digits_of(whole))),
            ("of the labels by always giving the same answer", show_share(never)),
        ],
        kind="numbers",
    )


def answer_numbers(judgement: Numbers) -> Markup:
    quality = judge_numbers(judgement.truth.reshape(-1), judgement.answers.reshape(-1))
    explained, error = quality.explained, quality.absolute
    return facts(
        [
            (f"R² in {len(judgement.truth):,} rows", show_number(float(f"{explained.value:.3g}"))),
            ("95 % interval of R²", f"{explained.low:.3g} to {explained.high:.3g}"),
            ("mean absolute error", show_number(float(f"{error.value:.3g}"))),
        ],
        kind="numbers",
    )


def digits_of(share: Interval) -> int:
    """Digits of a percentage that the interval leaves meaning to."""
    return 2 if share.high - share.low < 0.005 else 1


def describe_results(subject: Subject) -> str:
    """What `evaluate` says, where no output has a loss of its own."""
    return ", ".join(f"{name}: {value:.4g}" for name, value in subject.results.items() if np.ndim(value) == 0)


# -- what to look at first ----------------------------------------------------------------------------------------


def look_first(subject: Subject) -> Markup | None:
    """The doctor's worst finding, the most common confusion, the worst row."""
    items = [worst_finding(subject), *(worst_of(subject, place) for place in range(len(subject.judgements)))]
    found = [item for item in items if item is not None]
    if not found:
        return None
    return element("div", element("h2", "Look at this first", id="first"), bullets(found), class_="first")


def worst_finding(subject: Subject) -> Markup | None:
    """The first of the doctor's findings that is more than a note."""
    findings = [finding for finding in getattr(subject.diagnosis, "findings", ()) if finding.severity in _SEVERE]
    if not findings:
        return None
    worst, others = findings[0], len(findings) - 1
    return join(
        element("b", worst.severity.capitalize(), class_=worst.severity),
        f" in {shorten(worst.where)}: ",
        f"{shorten(worst.problem, 200)}. ",
        element("a", f"The doctor's findings ({others} more)" if others else "The doctor's finding", href="#doctor"),
    )


def worst_of(subject: Subject, place: int) -> Any:
    """What goes wrong most in an output."""
    judgement = subject.judgements[place]
    where = f"#results-{place}"
    if isinstance(judgement, Numbers):
        error = np.abs(judgement.answers - judgement.truth)
        row, column = np.unravel_index(int(error.argmax()), error.shape)
        said, true = show_number(judgement.answers[row, column]), show_number(judgement.truth[row, column])
        return join(
            f"The largest error is in row {judgement.rows[row]:,}: {said} instead of {true}. ",
            element("a", "The worst rows", href=f"#mistakes-{place}"),
        )
    if isinstance(judgement, Labels):
        wrong = ((judgement.probabilities > 0.5) != judgement.truth).mean(axis=0)
        worst = int(wrong.argmax())
        text = f"The label “{judgement.names[worst]}” is wrong in {show_share(wrong[worst])} of the rows. "
        return join(text, element("a", "All labels", href=where)) if wrong[worst] else None
    confusions = confusion_matrix(judgement.truth, judgement.answers, len(judgement.names))
    np.fill_diagonal(confusions, 0)
    if not confusions.any():
        return None
    truth, answer = np.unravel_index(int(confusions.argmax()), confusions.shape)
    count, rows = int(confusions[truth, answer]), int((judgement.truth == truth).sum())
    names = judgement.names
    text = f"“{names[truth]}” is taken for “{names[answer]}” in {count:,} of its {rows:,} rows"
    return join(f"{text}, the most common confusion. ", element("a", "All confusions", href=f"#confusions-{place}"))


__all__ = ["write_lead"]
