"""Many callbacks as one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from chainrule.callbacks.callback import HOOKS, Callback, Logs, overrides
from chainrule.callbacks.loggers import ProgbarLogger
from chainrule.errors import ChainruleError
from chainrule.training.history import History


class CallbackList(Callback):
    """Calls a hook of all callbacks, in order: yours, `History`, `ProgbarLogger`, and those of a higher rank.

    Args:
        callbacks: a callback, or a list of them, which may hold lists.
        add_history, add_progbar: whether to add a `History` and a `ProgbarLogger` where there is none.
        model: what they watch.
        params: what they are told by `set_params`: epochs, steps, verbose.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        self.callbacks = list(flat(callbacks))
        if add_history and not any(isinstance(callback, History) for callback in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(callback, ProgbarLogger) for callback in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self.callbacks.sort(key=lambda callback: callback.rank)
        if model is not None:
            self.set_model(model)
        self.set_params(params)
        self._listeners = {
            hook: [callback for callback in self.callbacks if overrides(callback, hook)] for hook in HOOKS
        }

    def set_model(self, model: Any) -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks if params else []:
            callback.set_params(params)

    @property
    def history(self) -> History:
        """The first `History`."""
        return next(callback for callback in self.callbacks if isinstance(callback, History))

    # -- states ---------------------------------------------------------------------------------------------------

    def names(self) -> list[tuple[str, Callback]]:
        """The callbacks, each with its class and its number among those of this class."""
        counts: dict[str, int] = {}
        named = []
        for callback in self.callbacks:
            kind = type(callback).__name__
            named.append((f"{kind} {counts.get(kind, 0)}", callback))
            counts[kind] = counts.get(kind, 0) + 1
        return named

    def get_states(self) -> dict[str, Any]:
        """What each keeps, by its name."""
        states = {name: callback.get_state() for name, callback in self.names()}
        return {name: state for name, state in states.items() if state}

    def set_states(self, states: dict[str, Any]) -> None:
        """Give each what it kept."""
        for name, callback in self.names():
            if name in states:
                callback.set_state(states[name])

    # -- batches --------------------------------------------------------------------------------------------------

    def listens(self, hook: str) -> bool:
        """Whether any callback does something in this hook."""
        return bool(self._listeners[hook])

    @property
    def strides(self) -> list[float]:
        """After how many batches callbacks want to be called, each that watches the batches of training."""
        watching = self._listeners["on_train_batch_begin"] + self._listeners["on_train_batch_end"]
        return [1 if callback.batch_stride is None else callback.batch_stride for callback in watching]

    @property
    def watch_batches(self) -> bool:
        """Whether any of them wants to see every batch of training."""
        return 1 in self.strides

    def batches_until_call(self, done: int) -> int:
        """How many batches may be run in one go, when so many are done in all."""
        left = [int(stride) - done % int(stride) for stride in self.strides if math.isfinite(stride)]
        return min(left, default=1 << 62)

    @property
    def takes_bad_steps(self) -> bool:  # type: ignore[override]
        """Whether any of them deals with a loss that is no number."""
        return any(callback.takes_bad_steps for callback in self.callbacks)

    # -- hooks ----------------------------------------------------------------------------------------------------

    def call(self, hook: str, *arguments: Any) -> None:
        """Call one hook of all, in order."""
        listeners = self._listeners[hook]
        if listeners:
            given = [{} if argument is None else argument for argument in arguments]  # as in Keras, logs are a dict
            for callback in listeners:
                getattr(callback, hook)(*given)

    def on_train_begin(self, logs: Logs = None) -> None:
        self.call("on_train_begin", logs)

    def on_train_end(self, logs: Logs = None) -> None:
        self.call("on_train_end", logs)

    def on_train_abort(self, error: BaseException) -> None:
        self.call("on_train_abort", error)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.call("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.call("on_train_batch_end", batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.call("on_batch_begin", batch, logs)

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.call("on_batch_end", batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        self.call("on_test_begin", logs)

    def on_test_end(self, logs: Logs = None) -> None:
        self.call("on_test_end", logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.call("on_test_batch_end", batch, logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self.call("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        self.call("on_predict_end", logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.call("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.call("on_predict_batch_end", batch, logs)


def flat(callbacks: Any) -> Iterator[Callback]:
    """The callbacks of lists within lists.

    Raises:
        ChainruleError: for what is none.
    """
    if callbacks is None:
        return
    if isinstance(callbacks, CallbackList):
        yield from callbacks.callbacks
    elif isinstance(callbacks, list | tuple):
        for part in callbacks:
            yield from flat(part)
    elif isinstance(callbacks, Callback):
        yield callbacks
    else:
        fix = f"write {callbacks.__name__}()" if isinstance(callbacks, type) else "subclass cr.callbacks.Callback"
        raise ChainruleError("not a callback", where="callbacks", expected="a Callback", got=repr(callbacks), fix=fix)
