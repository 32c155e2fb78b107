"""A trial: one pass through a model and back, computed in three ways.

In: a compiled model and some rows. Out: at every layer's output and for every weight, the gradient by the chain rule
in float64, by machine code and by NumPy in float32; and the slopes by differences that it is held against. Layers act
as in training; and as there, the number of rows is left open, and the rows are drawn from the data. Variables have
their old values afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.autodiff.reverse import pull_back
from chainrule.errors import ChainruleError
from chainrule.graph.evaluate import evaluate_nodes, sizes_of
from chainrule.graph.ir import Graph, Node
from chainrule.graph.shapes import multiply_dims
from chainrule.graph.tracing import TracedFunction, as_node, trace
from chainrule.graph.tree import flatten, unflatten
from chainrule.graph.types import ArrayType, bind_shape, int32
from chainrule.graph.variable import Variable, kept
from chainrule.inspect.verification.differences import Comparison, Slopes, without_rounding
from chainrule.layers.layer import Result, collect_results
from chainrule.layers.symbolic import BATCH
from chainrule.naming import free_name
from chainrule.ops import ones_like
from chainrule.runtime.jit import build
from chainrule.training.step import draw, open_type

_ROUNDING = {False: 2.0**-23, True: 2.0**-8}
"""The distance of 1 to the next number: of float32, and of bfloat16 where factors are rounded to it."""
_SAFETY = 4
_BESIDE = 1e-3
"""Weights at a kink are moved by such a part of their size."""


@dataclass(frozen=True, eq=False)
class Part:
    """A layer's call, or the loss.

    Args:
        given, outputs: the nodes of floats that it takes and gives; of the loss, the predictions and nothing.
        weights: its own that are trained.
        state: its own Variables, trained or not.
    """

    name: str
    kind: str
    given: tuple[Node, ...]
    outputs: tuple[Node, ...]
    weights: tuple[Variable, ...]
    state: tuple[Variable, ...]

    def keeps(self, variable: Variable) -> bool:
        """Whether a Variable is the layer's, or kept beside one of its weights by the optimizer."""
        return any(variable is own or variable.name.startswith(f"{own.name}/") for own in self.state)


class Trial:
    """A model's pass on some rows, forwards and backwards, where the weights are and, for kinks, beside."""

    def __init__(self, model: Any, leaves: Sequence[np.ndarray], tree: Any):
        self.model = model
        self.leaves = [*leaves, np.arange(len(leaves[0]), dtype=np.int32)]  # the last: which rows are drawn
        self.trained = list(model.trainable_variables)
        self.parts: list[Part] = []
        self.loss: Any = None
        self.wrt: list[Node] = []  # nodes whose gradients are looked at
        self.node_of: dict[Variable, Node] = {}
        types = [open_type(leaf) for leaf in leaves]
        _, tree = flatten((unflatten(tree, types), ArrayType(int32, (BATCH,))))
        self.traced = trace(self._record, [*types, ArrayType(int32, (BATCH,))], tree)
        self.executable = build(self.traced)
        self.plain = without_rounding(self.traced.graph)
        self.tolerance = reckon_tolerance(self.traced, self.leaves)
        with kept(self.traced.variables):
            self.here = Point(self)
        if not math.isfinite(self.here.slopes.loss):
            raise ChainruleError(
                "the loss of these rows is no finite number, so it has no slopes",
                where=f"verify, model '{model.name}'",
                got=self.here.slopes.loss,
                fix="train on them: the error of fit tells where the first such number comes from",
            )
        self._beside: Point | None = None

    def _record(self, data: Any, rows: Any) -> Any:
        x, y, weight = draw(data, rows)
        with collect_results() as found:
            predictions, loss = self.model.forward(x, y, weight, True)
        self.loss = as_node(loss)
        self.node_of = {variable: as_node(variable) for variable in self.trained}
        self.parts = describe_parts(self.model, found, predictions, self.trained)
        outputs = [node for part in self.parts for node in (part.outputs or part.given)]
        self.wrt = list(dict.fromkeys([*outputs, *self.node_of.values()]))
        return loss, pull_back([self.loss], [ones_like(loss)], self.wrt)

    @property
    def beside(self) -> Point:
        """Near the weights, where a kink is met by chance alone."""
        if self._beside is None:
            with kept(self.traced.variables):
                move_weights(self.trained)
                self._beside = Point(self)
        return self._beside


