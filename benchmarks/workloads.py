"""The networks that are timed: one table, the same in every framework, from fixed seeds.

A hidden layer is ``activation(x @ w + b)``, with ``residual`` ``x + activation(x @ w + b)``; the last layer is linear.
Training is Adam with Keras's constants, batches in order, the last one smaller. `digits` are the real images; the data
of the others can be learnt: their targets come from a random teacher.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7
MNIST = Path(__file__).resolve().parent.parent / "chainrule" / "data" / "mnist"


@dataclass(frozen=True)
class Workload:
    """A network, its data and its batches.

    Args:
        sizes: features, neurons of each layer, the last one the outputs.
        batch: rows a step.
        rows: rows an epoch.
        loss: ``cross_entropy`` on labels, or ``mse``.
        activation: ``relu`` or ``tanh``, of all layers but the last.
        residual: hidden layers add to their input.
        weights: ``glorot`` uniform, ``he`` normal, or ``small`` normal.
        data: ``teacher`` or ``mnist``.
        epochs: epochs timed together, so that a round is long enough to be timed.
        agreement: how far, relatively, the losses of two frameworks may be apart; rounding makes trainings drift.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    rows: int
    loss: str
    activation: str = "relu"
    residual: bool = False
    weights: str = "glorot"
    data: str = "teacher"
    epochs: int = 1
    agreement: float = 0.01

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return -(-self.rows // self.batch)

    @property
    def parameters(self) -> int:
        return sum(n * m + m for n, m in itertools.pairwise(self.sizes))

    @property
    def flops(self) -> int:
        """Multiplications and additions of an epoch's matrix products.

        2·rows·n·m for each layer forward, as many for the weights' gradients, and as many for the inputs' gradients of
        all layers but the first.
        """
        layers = [n * m for n, m in itertools.pairwise(self.sizes)]
        return 2 * self.rows * (3 * sum(layers) - layers[0])

    def describe(self) -> str:
        """One line for people."""
        inner = self.sizes[1:-1]
        if len(inner) > 4 and len(set(inner)) == 1:
            shape = f"{len(self.sizes) - 1} layers of {inner[0]}"
        else:
            shape = "-".join(str(size) for size in self.sizes)
        kind = self.activation + (", residual" if self.residual else "")
        return f"{self.name}: {shape}, {kind}, batch {self.batch}, {self.loss}, {self.steps} steps an epoch"


TABLE = (
    Workload("digits", (784, 512, 512, 10), 128, 60_000, "cross_entropy", data="mnist", agreement=0.03),
    Workload("tiny", (8, 16, 1), 32, 320_000, "mse", epochs=5),
    Workload("small", (20, 64, 64, 1), 64, 64_000, "mse", epochs=10),
    Workload("deep", (128,) * 65, 128, 2_560, "mse", weights="he", epochs=10),
    Workload("wide", (1024, 2048, 2048, 2048, 10), 512, 5_120, "cross_entropy"),
    Workload("chain", (4, 32, 16, 4), 10_000, 10_000, "mse", activation="tanh", epochs=200, agreement=0.001),
    Workload("odd", (101, 77, 33, 3), 50, 10_000, "cross_entropy", epochs=30),
    Workload("odd-1", (101, 77, 33, 3), 1, 1_000, "cross_entropy", epochs=10),
    Workload("deep500", (64,) * 501, 64, 640, "mse", residual=True, weights="small", epochs=2),
)
WORKLOADS: Mapping[str, Workload] = {workload.name: workload for workload in TABLE}


def initial_weights(workload: Workload) -> list[np.ndarray]:
    """Kernel and bias of each layer, kernels (inputs, outputs) in float32, biases 0."""
    rng = np.random.default_rng(0)
    weights = []
    for rows, columns in itertools.pairwise(workload.sizes):
        if workload.weights == "glorot":
            limit = np.sqrt(6 / (rows + columns))
            kernel = rng.uniform(-limit, limit, (rows, columns))
        elif workload.weights == "he":
            kernel = rng.standard_normal((rows, columns)) * np.sqrt(2 / rows)
        else:
            kernel = rng.standard_normal((rows, columns)) * 0.005 / np.sqrt(rows)
        weights += [kernel.astype("float32"), np.zeros(columns, "float32")]
    return weights


def make_data(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Inputs float32 (rows, features); labels int32 (rows,) or targets float32 (rows, outputs)."""
    if workload.data == "mnist":
        images, labels = read_digits("train")
        return scale_digits(images[: workload.rows]), labels[: workload.rows].astype("int32")
    rng = np.random.default_rng(1)
    features, outputs = workload.sizes[0], workload.sizes[-1]
    x = rng.standard_normal((workload.rows, features), dtype=np.float32)
    taught = x @ (rng.standard_normal((features, outputs)) / np.sqrt(features)).astype("float32")
    if workload.loss == "mse":
        return x, np.tanh(taught)
    return x, taught.argmax(axis=1).astype("int32")


def read_digits(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (n, 784) and labels uint8 of `train` or `t10k`, as a plain script reads them."""
    with gzip.open(MNIST / f"{part}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(MNIST / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images, labels


def scale_digits(images: np.ndarray) -> np.ndarray:
    """Pixels as float32 from 0 to 1, with one copy."""
    scaled = images.astype("float32")
    scaled /= 255
    return scaled


def from_json(values: Mapping[str, Any]) -> Workload:
    """The workload that `dataclasses.asdict` wrote."""
    return Workload(**{**values, "sizes": tuple(values["sizes"])})
