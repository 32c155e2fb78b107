"""`Sequential`: layers one after the other, with Keras's `compile`, `fit`, `evaluate`, `predict`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import layers as layers_module
from chainrule import losses, metrics, ops, optimizers, registry
from chainrule.callbacks import Callback, History
from chainrule.errors import ChainruleError
from chainrule.graph.variable import Variable
from chainrule.interop import safetensors
from chainrule.layers import InputLayer, Layer
from chainrule.models import saving
from chainrule.models.summary import format_summary
from chainrule.runtime.profile import Profile
from chainrule.training import loop, predicting
from chainrule.training.profiling import profile_training
from chainrule.training.step import train_step


class Sequential:
    """A stack of layers.

    Args:
        layers: the layers in order; `Input` first gives the shape, else the first data do.
        name: of the model.

    Example:
        >>> model = Sequential([layers_module.Input((4,)), layers_module.Dense(8, "relu"), layers_module.Dense(1)])
        >>> model.count_params()
        49
    """

    def __init__(self, layers: Sequence[Layer] | None = None, name: str = "sequential"):
        self.name = name
        self.layers: list[Layer] = []
        self.input_layer: InputLayer | None = None
        self.built = False
        self.optimizer: Any = None
        self.loss: Any = None
        self.given_metrics: list[Any] = []
        self.metrics: list[metrics.Metric] = []
        self.run_eagerly = False
        self.stop_training = False
        self.executables: dict[Any, Any] = {}
        self.predictor: predicting.Predictor | None = None
        self.loss_tracker = metrics.Mean("loss")
        self.first_bad_step = Variable(np.int32(-1), "first_bad_step", trainable=False)
        self.step_in_epoch = Variable(np.int32(0), "step_in_epoch", trainable=False)
        for layer in layers or []:
            self.add(layer)

    # -- building -------------------------------------------------------------------------------------------------

    def add(self, layer: Layer) -> None:
        """Put a layer on top."""
        if not isinstance(layer, Layer):
            raise ChainruleError("not a layer", where=f"model '{self.name}'", expected="a Layer", got=repr(layer))
        if isinstance(layer, InputLayer):
            if self.layers or self.input_layer:
                raise ChainruleError("an Input comes first and once", where=f"model '{self.name}'", got=layer.name)
            self.input_layer = layer
            return
        taken = {other.name for other in self.layers}
        if layer.given_name in taken:
            raise ChainruleError("two layers have one name", where=f"model '{self.name}'", got=layer.given_name)
        if layer.given_name is None:
            base, number = layer.name, 0
            while layer.name in taken:
                number += 1
                layer.name = f"{base}_{number}"
        self.layers.append(layer)
        self.forget_code()
        if self.input_layer is not None:
            shape = self.layers[-2].output_shape if len(self.layers) > 1 else self.input_layer.shape
            assert shape is not None
            layer.ensure_built(shape)
            self.built = True

    def forget_code(self) -> None:
        """Drop what was compiled for the layers as they were."""
        self.executables.clear()
        self.predictor = None

    def pop(self) -> Layer:
        """Take the top layer off."""
        self.forget_code()
        return self.layers.pop()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build for inputs of this shape, the batch first."""
        self._build(tuple(dim for dim in input_shape[1:] if dim is not None))

    def _build(self, shape: tuple[int, ...]) -> None:
        for layer in self.layers:
            layer.ensure_built(shape)
            shape = layer.output_shape  # type: ignore[assignment]
        self.built = bool(self.layers)

    def ensure_built(self, x: np.ndarray) -> None:
        """Build at the first data; refuse data of another shape."""
        if not self.layers:
            raise ChainruleError("the model has no layers", where=f"model '{self.name}'", fix="add a layer")
        if self.input_layer is not None and tuple(x.shape[1:]) != tuple(self.input_layer.shape):
            raise ChainruleError(
                "the data do not fit the model",
                where=f"x, layer '{self.layers[0].name}'",
                expected=("batch", *self.input_layer.shape),
                got=x.shape,
            )
        if not self.built:
            self._build(tuple(x.shape[1:]))
        elif self.input_layer is None and self.layers[0].input_shape != tuple(x.shape[1:]):
            raise ChainruleError(
                "the data do not fit the model",
                where=f"x, layer '{self.layers[0].name}'",
                expected=("batch", *(self.layers[0].input_shape or ())),
                got=x.shape,
            )

    def require_built(self) -> None:
        if not self.built:
            raise ChainruleError(
                "the model has no weights yet",
                where=f"model '{self.name}'",
                fix="put cr.Input(shape) first, or call the model on data",
            )

    @property
    def output_shape(self) -> tuple[int, ...]:
        self.require_built()
        return tuple(self.layers[-1].output_shape or ())  # type: ignore[arg-type]

    def __call__(self, x: Any, training: bool = False) -> Any:
        if not hasattr(x, "shape"):
            x = np.asarray(x, dtype=np.float32)
        for layer in self.layers:
            x = layer(x, training=training)
        self.built = True
        return x

    # -- weights --------------------------------------------------------------------------------------------------

    @property
    def weights(self) -> list[Variable]:
        return [weight for layer in self.layers for weight in layer.weights]

    variables = weights

    @property
    def trainable_variables(self) -> list[Variable]:
        return [weight for layer in self.layers for weight in layer.trainable_weights]

    trainable_weights = trainable_variables

    def get_weights(self) -> list[np.ndarray]:
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, values: Sequence[Any]) -> None:
        if len(values) != len(self.weights):
            raise ChainruleError(
                "wrong number of weights", where=f"model '{self.name}'", expected=len(self.weights), got=len(values)
            )
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)

    def count_params(self) -> int:
        self.require_built()
        return sum(weight.size for weight in self.weights)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or number."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        from chainrule.errors import unknown_name

        raise unknown_name("layer", name, [layer.name for layer in self.layers])

    def summary(self, print_fn: Any = print) -> None:
        """Print layers, shapes and numbers of parameters."""
        print_fn(format_summary(self))

    # -- training -------------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Sequence[Any] | None = None,
        run_eagerly: bool = False,
    ) -> None:
        """Choose optimizer, loss and metrics; `run_eagerly` computes with NumPy in place of machine code."""
        if loss is None:
            raise ChainruleError(
                "a loss is needed to train", where="compile", expected="a name such as 'mse'", got=None
            )
        self.optimizer, self.loss = optimizers.get(optimizer), losses.get(loss)
        self.given_metrics, self.run_eagerly = list(metrics or []), run_eagerly
        for metric in self.given_metrics:
            from chainrule import metrics as known

            known.get(metric)  # refuses unknown names now
        self.metrics = []
        self.forget_code()

    def require_compiled(self) -> None:
        if self.optimizer is None:
            raise ChainruleError(
                "the model is not compiled",
                where=f"model '{self.name}'",
                fix="call model.compile(optimizer='adam', loss='mse') first",
            )

    def resolve_metrics(self, arrays: Sequence[np.ndarray | None]) -> None:
        """Make the metrics once the targets' shape is known."""
        if self.metrics or not self.given_metrics:
            return
        y = arrays[1]
        shape = () if y is None else y.shape
        self.metrics = [
            metrics.resolve(metric, self.loss, shape, ("batch", *self.output_shape))  # type: ignore[arg-type]
            for metric in self.given_metrics
        ]

    @property
    def metric_variables(self) -> list[Variable]:
        found = [*self.loss_tracker.variables, self.step_in_epoch]
        return found + [variable for metric in self.metrics for variable in metric.variables]

    def track(self, loss: Any, y: Any, predictions: Any, weight: Any) -> None:
        """Take a batch into the running loss and metrics; the loss counts once a sample, as in Keras."""
        rows = ops.cast(ops.size_of(predictions, 0), "float64")
        self.loss_tracker.total.assign(ops.add(self.loss_tracker.total, ops.multiply(ops.cast(loss, "float64"), rows)))
        self.loss_tracker.count.assign(ops.add(self.loss_tracker.count, rows))
        for metric in self.metrics:
            metric.update(y, predictions)

    def note_bad_step(self, loss: Any) -> None:
        """Keep the number of the first step whose loss is no finite number."""
        bad = ops.logical_and(ops.less(self.first_bad_step, 0), ops.logical_not(ops.isfinite(loss)))
        self.first_bad_step.assign(ops.where(bad, self.step_in_epoch, self.first_bad_step))
        self.step_in_epoch.assign(ops.add(self.step_in_epoch, np.int32(1)))

    def logs(self) -> dict[str, float]:
        """The running metrics by name, the loss last, as Keras prints them."""
        return {metric.name: metric.result() for metric in self.metrics} | {"loss": self.loss_tracker.result()}

    def reset_metrics(self) -> None:
        self.loss_tracker.reset()
        self.step_in_epoch.assign(0)
        for metric in self.metrics:
            metric.reset()

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
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train on arrays, with Keras's arguments; the last, smaller batch of an epoch is used.

        Raises:
            DataError: for data that do not fit, before any training.
            NonFiniteLossError: where the loss becomes NaN, with epoch and step.
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
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on arrays: a list, the loss first, or a dict."""
        self.require_compiled()
        arrays = loop.prepare(self, x, y, sample_weight)
        self.resolve_metrics(arrays)
        logs = loop.test(self, arrays, loop.check_count("batch_size", 32 if batch_size is None else batch_size))
        if verbose not in (0, "auto"):
            print(" - ".join(f"{name}: {value:.4f}" for name, value in logs.items()))
        if return_dict:
            return logs
        values = [logs["loss"], *(logs[metric.name] for metric in self.metrics)]
        return values if len(values) > 1 else values[0]

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto") -> np.ndarray:
        """Predictions for every row; a row's bits do not depend on its batch."""
        return predicting.predict(self, x, batch_size)

    predict_on_batch = predict

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on these rows; returns loss and metrics of it."""
        self.require_compiled()
        arrays = loop.prepare(self, x, y, sample_weight, class_weight)
        self.resolve_metrics(arrays)
        self.reset_metrics()
        given = [array for array in arrays if array is not None]
        order = np.arange(len(given[0]), dtype=np.int32)
        executable = loop.executable_for(self, train_step, arrays)
        executable.run_steps([*given, order], batch_size=len(order), first=0, count=1)
        loop.check_finite(self, 0)
        logs = self.logs()
        return logs if return_dict else [logs["loss"], *(logs[metric.name] for metric in self.metrics)]

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of these rows."""
        return self.evaluate(x, y, len(np.asarray(x)), 0, sample_weight, return_dict)

    def train_executable(self, rows: int = 2) -> Any:
        """The compiled training step, for printing."""
        self.require_compiled()
        self.require_built()
        first = self.layers[0].input_shape or ()
        dtype = self.input_layer.dtype.numpy if self.input_layer else np.float32
        sparse = isinstance(self.loss, losses.SparseCategoricalCrossentropy)
        shape = self.output_shape[:-1] if sparse else self.output_shape
        y = np.zeros((rows, *shape), np.int32 if sparse else np.float32)
        arrays: list[np.ndarray | None] = [np.zeros((rows, *first), dtype), y, None]  # type: ignore[arg-type]
        self.resolve_metrics(arrays)
        return loop.executable_for(self, train_step, arrays)

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

    # -- files ----------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        entries = [self.input_layer] if self.input_layer else []
        return {"name": self.name, "layers": [registry.describe(layer) for layer in [*entries, *self.layers]]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Sequential:
        """A new model of the same layers, with new weights."""
        made = [registry.resolve("layer", entry, layers_module.CLASSES, custom_objects) for entry in config["layers"]]
        return cls(made, name=config.get("name", "sequential"))

    def to_json(self) -> str:
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()})

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write network, weights and training state to one file."""
        saving.save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any) -> None:
        """Write the weights alone, as safetensors."""
        saving.write_file(filepath, safetensors.dump({weight.name: weight.memory for weight in self.weights}))

    def load_weights(self, filepath: Any) -> None:
        """Read what `save_weights` wrote."""
        from pathlib import Path

        from chainrule.errors import FileError

        try:
            contents = Path(filepath).read_bytes()
        except OSError as error:
            raise FileError("the file cannot be read", where=str(filepath), got=error.strerror) from None
        saving.assign_weights(self, safetensors.load(contents, str(filepath)), str(filepath))
