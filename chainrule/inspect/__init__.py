"""See inside: every number of a step, what each layer knows, and mistakes found before training.

Reading order:

    observation    one pass through a model, everything kept
    ledger         the chain rule, shown
    microscope     what each layer knows
    doctor         mistakes found before training
    provenance     where the first NaN came from
    verification   gradients and machine code, checked
    report         one page that tells it all

Beside them stands what several use: `judgement` (answers as classes, labels or numbers), `numbers` (numbers for
people), `markup` (the gate through which everything goes into HTML) and `page` (what a page looks like).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import lazy

if TYPE_CHECKING:
    from chainrule.inspect.doctor.doctor import Diagnosis, Finding, diagnose
    from chainrule.inspect.ledger.chain import Chain, explain_chain
    from chainrule.inspect.ledger.entries import Entry
    from chainrule.inspect.ledger.ledger import Ledger, explain, explain_step
    from chainrule.inspect.microscope.microscope import InspectLayers, Microscope, inspect_layers
    from chainrule.inspect.observation import Observation, Observer, observe
    from chainrule.inspect.provenance.provenance import Provenance
    from chainrule.inspect.report.report import Report, make_report
    from chainrule.inspect.verification.verification import Verification, verify

_PLACES = {
    "chainrule.inspect.ledger.chain": "Chain explain_chain",
    "chainrule.inspect.doctor.doctor": "Diagnosis Finding diagnose",
    "chainrule.inspect.ledger.entries": "Entry",
    "chainrule.inspect.ledger.ledger": "Ledger explain explain_step",
    "chainrule.inspect.microscope.microscope": "InspectLayers Microscope inspect_layers",
    "chainrule.inspect.observation": "Observation Observer observe",
    "chainrule.inspect.provenance.provenance": "Provenance",
    "chainrule.inspect.report.report": "Report make_report",
    "chainrule.inspect.verification.verification": "Verification verify",
}

__getattr__ = lazy.importer(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "Chain",
    "Diagnosis",
    "Entry",
    "Finding",
    "InspectLayers",
    "Ledger",
    "Microscope",
    "Observation",
    "Observer",
    "Provenance",
    "Report",
    "Verification",
    "diagnose",
    "explain",
    "explain_chain",
    "explain_step",
    "inspect_layers",
    "make_report",
    "observe",
    "verify",
]
