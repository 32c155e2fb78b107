"""From the start of the process to one trained epoch of the digits, and to 98 % of the test images.

Everything counts: import, data, compile, training, evaluation. The clock runs in the parent, from before the process is
started. One epoch is the workload `digits`. For 98 % the recipe is that of `chainrule train mnist`, the same in each:
network, initialization, Adam going through one cycle, batches, epochs; after each epoch the test images are evaluated,
and the clock stops at the first 98 %. With a cold cache nothing compiled lies on disk, with a warm one what the process
before left there; JAX's cache on disk, off by default, is measured too.

    python benchmarks/cold_start.py [--rounds 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from time import perf_counter

import numpy as np
from common import Child, print_table, spreads, tell, write_json
from frameworks import serve, start
from workloads import WORKLOADS, read_digits, scale_digits

GOAL = 0.98


def run_chainrule() -> None:
    """The command's own recipe."""
    import chainrule as cr
    from chainrule.apps.train import Recipe, make_model

    (x, y), (x_test, y_test) = cr.datasets.mnist.load_data()
    recipe = Recipe()
    model = make_model(recipe, rows=len(x))

    class StopAtGoal(cr.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            accuracy = self.model.evaluate(x_test, y_test, batch_size=1000, verbose=0, return_dict=True)["accuracy"]
            tell(epoch=epoch + 1, accuracy=accuracy)

    model.fit(x, y, batch_size=recipe.batch_size, epochs=recipe.epochs, callbacks=[StopAtGoal()], verbose=0)
    tell(end=True)


def read_all() -> list[np.ndarray]:
    """Training images and labels, test images and labels, as the peers are given them."""
    arrays = []
    for part in ("train", "t10k"):
        images, labels = read_digits(part)
        arrays += [scale_digits(images), labels.astype("int32")]
    return arrays


def run_jax(scanned: bool) -> None:
    """Plain JAX: a compiled step called for each batch, or, with `scanned`, the epoch in one `lax.scan`."""
    import jax
    import jax.numpy as jnp

    settings = recipe_numbers()
    x, y, x_test, y_test = (jnp.asarray(array) for array in read_all())
    rng = np.random.default_rng(settings["seed"])
    weights = []
    sizes = (784, *settings["layers"], 10)
    for rows, columns in itertools.pairwise(sizes):
        limit = np.sqrt(6 / (rows + columns))
        weights.append(jnp.asarray(rng.uniform(-limit, limit, (rows, columns)), jnp.float32))
        weights.append(jnp.zeros(columns, jnp.float32))
    batch, epochs = settings["batch_size"], settings["epochs"]
    full = len(x) // batch
    rates = jnp.asarray(settings["rates"], jnp.float32)

    def forward(weights, images):
        for place in range(0, len(weights) - 2, 2):
            images = jax.nn.relu(images @ weights[place] + weights[place + 1])
        return images @ weights[-2] + weights[-1]

    def mean_loss(weights, images, labels):
        logits = forward(weights, images)
        chosen = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)

    def step(state, rows):
        weights, means, squares, count = state
        gradients = jax.grad(mean_loss)(weights, x[rows], y[rows])
        rate = rates[count]
        count = count + 1
        rate = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        means = [m + 0.1 * (g - m) for m, g in zip(means, gradients, strict=True)]
        squares = [v + 0.001 * (g * g - v) for v, g in zip(squares, gradients, strict=True)]
        weights = [w - rate * m / (jnp.sqrt(v) + 1e-7) for w, m, v in zip(weights, means, squares, strict=True)]
        return (weights, means, squares, count), None

    one = jax.jit(step, donate_argnums=0)
    scan = jax.jit(lambda state, rows: jax.lax.scan(step, state, rows), donate_argnums=0)
    accuracy = jax.jit(lambda weights: jnp.mean(jnp.argmax(forward(weights, x_test), axis=1) == y_test))
    zeros = [jnp.zeros_like(w) for w in weights]
    state = (weights, zeros, [jnp.zeros_like(w) for w in weights], jnp.zeros((), jnp.int32))
    for epoch in range(epochs):
        order = rng.permutation(len(x)).astype("int32")
        if scanned:
            state, _ = scan(state, jnp.asarray(order[: full * batch].reshape(full, batch)))
        else:
            for at in range(full):
                state, _ = one(state, jnp.asarray(order[at * batch : (at + 1) * batch]))
        if full * batch < len(order):
            state, _ = one(state, jnp.asarray(order[full * batch :]))
        tell(epoch=epoch + 1, accuracy=float(accuracy(state[0])))
    tell(end=True)


