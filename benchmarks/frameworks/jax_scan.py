"""JAX at its best: the epoch's full batches in one `lax.scan`, the last smaller batch in a second call.

The batches lie ready, one after the other, so that nothing is gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
from workloads import Workload, make_data

from frameworks import one_by_one
from frameworks.jax_network import initial_state, make_step


def epochs(workload: Workload) -> Iterator[float]:
    """Each `next` trains one epoch and gives its mean loss."""
    x, y = (jnp.asarray(array) for array in make_data(workload))
    full = workload.rows // workload.batch
    used = full * workload.batch
    batches = tuple(array[:used].reshape(full, workload.batch, *array.shape[1:]) for array in (x, y))
    rest = (x[used:], y[used:])
    del x, y
    step = make_step(workload)
    scan = jax.jit(lambda state, given: jax.lax.scan(step, state, given), donate_argnums=0)
    one = jax.jit(step, donate_argnums=0)
    state = initial_state(workload)
    while True:
        state, losses = scan(state, batches)
        total = float(losses.sum()) * workload.batch
        if used < workload.rows:
            state, last = one(state, rest)
            total += float(last) * (workload.rows - used)
        jax.block_until_ready(state)
        yield total / workload.rows


def trainer(workload: Workload) -> Callable[[int], list[float]]:
    """What trains so many epochs and gives their losses."""
    return one_by_one(epochs(workload))
