"""Dropout where it does harm: behind the last layer, and of nearly everything.

Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014, which keeps from
half to four fifths of the units, and drops none of the predictions.
"""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.inspect.doctor.examination import Examination
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.rule import percent
from chainrule.inspect.doctor.structure import maker_of
from chainrule.layers import AlphaDropout, Dropout, GaussianDropout

LARGE_RATE = 0.9
"""The rate from which one unit in ten, at most, is left in a step."""

_DROPS = (Dropout, AlphaDropout, GaussianDropout)


def find_dropout_at_the_end(examination: Examination) -> Iterator[Finding]:
    """Predictions that are dropped themselves."""
    passage = examination.passage
    assert passage is not None
    for target in examination.targets:
        node = examination.prediction_of(target)
        maker = None if node is None else maker_of(node, passage.results)
        if node is None or maker is None or not isinstance(maker.layer, _DROPS) or not maker.layer.rate:
            continue
        zero = float((examination.predicted(target) == 0).mean())
        yield Finding(
            rule="dropout-at-the-end",
            severity="error",
            where=passage.maker_name(node),
            problem="dropout after the last layer zeroes predictions while training"
            if isinstance(maker.layer, Dropout)
            else "dropout after the last layer changes predictions at random while training",
            evidence=f"rate {maker.layer.rate:g}; {percent(zero)} of the predictions in the sample are 0",
            fix="put it before the last Dense, or leave it out",
        )


def find_large_dropout(examination: Examination) -> Iterator[Finding]:
    """Rates that leave next to nothing."""
    passage = examination.passage
    assert passage is not None
    told: set[str] = set()
    for result, seen in passage.calls:
        if isinstance(result.layer, _DROPS) and result.layer.rate >= LARGE_RATE and seen.name not in told:
            told.add(seen.name)
            yield Finding(
                rule="large-dropout",
                severity="note",
                where=f"layer '{seen.name}'",
                problem="next to nothing comes through: the rate is the part that is dropped, not the part that is "
                "kept",
                evidence=f"rate {result.layer.rate:g} drops {percent(result.layer.rate)} of its inputs in every step",
                fix="a rate from 0.1 to 0.5",
            )
