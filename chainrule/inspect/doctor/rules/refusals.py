"""What `fit` would refuse anyhow, told as findings in the same words."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.errors import ChainruleError
from chainrule.inspect.doctor.examination import Examination
from chainrule.inspect.doctor.findings import Finding

RULES_OF_REFUSALS = {
    "a number is NaN or infinite": "not-finite",
    "a label is out of range": "labels-out-of-range",
    "a label is not a whole number": "labels-out-of-range",
    "the labels do not fit the predictions": "targets-do-not-fit",
    "targets and predictions differ in shape": "targets-do-not-fit",
    "the loss takes the softmax or sigmoid of what is one already": "double-softmax",
    "a softmax of a softmax": "double-softmax",
    "there is one class only, so that nothing can be learned": "loss-does-not-fit",
    "the data do not fit the model": "inputs-do-not-fit",
    "the input still has": "targets-do-not-fit",
}
"""Words in what `fit` says of a mistake, and the rule that it breaks; of all else the rule is ``refused``."""


def find_refused(examination: Examination) -> Iterator[Finding]:
    """What `fit` would refuse, in its own words."""
    for error in examination.refusals:
        rules = [rule for words, rule in RULES_OF_REFUSALS.items() if words in error.problem]
        yield as_finding(rules[0] if rules else "refused", error)


def as_finding(rule: str, error: ChainruleError) -> Finding:
    """An error as a finding, with the same words."""
    parts = [("expected", error.expected), ("got", error.got)]
    return Finding(
        rule=rule,
        severity="error",
        where=error.where or "the model",
        problem=error.problem,
        evidence="; ".join(f"{label} {value}" for label, value in parts if value is not None),
        fix=error.fix or "",
    )
