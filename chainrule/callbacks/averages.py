"""`SwapEMAWeights`: evaluate with the averages of the weights."""

from __future__ import annotations

from typing import Any

from chainrule.callbacks.callback import Callback, Logs
from chainrule.errors import ChainruleError
from chainrule.graph.variable import Variable


class SwapEMAWeights(Callback):
    """Put the moving averages of the weights in their place for validation, and the weights back after it.

    The optimizer makes the averages, with ``use_ema=True``.

    Args:
        swap_on_epoch: whether to leave the averages in place at an epoch's end, until the next begins: a
            `ModelCheckpoint` that comes later in the list saves them.
    """

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch, self.swapped = swap_on_epoch, False

    def pairs(self) -> list[tuple[Variable, Variable]]:
        """Each weight with its average.

        Raises:
            ChainruleError: where the optimizer makes none.
        """
        optimizer = self.model.optimizer
        while not getattr(optimizer, "use_ema", False) and hasattr(optimizer, "optimizer"):
            optimizer = optimizer.optimizer  # one around another: that within averages
        kept = optimizer.state.items() if getattr(optimizer, "use_ema", False) else ()
        found = [(weight, slots["average"]) for weight, slots in kept]
        if not found:
            raise ChainruleError(
                "the optimizer makes no averages",
                where="SwapEMAWeights",
                expected="an optimizer with use_ema=True",
                got=type(self.model.optimizer).__name__,
            )
        return found

    def swap(self) -> None:
        """Exchange weights and averages."""
        for weight, average in self.pairs():
            kept = weight.numpy()
            weight.assign(average.memory)
            average.assign(kept)
        self.swapped = not self.swapped

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.swap_on_epoch and self.swapped:
            self.swap()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not self.swap_on_epoch or self.swapped:
            return
        self.swap()
        if epoch == self.params.get("epochs", 0) - 1:  # at the end, the optimizer puts the averages in place itself
            for weight, average in self.pairs():
                average.assign(weight.memory)

    def on_test_begin(self, logs: Logs = None) -> None:
        if not self.swapped:
            self.swap()

    def on_test_end(self, logs: Logs = None) -> None:
        if self.swapped:
            self.swap()

    def on_predict_begin(self, logs: Logs = None) -> None:
        self.on_test_begin()

    def on_predict_end(self, logs: Logs = None) -> None:
        self.on_test_end()

    def get_state(self) -> dict[str, Any]:
        return {"swapped": self.swapped}

    def set_state(self, state: dict[str, Any]) -> None:
        self.swapped = state["swapped"]
