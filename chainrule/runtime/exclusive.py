"""A lock for memory that one call at a time may use, which refuses rather than waits for itself."""

from __future__ import annotations

import threading
from typing import Any

from chainrule.errors import ChainruleError

_Lock: Any = type(threading.RLock())  # native: no Ctrl-C can come between its release and the end of a `with`


class ExclusiveLock(_Lock):  # type: ignore[misc]
    """Threads wait for each other; the thread that holds it is refused, since it would wait for ever.

    That is a signal handler, or a destructor, which calls a model while the same model runs in its thread.
    """

    def __new__(cls, what: str) -> Any:
        return super().__new__(cls)

    def __init__(self, what: str):
        self.what = what

    def __enter__(self) -> None:
        if self._is_owned():
            raise ChainruleError(
                "called again while it runs",
                where=self.what,
                expected="one call at a time in a thread",
                got="a call from within, such as from a signal handler",
                fix="set a flag in the handler, and call afterwards",
            )
        try:
            self.acquire()
        except BaseException:  # Ctrl-C: while it waited, or just after
            if self._is_owned():
                self.release()
            raise
