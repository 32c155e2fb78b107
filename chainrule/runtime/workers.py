"""Workers: threads that run a program's table together, started once and waiting between calls.

Each worker calls the same native function through ctypes, which releases the interpreter's lock; inside, the workers
meet at barriers on an atomic counter. The calling thread is worker 0.
"""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
from collections.abc import Callable

_PENDING: list[queue.SimpleQueue[Callable[[], None]]] = []
_lock = threading.Lock()


def _serve(inbox: queue.SimpleQueue[Callable[[], None]]) -> None:
    while True:
        inbox.get()()


def _ensure(count: int) -> None:
    with _lock:
        while len(_PENDING) < count:
            inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(inbox,), name=f"chainrule-{len(_PENDING) + 1}", daemon=True).start()
            _PENDING.append(inbox)


def run_together(function: Callable[[int], None], workers: int) -> None:
    """Call ``function(worker)`` on `workers` threads at once, on this one for worker 0, and wait for all."""
    if workers == 1:
        function(0)
        return
    _ensure(workers - 1)
    done = threading.Semaphore(0)

    def job(worker: int) -> Callable[[], None]:
        def run() -> None:
            try:
                function(worker)
            finally:
                done.release()

        return run

    for worker in range(1, workers):
        _PENDING[worker - 1].put(job(worker))
    try:
        function(0)
    finally:
        for _ in range(workers - 1):
            done.acquire()


def yield_address() -> int:
    """The address of the system's "let another thread run", which waiting workers call."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread  # type: ignore[attr-defined]
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0
