"""Keras's `fit` on JAX."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import keras  # type: ignore[import-untyped]
from workloads import BETA_1, BETA_2, EPSILON, RATE, Workload, initial_weights, make_data


def make_model(workload: Workload) -> Any:
    """The network with its initial weights, compiled."""
    features, *hidden, outputs = workload.sizes
    given = x = keras.Input((features,))
    for units in hidden:
        value = keras.layers.Dense(units, activation=workload.activation)(x)
        x = keras.layers.Add()([x, value]) if workload.residual else value
    model = keras.Model(given, keras.layers.Dense(outputs)(x))
    model.set_weights(initial_weights(workload))
    model.compile(
        optimizer=keras.optimizers.Adam(RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON),
        loss="mse" if workload.loss == "mse" else keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def trainer(workload: Workload) -> Callable[[int], list[float]]:
    """What trains so many epochs and gives their losses."""
    x, y = make_data(workload)
    model = make_model(workload)

    def train(epochs: int) -> list[float]:
        history = model.fit(x, y, batch_size=workload.batch, epochs=epochs, shuffle=False, verbose=0)
        return [float(loss) for loss in history.history["loss"]]

    return train
