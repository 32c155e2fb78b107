"""The report: one HTML file that tells what a network does, how good it is, and why.

    model, rows ─► answers beside the truth (judgement) ─┐
               ├─► the doctor, the microscope, a profile ├─► Subject ─► sections ─► page ─► Report
               └─► history, options ─────────────────────┘

In: a compiled model, rows to judge it by, and what was recorded in training. Out: a `Report`: HTML that asks for
nothing, holds no script, and in which everything that came from data is text (`markup.py`). Weights stay as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from chainrule.data.arrays import spread_rows
from chainrule.errors import ChainruleError, DataError
from chainrule.graph.tree import flatten, map_leaves
from chainrule.inspect.doctor.doctor import diagnose
from chainrule.inspect.judgement import Classes, Judgement, Labels, Numbers, judge
from chainrule.inspect.markup import element, frame
from chainrule.inspect.microscope.microscope import inspect_layers
from chainrule.inspect.page import Section, shorten, write_page
from chainrule.inspect.report.sections.answer import write_lead
from chainrule.inspect.report.sections.classes import write_classes, write_labels
from chainrule.inspect.report.sections.data import write_data
from chainrule.inspect.report.sections.evaluation import write_evaluation
from chainrule.inspect.report.sections.layers import write_layers
from chainrule.inspect.report.sections.network import write_network
from chainrule.inspect.report.sections.origin import write_origin
from chainrule.inspect.report.sections.regression import write_regression
from chainrule.inspect.report.sections.speed import write_speed
from chainrule.inspect.report.sections.subject import Drawings, Subject, attempt, only_array
from chainrule.inspect.report.sections.training import write_doctor, write_training
from chainrule.interop.archive import write_file
from chainrule.training.nests import map_arrays
from chainrule.version import __version__

BATCH, STEPS = 128, 30
"""Rows of a step, and steps, that are timed."""


@dataclass(frozen=True)
class Report:
    """A page of HTML; in a notebook it shows itself.

    Args:
        title: of the page.
        html: all of the file.
    """

    title: str
    html: str

    def write(self, path: Any) -> None:
        """Write the file, whole or not at all.

        Raises:
            FileError: where it cannot be written; an older file stays as it was.
        """
        write_file(path, self.html.encode("utf-8"))

    def __str__(self) -> str:
        return f"{self.title}: a report of {len(self.html.encode('utf-8')) / 1e3:,.0f} kB"

    def _repr_html_(self) -> str:
        return str(frame(self.html, self.title))


def make_report(
    model: Any,
    x: Any,
    y: Any,
    history: Any = None,
    question: str = "",
    class_names: Any = None,
    feature_names: Sequence[Any] | None = None,
    config: Mapping[str, Any] | None = None,
    title: str | None = None,
    training_data: tuple[Any, Any] | None = None,
    command: str = "",
) -> Report:
    """Look at a network from all sides, and write what is found as one page.

    Args:
        model: compiled; its weights stay as they are.
        x, y: the rows that it is judged by, as for `evaluate`; best such as it was not trained on.
        history: what `fit` returned, or its dict: a list of numbers, one an epoch, by name.
        question: what the network is to answer, in a sentence.
        class_names: of the classes, labels or numbers: a list, or a dict of lists by output where there are several.
        feature_names: of the columns of x.
        config: the options that the network was trained with, shown as JSON.
        title: of the page.
        training_data: rows as the network was trained on, ``(x, y)``: what doctor, microscope and clock look at. The
            rows of x and y by default.
        command: what makes the report again, typed in a shell.

    Raises:
        ChainruleError: for a model that is not compiled.
        DataError: for rows, or names, that do not fit.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.random.default_rng(0).random((64, 2))
        >>> report = make_report(model, x, x.sum(axis=1), feature_names=["width", "<script>"])
        >>> "<script>" in report.html, "&lt;script&gt;" in report.html
        (False, True)
    """
    model.require_compiled()
    refuse_bad_weights(model)
    names = check_feature_names(x, feature_names)
    judgements = tuple(judge(model, x, y, class_names))
    trained = training_data or (x, y)
    sample = take_rows(trained, BATCH * STEPS)
    subject = Subject(
        model=model,
        x=x,
        y=y,
        sample=sample,
        judgements=judgements,
        results=model.evaluate(x, y, batch_size=1000, verbose=0, return_dict=True),
        history=read_history(history),
        question=question,
        feature_names=names,
        config=config,
        command=command,
        diagnosis=attempt(lambda: diagnose(model, *trained, validation_data=(x, y) if training_data else None)),
        microscope=attempt(lambda: inspect_layers(model, x, y)),
        profile=attempt(lambda: model.profile(*sample, batch_size=BATCH, steps=STEPS)),
        drawings=Drawings(),
    )
    shown = shorten(title if title is not None else f"The network {model.name}", 120)
    written = f"Written by chainrule {__version__} on {datetime.now():%d %B %Y at %H:%M}."
    foot = f"{written} This file loads nothing from outside."
    return Report(shown, write_page(shown, write_lead(subject), write_sections(subject), element("p", foot)))


def write_sections(subject: Subject) -> list[Section]:
    """All sections in their order."""
    results = [section for place in range(len(subject.judgements)) for section in write_results(subject, place)]
    sections = [
        *results,
        write_evaluation(subject),
        write_doctor(subject),
        write_data(subject),
        write_network(subject),
        write_training(subject),
        write_layers(subject),
        write_speed(subject),
        write_origin(subject),
    ]
    return [section for section in sections if section is not None]


def write_results(subject: Subject, place: int) -> list[Section]:
    """How good one output is, as what it is."""
    writers: dict[type[Judgement], Callable[[Subject, int], list[Section]]] = {
        Classes: write_classes,
        Labels: write_labels,
        Numbers: write_regression,
    }
    return writers[type(subject.judgements[place])](subject, place)


def take_rows(data: tuple[Any, Any], count: int) -> tuple[Any, Any]:
    """So many rows, evenly over all of them, for many data sets are sorted; of fewer rows some come again."""
    arrays = tuple(
        None if part is None else map_arrays(lambda _, value: np.asarray(value), "data", part) for part in data
    )
    rows = len(flatten(arrays)[0][0])
    chosen = spread_rows(rows, count)
    arrays = map_leaves(lambda leaf: leaf[chosen], arrays)
    return arrays[0], arrays[1]


def refuse_bad_weights(model: Any) -> None:
    """A model whose weights are no numbers says nothing of any row."""
    for weight in model.weights:
        if not np.isfinite(weight.memory).all():
            raise ChainruleError(
                "a weight is not finite",
                where=f"model '{model.name}', '{weight.name}'",
                expected="numbers",
                got=f"{int(np.sum(~np.isfinite(weight.memory))):,} of {weight.size:,} that are NaN or infinite",
                fix="train it again with a lower learning rate, or load the weights of before",
            )


def read_history(history: Any) -> dict[str, list[float]]:
    """Numbers by name; what is no list of numbers is left out."""
    recorded = {} if history is None else getattr(history, "history", history)
    if not isinstance(recorded, Mapping):
        raise DataError(
            "this is no history", where="history", expected="what fit returned, or a dict", got=type(history)
        )
    found = {}
    for name, values in recorded.items():
        with contextlib.suppress(TypeError, ValueError):
            if np.ndim(values) == 1 and len(values):
                found[str(name)] = [float(value) for value in values]
    return found


def check_feature_names(x: Any, names: Sequence[Any] | None) -> tuple[str, ...] | None:
    """Names of the columns, as many as there are."""
    if names is None:
        return None
    array = only_array(x)
    if array is None or array.ndim != 2 or len(names) != array.shape[1]:
        raise DataError(
            "the names do not fit the columns of x",
            where="feature_names",
            expected="several inputs" if array is None else f"{array.shape[1:]} names",
            got=f"{len(names)} names",
        )
    return tuple(shorten(name, 40) for name in names)


__all__ = ["Report", "make_report"]
