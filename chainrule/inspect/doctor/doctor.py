"""`diagnose`: mistakes in a model and its data, found before the first step of training.

    examine ─► what is known of model and data, gathered once (`examination.py`)
    RULES   ─► findings, each from a small function (`rules/`)
    Diagnosis, which prints itself (`findings.py`)

The model, its optimizer and the data are afterwards what they were, to the bit.
"""

from __future__ import annotations

from typing import Any

from chainrule.errors import DataError
from chainrule.inspect.doctor.examination import examine
from chainrule.inspect.doctor.findings import SEVERITIES, Diagnosis, Finding
from chainrule.inspect.doctor.rules import RULES
from chainrule.training.feed import is_iterable_of_batches

REFUSED = "until what fit refuses is fixed"
NO_LOSS = "as the model has no loss of compile's"


def diagnose(model: Any, x: Any, y: Any, validation_data: Any = None) -> Diagnosis:
    """Look for mistakes in a model, in how it is compiled, and in its data, before training.

    Columns, labels and repeated rows are looked at in all rows; through the network goes a sample of at most 2,000 of
    them, spread evenly, in one batch, with layers acting as in training. The learning rate is tried on at most 512. The
    same rows give the same findings.

    Args:
        model: compiled. One without weights gets them here, as `fit` would make them.
        x, y: as for `fit`, as arrays.
        validation_data: ``(x, y)`` as for `fit`; of batches nothing is looked at.

    Returns:
        A `Diagnosis`: findings that each say what is wrong, where, by which numbers, and what to do. Mistakes that
        `fit` would refuse are findings too, in its words. An error will fail or cannot learn, a warning is very
        probably a mistake, a note is worth a look.

    Raises:
        DataError: for an iterable of batches in place of arrays, which would be used up.
        Exception: what Python code of the user's own raises, in layers and losses; never for a mistake that is looked
            for.

    Example:
        >>> import numpy as np
        >>> import chainrule as cr
        >>> cr.set_random_seed(0)
        >>> x = np.random.default_rng(0).standard_normal((200, 4)).astype("float32")
        >>> model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(8, "relu"), cr.layers.Dense(1)])
        >>> model.compile("adam", "binary_crossentropy")
        >>> for finding in diagnose(model, x, (x[:, 0] * x[:, 1] > 0).astype("float32")):
        ...     print(finding)
        error: layer 'dense_1': binary_crossentropy is for probabilities, and the
          predictions are not
          seen  activation 'linear', loss binary_crossentropy; predictions from -2.13 to
                3.24
          fix   activation='sigmoid', or from_logits=True in the loss
          rule  loss-does-not-fit
    """
    if is_iterable_of_batches(x):
        raise DataError(
            "batches in place of arrays",
            where="diagnose",
            expected="x and y with some thousand rows",
            got=type(x).__name__,
            fix="join a few batches, or diagnose(model, *next(iter(batches)))",
        )
    examination = examine(model, x, y, validation_data)
    findings: list[Finding] = []
    checked: list[str] = []
    unchecked: list[str] = []
    for rule in RULES:
        explained = sorted({finding.rule for finding in findings} & set(rule.unless))
        if rule.needs_validation and examination.validation is None:
            continue
        if rule.needs_pass and examination.passage is None:
            unchecked.append(f"{rule.looks_at}, {REFUSED if examination.refusals else NO_LOSS}")
        elif explained:
            are = "is" if len(explained) == 1 else "are"
            unchecked.append(f"{rule.looks_at}, until {' and '.join(explained)} {are} fixed")
        else:
            findings.extend(rule.check(examination))
            checked.append(rule.looks_at)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Diagnosis(tuple(findings), examination.rows, examination.sampled, tuple(checked), tuple(unchecked))


__all__ = ["Diagnosis", "Finding", "diagnose"]
