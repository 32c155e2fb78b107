"""Information that the network throws away on its way to the classes: logits cut off, layers that are too narrow."""

from __future__ import annotations

import math
from collections.abc import Iterator

from chainrule.graph.ir import Node
from chainrule.inspect.doctor.examination import Examination, Passage
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.endings import ONE_OF_SEVERAL
from chainrule.inspect.doctor.structure import nodes_of, plain, softmax_input
from chainrule.layers import Dense

FEWEST_CLASSES = 3
"""Classes from which on a layer may be too narrow; for two, one unit is enough."""


def find_cut_logits(examination: Examination) -> Iterator[Finding]:
    """A relu before the softmax or sigmoid that gives the predictions."""
    passage = examination.passage
    assert passage is not None
    for target in examination.targets:
        prediction = examination.prediction_of(target)
        end = None if prediction is None else plain(prediction)
        if end is None:
            continue
        logits = end.inputs[0] if end.primitive.name == "sigmoid" else softmax_input(end)
        if logits is None or passage.activation_of(logits) not in ("relu", "relu6"):
            continue
        squashing = "sigmoid" if end.primitive.name == "sigmoid" else "softmax"
        yield Finding(
            rule="cut-off-logits",
            severity="warning",
            where=passage.maker_name(logits),
            problem=f"the relu cuts off the logits below 0 before the {squashing}",
            evidence="no probability can fall below 0.5"
            if squashing == "sigmoid"
            else "the network cannot rule a class out by a negative logit, and a unit at 0 has no gradient",
            fix="leave the activation of this layer out",
        )


def find_bottleneck(examination: Examination) -> Iterator[Finding]:
    """Dense layers of fewer units than it takes bits to number the classes, with no way past them."""
    passage = examination.passage
    assert passage is not None
    for target in examination.targets:
        prediction = examination.prediction_of(target)
        classes = int(target.output.shape[-1]) if target.output.shape else 1
        if prediction is None or classes < FEWEST_CLASSES or not isinstance(target.loss, ONE_OF_SEVERAL):
            continue
        for result, seen in passage.calls:
            layer = result.layer
            if not isinstance(layer, Dense) or layer.units >= math.log2(classes) or seen.output.ndim != 2:
                continue
            if is_only_way(nodes_of(result.outputs)[0], prediction, passage):
                yield Finding(
                    rule="narrow-layer",
                    severity="note",
                    where=f"layer '{seen.name}'",
                    problem=f"{classes} classes have to pass through {layer.units} "
                    f"unit{'s' if layer.units > 1 else ''}",
                    evidence=f"{math.ceil(math.log2(classes))} units that are on or off could number {classes} "
                    f"classes; it has {layer.units}",
                    fix=f"more units, such as {max(16, 2 * classes)}",
                )


def is_only_way(node: Node, prediction: Node, passage: Passage) -> bool:
    """Whether all that a prediction gets of x comes through a node."""
    reached = set(passage.data_inputs)
    for step in passage.forward:
        if step is not node and any(operand in reached for operand in step.inputs):
            reached.add(step)
    return prediction not in reached and prediction is not node
