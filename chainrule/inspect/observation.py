"""One pass through a model, forwards and backwards, with everything kept.

In: a compiled model and rows of data. Out: an `Observation`: what each layer gave, and how the loss changes with it.
Nothing is trained: Variables that a pass changes (running means, random counters) have their old values afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.autodiff.reverse import pull_back
from chainrule.graph.tracing import as_node, trace
from chainrule.graph.tree import flatten, unflatten
from chainrule.graph.types import type_of
from chainrule.graph.variable import kept
from chainrule.layers.layer import Layer, Result, collect_results
from chainrule.naming import free_name
from chainrule.ops import ones_like
from chainrule.runtime.jit import build
from chainrule.training.prepare import prepare


@dataclass(frozen=True)
class LayerObservation:
    """A layer's call.

    Args:
        name: of the layer, after those of the layers around it: ``encoder/dense``; called again, with a number.
        output: what it gave, (rows, …); of several arrays, the first.
        gradient: how the loss changes with `output`, of its shape; zeros where it does not, or for whole numbers.
        weights: the names of its own Variables.
    """

    name: str
    layer: Layer
    output: np.ndarray
    gradient: np.ndarray
    weights: tuple[str, ...]


@dataclass(frozen=True)
class Observation:
    """A pass through a model.

    Args:
        inputs, predictions: nests of arrays.
        loss: of the rows together.
        layers: in the order of their calls, inner layers before the one around them.
        values, gradients: of each weight that is trained, by its name, in the model's order.
    """

    inputs: Any
    predictions: Any
    loss: float
    layers: tuple[LayerObservation, ...]
    values: Mapping[str, np.ndarray]
    gradients: Mapping[str, np.ndarray]


class Observer:
    """A model's pass on these rows, compiled once; each call looks at the weights of that moment.

    Args:
        x, y, sample_weight: as for `fit`; all rows are one batch.
        training: whether layers such as Dropout act as in training.
        eager: compute with NumPy in place of machine code; as the model does by default.

    Raises:
        DataError: for rows that do not fit the model.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(3, "relu"), cr.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> seen = Observer(model, np.ones((4, 2), "float32"), np.zeros((4, 1), "float32"))()
        >>> [(layer.name, layer.output.shape) for layer in seen.layers]
        [('dense', (4, 3)), ('dense_1', (4, 1))]
    """

    def __init__(
        self,
        model: Any,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        training: bool = False,
        eager: bool | None = None,
    ):
        model.require_compiled()
        self.model, self.training = model, training
        self.data = prepare(model, x, y, sample_weight)
        self.names: list[tuple[str, Layer, tuple[str, ...]]] = []
        self.results: list[Result] = []  # of the layers' calls, in their order
        self.leaves, tree = flatten(self.data)
        types = [type_of(leaf) for leaf in self.leaves]
        self.trained = list(model.trainable_variables)
        self.traced = trace(self._record, types, tree)
        self.executable = build(self.traced, eager=model.run_eagerly if eager is None else eager)

    def _record(self, *data: Any) -> Any:
        x, y, weight = data
        with collect_results() as found:
            predictions, loss = self.model.forward(x, y, weight, self.training)
        self.results = results = [result for result in found if result.layer is not self.model]
        outputs = [as_node(flatten(result.outputs)[0][0]) for result in results]
        self._name(results)
        wrt = [*outputs, *(as_node(variable) for variable in self.trained)]
        slopes = pull_back([as_node(loss)], [ones_like(loss)], wrt)
        return predictions, loss, outputs, slopes

    def _name(self, results: list[Result]) -> None:
        taken: list[str] = []
        self.names.clear()
        for result in results:
            path = result.scope.removeprefix(f"{self.model.name}/")
            taken.append(free_name(path, taken))
            own = tuple(variable.name for variable in result.layer.weights)
            self.names.append((taken[-1], result.layer, own))

    def __call__(self) -> Observation:
        """Pass the rows through the model as it is now."""
        with kept(self.traced.assigned):
            leaves = self.executable(*self.leaves)[: self.traced.results]
        predictions, loss, outputs, slopes = unflatten(self.traced.result_tree, leaves)
        by_layer, by_weight = slopes[: len(outputs)], slopes[len(outputs) :]
        layers = tuple(
            LayerObservation(name, layer, output, gradient, own)
            for (name, layer, own), output, gradient in zip(self.names, outputs, by_layer, strict=True)
        )
        names: list[str] = []
        for variable in self.trained:  # layers within layers of one's own may share a name
            names.append(free_name(variable.name, names))
        return Observation(
            inputs=self.data[0],
            predictions=predictions,
            loss=float(loss),
            layers=layers,
            values={name: variable.numpy() for name, variable in zip(names, self.trained, strict=True)},
            gradients=dict(zip(names, by_weight, strict=True)),
        )


def observe(model: Any, x: Any, y: Any, sample_weight: Any = None, training: bool = False) -> Observation:
    """One pass; see `Observer`."""
    return Observer(model, x, y, sample_weight, training)()


__all__ = ["LayerObservation", "Observation", "Observer", "observe"]
