"""The interface of an executable on the NumPy interpreter: for checks, and to look into a step with a debugger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.graph.evaluate import evaluate
from chainrule.graph.tracing import TracedFunction


class Interpreted:
    """A traced function run by `graph.evaluate`."""

    def __init__(self, traced: TracedFunction):
        self.traced = traced

    def __call__(self, *arrays: Any) -> list[np.ndarray]:
        variables = self.traced.variables
        values = evaluate(self.traced.graph, [*arrays, *(variable.memory for variable in variables)])
        # A result may be a view of an argument or a Variable, which the assignments change.
        results = [np.array(value) for value in values[: self.traced.results]]
        new = [np.array(value) for value in values[self.traced.results :]]
        for variable, value in zip(self.traced.assigned, new, strict=True):
            variable.memory[...] = value
        return results

    def run_steps(self, arrays: Sequence[Any], *, batch_size: int, first: int, count: int) -> None:
        """As `Executable.run_steps`."""
        *rest, order = arrays
        for step in range(first, first + count):
            self(*rest, order[step * batch_size : (step + 1) * batch_size])