def recipe_numbers() -> dict:
    """The recipe's numbers and the rate of every step, handed over on the command's input."""
    return json.loads(sys.stdin.readline())


def make_numbers() -> dict:
    """What `recipe_numbers` reads: made by the parent, so that no peer pays for it."""
    from chainrule.apps.train import Recipe, make_schedule

    recipe = Recipe()
    schedule = make_schedule(recipe, rows=60_000)
    steps = recipe.epochs * -(-60_000 // recipe.batch_size)
    return {
        "layers": recipe.layers,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "seed": recipe.seed,
        "rates": [float(schedule(step)) for step in range(steps)],
    }


def time_to_goal(name: str, environment: dict[str, str], numbers: str) -> tuple[float, float]:
    """Seconds from before the process starts to the first 98 %, and the accuracy then."""
    started = perf_counter()
    child = Child(__file__, name, environment)
    assert child.process.stdin is not None
    child.process.stdin.write(numbers + "\n")
    child.process.stdin.flush()
    while True:
        answer = child.answer()
        seconds = perf_counter() - started
        if "end" in answer:
            raise SystemExit(f"{name} ended below {GOAL:.0%}")
        if answer["accuracy"] >= GOAL:
            child.process.kill()
            child.process.wait()
            return seconds, answer["accuracy"]


def time_to_epoch(framework: str, environment: dict[str, str]) -> float:
    """Seconds from before the process starts to the end of its first epoch."""
    started = perf_counter()
    child = start(__file__, framework, WORKLOADS["digits"], environment)
    child.ask("1")
    seconds = perf_counter() - started
    child.close()
    return seconds


FIRST_EPOCH = {
    "ours, cold cache": "ours",
    "ours, warm cache": "ours",
    "jax_scan": "jax_scan",
    "jax_scan, warm cache": "jax_scan",
    "torch_eager": "torch_eager",
    "keras_jax": "keras_jax",
}
"""What is timed to its first epoch, and what trains it; in this order the second finds the first's cache."""
TO_GOAL = ("ours, cold cache", "ours, warm cache", "jax", "jax, lax.scan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        if options.child.startswith("{"):
            serve(options.child)
        elif options.child.startswith("ours"):
            run_chainrule()
        else:
            run_jax(scanned=options.child == "jax, lax.scan")
        return

    numbers = json.dumps(make_numbers())
    first: dict[str, list[float]] = {name: [] for name in FIRST_EPOCH}
    goal: dict[str, list[float]] = {name: [] for name in TO_GOAL}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as cache:
            for name, framework in FIRST_EPOCH.items():
                environment = {"CHAINRULE_CACHE": f"{cache}/epoch"}
                if name == "jax_scan, warm cache":
                    environment |= {
                        "JAX_COMPILATION_CACHE_DIR": f"{cache}/jax",
                        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                    }
                    time_to_epoch(framework, environment)  # fills it
                first[name].append(time_to_epoch(framework, environment))
            for name in TO_GOAL:
                reached, accuracy = time_to_goal(name, {"CHAINRULE_CACHE": f"{cache}/goal"}, numbers)
                goal[name].append(reached)
                print(f"{name:<24}{reached:>8.2f} s to {accuracy:.2%}", flush=True)
    baseline = "ours, cold cache"
    print_table("from the start of the process to one trained epoch of digits", first, baseline)
    print_table("from the start of the process to 98 % of the test images", goal, baseline)
    write_json(options.json, {"cold_start": {"one epoch": spreads(first, baseline), "98 %": spreads(goal, baseline)}})


if __name__ == "__main__":
    main()
