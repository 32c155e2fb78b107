"""What is measured of one layer, and which layers make something new of what they are given.

In: one pass through a model (`observation.py`), what is to be read from the rows (`targets.py`), and what a step of
training changes. Out: a `LayerReport` for the input and for each layer, and how alike they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.activations import linear
from chainrule.graph.tree import flatten
from chainrule.graph.variable import Variable
from chainrule.inspect.microscope import measures
from chainrule.inspect.microscope.measures import Histogram
from chainrule.inspect.microscope.targets import Targets
from chainrule.inspect.observation import LayerObservation, Observation
from chainrule.layers import Layer
from chainrule.layers.activation import Elementwise

Steps = Mapping[Variable, tuple[float, float]]
"""By trained weight: the norm of what a step of training changes, and its own norm."""

_EQUAL = 1e-5
"""What a representation may differ from a multiple of another, as a part of its size, to be the same in content."""


@dataclass(frozen=True, eq=False)
class LayerReport:
    """What one layer has made of the rows; None where a measure has no meaning.

    Args:
        name: of the layer, after those of the layers around it.
        kind: ``input``; ``hidden``; ``output``, which the predictions come from; or ``unchanged``: of the content of an
            earlier one, but for one factor and one shift, as Flatten, Rescaling and Dropout give it here. What an
            unchanged layer shares with that earlier one is measured there.
        type: the layer's class.
        shape: of its output for one row.
        probe: what a linear probe reads from it on rows that it has not seen: accuracy, or R² for a regression.
        separation: between-class variance as a part of the whole; None for a regression.
        likeness_to_input: linear CKA with the input.
        effective_rank: of the centred activations.
        dead, saturated: how many of its `units` are; None without an activation or trained weights, and without bounds.
        mean, std, histogram: of all activations.
        gradient_mean, gradient_std, gradient_histogram, gradient_norm: of the loss's gradient by the activations.
        gradient_share: that norm over the norm at the output, or over that at the last hidden layer where an activation
            such as softmax comes last; far from 1, gradient is lost, or grows, with depth.
        update_ratio: norm of a training step's change of the trained weights over norm of these weights.
        projection: (rows, 2), the rows along the first two principal components.
    """

    name: str
    kind: str
    type: str
    shape: tuple[int, ...]
    probe: float | None
    separation: float | None
    likeness_to_input: float | None
    effective_rank: float | None
    units: int
    dead: int | None
    saturated: int | None
    mean: float
    std: float
    histogram: Histogram
    gradient_mean: float | None
    gradient_std: float | None
    gradient_histogram: Histogram | None
    gradient_norm: float | None
    gradient_share: float | None
    update_ratio: float | None
    projection: np.ndarray | None


def report_all(
    seen: Observation, targets: Targets | None, steps: Steps
) -> tuple[LayerReport, tuple[LayerReport, ...], np.ndarray]:
    """The report of the input, those of the layers, and linear CKA of each layer with each."""
    given = [measures.as_matrix(leaf) for leaf in flatten(seen.inputs)[0]]
    content = [given[0] if len(given) == 1 else np.concatenate(given, axis=1)]
    places = [place_content(layer.layer, layer.output, content) for layer in seen.layers]
    alike = compare(content)
    known = [measure_content(matrix, alike[0, place], targets) for place, matrix in enumerate(content)]
    kinds = find_kinds(seen, places)
    norms = [float(np.linalg.norm(layer.gradient.astype(np.float64))) for layer in seen.layers]
    whole, kind_of_whole = find_whole(seen.layers, kinds, norms)
    reports = [
        report_layer(layer, kind, known[place], norm, 0.0 if kind == "output" != kind_of_whole else whole, steps)
        for layer, kind, place, norm in zip(seen.layers, kinds, places, norms, strict=True)
    ]
    return report_input(seen.inputs, content[0], known[0]), tuple(reports), alike[np.ix_(places, places)]


def find_kinds(seen: Observation, places: Sequence[int]) -> list[str]:
    """``hidden``, ``output`` or ``unchanged`` for each layer, given which content is its own."""
    first = [place > 0 and place not in places[:number] for number, place in enumerate(places)]
    predictions = flatten(seen.predictions)[0]
    outputs = [
        number
        for number, layer in enumerate(seen.layers)
        if first[number] and any(np.array_equal(layer.output, leaf, equal_nan=True) for leaf in predictions)
    ]
    if not outputs:  # something without a layer of its own comes behind
        outputs = [number for number in range(len(first)) if first[number]][-1:]
    return [
        "output" if number in outputs else "hidden" if first[number] else "unchanged" for number in range(len(first))
    ]


def find_whole(layers: Sequence[LayerObservation], kinds: Sequence[str], norms: Sequence[float]) -> tuple[float, str]:
    """The norm of the gradient that shares are of, and the kind of the layer where it is measured.

    It is that of the outputs, but where these went through an activation such as softmax: by a probability near 0 the
    slope of its logarithm has no bound. Then it is that of the last hidden layer.
    """
    ends = [number for number, kind in enumerate(kinds) if kind == "output"]
    hidden = [number for number, kind in enumerate(kinds) if kind == "hidden" and number < min(ends, default=0)]
    functions = [activation_of(layers[number].layer) for number in ends]
    if hidden and any(function not in (None, linear) for function in functions):
        return norms[hidden[-1]], "hidden"
    return float(np.linalg.norm([norms[number] for number in ends])), "output"


def place_content(layer: Layer, output: np.ndarray, content: list[np.ndarray]) -> int:
    """Where a layer's output stands among the contents: where something equal does, else at a new place behind.

    A layer with weights of its own always has its own place, even where its weights happen to do nothing.
    """
    matrix = measures.as_matrix(output)
    if layer.sublayers or not layer.weights:
        for place in reversed(range(len(content))):
            if is_multiple(matrix, content[place]):
                return place
    content.append(matrix)
    return len(content) - 1


def is_multiple(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the matrices are the same but for one factor and one shift."""
    if one.shape != other.shape:
        return False
    if np.array_equal(one, other, equal_nan=True):
        return True
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return False
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sum(other**2))
    factor = float(np.sum(one * other)) / size if size > 0 else 0.0
    return factor != 0 and bool(np.linalg.norm(one - factor * other) <= _EQUAL * np.linalg.norm(one))


