"""Training under disturbance: on one CPU, beside other work, stopped and continued; the bits stay the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.runtime import engine

SCRIPT = Path(__file__).with_name("robust.py")


def start(*arguments, workers):
    root = str(Path(cr.__file__).parent.parent)
    environment = {**os.environ, "CHAINRULE_WORKERS": str(workers), "PYTHONPATH": root}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def digest(process):
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return output.split()[-1]


@pytest.fixture(scope="module")
def alone():
    return digest(start(workers=1))


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_any_number_of_workers(alone, workers):
    assert digest(start(workers=workers)) == alone


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_more_workers_than_the_one_cpu_allowed(alone):
    cpu = min(os.sched_getaffinity(0))
    assert digest(start(str(cpu), workers=2)) == alone


def test_beside_other_work(alone):
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        assert digest(start(workers=2)) == alone
    finally:
        for process in busy:
            process.kill()
            process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals that stop a process")
def test_held_back_as_by_a_quota(alone):
    process = start(workers=2)
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(15):
        time.sleep(0.02)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.03)
        process.send_signal(signal.SIGCONT)
    assert digest(process) == alone


def small_model():
    model = cr.Sequential([cr.Input((20,)), cr.layers.Dense(32, "relu"), cr.layers.Dense(3)])
    model.compile("adam", "mse")
    return model


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell the memory in use")
def test_memory_does_not_grow_with_steps():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    model = small_model()
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((1000, 20)), rng.standard_normal((1000, 3))

    def steps():
        for _ in range(10):
            model.fit(x, y, batch_size=1, epochs=1, verbose=0)
        for start in range(1000):
            model.predict(x[start : start + 1])
            model.train_on_batch(x[:2], y[:2])

    steps()
    before = resident()
    steps()
    assert resident() - before < 2 << 20


def test_all_numbers_of_rows_run_the_code_compiled_once(monkeypatch):
    model = small_model()
    x = np.random.default_rng(0).standard_normal((300, 20)).astype("float32")
    everything = model.predict(x)
    calls = []
    original = engine.functions_for
    monkeypatch.setattr(engine, "functions_for", lambda *given: calls.append(given) or original(*given))
    for rows in range(1, 301):
        assert np.array_equal(model.predict(x[:rows]), everything[:rows])
    assert not calls


def test_a_forked_child_has_workers_of_its_own(monkeypatch):
    if not hasattr(os, "fork"):
        pytest.skip("the system does not fork")
    monkeypatch.setenv("CHAINRULE_WORKERS", "2")
    model = cr.Sequential([cr.Input((300,)), cr.layers.Dense(400, "relu"), cr.layers.Dense(3)])
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((512, 300)).astype("float32"), rng.standard_normal((512, 3)).astype("float32")
    model.fit(x, y, batch_size=128, verbose=0)
    many, few, one = model.predict(x), model.predict(x[:9]), model.predict(x[:1])
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        same = all(np.array_equal(model.predict(x[:1]), one) for _ in range(200))
        same = same and np.array_equal(model.predict(x), many) and np.array_equal(model.predict(x[:9]), few)
        model.fit(x, y, batch_size=128, verbose=0)
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer signal")
def test_a_signal_handler_that_calls_the_running_model_is_answered_or_refused_not_hung(monkeypatch):
    monkeypatch.setenv("CHAINRULE_WORKERS", "2")
    model = small_model()
    x = np.ones((1, 20), "float32")
    expected = model.predict(x)
    answers, refused = [], []

    def handler(*unused):
        try:
            answers.append(model.predict(x))
        except cr.ChainruleError as error:
            refused.append(error)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    try:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            answers.append(model.predict(x))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all(np.array_equal(answer, expected) for answer in answers)


def test_more_workers_than_there_is_room_for(monkeypatch):
    monkeypatch.setenv("CHAINRULE_WORKERS", "1000")
    executable = cr.jit(lambda a: a + 1)
    assert executable(np.zeros(3, "float32"))[0] == 1