class Point:
    """The pass with the Variables as they are now."""

    def __init__(self, trial: Trial):
        traced, plain = trial.traced, trial.plain
        arrays = [*trial.leaves, *(variable.numpy() for variable in traced.variables)]
        graph = traced.graph
        exact = Graph(graph.name, graph.inputs, tuple(plain[output] for output in graph.outputs))
        sizes = sizes_of(graph, arrays)
        values = evaluate_nodes(exact, arrays, wide=True)
        self.plain = plain
        self.slopes = Slopes(plain[trial.loss], values, sizes)
        count = len(trial.wrt)
        gradients = dict(zip(trial.wrt, graph.outputs[1 : 1 + count], strict=True))
        self.exact = {node: values[plain[gradient]] for node, gradient in gradients.items()}
        self.scale = {node: size_of_terms(plain[gradient], values) for node, gradient in gradients.items()}
        narrow = evaluate_nodes(graph, arrays)
        self.interpreted = {node: narrow[gradient] for node, gradient in gradients.items()}
        with kept(traced.assigned):
            self.loss, *found = trial.executable(*trial.leaves)[: 1 + count]
        self.loss = float(self.loss)
        self.compiled = dict(zip(trial.wrt, found, strict=True))

    def compare(self, node: Node, seed: int) -> Comparison:
        """The chain rule's gradient at a node against differences."""
        if self.plain.get(node, node) not in self.slopes.values:
            return Comparison(0.0, not self.exact[node].any())
        return self.slopes.compare(self.plain.get(node, node), self.exact[node], self.scale[node], seed=seed)

    def distances(self, node: Node) -> tuple[float, float]:
        """How far machine code and NumPy, in float32, are from float64."""
        scale = self.scale[node] or 1.0
        compiled, interpreted = (
            float(np.max(np.abs(found[node] - self.exact[node]), initial=0.0)) / scale
            for found in (self.compiled, self.interpreted)
        )
        return compiled, interpreted


def describe_parts(model: Any, results: Sequence[Result], predictions: Any, trained: Sequence[Variable]) -> list[Part]:
    """The calls of layers, in order, then the loss."""
    parts: list[Part] = []
    taken: list[str] = []
    for result in results:
        inner = {weight for part in result.layer.sublayers for weight in part.weights}
        state = tuple(weight for weight in result.layer.weights if weight not in inner)
        own = set(state)
        weights = tuple(weight for weight in trained if weight in own)
        if result.layer is model:
            if state:  # of a formula of the user's own, outside of layers
                parts.append(Part(model.name, type(model).__name__, (), (), weights, state))
            continue
        taken.append(free_name(result.scope.removeprefix(f"{model.name}/"), taken))
        given, outputs = floats_of(result.inputs), floats_of(result.outputs)
        parts.append(Part(taken[-1], type(result.layer).__name__, given, outputs, weights, state))
    return [*parts, Part("loss", loss_name(model), floats_of(predictions), (), (), ())]


def loss_name(model: Any) -> str:
    """The kind of the loss, for people."""
    loss = model.loss
    return type(loss).__name__ if loss is not None and not isinstance(loss, list) else "loss"


def floats_of(nest: Any) -> tuple[Node, ...]:
    """The nodes of floats in a nest."""
    return tuple(leaf for leaf in flatten(nest)[0] if isinstance(leaf, Node) and leaf.dtype.is_float)


def move_weights(weights: Sequence[Variable]) -> None:
    """Move weights at random, by about a thousandth of their size."""
    generator = np.random.Generator(np.random.Philox(key=1))
    for weight in weights:
        value = weight.numpy()
        size = max(float(np.sqrt(np.mean(np.square(value)))), 0.1)
        weight.assign(value + _BESIDE * size * generator.standard_normal(value.shape))


# -- what rounding may do -----------------------------------------------------------------------------------------


def count_terms(node: Node, sizes: Mapping[str, int]) -> int:
    """How many terms a node adds up for each of its numbers."""
    if node.primitive.family == "contraction":
        axis = -2 if node.params["transpose_a"] else -1
        return int(bind_shape((node.inputs[0].shape[axis],), sizes)[0])
    if node.primitive.family == "reduction":
        shape = node.inputs[0].shape
        return int(bind_shape((multiply_dims([shape[axis] for axis in node.params["axes"]]),), sizes)[0])
    return 1


def reckon_tolerance(traced: TracedFunction, leaves: Sequence[np.ndarray]) -> float:
    """How far float32 may be from float64, as a part of the size of what is added up.

    A sum of n terms is off by about ``sqrt(n) * u``, with u the rounding of one, as long as roundings are independent
    of each other (Higham and Mary 2019, A New Approach to Probabilistic Rounding Error Analysis); sums that feed sums
    add up their n. Four times as much is allowed.
    """
    sizes = sizes_of(traced.graph, [*leaves, *(variable.memory for variable in traced.variables)])
    nodes = traced.graph.nodes
    terms = sum(count_terms(node, sizes) for node in nodes if node.primitive.family in ("contraction", "reduction"))
    narrow = any(node.params.get("precision") for node in nodes)
    return _SAFETY * _ROUNDING[narrow] * math.sqrt(terms + 1)


def size_of_terms(node: Node, values: Mapping[Node, np.ndarray]) -> float:
    """The largest sum of sizes of terms in a node: what rounding is a part of, however much the terms cancel."""
    name = node.primitive.name
    if name in ("reshape", "transpose", "broadcast_to", "identity"):
        return size_of_terms(node.inputs[0], values)
    if name in ("sum", "matmul"):
        sizes = [np.abs(values[operand]) for operand in node.inputs]
        params = {key: value for key, value in node.params.items() if key != "precision"}
        return float(np.max(node.primitive.evaluate(*sizes, **params), initial=0.0))
    if name == "add" and all(operand.shape == node.shape for operand in node.inputs):
        return sum(size_of_terms(operand, values) for operand in node.inputs)
    return float(np.max(np.abs(values[node]), initial=0.0))
