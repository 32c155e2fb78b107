"""Training: the curves of what was recorded, and what the doctor found."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule import plots
from chainrule.inspect.markup import Markup, element, join
from chainrule.inspect.page import Section, bullets, facts, figure, paragraph, shorten, show_number, table, unfold
from chainrule.inspect.report.sections.subject import Subject
from chainrule.plots.style import OFF_SCREEN

_MOST_CURVES = 6
_MOST_EPOCHS = 200


def write_training(subject: Subject) -> Section | None:
    """The curves."""
    history = dict(sorted(subject.history.items(), key=lambda item: item[0].removeprefix("val_") != "loss"))
    if not history:
        return None
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    drawn = names[:_MOST_CURVES]
    epochs = max(len(values) for values in history.values())
    ends = [describe_end(name, values) for name, values in history.items() if name.removeprefix("val_") in drawn]
    description = f"Over {epochs} epochs: {'; '.join(ends)}."
    drawing = None
    if epochs > 1:
        drawing = subject.drawings.plot(
            "Curves of training", description, lambda: plots.plot_history(history, drawn, OFF_SCREEN)
        )
    left = "" if len(drawn) == len(names) else f" {len(names) - len(drawn)} more are in the numbers."
    caption = f"What was recorded, epoch by epoch: {', '.join(shorten(name) for name in drawn)}.{left}"
    return Section("training", "Training", figure(drawing, caption, tabulate(history, epochs)))


def describe_end(name: str, values: list[float]) -> str:
    return f"{shorten(name)} went from {show_number(values[0])} to {show_number(values[-1])}"


def tabulate(history: dict[str, list[float]], epochs: int) -> Markup:
    """A row an epoch; of very many epochs, some, the last among them. Shorter lists were taken every few epochs."""
    every = math.ceil(epochs / _MOST_EPOCHS)
    chosen = [epoch for epoch in range(1, epochs + 1) if epoch % every == 0 or epoch in (1, epochs)]
    rows = []
    for epoch in chosen:
        cells = []
        for values in history.values():
            step = max(1, epochs // len(values))
            here = epoch % step == 0 and epoch // step <= len(values)
            cells.append(show_number(values[epoch // step - 1]) if here else "–")
        rows.append([f"{epoch}", *cells])
    return table("What was recorded", ["epoch", *(shorten(name) for name in history)], rows)


# -- the doctor ---------------------------------------------------------------------------------------------------


def write_doctor(subject: Subject) -> Section:
    """What the doctor found."""
    return Section("doctor", "The doctor's findings", show_findings(subject))


def show_findings(subject: Subject) -> Markup:
    found = subject.diagnosis
    if isinstance(found, str):
        return paragraph(f"The doctor could not look at this network: {found}")
    items = [
        element(
            "li",
            element(
                "p",
                element("span", finding.severity.capitalize(), class_="severity"),
                f" · {shorten(finding.where, 120)}: {finding.problem}",
            ),
            facts([(label, text) for label, text in (("seen", finding.evidence), ("fix", finding.fix)) if text]),
            class_=finding.severity,
        )
        for finding in found.findings
    ]
    well = paragraph(
        element("b", "No findings.", class_="well"),
        " No mistake was found in the network, its compilation or its data.",
    )
    seen = f"{found.sampled:,} of {found.rows:,} rows were passed through the network." if found.sampled else None
    return join(
        element("ul", items, class_="findings") if items else well,
        None if seen is None else paragraph(seen, kind="aside"),
        list_looks("What was looked at", found.checked),
        list_looks("What was not looked at", found.unchecked),
    )


def list_looks(what: str, names: Sequence[str]) -> Markup | None:
    """The kinds of mistakes that were looked for, or not."""
    return unfold(f"{what}: {len(names)} kinds of mistake", bullets(names)) if names else None


__all__ = ["write_doctor", "write_training"]
