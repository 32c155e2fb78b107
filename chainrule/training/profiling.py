"""Profiling a model's training step on data, without training the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.data.arrays import check_count
from chainrule.errors import ChainruleError
from chainrule.graph.tree import flatten
from chainrule.graph.variable import kept
from chainrule.runtime.profile import Profile, profile_steps
from chainrule.training.feed import executable_for
from chainrule.training.prepare import prepare
from chainrule.training.step import train_step


def profile_training(
    model: Any, x: Any, y: Any, batch_size: int, steps: int | None = None, workers: int | None = None
) -> Profile:
    """Measure the training step; afterwards every Variable has the value that it had before."""
    model.require_compiled()
    data = prepare(model, x, y)
    executable = executable_for(model, train_step, data)
    if model.run_eagerly:
        raise ChainruleError("an eager model has no machine code to profile", where=f"model '{model.name}'")
    given = flatten(data)[0]
    rows = len(given[0])
    size = min(check_count("batch_size", batch_size), rows)
    order = np.arange(rows, dtype=np.int32)
    with kept(executable.traced.assigned):
        return profile_steps(
            executable, [*given, order], batch_size=size, steps=min(steps or rows, rows // size), workers=workers
        )
