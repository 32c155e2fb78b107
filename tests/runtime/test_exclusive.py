"""A lock for one call at a time: threads wait, the holder's own thread is refused, Ctrl-C leaves it free."""

import signal
import sys
import threading
import time

import pytest

import chainrule as cr
from chainrule.runtime.exclusive import ExclusiveLock


def is_free(lock):
    """Whether another thread can have the lock."""
    found = []

    def work():
        with lock:
            found.append(True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout=10)
    return bool(found)


def test_the_holders_thread_is_refused():
    lock = ExclusiveLock("model")
    with lock, pytest.raises(cr.ChainruleError, match="model"), lock:
        raise AssertionError("entered twice")
    assert is_free(lock)


def test_an_error_within_frees_it():
    lock = ExclusiveLock("model")
    with pytest.raises(ValueError, match="within"), lock:
        raise ValueError("within")
    assert is_free(lock)


class Interruption(Exception):
    pass


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer signal")
def test_ctrl_c_frees_it_wherever_it_comes():
    lock = ExclusiveLock("model")
    armed = False

    def handler(*unused):
        if armed:
            raise Interruption

    before = signal.signal(signal.SIGALRM, handler)
    try:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, 2e-5)
                for _ in range(1000):
                    with lock:
                        pass
                armed = False
            except Interruption:
                armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert is_free(lock)
