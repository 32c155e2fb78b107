"""chainrule's numbers against those that Keras gave (`generate.py`), eager and compiled."""

import json
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

HERE = Path(__file__).parent
VALUES = json.loads((HERE / "values.json").read_text())


def inputs():
    generator = np.random.Generator(np.random.Philox(key=7))
    x = generator.uniform(-3, 3, (4, 5)).astype("float32")
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    y = generator.uniform(0, 1, (4, 5)).astype("float32")
    return x, p.astype("float32"), (y / y.sum(-1, keepdims=True)).astype("float32"), np.array([0, 4, 2, 1])


@pytest.mark.parametrize("name", VALUES["activations"])
def test_activations(name):
    x = inputs()[0]
    function = cr.activations.get(name)
    for found in (function(x), cr.jit(function)(x)):
        np.testing.assert_allclose(found, VALUES["activations"][name], rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("key", VALUES["losses"])
def test_losses(key):
    name, options = json.loads(key)
    x, p, y, labels = inputs()
    loss = getattr(cr.losses, name)(**options)
    true = labels if name.startswith("Sparse") else y
    logits = options.get("from_logits") or name in ("MeanSquaredError", "MeanAbsoluteError", "Huber")
    weight = np.array([1.0, 0.5, 2.0, 0.0], "float32")
    found = [float(loss(true, x if logits else p)), float(loss(true, x if logits else p, weight))]
    np.testing.assert_allclose(found, VALUES["losses"][key], rtol=3e-6)
    compiled = cr.jit(loss)(true, x if logits else p, weight)
    np.testing.assert_allclose(compiled, VALUES["losses"][key][1], rtol=3e-6)


OPTIMIZERS = {
    "sgd": cr.optimizers.SGD,
    "momentum": lambda: cr.optimizers.SGD(momentum=0.9),
    "nesterov": lambda: cr.optimizers.SGD(momentum=0.9, nesterov=True),
    "rmsprop": cr.optimizers.RMSprop,
    "rmsprop_centered": lambda: cr.optimizers.RMSprop(momentum=0.5, centered=True),
    "adam": cr.optimizers.Adam,
    "amsgrad": lambda: cr.optimizers.Adam(amsgrad=True),
    "adamw": cr.optimizers.AdamW,
    "clipped": lambda: cr.optimizers.SGD(global_clipnorm=0.5),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, compiled):
    weight = cr.Variable(np.array([1.0, -2.0, 0.5], "float32"))
    optimizer = OPTIMIZERS[name]()
    optimizer.build([weight])

    def step(gradient):
        optimizer.apply([gradient], [weight])

    run = cr.jit(step) if compiled else step
    for number, wanted in enumerate(VALUES["optimizers"][name]):
        run(np.array([0.3, -0.1 * number, 2.0], "float32"))
        np.testing.assert_allclose(weight.numpy(), wanted, rtol=5e-6, atol=1e-7)


SCHEDULES = {
    "CosineDecay": lambda: cr.optimizers.schedules.CosineDecay(0.1, 10, alpha=0.1),
    "ExponentialDecay": lambda: cr.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5),
    "PiecewiseConstantDecay": lambda: cr.optimizers.schedules.PiecewiseConstantDecay([3, 6], [0.1, 0.05, 0.01]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    schedule = SCHEDULES[name]()
    found = [float(schedule(step)) for step in range(12)]
    np.testing.assert_allclose(found, VALUES["schedules"][name], rtol=3e-6)


def test_one_cycle_is_that_of_pytorch():
    schedule = cr.optimizers.schedules.OneCycle(0.1, 20)
    found = [float(schedule(step)) for step in range(20)]
    np.testing.assert_allclose(found, VALUES["one_cycle"], rtol=1e-5, atol=1e-8)
