"""Compute the reference numbers once: with Keras on JAX, and with PyTorch for the schedule that Keras lacks.

    KERAS_BACKEND=jax python tests/reference/generate.py > tests/reference/values.json

The tests compare chainrule with the stored values, so neither Keras nor JAX is needed to run them.
"""

import json
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

ACTIVATIONS = (
    "relu", "sigmoid", "tanh", "softmax", "linear", "elu", "selu", "gelu", "silu", "softplus", "leaky_relu",
)  # fmt: skip
OPTIMIZERS = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop_centered": ("RMSprop", {"momentum": 0.5, "centered": True}),
    "adam": ("Adam", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "adamw": ("AdamW", {}),
    "clipped": ("SGD", {"global_clipnorm": 0.5}),
}
SCHEDULES = {
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "alpha": 0.1},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [3, 6], "values": [0.1, 0.05, 0.01]},
}


def inputs():
    generator = np.random.Generator(np.random.Philox(key=7))
    x = generator.uniform(-3, 3, (4, 5)).astype("float32")
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    y = generator.uniform(0, 1, (4, 5)).astype("float32")
    return x, p.astype("float32"), (y / y.sum(-1, keepdims=True)).astype("float32"), np.array([0, 4, 2, 1])


def losses():
    x, p, y, labels = inputs()
    weight = np.array([1.0, 0.5, 2.0, 0.0], "float32")
    table = {}
    for name, true, pred, options in (
        ("MeanSquaredError", y, x, {}),
        ("MeanAbsoluteError", y, x, {}),
        ("Huber", y, x, {"delta": 0.7}),
        ("BinaryCrossentropy", y, p, {}),
        ("BinaryCrossentropy", y, x, {"from_logits": True, "label_smoothing": 0.1}),
        ("CategoricalCrossentropy", y, p, {}),
        ("CategoricalCrossentropy", y, x, {"from_logits": True, "label_smoothing": 0.1}),
        ("SparseCategoricalCrossentropy", labels, p, {}),
        ("SparseCategoricalCrossentropy", labels, x, {"from_logits": True}),
    ):
        loss = getattr(keras.losses, name)(**options)
        key = json.dumps([name, options])
        table[key] = [float(loss(true, pred)), float(loss(true, pred, sample_weight=weight))]
    return table


def steps(name, options):
    variable = keras.Variable(np.array([1.0, -2.0, 0.5], "float32"))
    optimizer = getattr(keras.optimizers, name)(**options)
    path = []
    for step in range(4):
        optimizer.apply([np.array([0.3, -0.1 * step, 2.0], "float32")], [variable])
        path.append(np.asarray(variable.value).tolist())
    return path


def one_cycle():
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
    rates = []
    for _ in range(20):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < 20:
            schedule.step()
    return rates


def main():
    x = inputs()[0]
    values = {
        "activations": {n: np.asarray(keras.activations.get(n)(x)).tolist() for n in ACTIVATIONS},
        "losses": losses(),
        "optimizers": {key: steps(name, options) for key, (name, options) in OPTIMIZERS.items()},
        "schedules": {
            name: [float(getattr(keras.optimizers.schedules, name)(**options)(step)) for step in range(12)]
            for name, options in SCHEDULES.items()
        },
        "one_cycle": one_cycle(),
        "keras": keras.__version__,
    }
    print(json.dumps(values, indent=1))


if __name__ == "__main__":
    main()
