"""Callbacks, by Keras's names: `callback` is the base, `monitors` watch a number."""

from chainrule.callbacks.callback import Callback, CallbackList
from chainrule.callbacks.monitors import EarlyStopping, ModelCheckpoint
from chainrule.training.history import History

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "ModelCheckpoint"]
