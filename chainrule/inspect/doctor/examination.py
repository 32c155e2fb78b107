"""What the doctor knows: the data as `fit` would take them, and one pass of a sample through the network.

In: what `diagnose` was given. Out: an `Examination`, made once; the rules ask it and compute little themselves.
What `fit` would refuse is kept here as the error that it would raise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.arrays import spread_rows
from chainrule.errors import ChainruleError
from chainrule.graph.evaluate import evaluate
from chainrule.graph.ir import Graph, Node, reachable
from chainrule.graph.tree import flatten, map_leaves, unflatten
from chainrule.graph.variable import Variable
from chainrule.inspect.doctor.structure import activation_at, maker_of, nodes_of
from chainrule.inspect.observation import LayerObservation, Observation, Observer
from chainrule.layers.layer import Result
from chainrule.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    Loss,
    SparseCategoricalCrossentropy,
)
from chainrule.models.model import Model
from chainrule.training.feed import is_iterable_of_batches
from chainrule.training.nests import Output, map_arrays
from chainrule.training.prepare import Data, prepare, prepare_pair

SAMPLE_ROWS = 2_000
"""Rows that pass through the network: a mean over so many is within 2 % of a deviation, 1 / sqrt(2000)."""

SAMPLE_NUMBERS = 20_000_000
"""Numbers of x in the sample, so that rows of many numbers do not fill the memory."""

INTERPRETED_WORK = 20_000_000
"""Rows times weights, of all passes, up to which NumPy is done with them before machine code would be made."""

ONE_OF_TWO = (BinaryCrossentropy, BinaryFocalCrossentropy)
"""Losses of probabilities that stand each for itself."""


@dataclass(frozen=True)
class NamedArray:
    """An array of the user's.

    Args:
        name: as messages call it: ``x``, ``x['age']``.
        values: all rows.
    """

    name: str
    values: np.ndarray


@dataclass(frozen=True)
class Target:
    """What an output is to be.

    Args:
        name: ``y``, or with several outputs ``y['name']``.
        values: all rows.
        output: of the model.
        loss: of this output.
        labels: the class of each row; None where there are no classes, or several at once.
    """

    name: str
    values: np.ndarray
    output: Output
    loss: Loss
    labels: np.ndarray | None


@dataclass(frozen=True)
class Passage:
    """A pass of the sample through the network, in training, as numbers and as the graph that they come from.

    Args:
        observer: which can look again.
        seen: what it saw.
        predictions: the nodes of the outputs, in the order of the model's `output_kinds`.
        loss: the node of the loss.
        slopes: of each trained weight the node of its gradient.
        results: the calls of layers, in the order of `seen.layers`.
    """

    observer: Observer
    seen: Observation
    predictions: list[Node]
    loss: Node
    slopes: list[Node]
    results: list[Result]

    @property
    def graph(self) -> Graph:
        graph: Graph = self.observer.traced.graph
        return graph

    @property
    def data_inputs(self) -> list[Node]:
        """The nodes of x."""
        return list(self.graph.inputs[: len(flatten(self.observer.data[0])[0])])

    @property
    def variable_inputs(self) -> dict[Variable, Node]:
        """Of each Variable the node that stands for it."""
        traced = self.observer.traced
        return dict(zip(traced.variables, self.graph.inputs[traced.arguments :], strict=True))

    @property
    def forward(self) -> list[Node]:
        """The nodes that the predictions need, each after what it reads."""
        return reachable(self.predictions)

    @property
    def calls(self) -> list[tuple[Result, LayerObservation]]:
        """Of each call of a layer what it did in the graph, and what was seen."""
        return list(zip(self.results, self.seen.layers, strict=True))

    def name_of(self, node: Node) -> str:
        """The layer that a node is made in, as messages call it."""
        model = self.observer.model
        for result, (name, _, _) in zip(self.results, self.observer.names, strict=True):
            if result.scope == node.scope:
                return f"layer '{name}'"
        return f"model '{model.name}'"

    def maker_name(self, node: Node) -> str:
        """The layer that gave a node, as messages call it."""
        maker = maker_of(node, self.results)
        if maker is None:
            return self.name_of(node)
        place = next(place for place, result in enumerate(self.results) if result is maker)
        return f"layer '{self.observer.names[place][0]}'"

    def activation_of(self, node: Node) -> str | None:
        """See `activation_at`."""
        return activation_at(node, self.results)

    def values_of(self, nodes: list[Node]) -> list[np.ndarray]:
        """The numbers of some nodes for the sample."""
        variables = [variable.memory for variable in self.observer.traced.variables]
        return evaluate(Graph("parts", self.graph.inputs, tuple(nodes)), [*self.observer.leaves, *variables])


@dataclass(frozen=True)
class Examination:
    """What is known of a model and its data.

    Args:
        inputs: the arrays of x; those that are no numbers are left out.
        targets: of the outputs with a loss; none where the data were refused.
        refusals: what `fit` would raise.
        data: all rows as `fit` would take them; None where it would not.
        validation: the arrays of x of the validation data, in the order of `inputs`; None where there are none, or
            where they come as batches.
        sample: the rows that pass through the network, in the same nest as `data`.
        passage: None where it could not be made.
    """

    model: Any
    inputs: tuple[NamedArray, ...]
    targets: tuple[Target, ...]
    refusals: tuple[ChainruleError, ...]
    data: Data | None
    validation: tuple[np.ndarray, ...] | None
    sample: Data | None
    passage: Passage | None

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.inputs[0].values) if self.inputs else 0

    @property
    def sampled(self) -> int:
        """How many pass through the network."""
        return len(flatten(self.sample)[0][0]) if self.sample is not None and self.passage is not None else 0

    def prediction_of(self, target: Target) -> Node | None:
        """The node of the output that a target belongs to."""
        return None if self.passage is None else self.passage.predictions[self._place(target)]

    def predicted(self, target: Target) -> np.ndarray:
        """The numbers of that output, for the sample."""
        assert self.passage is not None
        values: np.ndarray = self.model.objective.split("predictions", self.passage.seen.predictions)[
            self._place(target)
        ]
        return values

    def first_loss(self, target: Target) -> float:
        """The loss of that output alone, for the sample."""
        assert self.sample is not None
        wanted = self.model.objective.split("y", self.sample[1])[self._place(target)]
        return float(target.loss(wanted, self.predicted(target)))

    def _place(self, target: Target) -> int:
        return [output.name for output in self.model.output_kinds].index(target.output.name)


def examine(model: Any, x: Any, y: Any, validation_data: Any = None) -> Examination:
    """Look at a model and its data; see `Examination`."""
    refusals: list[ChainruleError] = []
    data: Data | None = None
    try:
        model.require_compiled()
        data = prepare(model, x, y)
    except ChainruleError as error:
        refusals.append(error)
    inputs = name_inputs(model, x if data is None else data[0], prepared=data is not None)
    validation = None
    if validation_data is not None and data is not None and not is_iterable_of_batches(validation_data):
        try:
            validation = tuple(flatten(prepare_pair(model, validation_data)[0])[0])
        except ChainruleError as error:
            told = str(error.where).startswith("validation")
            refusals.append(error if told else error.located("validation_data"))
    sample = None if data is None else take_sample(data)
    passage = None
    if sample is not None:
        try:
            passage = pass_through(model, sample)
        except ChainruleError as error:
            if not has_own_step(model):  # which knows what to make small
                refusals.append(error)
    return Examination(
        model=model,
        inputs=inputs,
        targets=() if data is None else name_targets(model, data[1]),
        refusals=tuple(refusals),
        data=data,
        validation=validation,
        sample=sample,
        passage=passage,
    )


def has_own_step(model: Any) -> bool:
    """Whether a model trains by a `train_step` of the user's."""
    return type(model).train_step is not Model.train_step


