"""Callbacks, by Keras's names. Reading order: `callback` (the base), `callback_list` (how they are called), then

`monitors` watch a number, `checkpoints` keep models and whole trainings in files, `rates` set the learning rate,
`averages` swap weights, `loggers` and `tensorboard` tell of each epoch, `functions` makes one of functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import lazy

if TYPE_CHECKING:
    from chainrule.callbacks.averages import SwapEMAWeights
    from chainrule.callbacks.callback import Callback
    from chainrule.callbacks.callback_list import CallbackList
    from chainrule.callbacks.checkpoints import BackupAndRestore, ModelCheckpoint, Resume
    from chainrule.callbacks.functions import LambdaCallback
    from chainrule.callbacks.loggers import CSVLogger, JSONLinesLogger, ProgbarLogger, RemoteMonitor
    from chainrule.callbacks.monitors import EarlyStopping, MonitorCallback, ReduceLROnPlateau, TerminateOnNaN
    from chainrule.callbacks.rates import LearningRateFinder, LearningRateScheduler
    from chainrule.callbacks.tensorboard import TensorBoard
    from chainrule.training.history import History

_PLACES = {
    "chainrule.callbacks.averages": "SwapEMAWeights",
    "chainrule.callbacks.callback": "Callback",
    "chainrule.callbacks.callback_list": "CallbackList",
    "chainrule.callbacks.checkpoints": "BackupAndRestore ModelCheckpoint Resume",
    "chainrule.callbacks.functions": "LambdaCallback",
    "chainrule.callbacks.loggers": "CSVLogger JSONLinesLogger ProgbarLogger RemoteMonitor",
    "chainrule.callbacks.monitors": "EarlyStopping MonitorCallback ReduceLROnPlateau TerminateOnNaN",
    "chainrule.callbacks.rates": "LearningRateFinder LearningRateScheduler",
    "chainrule.callbacks.tensorboard": "TensorBoard",
    "chainrule.training.history": "History",
}
__getattr__ = lazy.importer(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "JSONLinesLogger",
    "LambdaCallback",
    "LearningRateFinder",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "Resume",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
