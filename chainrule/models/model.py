"""`Model`: layers in any arrangement, with Keras's `compile`, `fit`, `evaluate`, `predict`.

Three ways to make one, all the same afterwards:

    Sequential([…])              layers one after the other (`sequential.py`)
    Model(inputs, outputs)       any graph of layers, several inputs and outputs, shared layers (`layers/symbolic.py`)
    class Mine(Model): call      any Python formula of layers
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import losses, ops, optimizers, registry
from chainrule.callbacks.callback import Callback
from chainrule.data.arrays import check_count
from chainrule.errors import ChainruleError, unknown_name
from chainrule.graph.tracing import scope
from chainrule.graph.tree import flatten, map_leaves, unflatten
from chainrule.graph.variable import Variable
from chainrule.layers import InputLayer, Layer, symbolic
from chainrule.layers.layer import changes, collect_penalties, inner_layers, parts_of
from chainrule.metrics import Mean, Metric
from chainrule.models import network, saving
from chainrule.models.summary import format_summary
from chainrule.runtime.profile import Profile
from chainrule.training import feed as feeds
from chainrule.training import loop, predicting
from chainrule.training.checks import suggest_shape
from chainrule.training.history import History
from chainrule.training.nests import Output, split
from chainrule.training.objective import Objective
from chainrule.training.prepare import prepare
from chainrule.training.profiling import profile_training
from chainrule.training.step import train_step
from chainrule.utils.arrays import unpack_x_y_sample_weight


class Watch:
    """Variables that a model's steps keep count in; they are no weights."""

    def __init__(self) -> None:
        self.loss = Mean("loss")
        self.first_bad_step = Variable(np.int32(-1), "first_bad_step", trainable=False)
        self.step_in_epoch = Variable(np.int32(0), "step_in_epoch", trainable=False)
        self.found: list[Metric] | None = None  # metrics in the model's attributes, once looked for
        self.step = "train_step"  # the one that runs, or ran last
        self.own: dict[str, dict[str, Variable]] = {}  # by step: what one of the user's own returned

    def note(self, loss: Any) -> None:
        """Keep the number of the first step whose loss is no finite number."""
        bad = ops.logical_and(ops.less(self.first_bad_step, 0), ops.logical_not(ops.isfinite(loss)))
        self.first_bad_step.assign(ops.where(bad, self.step_in_epoch, self.first_bad_step))
        self.step_in_epoch.assign(ops.add(self.step_in_epoch, np.int32(1)))

    @property
    def variables(self) -> list[Variable]:
        own = [variable for logs in self.own.values() for variable in logs.values()]
        return [*self.loss.variables, self.step_in_epoch, *own]

    def reset(self) -> None:
        self.loss.reset_state()
        self.step_in_epoch.assign(0)


@dataclass(frozen=True)
class Trained:
    """The trainable weights, what differs where there are others, and the number of changes to layers before."""

    weights: Sequence[Variable] = ()
    key: Any = None
    version: int = -1


