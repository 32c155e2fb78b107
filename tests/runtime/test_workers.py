"""Workers keep to a CPU each, and not to the one on which their caller runs."""

import os
import time

import numpy as np
import pytest

from chainrule import settings
from chainrule.compiler.target import host_targets
from chainrule.graph.types import ArrayType, float32
from chainrule.runtime.jit import compile_function
from chainrule.runtime.workers import Pool, Seats, current_cpu, pool_for

LARGE = ArrayType(float32, (256, 256))


def run_with_two():
    """A product by two workers; their pool, once the second has its CPU."""
    compiled = compile_function(lambda x: x @ x, LARGE, workers=2)
    ones = np.ones((256, 256), "float32")
    compiled(ones)
    with compiled.pace.hold(2):
        for _ in range(200):
            assert (compiled(ones)[0] == 256).all()
            if pool_for(compiled.target).seats.taken:
                break
            time.sleep(0.01)
    return pool_for(compiled.target)


pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")


def test_a_worker_leaves_its_cpu_to_the_caller():
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2 or settings.count_workers() != len(allowed):
        pytest.skip("workers keep to no CPU")
    pool = run_with_two()
    cpu, thread = next(iter(pool.seats.taken.items()))
    free = pool.seats.free
    assert os.sched_getaffinity(thread) == {cpu} != {free}
    try:
        os.sched_setaffinity(0, {cpu})
        assert current_cpu() == cpu
        run_with_two()
        assert pool.seats.free == cpu and pool.seats.taken[free] == thread
        assert os.sched_getaffinity(thread) == {free}
        run_with_two()
        assert pool.seats.free == cpu
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_cpu_that_is_not_to_be_had_changes_nothing():
    pool = Pool(next(iter(host_targets().values())))
    here = current_cpu()
    pool.seats = Seats({here: 0}, 1 << 20)
    pool.make_way()
    assert pool.seats == Seats({here: 0}, 1 << 20)
    pool.seats = Seats({}, -1)
    pool.make_way()
    assert pool.seats == Seats({}, -1)
