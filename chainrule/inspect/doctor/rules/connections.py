"""How layers hang together: weights that nothing trains, and layers that are one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.graph.ir import Node, reachable
from chainrule.graph.variable import Variable
from chainrule.inspect.doctor.examination import Examination, Passage
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.rule import count
from chainrule.inspect.doctor.structure import is_weighted_sum, maker_of, nodes_of, plain
from chainrule.layers import BatchNormalization, Dense, Dropout, Flatten, Identity, Reshape
from chainrule.layers.layer import Result, inner_layers

_STRAIGHT = (BatchNormalization, Dropout, Flatten, Identity, Reshape)
"""Layers that bend nothing: two weighted sums with one of these between are still one."""


def find_nothing_trainable(examination: Examination) -> Iterator[Finding]:
    """A model whose weights all stay as they are."""
    model = examination.model
    if model.built and not model.trainable_variables:
        frozen = sum(weight.size for weight in model.weights)
        yield Finding(
            rule="nothing-trainable",
            severity="error",
            where=f"model '{model.name}'",
            problem="there is no weight that training changes",
            evidence=f"{frozen:,} weights, all of them frozen" if frozen else "no layer has weights",
            fix="set layer.trainable = True before compile" if frozen else "add a layer with weights, such as Dense",
        )


def find_bad_weights(examination: Examination) -> Iterator[Finding]:
    """Weights that are NaN or infinite already."""
    model = examination.model
    for weight in model.weights if model.built else []:
        bad = int(np.sum(~np.isfinite(weight.memory)))
        if bad:
            yield Finding(
                rule="weights-not-finite",
                severity="error",
                where=owner_of(weight, model),
                problem="a weight is NaN or infinite, and so is all that is computed with it",
                evidence=f"'{weight.name}': {bad:,} of {weight.size:,} numbers",
                fix="build the model again, or load earlier weights; then train with a lower learning rate",
            )


def find_unconnected_weights(examination: Examination) -> Iterator[Finding]:
    """Layers with weights that the loss does not depend on, or through no operation that has a gradient."""
    passage = examination.passage
    assert passage is not None
    needed = set(reachable([passage.loss]))
    inputs = passage.variable_inputs
    found: dict[tuple[str, bool], list[str]] = {}
    for variable, slope in zip(passage.observer.trained, passage.slopes, strict=True):
        node = inputs.get(variable)
        reads = node is not None and node in needed
        if not reads or is_zero(slope):
            found.setdefault((owner_of(variable, examination.model), reads), []).append(f"'{variable.name}'")
    for (owner, reads), names in found.items():
        why = "only through operations without a gradient, such as rounding or stop_gradient" if reads else "not at all"
        yield Finding(
            rule="unconnected-weights",
            severity="warning",
            where=owner,
            problem="no gradient reaches its weights, so that training never changes them",
            evidence=f"the loss depends on {', '.join(names)} {why}",
            fix="connect the layer to an output with a loss, or set its trainable = False",
        )


def owner_of(variable: Variable, model: Any) -> str:
    """The layer that a weight is of, as messages call it."""
    for layer in inner_layers(model):
        if not layer.sublayers and any(variable is weight for weight in layer.weights):
            return f"layer '{layer.name}'"
    return f"weight '{variable.name}'"


def is_zero(slope: Node) -> bool:
    """Whether a gradient is zero by the way it is computed, for any numbers."""
    node = plain(slope)
    return node.primitive.name == "constant" and not np.any(node.params["value"].array)


def find_linear_pairs(examination: Examination) -> Iterator[Finding]:
    """Two Dense layers with nothing between that bends: together they compute what one could.

    A layer between that is narrower than both sides is meant: a bottleneck, such as the code of an autoencoder. So is
    one whose result goes elsewhere, too.
    """
    passage = examination.passage
    assert passage is not None
    for result, seen in passage.calls:
        layer, between = result.layer, straight_before(result, passage)
        if not isinstance(layer, Dense) or not between:
            continue
        before = between[-1].layer
        first = nodes_of(between[-1].outputs)[0]
        if not isinstance(before, Dense) or not is_weighted_sum(plain(first)):
            continue
        outer = (before.kernel.shape[0], layer.units)
        if before.units < min(outer) or goes_elsewhere(first, [result, *between], passage):
            continue
        name = passage.maker_name(first)
        yield Finding(
            rule="linear-pair",
            severity="warning",
            where=f"layer '{seen.name}'",
            problem=f"together with {name} it is a single linear layer",
            evidence=f"{name} has {count(before.units, 'unit')} and no activation, from {count(outer[0], 'input')} to "
            f"{count(outer[1], 'unit')}",
            fix=f"give {name} an activation, such as 'relu', or leave it out",
        )


def straight_before(result: Result, passage: Passage) -> list[Result]:
    """The calls before a layer's, back to that of a Dense layer, with none that bends; else nothing."""
    found: list[Result] = []
    leaves = nodes_of(result.inputs)
    while len(leaves) == 1:
        maker = maker_of(leaves[0], passage.results)
        if maker is None or maker is result:
            return []
        found.append(maker)
        if isinstance(maker.layer, Dense):
            return found
        if not isinstance(maker.layer, _STRAIGHT):
            return []
        leaves = nodes_of(maker.inputs)
    return []


def goes_elsewhere(node: Node, calls: list[Result], passage: Passage) -> bool:
    """Whether something but these calls reads a node, or it is an output of the model."""
    scopes = {call.scope for call in calls}
    readers = [reader for reader in passage.forward if any(operand is node for operand in reader.inputs)]
    return any(reader.scope not in scopes for reader in readers) or any(node is given for given in passage.predictions)
