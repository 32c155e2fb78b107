"""What each layer knows and how it learns: the microscope's tables and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import plots
from chainrule.inspect.judgement import Classes
from chainrule.inspect.markup import Markup, join
from chainrule.inspect.microscope.tables import describe_rows, remarks_on, rows_of_knowledge, rows_of_learning
from chainrule.inspect.page import Section, figure, paragraph, part, table
from chainrule.inspect.report.sections.subject import Subject
from chainrule.plots.style import OFF_SCREEN, new_grid

_ACROSS = 3


def write_layers(subject: Subject) -> Section:
    """The section on the layers."""
    seen = subject.microscope
    if isinstance(seen, str):
        return Section("layers", "What each layer knows", paragraph(f"The layers were not looked at: {seen}"))
    return Section("layers", "What each layer knows", show_layers(subject, seen))


def show_layers(subject: Subject, seen: Any) -> Markup:
    """From what the layers know to how they learn."""
    remarks = remarks_on(seen)
    rows = f"Measured on {describe_rows(seen)}."
    return join(
        [paragraph(text) for text in remarks],
        paragraph(rows, kind="aside"),
        figure(
            subject.drawings.plot(
                "Distillation: what a linear probe reads, layer by layer",
                " ".join(remarks),
                lambda: plots.plot_distillation(seen, ax=OFF_SCREEN),
            ),
            "How well a linear classifier, fitted to a layer's activations, reads the target from them, and how "
            "similar to the input they still are.",
            make_table("What each layer knows", rows_of_knowledge(seen)),
        ),
        show_representations(subject, seen),
        part(
            "learning",
            "How the layers learn",
            figure(
                subject.drawings.plot(
                    "Flow of the gradient",
                    "The norm of the loss's gradient at each layer.",
                    lambda: plots.plot_gradient_flow(seen, ax=OFF_SCREEN),
                ),
                "How large the loss's gradient is at each layer; the factors are relative to the last layer. If it "
                "falls or grows steeply with depth, the layers learn at very different speeds.",
                make_table("How each layer learns", rows_of_learning(seen)),
            ),
            figure(
                subject.drawings.plot(
                    "Histograms of the activations",
                    "How the activations of each layer are spread.",
                    lambda: plots.plot_histograms(seen, axes=make_panels(len(seen.stages) - 1, 2.4)),
                ),
                "How the activations of each layer are spread, counted on a logarithmic scale.",
            )
            if len(seen.stages) > 1
            else None,
        ),
    )


def show_representations(subject: Subject, seen: Any) -> Markup | None:
    """The rows as points, layer by layer; one row on its way; how like the layers are to each other."""
    if not subject.drawings.plotting or len(seen.stages) < 2:
        return None
    first = subject.judgements[0] if subject.judgements else None
    names = first.names if isinstance(first, Classes) and seen.classes else None
    return part(
        "representations",
        "Representations",
        figure(
            subject.drawings.plot(
                "Representations layer by layer",
                "The rows along the first two principal components of each layer's activations, coloured by class.",
                lambda: plots.plot_projections(seen, names, make_panels(len(seen.stages), 2.9)),
            ),
            "Every point is a row, drawn along the two directions in which a layer's activations differ most.",
        ),
        show_way(subject, names),
        show_filters(subject),
        figure(
            subject.drawings.plot(
                "Likeness of the layers to each other",
                "Linear CKA of each layer with each.",
                lambda: plots.plot_similarity(seen, ax=OFF_SCREEN),
            ),
            "How similar the layers' representations are to each other (linear CKA); 1 means identical up to rotation "
            "and scale.",
        ),
    )


def show_way(subject: Subject, names: tuple[str, ...] | None) -> Markup | None:
    """The first row through the layers, where rows are pictures."""
    if subject.pictures is None:
        return None
    row = np.asarray(subject.x)[0]
    drawing = subject.drawings.plot(
        "One row on its way through the layers",
        "The first row's image, then what each layer makes of it.",
        lambda: plots.plot_activations(subject.model, row, class_names=names, axes=OFF_SCREEN),
    )
    return figure(drawing, "The first row on its way: its image, then what each layer makes of it, one pixel per unit.")


def show_filters(subject: Subject) -> Markup | None:
    """What the neurons of the first layer look for, where that is a picture."""
    pictures = subject.pictures
    if pictures is None or pictures.ndim != 3:
        return None
    drawing = subject.drawings.plot(
        "What neurons of the first layer look for",
        "The weights of neurons of the first dense layer as images.",
        lambda: plots.plot_filters(subject.model, shape=pictures.shape[1:], ax=OFF_SCREEN),
    )
    return figure(
        drawing,
        "What each neuron of the first dense layer looks for: blue pixels add to its sum, orange ones subtract from "
        "it. Much of what is seen is the random start, above all where pixels hardly ever change.",
    )


def make_panels(count: int, height: float) -> Any:
    """Axes side by side, as many as the page is wide for."""
    across = -(-count // -(-count // _ACROSS))
    return new_grid(count, OFF_SCREEN, across, (2.5 * across, height * -(-count // across)))


def make_table(caption: str, rows: list[tuple[str, ...]]) -> Markup:
    """A table of the microscope's rows, the head first."""
    head = [cell.replace("\n", " ") for cell in rows[0]]
    return table(caption, head, rows[1:])


__all__ = ["write_layers"]
