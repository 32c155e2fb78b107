"""JAX as most scripts have it: one compiled step, called for each batch; the losses are read once an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from workloads import Workload, make_data

from frameworks import one_by_one
from frameworks.jax_network import initial_state, make_step


def epochs(workload: Workload) -> Iterator[float]:
    """Each `next` trains one epoch and gives its mean loss."""
    x, y = make_data(workload)
    starts = range(0, workload.rows, workload.batch)
    batches = [(jnp.asarray(x[at : at + workload.batch]), jnp.asarray(y[at : at + workload.batch])) for at in starts]
    counts = np.array([len(batch[0]) for batch in batches])
    del x, y
    step = jax.jit(make_step(workload), donate_argnums=0)
    state = initial_state(workload)
    while True:
        losses = []
        for batch in batches:
            state, loss = step(state, batch)
            losses.append(loss)
        jax.block_until_ready(state)
        yield float(np.dot(jax.device_get(losses), counts)) / workload.rows


def trainer(workload: Workload) -> Callable[[int], list[float]]:
    """What trains so many epochs and gives their losses."""
    return one_by_one(epochs(workload))
