"""A history in a notebook: a table of the last epochs, the curves where matplotlib is there, and never an error."""

import builtins
import re

from chainrule.training.history import History


def history_of(epochs, **recorded):
    history = History()
    for epoch in range(epochs):
        history.on_epoch_end(epoch, {name: values(epoch) for name, values in recorded.items()})
    return history


def cells(text):
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    return [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in rows]


def test_the_last_epochs_and_the_curves():
    text = history_of(12, loss=lambda epoch: 1 / (epoch + 1), val_loss=lambda epoch: 0.5)._repr_html_()
    head, *rows = cells(text)
    assert head == ["epoch", "loss", "val_loss"] and len(rows) == 10
    assert rows[0] == ["3", "0.3333", "0.5"] and rows[-1] == ["12", "0.08333", "0.5"]
    assert "the last 10 of 12 epochs" in text and text.count("<svg") == 1


def test_nothing_recorded():
    assert "no epoch" in History()._repr_html_()


def test_names_and_values_of_any_kind():
    history = history_of(2, **{"<script>": lambda epoch: [epoch, "<b>"]})
    text = history._repr_html_()
    assert "<script>" not in text and "&lt;script&gt;" in text and "&lt;b&gt;" in text and "<svg" not in text


def test_without_matplotlib_the_table_alone(monkeypatch):
    whole = builtins.__import__

    def refuse(name, *rest):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    text = history_of(1, loss=lambda epoch: 0.5)._repr_html_()
    assert "<svg" not in text and cells(text) == [["epoch", "loss"], ["1", "0.5"]] and "1 epoch" in text


def test_a_history_that_went_on_counts_all_epochs():
    history = history_of(3, loss=float)
    history.on_train_begin()
    history.on_epoch_end(3, {"loss": 3.0})
    assert [row[0] for row in cells(history._repr_html_())[1:]] == ["1", "2", "3", "4"]
