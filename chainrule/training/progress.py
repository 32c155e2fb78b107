"""The progress line of an epoch, in 80 columns."""

from __future__ import annotations

import sys
import time
from typing import Any

_WIDTH = 20


class Progress:
    """Prints ``234/469 ━━━━━━━━━━ 0s 1.1ms/step - accuracy: 0.93 - loss: 0.23`` over itself.

    Args:
        verbose: 0 nothing, 1 a bar (on a terminal it moves), 2 one line an epoch.
    """

    def __init__(self, verbose: int, epochs: int):
        self.verbose, self.epochs = verbose, epochs
        self.moving = verbose == 1 and sys.stdout.isatty()

    def begin(self, epoch: int, steps: int | None) -> None:
        self.steps, self.done = steps, 0
        self.started, self.shown = time.perf_counter(), 0.0
        if self.verbose:
            print(f"Epoch {epoch + 1}/{self.epochs}")

    def update(self, done: int, logs: dict[str, float]) -> None:
        self.done = done
        if self.moving and time.perf_counter() - self.shown > 0.1:
            self.shown = time.perf_counter()
            print("\r" + self.line(done, logs), end="", flush=True)

    def end(self, logs: dict[str, float]) -> None:
        if self.verbose:
            print(("\r" if self.moving else "") + self.line(self.done, logs), flush=True)

    def line(self, done: int, logs: dict[str, float]) -> str:
        seconds = time.perf_counter() - self.started
        total = self.steps or done  # how many come is not known of a generator
        filled = _WIDTH * done // max(total, 1)
        bar = "━" * filled + "─" * (_WIDTH - filled)
        numbers = " - ".join(f"{name}: {format_value(value)}" for name, value in logs.items())
        count = f"{done}/{total}"
        start = count if self.verbose == 2 else f"{count} {bar}"
        return f"{start} {seconds:.1f}s {seconds / max(done, 1) * 1e3:.2f}ms/step - {numbers}"


def format_value(value: Any) -> str:
    """A number, or the numbers of a list, with four digits."""
    return f"[{', '.join(map(format_value, value))}]" if isinstance(value, list) else f"{value:.4f}"
