"""Launches: a builtin that calls native code with words fixed beforehand, and when workers may be called so."""

import ctypes

import numpy as np
import pytest

from chainrule.compiler.target import choose_target
from chainrule.runtime import cache, engine, launch
from chainrule.runtime.workers import Pool


def test_arguments_gate_and_counter():
    calls = []
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(lambda *words: calls.append((*words, int(counter[0]))))
    gate, counter = np.array([2]), np.array([7])
    addresses = gate.ctypes.data, 2, counter.ctypes.data
    call = launch.bind(choose_target(), launch.address_of(native), (1, -2, 3, 4, 5, 1 << 60), *addresses)
    assert call() == 0
    assert calls == [(1, -2, 3, 4, 5, 1 << 60, 0)]
    gate[0], counter[0] = 1, 7
    assert call() == 1
    assert len(calls) == 1 and counter[0] == 7
    gate[0] = 3
    assert call() == 0
    assert len(calls) == 2


MARK = """
define void @NAME(ptr %control, i64 %worker) {
  %was = load i64, ptr %control, align 8
  %now = add i64 %was, 1
  store i64 %now, ptr %control, align 8
  ret void
}
"""


@pytest.fixture
def job():
    """A new pool, a job that counts each worker's runs in a word of its own, and those words."""
    target = choose_target()
    key = cache.make_key(MARK)
    (function,) = engine.functions_for([(key, lambda: MARK.replace("NAME", f"k_{key}"))], target)
    counts = np.zeros((3, 8), dtype=np.int64)
    return Pool(target), (function, counts.ctypes.data, counts.strides[0]), counts[:, 0]


def test_only_workers_in_their_native_loop_are_called_while_pythons_lock_is_kept(job):
    pool, words, counts = job
    counter = np.zeros(1, dtype=np.int64)
    one, two, three = [pool.bind(*words, team, counter.ctypes.data) for team in (1, 2, 3)]
    assert [one(), two(), three()] == [0, 1, 1]
    pool.run(*words, 2)
    assert [one(), two(), three()] == [0, 0, 1]
    assert counts.tolist() == [4, 2, 0]
    pool.reset()  # as in a forked child
    assert [one(), two(), three()] == [0, 1, 1]


def test_no_job_is_posted_while_another_is_under_way(job):
    pool, words, counts = job
    counter = np.zeros(1, dtype=np.int64)
    call = pool.bind(*words, 2, counter.ctypes.data)
    pool.run(*words, 2)
    seen = []
    within = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(lambda control, worker: seen.append(call()))
    pool.run(launch.address_of(within), 0, 0, 2)
    assert seen == [1, 1]
    assert call() == 0
    assert counts.tolist() == [2, 2, 0]
