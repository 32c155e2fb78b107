"""The network as it begins: whether the signal and the gradient come through all layers, and units differ.

The signal of a layer is how much its results differ from row to row, as the root mean square over units of the standard
deviation over rows. The gradient of a layer is the root mean square over rows of the norm of ∂loss/∂result. With
weights that fit, both are about the same in all layers; else they change by a factor a layer, which to the power of the
depth is nothing, or everything.

Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010;
He et al., "Delving deep into rectifiers", 2015.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.graph.ir import Node, reachable
from chainrule.inspect.doctor.examination import ONE_OF_TWO, Examination, Passage
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rules.endings import ONE_OF_SEVERAL
from chainrule.inspect.doctor.rules.rule import count, percent
from chainrule.inspect.doctor.structure import nodes_of, plain
from chainrule.layers import Embedding

FADED = 1e-4
"""Part of the first layer's signal, or of the last one's gradient, from which on too little is left. A network of relus
with Glorot's weights keeps 0.707 a layer: of 22 layers 5e-4, which He et al. (2015) still could train; of 30 layers
3e-5, which they could not."""

LOST = 1e-7
"""The same below the precision of float32: added to anything else, it changes nothing."""

GROWN = 1e3
"""Times that the signal or the gradient has grown: 7 a layer and more, for weights of deviation 1 and 100 units."""

DEAD = 0.9
"""Part of the units that are zero for every row. With weights around 0 it is some, and half of them where there is one
input that is always positive; nine of ten is no chance."""

FEWEST_UNITS = 8
"""Units below which so many may be dead by chance."""

SATURATED = 0.9
"""Part of the results at an end of a sigmoid or tanh, where its slope is below a fiftieth."""

NEAR_THE_END = 0.01
"""How near to its ends, as a part of their distance, a sigmoid or tanh counts as saturated."""

FAR_FROM_GUESSING, VERY_FAR = 5.0, 10.0
"""Times the loss of equal guesses from which the first loss is worth a look, or a mistake. Weights that fit give logits
of about 1, and 1.5 times that loss."""


@dataclass(frozen=True)
class Station:
    """A layer with a kernel on the way from the inputs to the loss.

    Args:
        place: number of the call.
        signal, gradient: see the module.
        before: the stations that it depends on.
    """

    place: int
    name: str
    signal: float
    gradient: float
    before: tuple[int, ...]


def find_stations(passage: Passage) -> dict[int, Station]:
    """The hidden layers with kernels that are trained, by the number of their calls."""
    predictions = {plain(node) for node in passage.predictions}
    nodes: dict[int, Node] = {}
    for place, (result, seen) in enumerate(passage.calls):
        leaves = nodes_of(result.outputs)
        kernels = [weight for weight in result.layer.trainable_weights if weight.ndim >= 2]
        if not kernels or result.layer.sublayers or isinstance(result.layer, Embedding):
            continue
        if seen.output.dtype.kind == "f" and plain(leaves[0]) not in predictions:
            if passage.activation_of(leaves[0]) != "softmax":  # shares of 1 are small where there are many
                nodes[place] = leaves[0]
    found: dict[int, Station] = {}
    for place, node in nodes.items():
        needed = set(reachable([node]))
        seen = passage.seen.layers[place]
        rows = len(seen.output)
        output, gradient = (part.reshape(rows, -1).astype(np.float64) for part in (seen.output, seen.gradient))
        found[place] = Station(
            place=place,
            name=seen.name,
            signal=float(np.sqrt(output.var(axis=0).mean())),
            gradient=float(np.sqrt((gradient**2).sum(axis=1).mean())),
            before=tuple(other for other, earlier in nodes.items() if other != place and earlier in needed),
        )
    return found


def find_lost_signal(examination: Examination) -> Iterator[Finding]:
    """Signals and gradients that fade, or grow, from layer to layer."""
    passage = examination.passage
    assert passage is not None
    stations = find_stations(passage)
    forwards: dict[int, float] = {}
    backwards: dict[int, float] = {}
    for station in stations.values():
        roots = [stations[place] for place in station.before if not stations[place].before]
        first = max((root.signal for root in roots), default=0.0)
        if first and station.signal:
            forwards[station.place] = station.signal / first
        for root in roots:
            if station.gradient and root.gradient:
                gain = root.gradient / station.gradient
                backwards[station.place] = max(gain, backwards.get(station.place, 0.0))
    gains = [*forwards.values(), *backwards.values()]
    if not gains:
        return
    if min(gains) < FADED:
        yield describe_gains("vanishing-signal", stations, forwards, backwards, min(gains))
    if max(gains) > GROWN:
        yield describe_gains("exploding-signal", stations, forwards, backwards, max(gains))


def describe_gains(
    rule: str, stations: dict[int, Station], forwards: dict[int, float], backwards: dict[int, float], worst: float
) -> Finding:
    """The finding of a network whose signal fades or grows, at the layer where it is too much."""
    fades = rule == "vanishing-signal"

    def is_bad(place: int) -> bool:
        gains = [found[place] for found in (forwards, backwards) if place in found]
        return any(gain < FADED if fades else gain > GROWN for gain in gains)

    place = next(place for place in stations if is_bad(place))
    depth = len(stations[place].before)
    parts = [("signal", forwards.get(place)), ("gradient, on its way back,", backwards.get(place))]
    told = [f"the {what} is {gain:.1e} times what it was" for what, gain in parts if gain is not None]
    rate = worst ** (1 / max(len(stations) - 1, 1))
    return Finding(
        rule=rule,
        severity="error" if fades and worst < LOST else "warning",
        where=f"layer '{stations[place].name}'",
        problem=f"{'too little' if fades else 'too much'} comes through the {depth} layers before it with these "
        "initial weights",
        evidence=f"{'; '.join(told)}: about {rate:.2g} times per layer",
        fix="kernel_initializer='he_normal' with relu in place of sigmoid, 'lecun_normal' with selu, or "
        "'glorot_uniform' with tanh; or BatchNormalization between the layers, or sums past them: x + layer(x)",
    )


def find_equal_units(examination: Examination) -> Iterator[Finding]:
    """Units of a layer that are equal and get equal gradients, so that they stay equal for ever."""
    passage = examination.passage
    assert passage is not None
    gradients = dict(zip(passage.observer.trained, passage.seen.gradients.values(), strict=True))
    for result, seen in passage.calls:
        if result.layer.sublayers or isinstance(result.layer, Embedding):
            continue
        for kernel in (weight for weight in result.layer.trainable_weights if weight.ndim == 2):
            values, gradient = kernel.numpy(), gradients[kernel]
            if kernel.shape[1] < 2 or not are_equal(values) or not are_equal(gradient):
                continue
            zero = not values.any()
            yield Finding(
                rule="equal-units",
                severity="error",
                where=f"layer '{seen.name}'",
                problem="its units are all equal and learn the same, so that they stay a single unit for ever",
                evidence=f"the {kernel.shape[1]} columns of '{kernel.name}' are "
                + ("all zero" if zero else "equal")
                + (", and no gradient reaches them" if not gradient.any() else ", and so are those of its gradient"),
                fix="draw the weights: kernel_initializer='glorot_uniform', or 'he_normal' before a relu",
            )
            break


def are_equal(columns: np.ndarray) -> bool:
    """Whether all columns are the same, but for rounding."""
    size = np.abs(columns).max()
    return bool(np.abs(columns - columns[:, :1]).max() <= 1e-5 * size)


def find_dead_units(examination: Examination) -> Iterator[Finding]:
    """Relus that give 0 for every row, and sigmoids and tanhs at their ends."""
    passage = examination.passage
    assert passage is not None
    told = set(passage.predictions)
    for result, seen in passage.calls:
        leaves = nodes_of(result.outputs)
        if not leaves or leaves[0] in told or seen.output.dtype.kind != "f":
            continue
        told.add(leaves[0])  # a model within hands on what its last layer gave
        activation = passage.activation_of(leaves[0])
        units = seen.output.reshape(-1, seen.output.shape[-1])
        if activation in ("relu", "relu6"):
            dead = float((units == 0).all(axis=0).mean())
            if dead == 1 or dead >= DEAD and units.shape[1] >= FEWEST_UNITS:
                yield Finding(
                    rule="dead-units",
                    severity="error" if dead == 1 else "warning",
                    where=f"layer '{seen.name}'",
                    problem="its units give 0 for every row, and a relu at 0 has no gradient to get away from there",
                    evidence=f"{percent(dead)} of {count(units.shape[1], 'unit')}, in {len(seen.output):,} rows",
                    fix="bias_initializer='zeros' and kernel_initializer='he_normal'; inputs around 0; or 'leaky_relu'",
                )
        elif activation in ("sigmoid", "tanh"):
            low, high = (0.0, 1.0) if activation == "sigmoid" else (-1.0, 1.0)
            margin = NEAR_THE_END * (high - low)
            ended = float(((units < low + margin) | (units > high - margin)).mean())
            if ended > SATURATED:
                yield Finding(
                    rule="saturated-units",
                    severity="warning",
                    where=f"layer '{seen.name}'",
                    problem=f"its {activation} is saturated, where it has next to no slope",
                    evidence=f"{percent(ended)} of its results are within 1 % of {low:g} or {high:g}",
                    fix="smaller initial weights, such as kernel_initializer='glorot_uniform', or inputs around 0",
                )


def find_no_gradient(examination: Examination) -> Iterator[Finding]:
    """A loss that is not 0 and has no slope for any weight."""
    passage = examination.passage
    assert passage is not None
    gradients = passage.seen.gradients
    if gradients and passage.seen.loss > 0 and not any(gradient.any() for gradient in gradients.values()):
        yield Finding(
            rule="no-gradient",
            severity="error",
            where=f"model '{examination.model.name}'",
            problem="the loss has no slope for any weight, so that nothing is learned",
            evidence=f"loss {passage.seen.loss:.4g}, all gradients exactly 0",
            fix="look for saturated units, and for probabilities that are exactly 0 or 1: take logits out of the "
            "last layer, and from_logits=True",
        )


def find_bad_first_guess(examination: Examination) -> Iterator[Finding]:
    """A first loss far above that of equal guesses: the network begins sure of itself, and wrong."""
    passage = examination.passage
    assert passage is not None
    for target in examination.targets:
        node = examination.prediction_of(target)
        if (
            node is None
            or target.loss.reduction == "sum"
            or not isinstance(target.loss, (*ONE_OF_TWO, *ONE_OF_SEVERAL))
        ):
            continue
        classes = 2 if isinstance(target.loss, ONE_OF_TWO) else int(target.output.shape[-1])
        first, guess = examination.first_loss(target), math.log(classes)
        if first > FAR_FROM_GUESSING * guess:
            yield Finding(
                rule="large-first-loss",
                severity="warning" if first > VERY_FAR * guess else "note",
                where=passage.maker_name(node),
                problem="the network starts out confident and wrong; much of the training will go into undoing that",
                evidence=f"the first loss is {first:.3g}; equal guesses for {classes} classes cost {guess:.3g}",
                fix="smaller initial weights in this layer: kernel_initializer='glorot_uniform', "
                "bias_initializer='zeros'",
            )
