"""What training recorded."""

from __future__ import annotations

from chainrule.callbacks.callback import Callback


class History(Callback):
    """``history[name]`` is one number an epoch; ``epoch`` the epochs' numbers; returned by `fit`."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
