"""Launches: which arrays native code takes, what it does with them, and when it leaves them to Python."""

import ctypes

import numpy as np
import pytest

from chainrule.compiler.target import choose_target
from chainrule.runtime import cache, engine
from chainrule.runtime.launch import address_of, make_launch
from chainrule.runtime.workers import Pool


class Bench:
    """A launch of a Python function that notes its arguments, the counter and what was copied, and writes a status."""

    def __init__(self, shape, dtype):
        self.seen = []
        self.into, self.status = np.zeros(shape, dtype), np.zeros((), "int32")
        self.calls, self.gate, self.counter = np.array([100]), np.array([2]), np.array([7])
        self.native = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(self.note)
        outlets = self.into, self.status, self.calls, (self.gate, 2), self.counter
        self.launch = make_launch(choose_target(), address_of(self.native), (1, -2, 3, 4, 5, 1 << 60), *outlets)

    def note(self, *words):
        self.seen.append((words, int(self.counter[0]), self.into.copy()))
        self.status[...] = 5 - len(self.seen)


def test_a_launch_copies_calls_and_gives_the_status():
    bench = Bench((2, 3), "float32")
    x = np.arange(6, dtype="float32").reshape(2, 3)
    assert [bench.launch(x * turn) for turn in range(6)] == [4, 3, 2, 1, 0, -1]
    for turn, (words, counter, copied) in enumerate(bench.seen):
        assert words == (1, -2, 3, 4, 5, 1 << 60)
        assert counter == 0
        np.testing.assert_array_equal(copied, x * turn)
        bench.counter[0] = 7
    assert bench.calls[0] == 94


class Kind(np.ndarray):
    pass


X = np.arange(12, dtype="float32").reshape(4, 3)
OTHERS = {
    "none": None,
    "list": X[:2].tolist(),
    "subclass": X[:2].view(Kind),
    "dtype": X[:2].astype("float64"),
    "byte order": X[:2].astype(">f4"),
    "bits alike": X[:2].view("int32"),
    "rank": X[0],
    "higher rank": X[None, :2],
    "rows": X[:3],
    "columns": X[:2, :2].copy(),
    "transposed": np.asfortranarray(X[:2]),
    "strided": X[::2],
    "repeated": np.broadcast_to(X[0], (2, 3)),
}


@pytest.mark.parametrize("x", OTHERS.values(), ids=OTHERS)
def test_other_values_are_left_to_python(x):
    bench = Bench((2, 3), "float32")
    assert bench.launch(x) == -1
    assert not bench.seen and bench.calls[0] == 100


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32", "bool"])
@pytest.mark.parametrize("shape", [(1, 1), (3,), (2, 0), (1, 785), (2, 3, 4, 5)])
def test_all_kinds_of_arrays(shape, dtype):
    bench = Bench(shape, dtype)
    x = (np.random.default_rng(0).random(shape) * 200).astype(dtype)
    assert bench.launch(x) == 4
    np.testing.assert_array_equal(bench.into, x)


def test_no_calls_left_or_a_closed_gate():
    bench = Bench((3,), "float32")
    x = np.ones(3, "float32")
    bench.calls[0] = 1
    assert [bench.launch(x), bench.launch(x)] == [4, -1]
    bench.calls[0], bench.gate[0] = 1, 1
    assert bench.launch(x) == -1
    assert bench.calls[0] == 1
    bench.gate[0] = 3
    assert bench.launch(x) == 3


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
    """A new pool, a job that counts each worker's runs in a word of its own, those words, and launches for teams."""
    target = choose_target()
    key = cache.make_key(MARK)
    (function,) = engine.functions_for([(key, lambda: MARK.replace("NAME", f"k_{key}"))], target)
    pool, counts = Pool(target), np.zeros((3, 8), dtype=np.int64)
    words = function, counts.ctypes.data, counts.strides[0]
    keep = np.zeros(1), np.zeros((), "int32"), np.array([100]), np.zeros(1, "int64")

    def launch(team):
        into, status, calls, counter = keep
        arguments = pool.address, *words, team, 0
        made = make_launch(target, pool.code, arguments, into, status, calls, (pool.ready, team), counter)
        return made(into)

    return pool, words, counts[:, 0], launch


def test_only_workers_in_their_native_loop_are_called_while_pythons_lock_is_kept(job):
    pool, words, counts, launch = job
    assert [launch(1), launch(2), launch(3)] == [0, -1, -1]
    pool.run(*words, 2)
    assert [launch(1), launch(2), launch(3)] == [0, 0, -1]
    assert counts.tolist() == [4, 2, 0]
    pool.reset()  # as in a forked child
    assert [launch(1), launch(2), launch(3)] == [0, -1, -1]


def test_no_job_is_posted_while_another_is_under_way(job):
    pool, words, counts, launch = job
    pool.run(*words, 2)
    seen = []
    within = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(lambda *unused: seen.append(launch(2)))
    pool.run(address_of(within), 0, 0, 2)
    assert seen == [-1, -1]
    assert launch(2) == 0
    assert counts.tolist() == [2, 2, 0]
