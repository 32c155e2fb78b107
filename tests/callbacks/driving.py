"""Callbacks driven by hand: a model that is none, fed with logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class Weighted:
    """What callbacks ask of a model: weights that say in which epoch they were, a rate, and whether to stop."""

    def __init__(self, rate: float = 1.0):
        self.optimizer = Rated(rate)
        self.stop_training = False
        self.metrics: list[Any] = []
        self.training_run = None
        self.weight = 0.0

    def get_weights(self) -> list[np.ndarray]:
        return [np.array(self.weight)]

    def set_weights(self, values: Sequence[np.ndarray]) -> None:
        self.weight = float(values[0])


class Rated:
    name = "rated"

    def __init__(self, rate: float):
        self.learning_rate = np.float32(rate)


def drive(callback: Any, sequence: Sequence[Mapping[str, float]], rate: float = 1.0) -> tuple[Weighted, list[float]]:
    """Epochs that log these; the model at the end, and the rate after each epoch."""
    model = Weighted(rate)
    callback.set_model(model)
    callback.set_params({"epochs": len(sequence), "steps": 1, "verbose": 0})
    rates = []
    callback.on_train_begin()
    for epoch, logs in enumerate(sequence):
        callback.on_epoch_begin(epoch)
        model.weight = float(epoch + 1)
        callback.on_epoch_end(epoch, dict(logs))
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end()
    return model, rates
