"""What both ways of training in JAX share: the network, its loss, one step of Adam."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from workloads import BETA_1, BETA_2, EPSILON, RATE, Workload, initial_weights


def make_forward(workload: Workload) -> Any:
    """``forward(weights, x)``: the last layer's outputs."""
    activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[workload.activation]

    def forward(weights: Any, x: Any) -> Any:
        for at in range(0, len(weights) - 2, 2):
            value = activation(x @ weights[at] + weights[at + 1])
            x = x + value if workload.residual else value
        return x @ weights[-2] + weights[-1]

    return forward


def make_step(workload: Workload) -> Any:
    """``step(state, (x, y))``: the next state and the batch's mean loss."""
    forward = make_forward(workload)

    def mean_loss(weights: Any, x: Any, y: Any) -> Any:
        outputs = forward(weights, x)
        if workload.loss == "mse":
            return jnp.mean((outputs - y) ** 2)
        chosen = jnp.take_along_axis(outputs, y[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(outputs, axis=1) - chosen)

    def step(state: Any, batch: Any) -> Any:
        weights, means, squares, count = state
        loss, gradients = jax.value_and_grad(mean_loss)(weights, *batch)
        count = count + 1
        rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        means = [m + (1 - BETA_1) * (g - m) for m, g in zip(means, gradients, strict=True)]
        squares = [v + (1 - BETA_2) * (g * g - v) for v, g in zip(squares, gradients, strict=True)]
        weights = [w - rate * m / (jnp.sqrt(v) + EPSILON) for w, m, v in zip(weights, means, squares, strict=True)]
        return (weights, means, squares, count), loss

    return step


def initial_state(workload: Workload) -> Any:
    """Weights, two moments of each, the number of steps."""
    weights = [jnp.asarray(weight) for weight in initial_weights(workload)]
    return weights, [jnp.zeros_like(w) for w in weights], [jnp.zeros_like(w) for w in weights], jnp.zeros(())
