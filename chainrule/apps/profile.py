"""``chainrule profile``: where the time of a network's training step goes, and what the machine could do."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.apps import runs
from chainrule.apps.train import Recipe, make_model

STEPS = 200
"""Steps that are timed, where nothing is said."""


def profile(options: argparse.Namespace) -> int:
    """Carry out the command ``profile``."""
    recipe = Recipe()
    batch = options.batch_size or recipe.batch_size
    steps = options.steps or STEPS
    model = runs.load_network(options.run) if options.run else make_model(recipe, batch * steps)
    x, y = sample_data(model, batch * steps)
    report = model.profile(x, y, batch_size=batch, steps=steps, workers=options.workers)
    if options.json:
        rows = [dataclasses.asdict(row) for row in report.rows]
        step = {"seconds": report.seconds, "operations": report.operations, "peak_share": report.peak_share}
        print(json.dumps({"machine": dataclasses.asdict(report.machine), "step": step, "rows": rows}))
    else:
        print(report)
    return 0


def sample_data(model: Any, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and targets that fit a model: how long a step takes does not depend on the numbers."""
    rng = np.random.default_rng(0)
    shape = (rows, *model.input_kinds()[0][0])
    dtype = model.input_layer.dtype.numpy if model.input_layer else np.dtype(np.float32)
    if dtype.kind == "f":
        x = rng.standard_normal(shape, dtype=np.float32)
    else:
        x = rng.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)
    if isinstance(model.loss, cr.losses.SparseCategoricalCrossentropy):
        return x, rng.integers(0, model.output_shape[-1], (rows, *model.output_shape[1:-1]))
    return x, rng.random((rows, *model.output_shape[1:]), dtype=np.float32)