def name_inputs(model: Any, x: Any, prepared: bool) -> tuple[NamedArray, ...]:
    """The arrays of x that hold numbers, by name."""
    nest = map_arrays(lambda name, value: NamedArray(name, as_numbers(value)), "x", x)
    found: list[NamedArray] = flatten(nest)[0]
    if prepared and model.network is not None and len(found) > 1:
        found = [NamedArray(f"x[{name!r}]", part.values) for name, part in zip(model.input_names, found, strict=True)]
    return tuple(part for part in found if part.values.size)


def as_numbers(value: Any) -> np.ndarray:
    """An array of numbers; of anything else an empty one."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal length
        return np.zeros(0)
    return array if array.dtype.kind in "biuf" and array.ndim else np.zeros(0)


def name_targets(model: Any, y: Any) -> tuple[Target, ...]:
    """The targets of the outputs that have a loss, by name."""
    outputs, losses = model.objective.outputs, model.objective.losses
    if not outputs:  # of a model that only its own `train_step` knows
        return ()
    parts = y if len(outputs) > 1 else [y]
    return tuple(
        Target(f"y[{output.name!r}]" if len(outputs) > 1 else "y", part, output, loss, labels_of(part, output, loss))
        for part, output, loss in zip(parts, outputs, losses, strict=True)
        if loss is not None and part is not None
    )


def labels_of(y: np.ndarray, output: Output, loss: Loss) -> np.ndarray | None:
    """The class of each row, where a row has one."""
    rows = len(y)
    if isinstance(loss, SparseCategoricalCrossentropy):
        return y.reshape(rows) if y.size == rows else None
    if isinstance(loss, CategoricalCrossentropy | CategoricalFocalCrossentropy):
        return np.argmax(y, -1) if y.shape == (rows, *output.shape) and y.ndim == 2 else None
    if isinstance(loss, ONE_OF_TWO) and y.size == rows and np.isin(y, (0, 1)).all():
        return y.reshape(rows).astype(np.int32)
    return None


def take_sample(data: Data) -> Data:
    """Rows spread evenly over all of them."""
    leaves = flatten(data)[0]
    rows = len(leaves[0])
    numbers = sum(leaf[0].size for leaf in leaves)
    count = min(rows, SAMPLE_ROWS, max(SAMPLE_NUMBERS // max(numbers, 1), 32))
    chosen = spread_rows(rows, count)
    sample: Data = map_leaves(lambda leaf: np.ascontiguousarray(leaf[chosen]), data)
    return sample


def is_little_work(model: Any, rows: int) -> bool:
    """Whether NumPy has passed so many rows through the model before machine code for that would be made."""
    return rows * sum(weight.size for weight in model.weights) <= INTERPRETED_WORK


def pass_through(model: Any, sample: Data) -> Passage:
    """One pass of the sample, layers acting as in training."""
    x, y, _ = sample
    rows = len(flatten(x)[0][0])
    eager = model.run_eagerly or is_little_work(model, rows)
    observer = Observer(model, x, y, training=True, eager=eager)
    seen = observer()
    traced = observer.traced
    predictions, loss, _, slopes = unflatten(traced.result_tree, traced.graph.outputs[: traced.results])
    return Passage(
        observer=observer,
        seen=seen,
        predictions=nodes_of(model.objective.split("predictions", predictions)),
        loss=loss,
        slopes=slopes[len(observer.results) :],
        results=observer.results,
    )
