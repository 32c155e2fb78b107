"""`LambdaCallback`: hooks from functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.callbacks.callback import HOOKS, Callback
from chainrule.errors import ChainruleError, unknown_name

Hook = Callable[..., Any] | None


class LambdaCallback(Callback):
    """A callback made of functions, each with the arguments of its hook.

    Args:
        on_epoch_begin, on_epoch_end: of ``(epoch, logs)``.
        on_train_begin, on_train_end: of ``(logs)``.
        on_train_batch_begin, on_train_batch_end: of ``(batch, logs)``.
        hooks: any other hook of `Callback`, by its name.

    Example:
        >>> said = []
        >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: said.append(epoch))
        >>> callback.on_epoch_end(3, {}); said
        [3]
    """

    def __init__(
        self,
        on_epoch_begin: Hook = None,
        on_epoch_end: Hook = None,
        on_train_begin: Hook = None,
        on_train_end: Hook = None,
        on_train_batch_begin: Hook = None,
        on_train_batch_end: Hook = None,
        **hooks: Hook,
    ):
        super().__init__()
        named = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **hooks,
        }
        for name, function in named.items():
            if name not in HOOKS:
                raise unknown_name("hook", name, HOOKS, where="LambdaCallback")
            if function is None:
                continue
            if not callable(function):
                raise ChainruleError("not a function", where=f"LambdaCallback, {name}", got=repr(function))
            setattr(self, name, function)
