"""The report, read as a browser and a screen reader would; nothing in it but text that came from data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser.outline import Outline
from browser.payloads import PAYLOADS

import chainrule as cr
from chainrule.datasets import mnist
from chainrule.errors import DataError, FileError
from chainrule.inspect import make_report
from chainrule.inspect.report.report import Report, take_rows
from chainrule.inspect.report.sections import subject
from chainrule.inspect.report.sections.subject import find_pictures
from chainrule.interop import archive

MOST_BYTES = 2_000_000


@pytest.fixture
def plotless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if matplotlib were not installed."""

    def refuse() -> None:
        raise cr.errors.ChainruleError("plots need matplotlib")

    monkeypatch.setattr(subject, "require_matplotlib", refuse)


def small_digits() -> tuple[np.ndarray, ...]:
    """Rows for training and others, every second pixel."""
    (x, y), (x_test, y_test) = mnist.load_data()
    return x[:3000, ::2, ::2], y[:3000], x_test[:1500, ::2, ::2], y_test[:1500]


@pytest.fixture(scope="module")
def digits() -> tuple[Report, Any]:
    """A report on pictures, with every plot, and the network that it is on."""
    cr.set_random_seed(0)
    x, y, x_test, y_test = small_digits()
    parts = [cr.layers.Rescaling(1 / 255), cr.layers.Flatten(), cr.layers.Dense(16, "relu"), cr.layers.Dense(10)]
    model = cr.Sequential([cr.Input((14, 14), dtype="uint8"), *parts])
    model.compile("adam", cr.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(x, y, epochs=2, validation_split=0.1, verbose=0)
    before = [weight.numpy() for weight in model.weights]
    report = make_report(
        model,
        x_test,
        y_test,
        history,
        "Which digit?",
        training_data=(x, y),
        config={"seed": 3, "layers": [16]},
        command="chainrule report RUN",
        title="Digits",
    )
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    return report, model


def test_the_page_is_well_formed_and_small(digits: tuple[Report, Any]) -> None:
    outline = Outline(digits[0].html)
    assert outline.faults == []
    assert len(digits[0].html.encode()) < MOST_BYTES
    assert outline.elements.count("svg") >= 9 and outline.elements.count("table") >= 10
    titles = [text for _, text in outline.headings]
    for title in ("Metrics", "Confusions", "Worst mistakes", "Calibration", "Data", "Network", "Training", "Speed"):
        assert title in titles


def test_the_first_screen_tells_the_answer(digits: tuple[Report, Any]) -> None:
    report, model = digits
    x, y = small_digits()[2:]
    accuracy = model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"]
    lead = Outline(report.html).text.split("All rows together")[0]
    assert "Which digit?" in lead and "one of 10 classes" in lead and "95 % interval" in lead
    assert f"{100 * accuracy:.1f}" in lead
    always = 100 * np.bincount(y).max() / len(y)
    assert f"{always:.1f}" in lead and f"by always saying “{np.bincount(y).argmax()}”" in lead


def test_mistakes_are_shown_as_pictures(digits: tuple[Report, Any]) -> None:
    report, model = digits
    x, y = small_digits()[2:]
    answers = np.asarray(model.predict(x)).argmax(axis=1)
    mistakes = [alt for alt in Outline(report.html).images if "taken for" in alt]
    assert len(mistakes) == min(24, int((answers != y).sum()))
    for alt in mistakes:
        row = int(alt.split()[1].rstrip(":"))
        assert alt == f"row {row}: true class {y[row]}, taken for {answers[row]}"


def test_how_to_make_it_again(digits: tuple[Report, Any]) -> None:
    import hashlib
    import platform

    text = Outline(digits[0].html).text
    x_test = small_digits()[2]
    for part in ("chainrule report RUN", platform.python_version(), np.__version__, cr.__version__):
        assert part in text
    assert hashlib.sha256(np.ascontiguousarray(x_test).tobytes()).hexdigest() in text
    assert '"seed": 3' in text


def test_a_notebook_shows_it_in_a_frame(digits: tuple[Report, Any]) -> None:
    shown = digits[0]._repr_html_()
    assert shown.startswith('<iframe sandbox=""') and "<script" not in shown
    assert str(digits[0]).startswith("Digits: a report of ")


def test_it_is_written_whole_or_not_at_all(
    digits: tuple[Report, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    digits[0].write(path)
    assert path.read_text("utf-8") == digits[0].html
    path.write_text("older", "utf-8")

    def fail(*unused: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.os, "replace", fail)
    with pytest.raises(FileError, match="could not be written"):
        digits[0].write(path)
    assert path.read_text("utf-8") == "older"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_no_payload_is_more_than_text() -> None:
    count = len(PAYLOADS)
    cr.set_random_seed(0)
    x = np.random.default_rng(5).standard_normal((4 * count, count))
    layers = [cr.layers.Dense(3, "relu", name=payload) for payload in PAYLOADS[:3]]
    model = cr.Sequential([cr.Input((count,)), *layers, cr.layers.Dense(count, "softmax")], name=PAYLOADS[14])
    model.compile("sgd", "sparse_categorical_crossentropy")
    report = make_report(
        model,
        x,
        np.arange(4 * count) % count,
        {PAYLOADS[0]: [1.0, 0.5], PAYLOADS[15]: [1.0, 0.5]},
        question=" ".join(PAYLOADS),
        class_names=PAYLOADS,
        feature_names=PAYLOADS,
        config=dict.fromkeys(PAYLOADS, PAYLOADS[0]),
        title=PAYLOADS[0] + PAYLOADS[23],
        command=" ".join(PAYLOADS),
    )
    outline = Outline(report.html)
    assert outline.faults == []
    assert len(report.html.encode()) < MOST_BYTES
    shown = [payload for payload in PAYLOADS if payload.isascii() and payload.isprintable() and len(payload) <= 40]
    assert len(shown) >= 50
    assert [payload for payload in shown if payload not in outline.text] == []
    assert PAYLOADS[0] in outline.text and PAYLOADS[0] not in report.html


def test_the_policy_allows_nothing_from_outside(digits: tuple[Report, Any]) -> None:
    head = digits[0].html.split("</head>")[0]
    assert "default-src &#x27;none&#x27;" in head
    assert "http:" not in digits[0].html.replace("http://www.w3.org", "") and "https:" not in digits[0].html


def rows(count: int = 60, columns: int = 4) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, columns))


def make_network(units: int, activation: str | None, loss: Any, columns: int = 4, **options: Any) -> Any:
    cr.set_random_seed(1)
    model = cr.Sequential([cr.Input((columns,)), cr.layers.Dense(units, activation)])
    model.compile("sgd", loss, **options)
    return model


def read(report: Report) -> str:
    """The text of a page without faults."""
    outline = Outline(report.html)
    assert outline.faults == []
    return outline.text


def test_regression() -> None:
    names = ["length", "width", "height", "age"]
    x = rows()
    text = read(make_report(make_network(1, None, "mse"), x, x[:, 0] - x[:, 3], feature_names=names))
    for part in ("R²", "Mean absolute error", "predicted − true", "Worst rows", *names):
        assert part in text
    assert "Calibration" not in text and "Confusions" not in text


def test_the_worst_rows_are_the_worst(plotless: None) -> None:
    x = rows(columns=9)
    model = make_network(1, None, "mse", columns=9)
    y = x[:, 0].copy()
    y[17] = 50
    report = make_report(model, x, y)
    lead = Outline(report.html).text.split("All rows together")[0]
    assert "The largest error is in row 17" in lead.replace("\n", "")
    answer = float(model.predict(x)[17, 0])
    assert f"{answer - 50:.4g}" in read(report)


def test_yes_or_no(plotless: None) -> None:
    x = rows()
    text = read(
        make_report(make_network(1, "sigmoid", "binary_crossentropy"), x, x[:, 0] > 0, class_names=["ill", "well"])
    )
    assert "Area under the ROC curve" in text and "“ill” is taken for" in text or "“well” is taken for" in text
    assert "pip install 'chainrule[plots]'" in text


def test_one_hot(plotless: None) -> None:
    model = make_network(3, "softmax", "categorical_crossentropy", metrics=["accuracy"])
    text = read(make_report(model, rows(), np.eye(3)[np.arange(60) % 3]))
    assert "Balanced accuracy" in text and "Confusions" in text and "accuracy" in text


def test_labels(plotless: None) -> None:
    x = rows()
    model = make_network(3, "sigmoid", "binary_crossentropy")
    text = read(make_report(model, x, x[:, :3] > 0, class_names=["red", "green", "blue"]))
    assert "Label by label" in text and "labels are right" in text and "green" in text


def test_several_inputs_and_outputs(plotless: None) -> None:
    left, right = cr.Input((3,), name="left"), cr.Input((2,), name="right")
    both = cr.layers.Concatenate()([left, right])
    given = {"kind": cr.layers.Dense(3, "softmax", name="kind")(both), "size": cr.layers.Dense(1, name="size")(both)}
    model = cr.Model({"left": left, "right": right}, given)
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    x = {"left": rows(60, 3), "right": rows(60, 2)}
    outline = Outline(make_report(model, x, {"kind": np.arange(60) % 3, "size": np.arange(60.0)}).html)
    assert outline.faults == []
    titles = [text for _, text in outline.headings]
    assert {"kind: metrics", "kind: confusions", "size: metrics", "size: predicted and true"} <= set(titles)
    assert "x['left']" in outline.text


def test_a_network_without_targets_is_told_of_as_far_as_it_goes(plotless: None) -> None:
    class Own(cr.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = cr.layers.Dense(3)

        def call(self, x: Any) -> Any:
            hidden = self.dense(x)
            self.add_loss(cr.ops.mean(hidden * hidden))
            return hidden

    model = Own()
    model.compile("sgd")
    model.fit(rows(), epochs=1, verbose=0)
    assert "Loss and metrics" in read(make_report(model, rows(), None))


def test_what_does_not_fit_is_refused() -> None:
    model, x, y = make_network(1, None, "mse"), rows(), np.zeros(60)
    with pytest.raises(DataError, match="names do not fit"):
        make_report(model, x, y, feature_names=["a", "b"])
    with pytest.raises(DataError, match="no history"):
        make_report(model, x, y, history=[1, 2])
    with pytest.raises(cr.errors.ChainruleError):
        make_report(cr.Sequential([cr.Input((4,)), cr.layers.Dense(1)]), x, y)


def test_which_rows_are_pictures() -> None:
    assert find_pictures(np.zeros((5, 28, 28), np.uint8), named=False).shape == (5, 28, 28)  # type: ignore[union-attr]
    assert find_pictures(np.zeros((5, 8, 8, 3)), named=False).shape == (5, 8, 8, 3)  # type: ignore[union-attr]
    assert find_pictures(np.zeros((5, 784)), named=False).shape == (5, 28, 28)  # type: ignore[union-attr]
    for other in (
        np.zeros((5, 784)) - 1,
        np.zeros((5, 30, 4)),
        np.zeros((5, 65)),
        np.zeros(5),
        {"a": np.zeros((5, 64))},
    ):
        assert find_pictures(other, named=False) is None
    assert find_pictures(np.zeros((5, 64)), named=True) is None


def test_rows_are_taken_from_all_over_and_again_where_they_are_few() -> None:
    x, y = take_rows((np.arange(100), {"a": np.arange(100)}), 5)
    assert x.tolist() == y["a"].tolist() and x[0] == 0 and x[-1] == 99 and len(x) == 5
    again, nothing = take_rows(([1.0, 2.0], None), 6)
    assert sorted(again.tolist()) == [1, 1, 1, 2, 2, 2] and nothing is None


def test_options_that_json_does_not_know_are_told_as_text(plotless: None) -> None:
    report = make_report(make_network(1, None, "mse"), rows(), np.zeros(60), config={"path": Path("a/b")})
    assert json.dumps("a/b") in read(report)


def test_a_report_on_weights_that_are_no_numbers_is_refused() -> None:
    model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(3, "softmax", name="last")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.layers[0].kernel.assign(np.full((2, 3), np.nan))
    with pytest.raises(cr.ChainruleError, match="'last/kernel'"):
        make_report(model, np.ones((9, 2), "f"), np.arange(9) % 3)
