"""``chainrule inspect``: a network seen from inside, on a sample of data.

layers     what each layer knows: probe, separation, likeness to the input, …
step       every number of a training step, by layer, neuron and operation
doctor     mistakes in the network, its compilation and the data
verify     gradients against differences, machine code against the interpreter
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.apps import inputs, runs
from chainrule.apps.train import Recipe, make_model
from chainrule.errors import ChainruleError
from chainrule.interop.archive import write_file

ROWS = {"step": 32, "verify": 32}
"""Rows looked at, where nothing is said; the other views take all, and choose among them by themselves."""


def inspect(options: argparse.Namespace) -> int:
    """Carry out the command ``inspect``; where a mistake or a failure was found the status is 1."""
    x, y = inputs.labelled(options.data)
    model = runs.load_network(options.run) if options.run else make_model(Recipe(), len(x))
    model.require_compiled()
    count = min(options.rows or ROWS.get(options.view, len(x)), len(x))
    # Evenly over all rows: many data sets are sorted.
    chosen = np.linspace(0, len(x) - 1, count).astype(int)
    refuse_unused(options)
    view, status = look(model, x[chosen], y[chosen], options)
    print(view)
    if options.html is not None:
        write_page(view, Path(options.html))
    return status


def look(model: Any, x: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> tuple[Any, int]:
    """What was asked for, as a value that prints, and the status of the command."""
    if options.view == "layers":
        return model.inspect(x, y), 0
    if options.view == "doctor":
        diagnosis = model.diagnose(x, y)
        return diagnosis, int(any(finding.severity == "error" for finding in diagnosis))
    if options.view == "verify":
        verification = model.verify(x, y)
        return verification, int(not verification.passed)
    ledger = model.explain(x, y)
    if options.neuron is not None:
        return ledger.neuron(options.layer, options.neuron), 0
    return (ledger[options.layer] if options.layer else ledger), 0


def refuse_unused(options: argparse.Namespace) -> None:
    """Options that the view would pass over in silence."""
    if options.view != "step" and (options.layer is not None or options.neuron is not None):
        raise ChainruleError(
            "only a step is looked at by layer and neuron",
            where=f"inspect {options.view}",
            got="--layer or --neuron",
            fix="chainrule inspect step RUN --layer NAME --neuron N",
        )
    if options.neuron is not None and options.layer is None:
        raise ChainruleError("a neuron needs its layer", where="--neuron", fix="name the layer with --layer NAME")


def write_page(view: Any, path: Path) -> None:
    """The view as a page for a browser."""
    body = view.to_html() if hasattr(view, "to_html") else standalone(view._repr_html_())
    write_file(path, body.encode())
    print(f"written to {path}")


def standalone(body: str) -> str:
    """A part of a page as a page of its own."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>chainrule inspect</title>'
        "<style>:root { color-scheme: light dark } body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; "
        f"max-width: 60rem; padding: 0 1rem }}</style></head><body>\n{body}\n</body></html>\n"
    )
