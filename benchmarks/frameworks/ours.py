"""chainrule: `fit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workloads import BETA_1, BETA_2, EPSILON, RATE, Workload, initial_weights, make_data

import chainrule as cr


class ResidualDense(cr.layers.Layer):
    """``x + activation(x @ kernel + bias)``, with as many neurons as inputs."""

    def __init__(self, activation: str, name: str | None = None):
        super().__init__(name)
        self.activation = cr.activations.get(activation)

    def build(self, input_shape: Any) -> None:
        width = int(input_shape[-1])
        self.kernel = self.add_weight((width, width), "glorot_uniform", name="kernel")
        self.bias = self.add_weight((width,), "zeros", name="bias")

    def call(self, x: Any) -> Any:
        return cr.ops.add(x, self.activation(cr.ops.add(cr.ops.matmul(x, self.kernel), self.bias)))


def make_model(workload: Workload) -> cr.Sequential:
    """The network with its initial weights; images stay bytes and are scaled in the step."""
    features, *hidden, outputs = workload.sizes
    layers: list[cr.layers.Layer]
    if workload.data == "mnist":
        layers = [cr.Input((28, 28), dtype="uint8"), cr.layers.Rescaling(1 / 255), cr.layers.Flatten()]
    else:
        layers = [cr.Input((features,))]
    for units in hidden:
        if workload.residual:
            layers.append(ResidualDense(workload.activation))
        else:
            layers.append(cr.layers.Dense(units, activation=workload.activation))
    model = cr.Sequential([*layers, cr.layers.Dense(outputs)])
    model.set_weights(initial_weights(workload))
    model.compile(
        optimizer=cr.optimizers.Adam(RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON),
        loss="mse" if workload.loss == "mse" else cr.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def trainer(workload: Workload) -> Callable[[int], list[float]]:
    """What trains so many epochs and gives their losses."""
    if workload.data == "mnist":
        (x, y), _ = cr.datasets.mnist.load_data()
        x, y = x[: workload.rows], y[: workload.rows]
    else:
        x, y = make_data(workload)
    model = make_model(workload)

    def train(epochs: int) -> list[float]:
        history = model.fit(x, y, batch_size=workload.batch, epochs=epochs, shuffle=False, verbose=0)
        return [float(loss) for loss in history.history["loss"]]

    return train
