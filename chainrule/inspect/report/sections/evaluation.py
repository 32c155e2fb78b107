"""Loss and metrics as the model was compiled with them: what `evaluate` says."""

from __future__ import annotations

import numpy as np

from chainrule.inspect.page import Section, shorten, show_number, table
from chainrule.inspect.report.sections.subject import Subject


def write_evaluation(subject: Subject) -> Section:
    """What `evaluate` says of the rows."""
    rows = [
        [shorten(name), ", ".join(show_number(round(float(number), 6)) for number in np.ravel(value))]
        for name, value in subject.results.items()
    ]
    return Section("evaluation", "Loss and metrics", table("As the network was compiled", ["name", "value"], rows))


__all__ = ["write_evaluation"]
