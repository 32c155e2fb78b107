"""The run folder is ours or it is not touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainrule.apps import runs
from chainrule.errors import FileError


def make_run(folder: Path) -> Path:
    runs.prepare_folder(folder)
    runs.write_config(folder, {"data": "mnist", "layers": [8]})
    return folder


def test_a_run_is_written_and_read(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "deep" / "run")
    assert runs.is_run(folder)
    assert runs.read_config(folder)["layers"] == [8]
    assert sorted(path.name for path in folder.iterdir()) == [runs.CONFIG, runs.METRICS]


def test_metrics_are_whole_lines(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    writer = runs.MetricsWriter(folder)
    writer.append({"epoch": 1, "loss": 0.5})
    writer.append({"epoch": 2, "loss": 0.25})
    records = [json.loads(line) for line in (folder / runs.METRICS).read_text("utf-8").splitlines()]
    assert [record["loss"] for record in records] == [0.5, 0.25]
    assert records[0]["elapsed"] <= records[1]["elapsed"]


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", "utf-8")
    with pytest.raises(FileError, match="not empty"):
        runs.prepare_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_foreign_config_is_no_run(tmp_path: Path) -> None:
    for text in ("{}", "[]", "not json", '{"format": "other"}', ""):
        (tmp_path / runs.CONFIG).write_text(text, "utf-8")
        assert not runs.is_run(tmp_path)
        with pytest.raises(FileError, match="not empty"):
            runs.prepare_folder(tmp_path)
        with pytest.raises(FileError, match="no run"):
            runs.read_config(tmp_path)


def test_an_older_run_is_replaced(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / runs.MODEL).write_bytes(b"old")
    runs.MetricsWriter(folder).append({"epoch": 1})
    runs.prepare_folder(folder)
    assert not (folder / runs.MODEL).exists()
    assert (folder / runs.METRICS).read_text("utf-8") == ""


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file", "utf-8")
    with pytest.raises(FileError, match="cannot be written"):
        runs.prepare_folder(tmp_path / "run")
    assert (tmp_path / "run").read_text("utf-8") == "a file"


def test_default_folders_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = runs.default_folder("mnist")
    first.mkdir(parents=True)
    assert runs.default_folder("mnist") != first
    assert first.parts[0] == "runs" and first.name.startswith("mnist-")


def test_a_run_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="did not end"):
        runs.model_path(str(make_run(tmp_path / "run")))
