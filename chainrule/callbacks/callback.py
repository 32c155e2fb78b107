"""What is called at certain moments of training."""

from __future__ import annotations

import math
from typing import Any

from chainrule.errors import ChainruleError

Logs = dict[str, Any] | None


class Callback:
    """Override the hooks that you want to be told by, with Keras's names and arguments.

    A hook for batches makes training return to Python after each step. Where that is too slow, say with `batch_stride`
    how often you want to be called.

    `on_train_end` is called where training came to its end, `on_train_abort` where Ctrl-C or an error ended it. What a
    callback keeps over epochs, it gives away in `get_state` and takes back in `set_state`: then a run that was killed
    and started again with `BackupAndRestore` goes on as if nothing had happened.

    Example:
        >>> class Count(Callback):
        ...     epochs = 0
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         self.epochs += 1
        ...     def get_state(self):
        ...         return {"epochs": self.epochs}
        ...     def set_state(self, state):
        ...         self.epochs = state["epochs"]
    """

    model: Any = None
    """The model that is trained."""
    params: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed
    """``epochs``, ``steps`` of an epoch, and ``verbose``."""

    batch_stride: float | None = None
    """After how many batches to call the hooks for batches at the latest; None: after each, where one is overridden.

    With ``math.inf`` they are called whenever training returns to Python anyway, about every 50 ms.
    """
    rank = 0
    """Those of a higher rank are called after all of a lower one, wherever they stand in the list."""
    takes_bad_steps = False
    """Whether it deals with a loss that is no number; else training stops with an error."""

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def get_state(self) -> dict[str, Any]:
        """What must be kept to go on later: numbers, text, arrays, and lists and dicts of them."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back what `get_state` gave."""

    def on_train_begin(self, logs: Logs = None) -> None: ...
    def on_train_end(self, logs: Logs = None) -> None: ...
    def on_train_abort(self, error: BaseException) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Logs = None) -> None: ...
    def on_test_begin(self, logs: Logs = None) -> None: ...
    def on_test_end(self, logs: Logs = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None: ...
    def on_predict_begin(self, logs: Logs = None) -> None: ...
    def on_predict_end(self, logs: Logs = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None: ...


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
"""The names of all hooks."""

_SAME = {
    "on_train_batch_begin": ("on_train_batch_begin", "on_batch_begin"),
    "on_train_batch_end": ("on_train_batch_end", "on_batch_end"),
}
"""Hooks that call an older name."""


def overrides(callback: Callback, hook: str) -> bool:
    """Whether a callback does something in a hook."""
    return any(
        getattr(type(callback), name) is not getattr(Callback, name) or name in vars(callback)
        for name in _SAME.get(hook, (hook,))
    )


class BatchCount:
    """Tells when so many batches have gone by, of all epochs together."""

    def __init__(self, every: int):
        self.every = every
        self.restart()

    def restart(self) -> None:
        self.last, self.total = -1, 0

    def reached(self, batch: int) -> bool:
        """Whether the time has come, now that this batch of an epoch, and those before it, are done."""
        before = self.total
        self.total += batch + 1 if batch <= self.last else batch - self.last
        self.last = batch
        return self.total // self.every > before // self.every

    def get_state(self) -> list[int]:
        return [self.last, self.total]

    def set_state(self, state: list[int]) -> None:
        self.last, self.total = state


def check_stride(where: str, name: str, value: Any, *words: Any) -> Any:
    """A whole number of batches from 1, or one of some words.

    Raises:
        ChainruleError: for anything else.
    """
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not good and not any(value is word or isinstance(word, str) and value == word for word in words):
        raise ChainruleError(
            f"{name} is not a number of batches",
            where=where,
            expected=" or ".join([*(repr(word) for word in words), "a whole number from 1"]),
            got=repr(value),
        )
    return value


WHENEVER = math.inf
"""A stride: whenever training returns to Python anyway."""
