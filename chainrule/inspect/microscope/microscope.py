"""The microscope: what each layer has made of the data, and how it learns.

In: a compiled model and rows. Out: a `Microscope`: for the input and for each layer a `LayerReport`, with the measures
of `reports.py` on one pass through the model (`inspect/observation.py`) and one step of training. As a callback,
`InspectLayers` keeps one for each epoch. Weights, optimizer and random counters have their old values afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.callbacks.callback import Callback, Logs
from chainrule.data.arrays import check_count
from chainrule.graph.tree import flatten, map_leaves
from chainrule.graph.variable import kept
from chainrule.inspect.microscope import tables
from chainrule.inspect.microscope.reports import LayerReport, Steps, as_known, report_all
from chainrule.inspect.microscope.targets import find_targets
from chainrule.inspect.observation import Observer
from chainrule.runtime.jit import build
from chainrule.training.prepare import Data, prepare
from chainrule.training.step import record, train_step

ROWS = 2000
"""Rows that are looked at, at most."""

_NUMBERS = 1 << 24
"""Numbers of the input that are looked at, at most: pictures of many pixels are fewer rows."""


@dataclass(frozen=True, eq=False)
class Microscope:
    """What a network has made of some rows, layer by layer. It prints as a table.

    Args:
        input: the report of the input itself, all inputs side by side.
        layers: in the order of their calls, inner layers before the one around them.
        similarity: (layers, layers), linear CKA of each with each.
        labels: (rows,), the class of each, -1 for one that the loss ignores; for a regression the number, or the first
            of several; None without targets.
        measure: what probes and model are scored by: ``accuracy``, ``R²``, or ``none`` without targets.
        accuracy: the model's own score on all of these rows.
        loss: of these rows together.
        rows: how many were looked at.
    """

    input: LayerReport
    layers: tuple[LayerReport, ...]
    similarity: np.ndarray
    labels: np.ndarray | None
    measure: str
    accuracy: float | None
    loss: float
    rows: int

    @property
    def probe_of_input(self) -> float | None:
        """What a linear probe reads from the input as it is."""
        return self.input.probe

    @property
    def stages(self) -> tuple[LayerReport, ...]:
        """The input, and each layer that makes something else of what it is given."""
        return (self.input, *(layer for layer in self.layers if layer.kind != "unchanged"))

    @property
    def classes(self) -> bool:
        """Whether the labels are classes."""
        return self.measure == "accuracy"

    def __getitem__(self, name: str) -> LayerReport:
        return tables.find_layer(self.layers, name)

    def __str__(self) -> str:
        return tables.format_microscope(self)

    def _repr_html_(self) -> str:
        return tables.microscope_to_html(self)


class Inspector:
    """A model on these rows, its pass and its step compiled once; each call looks at the weights of that moment.

    Args:
        x, y, sample_weight: as for `fit`; of more than `ROWS` rows, as many are drawn, the same each time.
    """

    def __init__(self, model: Any, x: Any, y: Any, sample_weight: Any = None):
        model.require_compiled()
        data = draw_rows(prepare(model, x, y, sample_weight))
        self.model = model
        self.observer = Observer(model, *data)
        self.data = self.observer.data
        # Not the step that `fit` runs, whose memory and number of workers are chosen for its own batches.
        self.step = build(record(model, train_step, self.data), eager=model.run_eagerly)

    def __call__(self) -> Microscope:
        seen = self.observer()
        rows = len(flatten(self.data)[0][0])
        with np.errstate(all="ignore"):  # a network that has diverged gives infinities
            targets = find_targets(self.model, self.data[1], seen.predictions)
            first, layers, similarity = report_all(seen, targets, self.take_step())
        return Microscope(
            input=first,
            layers=layers,
            similarity=similarity,
            labels=None if targets is None else targets.spread_over(rows),
            measure="none" if targets is None else "R²" if targets.labels is None else "accuracy",
            accuracy=None if targets is None else as_known(targets.score),
            loss=seen.loss,
            rows=rows,
        )

    def take_step(self) -> Steps:
        """How much a step of training on these rows changes each weight; it is undone."""
        leaves = flatten(self.data)[0]
        rows = len(leaves[0])
        trained = self.model.trainable_variables
        before = {variable: variable.numpy().astype(np.float64) for variable in trained}
        with kept(self.step.traced.assigned):
            order = np.arange(rows, dtype=np.int32)
            self.step.run_steps([*leaves, order], batch_size=rows, first=0, count=1)
            after = {variable: variable.numpy().astype(np.float64) for variable in trained}
        return {
            variable: (float(np.linalg.norm(after[variable] - value)), float(np.linalg.norm(value)))
            for variable, value in before.items()
        }


def inspect_layers(model: Any, x: Any, y: Any, sample_weight: Any = None) -> Microscope:
    """What each layer has made of these rows, and how it learns from them; the weights stay as they are.

    Of more than 2,000 rows as many are drawn, the same each time; everything is measured on them, gradients and the
    step of training too. Dropout and its like are off, as in predicting. A probe is fitted on half of the rows and
    scored on the other half; take rows that the network was not trained on to learn what it knows. What has more than
    one axis is made flat. Of several outputs, the first that has targets is probed for; several inputs are one, side by
    side.

    Args:
        model: compiled.
        x, y, sample_weight: as for `fit`.

    Raises:
        ChainruleError: where the model is not compiled.
        DataError: for rows that do not fit the model.

    Example:
        >>> import chainrule as cr
        >>> cr.set_random_seed(0)
        >>> model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(8, "tanh"), cr.layers.Dense(2, "softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy")
        >>> x = np.random.default_rng(0).standard_normal((400, 2))
        >>> seen = inspect_layers(model, x, (x[:, 0] > 0).astype(int))
        >>> [(layer.name, layer.kind, layer.shape) for layer in seen.layers]
        [('dense', 'hidden', (8,)), ('dense_1', 'output', (2,))]
        >>> seen.probe_of_input > 0.95, round(seen.input.likeness_to_input, 6)
        (True, 1.0)
    """
    return Inspector(model, x, y, sample_weight)()


class InspectLayers(Callback):
    """Looks at each layer after an epoch: a callback for `fit`. It prints as a table of the probe by layer and epoch.

    ``history[epoch]`` is the `Microscope` after that epoch, counted from 0 as callbacks are told it. Training goes on
    with the same bits as without it. A run that `BackupAndRestore` takes up has the epochs from there on.

    Args:
        x, y: rows to look at, best such as are not trained on; see `inspect_layers`.
        every: after each so many epochs.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(4, "relu"), cr.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.random.default_rng(0).standard_normal((50, 2))
        >>> watcher = InspectLayers(x, x[:, 0], every=2)
        >>> _ = model.fit(x, x[:, 0], epochs=4, verbose=0, callbacks=[watcher])
        >>> list(watcher.history)
        [1, 3]
    """

    def __init__(self, x: Any, y: Any, every: int = 1):
        super().__init__()
        self.x, self.y, self.every = x, y, check_count("every", every)
        self.history: dict[int, Microscope] = {}
        self.inspector: Inspector | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self.history, self.inspector = {}, None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if (epoch + 1) % self.every:
            return
        if self.inspector is None:
            self.inspector = Inspector(self.model, self.x, self.y)
        self.history[epoch] = self.inspector()

    def __str__(self) -> str:
        return tables.format_history(self.history)

    def _repr_html_(self) -> str:
        return tables.history_to_html(self.history)


# -- the rows -----------------------------------------------------------------------------------------------------


def draw_rows(data: Data) -> Data:
    """At most `ROWS` rows of prepared data, drawn without order or repetition, in the order in which they stood."""
    leaves = flatten(data)[0]
    rows = len(leaves[0])
    width = sum(leaf[0].size for leaf in flatten(data[0])[0])
    most = min(ROWS, max(_NUMBERS // max(width, 1), 100))
    if rows <= most:
        return data
    chosen = np.sort(np.random.default_rng(0).permutation(rows)[:most])
    return map_leaves(lambda leaf: leaf[chosen], data)  # type: ignore[no-any-return]


__all__ = ["InspectLayers", "Inspector", "LayerReport", "Microscope", "inspect_layers"]
