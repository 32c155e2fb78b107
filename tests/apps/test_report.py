"""`chainrule report` from a run folder to a page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from browser.outline import Outline

from chainrule.apps import cli, runs
from chainrule.apps.report import read_history, wrap_command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "digits & <more>"
    line = ["train", "mnist", "--layers", "16", "--epochs", "2", "--optimizer", "sgd", "--validation-split", "0.5"]
    assert cli.main([*line, "--json", "--out", str(folder)]) == 0
    return folder


def test_a_run_gets_its_page(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.main(["report", str(run)]) == 0
    printed = capsys.readouterr().out
    path = run / runs.REPORT
    assert str(path) in printed and "size" in printed and "time" in printed
    page = path.read_text("utf-8")
    outline = Outline(page)
    assert outline.faults == [] and len(page.encode()) < 2_000_000
    assert "of 10,000 rows are right" in outline.text
    recorded = json.loads((run / runs.METRICS).read_text("utf-8").splitlines()[-1])
    assert f"{100 * recorded['test_accuracy']:.2f}" in outline.text
    assert "--layers 16 --epochs 2" in outline.text and "Report on digits & <more>" in outline.text
    assert "val_accuracy" in outline.text


def test_other_data_another_place_and_json(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 28, 28)).astype(np.uint8), rng.integers(0, 10, 40)
    names = np.array([f"class <{number}>" for number in range(10)])
    given = {"x": x, "y": y, "x_train": x, "y_train": y, "class_names": names, "question": np.array("Noise?")}
    np.savez(tmp_path / "noise.npz", **given)
    capsys.readouterr()
    out = tmp_path / "pages" / "noise.html"
    line = ["report", str(run / runs.MODEL), "--data", str(tmp_path / "noise.npz"), "--out", str(out), "--json"]
    assert cli.main(line) == 0
    (text,) = capsys.readouterr().out.splitlines()
    found = json.loads(text)
    assert found["report"] == str(out) and found["bytes"] == out.stat().st_size and found["seconds"] > 0
    outline = Outline(out.read_text("utf-8"))
    assert outline.faults == []
    assert "class <3>" in outline.text and "Noise?" in outline.text and "Rows shared" not in outline.text


def test_a_mistake_is_told_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path / "nowhere")]) == 2
    assert "no such run or model" in capsys.readouterr().err


def test_a_new_run_in_the_folder_has_no_old_page(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    runs.prepare_folder(folder)
    runs.write_config(folder, {"data": "mnist"})
    (folder / runs.REPORT).write_text("old", "utf-8")
    runs.prepare_folder(folder)
    assert not (folder / runs.REPORT).exists()


def test_records_up_to_an_unfinished_line(tmp_path: Path) -> None:
    assert runs.read_metrics(tmp_path) == []
    lines = [
        '{"epoch": 1, "loss": 0.5, "seconds": 1}',
        '{"epoch": 2, "loss": 0.25, "seconds": 1}',
        '{"test_loss": 1}',
        '{"ep',
    ]
    (tmp_path / runs.METRICS).write_text("\n".join(lines), "utf-8")
    records = runs.read_metrics(tmp_path)
    assert len(records) == 3
    assert read_history(records) == {"loss": [0.5, 0.25]}


def test_a_long_command_goes_on_in_the_next_line() -> None:
    text = wrap_command([["chainrule", "train"], *[["--option", "value " * 3] for _ in range(6)]])
    lines = text.splitlines()
    assert len(lines) > 1 and max(map(len, lines)) <= 80
    assert all(line.endswith(" \\") for line in lines[:-1]) and "'value value value '" in text
