"""The commands from end to end, on a small network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chainrule.apps import cli, predict, runs, train
from chainrule.datasets import mnist


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    line = ["train", "mnist", "--layers", "32", "--epochs", "1", "--validation-split", "0.1", "--seed", "3"]
    assert cli.main([*line, "--json", "--out", str(folder)]) == 0
    return folder


def read_json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """What was printed: one line of JSON, and nothing else."""
    (line,) = capsys.readouterr().out.splitlines()
    value: dict[str, object] = json.loads(line)
    return value


def test_json_is_one_line_with_the_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["train", "mnist", "--layers", "16", "--epochs", "2", "--optimizer", "sgd", "--json"]
    assert cli.main([*line, "--out", str(tmp_path / "run")]) == 0
    report = read_json(capsys)
    assert {"test_accuracy", "test_loss", "seconds", "seconds_per_epoch", "parameters"} <= set(report)
    assert report["parameters"] == 784 * 16 + 16 + 16 * 10 + 10
    assert 0.85 < report["test_accuracy"] < 1  # type: ignore[operator]
    assert 0 < report["seconds_per_epoch"] < report["seconds"]  # type: ignore[operator]


def test_the_run_folder(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == sorted([runs.CONFIG, runs.METRICS, runs.MODEL])
    config = runs.read_config(run)
    assert config["layers"] == [32] and config["seed"] == 3 and config["optimizer"] == "adam"
    epoch, test = (json.loads(line) for line in (run / runs.METRICS).read_text("utf-8").splitlines())
    assert epoch["epoch"] == 1 and {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"} <= set(epoch)
    assert test["test_accuracy"] > 0.85


def test_an_interrupted_run_keeps_its_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: object, epoch: int, logs: object = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train.RecordEpochs, "on_epoch_end", interrupt)
    folder = tmp_path / "run"
    assert cli.main(["train", "mnist", "--layers", "16", "--out", str(folder)]) == 130
    assert "stopped" in capsys.readouterr().err
    assert cli.main(["evaluate", str(folder), "--json"]) == 0
    assert float(str(read_json(capsys)["accuracy"])) > 0.8


def test_evaluate_repeats_the_result_of_training(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(run), "--json"]) == 0
    result = read_json(capsys)
    recorded = json.loads((run / runs.METRICS).read_text("utf-8").splitlines()[-1])
    assert result["accuracy"] == recorded["test_accuracy"]
    assert result["loss"] == recorded["test_loss"]
    assert cli.main(["evaluate", str(run / runs.MODEL)]) == 0
    assert "accuracy" in capsys.readouterr().out


def test_same_seed_same_model(tmp_path: Path, run: Path) -> None:
    line = ["train", "mnist", "--layers", "32", "--epochs", "1", "--validation-split", "0.1", "--seed", "3"]
    assert cli.main([*line, "--json", "--out", str(tmp_path / "again")]) == 0
    first, again = (folder / runs.METRICS for folder in (run, tmp_path / "again"))
    volatile = {"seconds", "elapsed"}
    for one, other in zip(first.read_text().splitlines(), again.read_text().splitlines(), strict=True):
        left, right = json.loads(one), json.loads(other)
        assert {key: left[key] for key in left if key not in volatile} == {
            key: right[key] for key in right if key not in volatile
        }


def test_predict_draws_the_digit_and_its_probabilities(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["predict", str(run), "mnist:0"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 14 + 10 and "@" in printed and "\n> " in printed


def test_predict_many(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x_test, y_test = mnist.load_data()[1]
    np.save(tmp_path / "images.npy", x_test[:50])
    assert cli.main(["predict", str(run), str(tmp_path / "images.npy")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 51
    assert cli.main(["predict", str(run), str(tmp_path / "images.npy"), "--json"]) == 0
    predictions = read_json(capsys)["predictions"]
    right = [row["class"] == label for row, label in zip(predictions, y_test[:50], strict=True)]  # type: ignore[call-overload]
    assert np.mean(right) > 0.8


@pytest.mark.parametrize(
    ("view", "part"),
    [
        ("graph", "matmul"),
        ("gradient", "matmul"),
        ("kernels", "for i0"),
        ("llvm", "define"),
        ("program", "rows"),
    ],
)
def test_show(run: Path, view: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", view, str(run)]) == 0
    assert part in capsys.readouterr().out


def test_a_foreign_folder_is_refused_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    assert cli.main(["train", "mnist", "--out", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["truncated", "empty", "other"])
def test_a_damaged_model_is_refused(run: Path, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (run / runs.MODEL).read_bytes()
    contents = {"truncated": whole[: len(whole) // 2], "empty": b"", "other": b"words" * 100}[damage]
    (tmp_path / runs.MODEL).write_bytes(contents)
    assert cli.main(["evaluate", str(tmp_path / runs.MODEL)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_logits_become_probabilities() -> None:
    logits = np.array([[0.0, np.log(3.0)], [1000.0, 0.0]])
    np.testing.assert_allclose(predict.as_probabilities(logits), [[0.25, 0.75], [1, 0]], atol=1e-12)
    np.testing.assert_array_equal(predict.as_probabilities(np.array([[0.5, 0.5]])), [[0.5, 0.5]])
