"""What the doctor looks for, in the order in which it does: the data, the network, how it begins, how it is trained.

A rule is a function of the `Examination` that gives findings. A finding may explain others, which are then left out:
what cannot be fixed before it is not worth telling.

Reading order: `rule`; `refusals`, `labels`, `columns`, `scale`, `leakage`, `repetition`; `endings`, `dropout`,
`narrowness`, `connections`; `beginning`; `rate`.
"""

from __future__ import annotations

from chainrule.inspect.doctor.rules import (
    beginning,
    columns,
    connections,
    dropout,
    endings,
    labels,
    leakage,
    narrowness,
    rate,
    refusals,
    repetition,
    scale,
)
from chainrule.inspect.doctor.rules.rule import Rule

# What explains others: numbers far off, an end that gives no use, a beginning from which nothing goes on.
_SCALE = ("unscaled-inputs", "unscaled-targets", "not-finite", "number-without-vector")
_NO_USE = (
    "loss-does-not-fit",
    "double-softmax",
    "softmax-of-one",
    "dropout-at-the-end",
    "nothing-trainable",
    "labels-out-of-range",
    "weights-not-finite",
)
_BEGINNING = ("equal-units", "dead-units", "no-gradient", "exploding-signal", "saturated-units")

RULES = (
    Rule("what fit refuses", refusals.find_refused),
    Rule("the range of labels", labels.find_labels_out_of_range),
    Rule("embedding index out of range", labels.find_numbers_without_vector, needs_pass=True),
    Rule("targets that never change", labels.find_lone_target),
    Rule("the balance of classes", labels.find_lopsided_classes),
    Rule("the order of rows", labels.find_sorted_labels),
    Rule("constant columns", columns.find_constant_columns),
    Rule("duplicate columns", columns.find_duplicate_columns),
    Rule("leakage of the target", leakage.find_leaked_target),
    Rule("rows shared with the validation data", leakage.find_shared_rows, needs_validation=True),
    Rule("rows that are copies of others", repetition.find_repeated_rows),
    Rule("the scale of inputs", scale.find_unscaled_inputs, needs_pass=True),
    Rule("the scale of targets", scale.find_unscaled_targets),
    Rule("a softmax of a softmax", endings.find_double_softmax, needs_pass=True),
    Rule("a softmax of one number", endings.find_lone_softmax, needs_pass=True),
    Rule("dropout after the last layer", dropout.find_dropout_at_the_end, needs_pass=True),
    Rule("the rate of dropout", dropout.find_large_dropout, needs_pass=True),
    Rule("logits cut off by a relu", narrowness.find_cut_logits, needs_pass=True),
    Rule("layers too narrow for the classes", narrowness.find_bottleneck, needs_pass=True),
    Rule(
        "loss and last activation",
        endings.find_unfit_loss,
        ("double-softmax", "softmax-of-one", "dropout-at-the-end"),
        needs_pass=True,
    ),
    Rule("loss and metrics", endings.find_accuracy_of_numbers, needs_pass=True),
    Rule("targets within reach", endings.find_unreachable_targets, needs_pass=True),
    Rule("weights that are numbers", connections.find_bad_weights),
    Rule("something to train", connections.find_nothing_trainable),
    Rule("weights without a gradient", connections.find_unconnected_weights, needs_pass=True),
    Rule("layers that are a single linear layer", connections.find_linear_pairs, needs_pass=True),
    Rule("equal units", beginning.find_equal_units, needs_pass=True),
    Rule("dead units", beginning.find_dead_units, (*_SCALE, "equal-units"), needs_pass=True),
    Rule(
        "signal and gradient through the depth",
        beginning.find_lost_signal,
        ("equal-units", "dead-units"),
        needs_pass=True,
    ),
    Rule(
        "loss has no slope",
        beginning.find_no_gradient,
        (*_SCALE, *_NO_USE, *_BEGINNING, "vanishing-signal"),
        needs_pass=True,
    ),
    Rule("the first loss", beginning.find_bad_first_guess, (*_SCALE, *_NO_USE, *_BEGINNING), needs_pass=True),
    Rule(
        "the learning rate",
        rate.find_unfit_rate,
        (*_SCALE, *_NO_USE, *_BEGINNING, "vanishing-signal", "targets-out-of-reach"),
        needs_pass=True,
    ),
)
"""All of them, in order."""

__all__ = ["RULES", "Rule"]
