"""Garbage collection, paused while graphs are made."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collection_paused() -> Iterator[None]:
    """Python does not look for circles of garbage within; afterwards it does if it did before.

    Tracing and compiling make many small objects that stay, and hardly any garbage: looking for some again and again
    would take a tenth of the time.

    Example:
        >>> with collection_paused():
        ...     gc.isenabled()
        False
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