class Model(Layer):
    """A network that can be trained, evaluated, saved; itself a layer of others.

    Args:
        inputs: what `Input` gave: one, a list or a dict by name.
        outputs: what layers gave that were called on them: one, a list or a dict by name.
        name: of the model.

    Example:
        >>> import chainrule as cr
        >>> x = cr.Input((4,))
        >>> h = cr.layers.Dense(4, "relu")(x)
        >>> model = Model(x, cr.layers.Dense(1)(x + h))
        >>> model.count_params()
        25
    """

    built_by_build = False

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True):
        super().__init__(name, trainable)
        if (inputs is None) != (outputs is None):
            raise ChainruleError("inputs and outputs belong together", where="Model", fix="give both, or neither")
        self.network: network.Network | None = None
        if inputs is not None:
            self.network = network.Network(inputs, outputs)
            self.built = True
            self.sample_shape = self.network.input_shapes()
        self.optimizer: Any = None
        self.objective: Any = None
        self.run_eagerly = False
        self.stop_training = False
        self.training_run: Any = None  # the call of `fit` that is under way (`training/run.py`)
        self.executables: dict[Any, Any] = {}
        self.rewind_copies: dict[Variable, np.ndarray] = {}  # of Variables, from which a bad step is explained
        self.batch_rewind: Any = None  # what `train_on_batch` keeps to explain a loss that is no number
        self.predictor: predicting.Predictor | None = None
        self.watch = Watch()
        self._trained = Trained()
        self._outputs: list[Output] = []
        self.input_types: Any = None  # of a model that is a Python formula, once it has seen data
        self._penalties: list[Any] = []
        self._terms: list[Any] = []

    # -- the network ----------------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        if self.network is None:
            raise ChainruleError("the model has no formula", where=f"model '{self.name}'", fix="define call(self, x)")
        return self.network.run(inputs, training, mask)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order in which they were called or made."""
        return self.network.layers if self.network else self.sublayers

    @property
    def sublayers(self) -> list[Layer]:
        return self.network.layers if self.network else super().sublayers

    @property
    def inputs(self) -> list[Any]:
        """The symbolic inputs."""
        return self._require_network().inputs

    @property
    def input(self) -> Any:
        return self._require_network().input

    @property
    def output(self) -> Any:
        return self._require_network().output

    def _require_network(self) -> network.Network:
        if self.network is None:
            raise ChainruleError(
                "only a model made of symbolic arrays has inputs and outputs",
                where=f"model '{self.name}'",
                fix="make it with cr.Model(inputs, outputs)",
            )
        return self.network

    @property
    def input_names(self) -> list[str]:
        return self.network.input_names if self.network else ["x"]

    @property
    def outputs(self) -> list[Any]:
        """The symbolic outputs."""
        return self._require_network().outputs

    @property
    def gives_outputs(self) -> bool:
        """Whether there is a formula from inputs to outputs."""
        return self.network is not None or type(self).call is not Model.call

    @property
    def output_kinds(self) -> list[Output]:
        """What the model gives, once it is built: names, shapes, dtypes."""
        if not self._outputs:
            self.require_built()
            self._outputs = self.network.describe_outputs() if self.network else self._trace_outputs()
        return self._outputs

    def _trace_outputs(self) -> list[Output]:
        """The outputs of a model that is a Python formula."""
        kinds = symbolic.infer(self, self.input_types)
        leaves, _ = flatten(kinds)
        if isinstance(kinds, dict):
            names = list(kinds)
            leaves = [kinds[name] for name in names]
        else:
            names = ["output"] if len(leaves) == 1 else [f"output_{place + 1}" for place in range(len(leaves))]
        return [Output(name, kind.shape[1:], kind.dtype, self.name) for name, kind in zip(names, leaves, strict=True)]

    def layers_before(self, place: int) -> list[Layer]:
        """The layers that give an output, the last first, as far as they are known and one follows the other."""
        return self.network.layers_before(place) if self.network else []

    @property
    def output_names(self) -> list[str]:
        return [output.name for output in self.output_kinds]

    @property
    def output_shape(self) -> Any:
        """Of one output its shape, the batch None; of several a list."""
        shapes = [(None, *output.shape) for output in self.output_kinds]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def input_shape(self) -> Any:
        """Of one input its shape, the batch None; of several a list."""
        shapes = [(None, *shape) for shape, _ in self.input_kinds()]
        return shapes[0] if len(shapes) == 1 else shapes

    def arrange_inputs(self, x: Any) -> Any:
        """The data as `call` wants them."""
        if self.network is None:
            return x
        if isinstance(x, dict):  # columns that the model does not take are left out
            x = {name: x[name] for name in self.input_names if name in x}
        parts = split("x", x, self.input_names)
        for name, part in zip(self.input_names, parts, strict=True):
            if part is None:
                raise ChainruleError("an input is missing", where="x", expected=self.input_names, got=f"no '{name}'")
        return parts[0] if len(parts) == 1 else parts

    def build(self, input_shape: Any) -> None:
        """Layers are built when they are called; here those in attributes get names of their own."""
        taken = {layer.name for layer in self.sublayers if layer.given_name is not None}
        for layer in self.sublayers:
            if layer.given_name is None:
                network.name_layer(layer, taken)

    def ensure_fits(self, x: Any) -> None:
        """Build for these arrays; refuse those that do not fit."""
        if self.network is not None:
            self._check_shapes(flatten(x)[0])
            return
        types = map_leaves(symbolic.batch_type, x)
        if self.input_types is None:
            self.build_for(types)
            return
        before, now = (map_leaves(lambda kind: tuple(kind.shape[1:]), kinds) for kinds in (self.input_types, types))
        if before != now:
            raise ChainruleError(
                "the data do not fit the model", where=f"x, model '{self.name}'", expected=before, got=now
            )

    def build_for(self, types: Any) -> None:
        """Make the weights of a formula for inputs of these types."""
        self.input_types = types
        if self.gives_outputs:  # else only its `train_step` knows what to do
            self._outputs = self._trace_outputs()

    def adjust_ranks(self, x: Any) -> Any:
        """A column of shape (n,) for an input of (n, 1), and the other way round."""
        leaves, tree = flatten(x)
        wanted = self._expected()
        if len(leaves) != len(wanted):
            return x
        return unflatten(tree, [adjust_rank(leaf, shape) for leaf, shape in zip(leaves, wanted, strict=True)])

    def _expected(self) -> list[tuple[int, ...]]:
        """The shapes of the inputs' samples, where they are known beforehand."""
        return [layer.shape for layer in self.network.input_layers] if self.network else []

    def _check_shapes(self, leaves: Sequence[Any]) -> None:
        assert self.network is not None
        for layer, leaf in zip(self.network.input_layers, leaves, strict=True):
            if tuple(leaf.shape[1:]) != tuple(layer.shape):
                followers = [
                    call.layer.name for call in self.network.calls if any(leaf is layer.output for leaf in call.leaves)
                ]
                raise ChainruleError(
                    "the data do not fit the model",
                    where=f"x, layer '{followers[0] if followers else layer.name}'",
                    expected=("batch", *layer.shape),
                    got=leaf.shape,
                    fix=suggest_shape(leaf.shape[1:], layer.shape),
                )

    def require_built(self) -> None:
        if not self.built:
            raise ChainruleError(
                "the model has no weights yet",
                where=f"model '{self.name}'",
                fix="put cr.Input(shape) first, or call the model on data",
            )

    def trainable_key(self) -> Any:
        """What differs where other layers or weights are trained."""
        return self.trained().key

    def trained(self) -> Trained:
        """Which weights are trained, looked for again only after some layer changed."""
        if self._trained.version != changes():
            layers = [self, *inner_layers(self)]
            weights = self.trainable_weights
            key = (tuple(layer.trainable for layer in layers), tuple(map(id, weights)))
            self._trained = Trained(weights, key, changes())
        return self._trained

    def forget_code(self) -> None:
        """Drop what was compiled for the layers as they were."""
        self.executables.clear()
        self.predictor = None
        if self.objective is not None:  # losses and metrics meet the outputs anew
            self.objective = Objective(*self.objective.given.values())

    def count_params(self) -> int:
        self.require_built()
        return super().count_params()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or number."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise unknown_name("layer", name, [layer.name for layer in self.layers])

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = print,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print layers, shapes and numbers of parameters; `expand_nested` shows the layers within models."""
        print_fn(format_summary(self, line_length or 80, expand_nested, show_trainable))

    def _repr_html_(self) -> str:
        from chainrule.models.summary_html import model_to_html

        return model_to_html(self)

    # -- training -------------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: Any = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose optimizer, loss and metrics; for several outputs, lists or dicts of them.

        Args:
            loss_weights: how much each output's loss counts.
            weighted_metrics: metrics that take the sample weights.
            run_eagerly: compute with NumPy in place of machine code.
            steps_per_execution, jit_compile, auto_scale_loss: accepted for Keras's sake; steps run together and are
                compiled in any case.
        """
        self.objective = Objective(loss, loss_weights, metrics, weighted_metrics)
        self.optimizer = optimizers.get(optimizer)
        self.run_eagerly = run_eagerly
        self.watch = Watch()
        self.batch_rewind = None
        self.rewind_copies = {}
        self.executables.clear()
        self.predictor = None

    @property
    def loss(self) -> Any:
        """The loss of the only output."""
        if self.objective is None:
            return None
        if self.objective.losses:
            return self.objective.losses[0] if len(self.objective.losses) == 1 else self.objective.losses
        given = self.objective.given["loss"]
        return given if given is None or isinstance(given, list | tuple | dict) else losses.get(given)

    @property
    def metrics(self) -> list[Any]:
        """The running loss and the metrics, those kept in attributes too."""
        found = [] if self.objective is None else [metric for _, _, metric in self.objective.metrics]
        trackers = [] if self.objective is None else self.objective.logged_trackers
        return [self.watch.loss, *trackers, *found, *self.own_metrics]

    @property
    def own_metrics(self) -> list[Metric]:
        """Metrics kept in attributes, for a training step of one's own."""
        if self.watch.found is None:
            self.watch.found = parts_of(self, Metric)
        return self.watch.found

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    @property
    def losses(self) -> list[Any]:
        """What is added to the loss in this step: penalties of layers, and regularizers of trainable weights."""
        return [*self._penalties, *super().losses]

    def require_compiled(self) -> None:
        if self.optimizer is None:
            raise ChainruleError(
                "the model is not compiled",
                where=f"model '{self.name}'",
                fix="call model.compile(optimizer='adam', loss='mse') first",
            )

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The number that training makes small: the outputs' losses and `losses`. To be overridden."""
        split = self.objective.split
        total, self._terms = self.objective.total(
            split("y", y), split("predictions", y_pred), split("weights", sample_weight)
        )
        for penalty in self.losses:
            total = penalty if total is None else ops.add(total, penalty)
        if total is None:
            raise ChainruleError(
                "there is nothing to make small",
                where=f"model '{self.name}'",
                expected="a loss, or layers that add one",
                fix="compile with a loss such as 'mse'",
            )
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Take a batch into the metrics; their values by name."""
        split = self.objective.split
        predictions = split("predictions", y_pred)
        rows = ops.cast(ops.size_of(predictions[0], 0), "float64")
        self.objective.track(self._terms, split("y", y), predictions, split("weights", sample_weight), rows)
        return {metric.name: metric.result() for metric in self.metrics}

    def train_step(self, data: Any) -> Any:
        """One step of training. To be overridden: numbers that it returns by name become logs.

        Args:
            data: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)

        def loss_of_batch() -> Any:
            predictions, loss = self.forward(x, y, sample_weight, training=True)
            return loss, (predictions, self._terms)

        loss, (predictions, self._terms) = self.optimizer.minimize(
            loss_of_batch, self.trainable_variables, has_aux=True
        )
        self.track(loss, x, y, predictions, sample_weight)
        self.watch.note(loss)

    def test_step(self, data: Any) -> Any:
        """Loss and metrics of a batch. To be overridden: returned numbers become logs."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        predictions, loss = self.forward(x, y, sample_weight, training=False)
        self.track(loss, x, y, predictions, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """The predictions for a batch. To be overridden."""
        return self(data, training=False)

    def forward(self, x: Any, y: Any, sample_weight: Any, training: bool) -> tuple[Any, Any]:
        """Predictions and loss of a batch."""
        with collect_penalties() as penalties:
            predictions = self(x, training=training)
        self._penalties = penalties
        with scope("loss"):
            loss = self.compute_loss(x, y, predictions, sample_weight, training)
        self._penalties = []
        return predictions, loss

    def track(self, loss: Any, x: Any, y: Any, predictions: Any, sample_weight: Any) -> None:
        """Take a batch into the running loss and metrics; the loss counts once a sample, as in Keras."""
        with scope("metrics"):
            rows = ops.cast(ops.size_of(flatten(predictions)[0][0], 0), "float64")
            running = self.watch.loss
            running.total.assign(ops.add(running.total, ops.multiply(ops.cast(loss, "float64"), rows)))
            running.count.assign(ops.add(running.count, rows))
            self.compute_metrics(x, y, predictions, sample_weight)

    def keep_logs(self, step: str, logs: Any) -> None:
        """Keep what a step of the user's own returned."""
        if not isinstance(logs, dict) or not logs:
            return
        own = self.watch.own.setdefault(step, {})
        for name, value in logs.items():
            number = ops.cast(value, "float64")
            if name not in own:
                own[name] = Variable(np.zeros(number.shape), name, trainable=False)
            own[name].assign(number)
        if "loss" in logs and step == "train_step":
            self.watch.note(logs["loss"])

    @property
    def metric_variables(self) -> list[Variable]:
        own = [variable for metric in self.own_metrics for variable in metric.variables]
        return self.watch.variables + (self.objective.variables if self.objective else []) + own

    def logs(self) -> dict[str, float]:
        """The running metrics by name, the loss last, as Keras prints them."""
        own = self.watch.own.get(self.watch.step)
        if own:
            return {name: variable.numpy().tolist() for name, variable in own.items()}
        return self.objective.logs() | {"loss": float(self.watch.loss.result())}

    def reset_metrics(self) -> None:
        self.watch.reset()
        self.objective.reset()
        for metric in self.own_metrics:
            metric.reset_state()

    def take_bad_step(self) -> int:
        """The number of the first step whose loss was not finite, or -1; it is forgotten."""
        step = int(self.watch.first_bad_step.memory)
        if step >= 0:
            self.watch.first_bad_step.assign(-1)
        return step

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train, with Keras's arguments; the last, smaller batch of an epoch is used.

        Args:
            x: an array, a list or dict of arrays, or an iterable of batches ``(x, y)`` or ``(x, y, sample_weight)``.
            steps_per_epoch: batches an epoch; needed where an iterable does not end.

        Raises:
            DataError: for arrays that do not fit, before any training; for a batch that does not, when it comes.
            NonFiniteLossError: where the loss becomes NaN or infinite. The message, and its `provenance`, tell where
                that came from: epoch, batch, sample, layer, operation and operands, and what to do. The model then has
                the finite weights, and the optimizer the state, of before the step at fault.
        """
        return loop.fit(
            self,
            x,
            y,
            batch_size,
            epochs,
            verbose,
            callbacks,
            validation_split,
            validation_data,
            shuffle,
            class_weight,
            sample_weight,
            initial_epoch,
            steps_per_epoch,
            validation_steps,
            validation_batch_size,
            validation_freq,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on arrays or an iterable of batches: a list, the loss first, or a dict."""
        self.require_compiled()
        size = check_count("batch_size", 32 if batch_size is None else batch_size)
        data = x if feeds.is_iterable_of_batches(x) else (x, y, sample_weight)
        feed = loop.make_test_feed(self, data, size, steps, name="")
        watchers = loop.CallbackList(callbacks, model=self, steps=feed.steps, verbose=verbose)
        logs = loop.test(self, feed, watchers)
        if verbose not in (0, "auto"):
            print(" - ".join(f"{name}: {value:.4f}" for name, value in logs.items()))
        return logs if return_dict else as_results(logs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Sequence[Callback] | None = None,
    ) -> Any:
        """Predictions for every row; a row's bits do not depend on its batch."""
        return predicting.predict(self, x, batch_size, steps, callbacks)

    def predict_on_batch(self, x: Any) -> Any:
        """Predictions for these rows."""
        return predicting.predict(self, x, None)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on these rows; returns loss and metrics since `reset_metrics`, as Keras does.

        To explain a loss that is no number, the model keeps a copy of its Variables and the batches since, up to 64 MB
        of them, until `fit` or `compile` is called.

        Raises:
            NonFiniteLossError: see `fit`.
        """
        self.require_compiled()
        data = prepare(self, x, y, sample_weight, class_weight)
        loop.train_on_batch(self, data)
        logs = self.logs()
        return logs if return_dict else as_results(logs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of these rows and those since `reset_metrics`, as Keras does."""
        self.require_compiled()
        data = prepare(self, x, y, sample_weight)
        feeds.ArrayFeed(self, loop.test_step, data, len(flatten(data)[0][0])).take(0, 1).run()
        logs = self.logs()
        return logs if return_dict else as_results(logs)

    def train_executable(self, rows: int = 2) -> Any:
        """The compiled training step for float32 data, for printing."""
        self.require_compiled()
        x = [np.zeros((rows, *shape), dtype) for shape, dtype in self.input_kinds()]
        self.objective.meet(self.output_kinds)
        y = []
        for output, loss in zip(self.output_kinds, self.objective.losses, strict=True):
            sparse = isinstance(loss, losses.SparseCategoricalCrossentropy)
            shape = output.shape[:-1] if sparse else output.shape
            y.append(np.zeros((rows, *shape), np.int32 if sparse else np.float32))
        data = prepare(self, x if len(x) > 1 else x[0], y if len(y) > 1 else y[0])
        return feeds.executable_for(self, train_step, data)

    def input_kinds(self) -> list[tuple[tuple[int, ...], Any]]:
        """Shape of a sample and dtype of each input."""
        self.require_built()
        if self.network is not None:
            return [(layer.shape, layer.dtype.numpy) for layer in self.network.input_layers]
        return [(kind.shape[1:], kind.dtype.numpy) for kind in flatten(self.input_types)[0]]

    def profile(
        self, x: Any, y: Any, batch_size: int = 32, steps: int | None = None, workers: int | None = None
    ) -> Profile:
        """Time the training step kernel by kernel against the machine's limits; the weights stay as they are.

        Args:
            steps: how many to time; by default as many as x has rows for.
            workers: threads; the number that runs fastest by default.

        Returns:
            A `Profile`, which prints as a table and holds its rows as values.
        """
        return profile_training(self, x, y, batch_size, steps, workers)

    # -- seen inside ----------------------------------------------------------------------------------------------

    def explain(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """Every number of a training step on these rows, operation by operation; the weights stay as they are.

        Returns:
            A `Ledger`: see `cr.explain`.
        """
        from chainrule.inspect import explain_step

        return explain_step(self, x, y, sample_weight)

    def inspect(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """What each layer has made of these rows, and how it learns from them; the weights stay as they are.

        One step is tried and taken back, for which an optimizer that was not used yet makes its state.

        Returns:
            A `Microscope`, which prints as a table and holds its numbers as values.
        """
        from chainrule.inspect import inspect_layers

        return inspect_layers(self, x, y, sample_weight)

    def diagnose(self, x: Any, y: Any, validation_data: Any = None) -> Any:
        """Look for mistakes in the model, in how it is compiled, and in a sample of the data, before training.

        Returns:
            A `Diagnosis`: a list of findings, each with what to do; empty where all is well.
        """
        from chainrule.inspect import diagnose

        return diagnose(self, x, y, validation_data)

    def verify(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
        """Check the model's own gradients and machine code on these rows, layer by layer.

        Returns:
            A `Verification`, which prints as a table.
        """
        from chainrule.inspect import verify

        return verify(self, x, y, sample_weight)

    # -- files ----------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        if self.network is None:  # a class of your own adds what its constructor takes
            return super().get_config()
        return {"name": self.name, "trainable": self.trainable, **self.network.get_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A new model of the same layers, with new weights."""
        if "calls" not in config:
            return super().from_config(config)
        inputs, outputs = network.from_config(config)
        return cls(inputs, outputs, name=config.get("name"), trainable=config.get("trainable", True))

    def to_json(self) -> str:
        return json.dumps(registry.describe(self))

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write network, weights and training state to one file."""
        saving.save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone, as safetensors."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Read what `save_weights` wrote."""
        saving.load_weights(self, filepath)


def adjust_rank(array: Any, shape: tuple[int, ...]) -> Any:
    """An array whose last axis of size 1 is there, or not, as the sample's shape has it."""
    if array.ndim == 1 and shape == (1,):
        return array[:, None]
    if array.ndim == len(shape) + 2 and array.shape[-1] == 1:
        return array[..., 0]
    return array


def as_results(logs: dict[str, float]) -> Any:
    """What `evaluate` returns: the loss first, then the others; one number where there is no other."""
    values = (
        [logs["loss"], *(value for name, value in logs.items() if name != "loss")]
        if "loss" in logs
        else [*logs.values()]
    )
    return values if len(values) > 1 else values[0]


__all__ = ["InputLayer", "Model"]
