"""Seconds an epoch of the digits: chainrule, JAX with `lax.scan`, PyTorch eager, Keras on JAX.

The same network, initial weights, order of rows, batches (the last one smaller), loss and Adam in each; the losses of
every epoch must agree. The peers get their images as float32 scaled beforehand, chainrule as the uint8 they are.

    python benchmarks/digits.py [--rounds 7] [--only chainrule,jax,torch,keras] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from common import BATCH, Child, initial_weights, print_table, spread, tell, write_json

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7
AGREEMENT = 0.03
"""Rounding makes trainings drift apart; the mean loss of an epoch stays this close, relatively."""


def load_permuted() -> tuple[np.ndarray, np.ndarray]:
    """The training images and labels in one fixed random order, so that nobody shuffles."""
    from chainrule.datasets import mnist

    (x, y), _ = mnist.load_data()
    order = np.random.default_rng(1).permutation(len(x))
    return x[order], y[order]


def chainrule_epochs() -> Iterator[float]:
    """Each `next` trains one epoch and gives its mean loss."""
    import chainrule as cr

    x, y = load_permuted()
    model = cr.Sequential(
        [
            cr.Input((28, 28), dtype="uint8"),
            cr.layers.Rescaling(1 / 255),
            cr.layers.Flatten(),
            cr.layers.Dense(512, activation="relu"),
            cr.layers.Dense(512, activation="relu"),
            cr.layers.Dense(10),
        ]
    )
    model.set_weights(initial_weights())
    model.compile(
        optimizer=cr.optimizers.Adam(RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON),
        loss=cr.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    while True:
        history = model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
        yield float(history.history["loss"][0])


def jax_epochs() -> Iterator[float]:
    """The epoch's full batches in one `lax.scan`, the last smaller batch in a second call."""
    import jax
    import jax.numpy as jnp

    x, y = load_permuted()
    images = jnp.asarray(x.reshape(len(x), -1).astype("float32") / 255)
    labels = jnp.asarray(y.astype("int32"))
    full = len(x) // BATCH
    order = jnp.arange(len(x), dtype=jnp.int32)
    batches, rest = order[: full * BATCH].reshape(full, BATCH), order[full * BATCH :]

    def mean_loss(weights, rows):
        w1, b1, w2, b2, w3, b3 = weights
        hidden = jax.nn.relu(images_of(rows) @ w1 + b1)
        hidden = jax.nn.relu(hidden @ w2 + b2)
        logits = hidden @ w3 + b3
        chosen = jnp.take_along_axis(logits, labels[rows][:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)

    def images_of(rows):
        return images[rows]

    def step(state, rows):
        weights, means, squares, count = state
        loss, gradients = jax.value_and_grad(mean_loss)(weights, rows)
        count = count + 1
        rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        means = [m + (1 - BETA_1) * (g - m) for m, g in zip(means, gradients, strict=True)]
        squares = [v + (1 - BETA_2) * (g * g - v) for v, g in zip(squares, gradients, strict=True)]
        weights = [w - rate * m / (jnp.sqrt(v) + EPSILON) for w, m, v in zip(weights, means, squares, strict=True)]
        return (weights, means, squares, count), loss

    scan = jax.jit(lambda state, rows: jax.lax.scan(step, state, rows), donate_argnums=0)
    one = jax.jit(step, donate_argnums=0)
    weights = [jnp.asarray(weight) for weight in initial_weights()]
    state = (
        weights,
        [jnp.zeros_like(w) for w in weights],
        [jnp.zeros_like(w) for w in weights],
        jnp.zeros((), jnp.float32),
    )
    while True:
        state, losses = scan(state, batches)
        total = float(losses.sum()) * BATCH
        if len(rest):
            state, last = one(state, rest)
            total += float(last) * len(rest)
        jax.block_until_ready(state)
        yield total / len(x)


def torch_epochs() -> Iterator[float]:
    """Eager PyTorch, Adam with its fused implementation, the loss read once an epoch."""
    import torch

    x, y = load_permuted()
    images = torch.from_numpy(x.reshape(len(x), -1).astype("float32") / 255)
    labels = torch.from_numpy(y.astype("int64"))
    order = torch.arange(len(x))
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10)
    )
    given = iter(initial_weights())
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.copy_(torch.from_numpy(next(given).T.copy()))
                layer.bias.copy_(torch.from_numpy(next(given)))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True)
    criterion = torch.nn.CrossEntropyLoss()
    while True:
        total = torch.zeros(())
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            loss = criterion(model(images[rows]), labels[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        yield float(total) / len(x)


def keras_epochs() -> Iterator[float]:
    """Keras's `fit` on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    x, y = load_permuted()
    images, labels = x.reshape(len(x), -1).astype("float32") / 255, y.astype("int32")
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(512, activation="relu"),
            keras.layers.Dense(512, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.set_weights(initial_weights())
    model.compile(
        optimizer=keras.optimizers.Adam(RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    while True:
        history = model.fit(images, labels, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
        yield float(history.history["loss"][0])


FRAMEWORKS: dict[str, Callable[[], Iterator[float]]] = {
    "chainrule": chainrule_epochs,
    "jax": jax_epochs,
    "torch": torch_epochs,
    "keras": keras_epochs,
}


def serve(name: str) -> None:
    """A child: one epoch for each line that comes in."""
    epochs = FRAMEWORKS[name]()
    for _ in sys.stdin:
        started = time.perf_counter()
        loss = next(epochs)
        tell(seconds=time.perf_counter() - started, loss=loss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default=",".join(FRAMEWORKS))
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", choices=FRAMEWORKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve(options.child)
        return

    children = [Child(__file__, name) for name in options.only.split(",")]
    losses: dict[str, list[float]] = {child.name: [] for child in children}
    seconds: dict[str, list[float]] = {child.name: [] for child in children}
    for turn in range(options.rounds + 1):
        for child in children:
            answer = child.ask("epoch")
            losses[child.name].append(answer["loss"])
            if turn:  # the first epoch compiles
                seconds[child.name].append(answer["seconds"])
    for child in children:
        child.close()

    print("mean training loss of the first and second epoch")
    for name, values in losses.items():
        print(f"{name:<24}{values[0]:>10.5f}{values[1]:>10.5f}")
    baseline = children[0].name
    for name, values in losses.items():
        for ours, theirs in zip(losses[baseline][:2], values[:2], strict=True):
            if abs(ours - theirs) > AGREEMENT * ours:
                raise SystemExit(f"{name} does not train the same network: {theirs:.5f} for {ours:.5f}")
    print_table("seconds an epoch: 784-512-512-10, batch 128, Adam", seconds, baseline)
    write_json(
        options.json, {"digits": {name: {**spread(values), "losses": losses[name]} for name, values in seconds.items()}}
    )


if __name__ == "__main__":
    main()