def compare(content: Sequence[np.ndarray]) -> np.ndarray:
    """Linear CKA of each with each; NaN where numbers are not finite."""
    good = [place for place, matrix in enumerate(content) if np.isfinite(matrix).all()]
    found = np.full((len(content), len(content)), np.nan)
    found[np.ix_(good, good)] = measures.cka_matrix([content[place] for place in good])
    return found


def measure_content(matrix: np.ndarray, likeness: float, targets: Targets | None) -> dict[str, Any]:
    """What depends on the representation alone."""
    if not np.isfinite(matrix).all():
        return dict.fromkeys(("probe", "separation", "likeness_to_input", "effective_rank", "projection"))
    return {
        "probe": None if targets is None else as_known(targets.probe(matrix)),
        "separation": None if targets is None else as_known(targets.separation(matrix)),
        "likeness_to_input": as_known(likeness),
        "effective_rank": measures.effective_rank(measures.centre(matrix)),
        "projection": measures.principal_components(matrix),
    }


def update_ratio(layer: Layer, steps: Steps) -> float | None:
    """‖change‖ / ‖weights‖ of all the layer's trained weights together."""
    pairs = [steps[variable] for variable in layer.weights if variable in steps]
    size = float(np.linalg.norm([norm for _, norm in pairs])) if pairs else 0.0
    return float(np.linalg.norm([change for change, _ in pairs])) / size if size > 0 else None


def report_layer(
    layer: LayerObservation, kind: str, known: dict[str, Any], norm: float, whole: float, steps: Steps
) -> LayerReport:
    """One layer's numbers together.

    Args:
        known: what `measure_content` found.
        norm, whole: of the gradient here, and of that which its share is of; 0 where there is none.
    """
    output, gradient, own = layer.output, layer.gradient, layer.layer
    function = activation_of(own)
    active = function is not None or any(weight.trainable for weight in own.weights)
    return LayerReport(
        name=layer.name,
        kind=kind,
        type=type(own).__name__,
        shape=output.shape[1:],
        units=measures.as_units(output).shape[1],
        dead=int(measures.dead_units(output).sum()) if active else None,
        saturated=None if function is None else count_saturated(output, function),
        mean=float(output.mean(dtype=np.float64)),
        std=float(output.std(dtype=np.float64)),
        histogram=measures.make_histogram(output),
        gradient_mean=float(gradient.mean(dtype=np.float64)),
        gradient_std=float(gradient.std(dtype=np.float64)),
        gradient_histogram=measures.make_histogram(gradient),
        gradient_norm=norm,
        gradient_share=norm / whole if whole > 0 else None,
        update_ratio=update_ratio(own, steps),
        **known,
    )


def count_saturated(output: np.ndarray, function: Any) -> int | None:
    """How many units are at a bound of this activation; None where it has none, or was not what came last."""
    bounds = measures.find_bounds(function, output.shape[1:])
    if bounds is None or output.min() < 1.01 * bounds[0] - 0.01 * bounds[1]:
        return None
    if output.max() > 1.01 * bounds[1] - 0.01 * bounds[0]:
        return None
    return int(measures.saturated_units(output, *bounds).sum())


def report_input(inputs: Any, matrix: np.ndarray, known: dict[str, Any]) -> LayerReport:
    """The input's numbers; it has neither gradient nor weights."""
    leaves = flatten(inputs)[0]
    names = ("gradient_mean", "gradient_std", "gradient_histogram", "gradient_norm", "gradient_share", "update_ratio")
    return LayerReport(
        name="input",
        kind="input",
        type="Input",
        shape=tuple(leaves[0].shape[1:]) if len(leaves) == 1 else matrix.shape[1:],
        units=matrix.shape[1],
        dead=None,
        saturated=None,
        mean=float(matrix.mean()),
        std=float(matrix.std()),
        histogram=measures.make_histogram(matrix),
        **known,
        **dict.fromkeys(names),
    )


def activation_of(layer: Layer) -> Any:
    """The function, or the layer, that a layer's results went through last, element by element; None where none did."""
    if isinstance(layer, Elementwise):
        return layer
    function = getattr(layer, "activation", None)
    return function if callable(function) else None


def as_known(value: float | None) -> float | None:
    """None in place of NaN."""
    return None if value is None or np.isnan(value) else float(value)


__all__ = ["LayerReport", "Steps", "as_known", "place_content", "report_all"]
