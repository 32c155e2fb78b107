"""The objective: losses and metrics as `compile` was given them, matched to a model's outputs.

For one output: a name or an object, and a list of metrics. For several: lists in the order of the outputs, or dicts by
their names. With several, logs carry ``NAME_loss`` and ``NAME_METRIC``, as in Keras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import losses, metrics, ops
from chainrule.errors import ChainruleError
from chainrule.graph.tree import flatten
from chainrule.graph.variable import Variable
from chainrule.naming import free_name
from chainrule.training.nests import Output, split


class Objective:
    """Losses, their weights and metrics for some outputs.

    Args:
        loss: a name, an object, a function ``(y_true, y_pred) -> one number a sample``; or a list or dict of them,
            where None leaves an output out.
        loss_weights: a number an output, in a list or dict.
        given_metrics, weighted_metrics: a list of names or objects; or lists, or dicts of lists, an output each. The
            weighted take the sample weights.
    """

    def __init__(self, loss: Any, loss_weights: Any, given_metrics: Any, weighted_metrics: Any):
        self.given = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": given_metrics,
            "weighted_metrics": weighted_metrics,
        }
        self.outputs: list[Output] = []
        self.losses: list[losses.Loss | None] = []
        self.weights: list[float] = []
        self.trackers: list[metrics.Mean] = []
        self.metrics: list[tuple[int, bool, metrics.Metric]] = []  # output, whether weighted, metric
        for identifier in flatten(loss)[0]:
            losses.get(identifier)  # refuses unknown names now
        for kind in ("metrics", "weighted_metrics"):
            for identifier in flatten(self.given[kind])[0]:
                if identifier not in ("accuracy", "acc", "crossentropy", "ce"):
                    metrics.get(identifier)

    def meet(self, outputs: Sequence[Output]) -> None:
        """Match losses to outputs, once these are known."""
        if self.outputs:
            return
        names = [output.name for output in outputs]
        given = self.given["loss"]
        chosen = [given] * len(names) if not isinstance(given, list | tuple | dict) else split("loss", given, names)
        if given is not None and all(loss is None for loss in chosen):
            raise ChainruleError(
                "no output has a loss", where="compile", expected=f"one for {', '.join(names)}", got=given
            )
        weights = self.given["loss_weights"]
        numbers = [1.0] * len(names) if weights is None else split("loss_weights", weights, names)
        self.outputs = list(outputs)
        self.losses = [None if loss is None else losses.get(loss) for loss in chosen]
        self.weights = [1.0 if number is None else float(number) for number in numbers]
        self.trackers = [metrics.Mean(f"{name}_loss") for name in names] if len(names) > 1 else []

    def meet_targets(self, shapes: Sequence[tuple[int, ...] | None]) -> None:
        """Make the metrics, once the targets' shapes are known as well."""
        if self.metrics:
            return
        names = [output.name for output in self.outputs]
        for kind in ("metrics", "weighted_metrics"):
            weighted = kind == "weighted_metrics"
            given = self.given[kind]
            if not given:
                continue
            plain = (
                len(names) == 1 and not isinstance(given, dict) and not any(isinstance(item, list) for item in given)
            )
            lists = [given] if plain else split(kind, given, names)
            for place, of_output in enumerate(lists):
                shape = shapes[place]
                if not of_output or shape is None:
                    continue
                for identifier in of_output if isinstance(of_output, list | tuple) else [of_output]:
                    output = self.outputs[place]
                    metric = metrics.resolve(identifier, self.losses[place], shape, ("batch", *output.shape))  # type: ignore[arg-type]
                    prefix = f"{output.name}_" if len(names) > 1 and isinstance(identifier, str) else ""
                    metric.name = self._free_name(prefix, metric.name, weighted)
                    self.metrics.append((place, weighted, metric))

    def _free_name(self, prefix: str, name: str, weighted: bool) -> str:
        """The name that a metric has in logs: that of another is not taken twice."""
        taken = [metric.name for _, _, metric in self.metrics]
        if weighted and prefix + name in taken:
            name = f"weighted_{name}"
        return free_name(prefix + name, taken)

    def split(self, what: str, nest: Any) -> list[Any]:
        """The parts of a nest in the order of the outputs."""
        return split(what, nest, [output.name for output in self.outputs])

    def total(
        self, y: Sequence[Any], predictions: Sequence[Any], sample_weight: Sequence[Any]
    ) -> tuple[Any, list[Any]]:
        """The weighted sum of the losses, and each of them."""
        terms: list[Any] = []
        total: Any = None
        for loss, weight, true, pred, sample in zip(
            self.losses, self.weights, y, predictions, sample_weight, strict=True
        ):
            if loss is None or true is None:
                terms.append(None)
                continue
            term = loss(true, pred, sample)
            terms.append(term)
            scaled = term if weight == 1.0 else ops.multiply(term, weight)
            total = scaled if total is None else ops.add(total, scaled)
        return total, terms

    def track(
        self,
        terms: Sequence[Any],
        y: Sequence[Any],
        predictions: Sequence[Any],
        sample_weight: Sequence[Any],
        rows: Any,
    ) -> None:
        """Take a batch into the running losses of the outputs and the metrics."""
        for tracker, term in zip(self.trackers, terms if self.trackers else [], strict=True):
            if term is not None:
                tracker.total.assign(ops.add(tracker.total, ops.multiply(ops.cast(term, "float64"), rows)))
                tracker.count.assign(ops.add(tracker.count, rows))
        for place, weighted, metric in self.metrics:
            if y[place] is not None:
                metric.update_state(y[place], predictions[place], sample_weight[place] if weighted else None)

    @property
    def variables(self) -> list[Variable]:
        parts = [*self.trackers, *(metric for _, _, metric in self.metrics)]
        return [variable for part in parts for variable in part.variables]

    @property
    def logged_trackers(self) -> list[metrics.Mean]:
        """The running losses of the outputs that have one."""
        pairs = zip(self.trackers, self.losses if self.trackers else [], strict=True)
        return [tracker for tracker, loss in pairs if loss is not None]

    def logs(self) -> dict[str, Any]:
        """The running values by name: numbers, and a list where a metric has several."""
        found: dict[str, Any] = {}
        for _, _, metric in self.metrics:
            value = metric.result()
            parts = value if isinstance(value, dict) else {metric.name: value}
            for name, part in parts.items():
                array = np.asarray(part)
                found[name] = array.item() if array.size == 1 else array.tolist()
        return {tracker.name: float(tracker.result()) for tracker in self.logged_trackers} | found

    def reset(self) -> None:
        for part in [*self.trackers, *(metric for _, _, metric in self.metrics)]:
            part.reset_state()
