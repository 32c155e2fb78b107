"""What a specimen of the zoo is, and the data and networks that several of them have.

Each makes a compiled model with data of its own, from seeds, so that a test sees the same every time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import layers

Made = tuple[Any, Any, Any]
"""A model, x and y."""


@dataclass(frozen=True)
class Broken:
    """A network or data set with one fault.

    Args:
        make: it.
        rule, where: what must be named.
        validation: makes validation data, where the fault lies there.
    """

    make: Callable[[], Made]
    rule: str
    where: str
    validation: Callable[[Any, Any], Any] | None = None

    @property
    def name(self) -> str:
        return self.make.__name__


@dataclass(frozen=True)
class Healthy:
    """A network and data with which nothing is wrong.

    Args:
        make: it.
        epochs: of training that must bring the loss down; 0 where it takes long.
        notes: rules whose notes are right.
    """

    make: Callable[[], Made]
    epochs: int = 0
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.make.__name__


# -- data ---------------------------------------------------------------------------------------------------------


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def table(rows: int = 300, columns: int = 8) -> np.ndarray:
    """Standardized columns."""
    return generator().standard_normal((rows, columns)).astype("float32")


def numbers_of(x: np.ndarray) -> np.ndarray:
    """A target that takes all columns, with some noise."""
    weights = generator(1).standard_normal((x.shape[1], 1))
    return (np.tanh(x @ weights) + 0.5 * x[:, :1] + 0.1 * generator(2).standard_normal((len(x), 1))).astype("float32")


def classes_of(x: np.ndarray, classes: int = 3) -> np.ndarray:
    """Classes that depend on all columns, with some noise."""
    weights = generator(1).standard_normal((x.shape[1], classes))
    return np.argmax(x @ weights + 0.5 * generator(2).standard_normal((len(x), classes)), axis=1)


def moons(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other."""
    labels = np.arange(rows) % 2
    angle = np.pi * generator().random(rows)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x[labels == 1] = [1, 0.5] - x[labels == 1]
    return (x + 0.1 * generator(1).standard_normal(x.shape)).astype("float32"), labels


@functools.cache
def digits(rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Real handwritten digits, as bytes."""
    (x, y), _ = cr.datasets.mnist.load_data()
    return x[:rows].copy(), y[:rows].copy()


def tabular(x: np.ndarray, hidden: Any = "relu", units: int = 16, end: Any = None, outputs: int = 1) -> cr.Sequential:
    """Two hidden layers, for the columns of x."""
    cr.set_random_seed(0)
    return cr.Sequential(
        [
            cr.Input((x.shape[1],)),
            layers.Dense(units, hidden, name="first"),
            layers.Dense(units, hidden, name="second"),
            layers.Dense(outputs, end, name="last"),
        ]
    )


def compiled(model: Any, optimizer: Any, loss: Any, **options: Any) -> Any:
    model.compile(optimizer, loss, **options)
    return model


def classifier(x: np.ndarray, y: np.ndarray, optimizer: Any = "adam", **options: Any) -> Made:
    """A healthy network for classes."""
    model = tabular(x, end="softmax", outputs=int(y.max()) + 1, **options)
    return compiled(model, optimizer, "sparse_categorical_crossentropy"), x, y


def regressor(x: np.ndarray, y: np.ndarray, optimizer: Any = "adam", **options: Any) -> Made:
    """A healthy network for numbers."""
    return compiled(tabular(x, **options), optimizer, "mse"), x, y


def deep(x: np.ndarray, depth: int, activation: str, initializer: Any, units: int = 32) -> cr.Sequential:
    """Many equal layers."""
    cr.set_random_seed(0)
    hidden = [
        layers.Dense(units, activation, kernel_initializer=initializer, name=f"hidden_{place}")
        for place in range(depth)
    ]
    return cr.Sequential([cr.Input((x.shape[1],)), *hidden, layers.Dense(1, name="last")])


def classify_digits(optimizer: Any) -> cr.Sequential:
    """The network of the README."""
    cr.set_random_seed(0)
    model = cr.Sequential(
        [
            cr.Input((28, 28), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(10, activation="softmax"),
        ]
    )
    return compiled(model, optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
