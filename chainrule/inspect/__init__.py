"""See inside: every number of a step, what each layer knows, and mistakes found before training.

Reading order:

    observation    one pass through a model, everything kept
    ledger         the chain rule, shown
    microscope     what each layer knows
    doctor         mistakes found before training
    provenance     where the first NaN came from
    verification   gradients and machine code, checked
    report         one page that tells it all
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import lazy

if TYPE_CHECKING:
    from chainrule.inspect.doctor import Diagnosis, Finding, diagnose
    from chainrule.inspect.ledger import Ledger, explain, explain_step
    from chainrule.inspect.microscope import InspectLayers, Microscope, inspect_layers
    from chainrule.inspect.observation import Observation, Observer, observe
    from chainrule.inspect.report import Report, make_report
    from chainrule.inspect.verification import Verification, verify

_PLACES = {
    "chainrule.inspect.doctor": "Diagnosis Finding diagnose",
    "chainrule.inspect.ledger": "Ledger explain explain_step",
    "chainrule.inspect.microscope": "InspectLayers Microscope inspect_layers",
    "chainrule.inspect.observation": "Observation Observer observe",
    "chainrule.inspect.report": "Report make_report",
    "chainrule.inspect.verification": "Verification verify",
}

__getattr__ = lazy.importer(__name__, _PLACES)

__all__ = [
    "Diagnosis",
    "Finding",
    "InspectLayers",
    "Ledger",
    "Microscope",
    "Observation",
    "Observer",
    "Report",
    "Verification",
    "diagnose",
    "explain",
    "explain_step",
    "inspect_layers",
    "make_report",
    "observe",
    "verify",
]
