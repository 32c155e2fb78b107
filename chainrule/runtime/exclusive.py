"""A lock for memory that one call at a time may use, which refuses rather than waits for itself."""

from __future__ import annotations

import threading

from chainrule.errors import ChainruleError


class ExclusiveLock:
    """Threads wait for each other; the thread that holds it is refused, since it would wait for ever.

    That is a signal handler, or a destructor, which calls a model while the same model runs in its thread.
    """

    def __init__(self, what: str):
        self.what = what
        # Reentrant, so that a handler that comes just before or just after the work is let in and nothing hangs.
        self._lock = threading.RLock()
        self._busy = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._busy:
            self._lock.release()
            raise ChainruleError(
                "called again while it runs",
                where=self.what,
                expected="one call at a time in a thread",
                got="a call from within, such as from a signal handler",
                fix="set a flag in the handler, and call afterwards",
            )
        self._busy = True

    def __exit__(self, *unused: object) -> None:
        self._busy = False
        self._lock.release()
