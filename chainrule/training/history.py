"""What training recorded."""

from __future__ import annotations

from html import escape
from typing import Any

from chainrule.callbacks.callback import Callback, Logs

_LAST = 10  # epochs that a notebook's table shows
_CELL = "padding: 0.1em 0.7em; text-align: right"


class History(Callback):
    """``history[name]`` is one number an epoch; ``epoch`` the epochs' numbers; returned by `fit`."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def _repr_html_(self) -> str:
        """A table of the last epochs for a notebook, and, with matplotlib, the curves."""
        rows = max((len(values) for values in self.history.values()), default=0)
        if not rows:
            return "<p>History: no epoch yet.</p>"
        numbers = self.epoch if len(self.epoch) == rows else list(range(rows))
        names = [name for name, values in self.history.items() if len(values) == rows]
        head = "".join(f'<th scope="col" style="{_CELL}">{escape(str(name))}</th>' for name in ["epoch", *names])
        lines = []
        for place in range(max(0, rows - _LAST), rows):
            values = [str(numbers[place] + 1), *(_show(self.history[name][place]) for name in names)]
            lines.append("<tr>" + "".join(f'<td style="{_CELL}">{escape(value)}</td>' for value in values) + "</tr>")
        said = f"the last {_LAST} of {rows:,} epochs" if rows > _LAST else f"{rows} epoch{'s' if rows > 1 else ''}"
        body = f"<caption>{said}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
        return f'<div>{_draw(self)}<table style="color: inherit">{body}</table></div>'

    def get_state(self) -> dict[str, Any]:
        return {"history": self.history, "epoch": self.epoch}

    def set_state(self, state: dict[str, Any]) -> None:
        self.history, self.epoch = state["history"], state["epoch"]


def _show(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _draw(history: History) -> str:
    """The curves as SVG; nothing where they cannot be drawn: a notebook shows the table all the same."""
    from chainrule.plots.curves import plot_history
    from chainrule.plots.style import OFF_SCREEN, figure_to_svg

    try:
        return figure_to_svg(plot_history(history, ax=OFF_SCREEN), "What training recorded, by epoch")
    except Exception:  # no matplotlib, or a step of the user's own recorded what is no number
        return ""
