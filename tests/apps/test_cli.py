"""What may be typed, and what a mistake gets."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

import pytest

from chainrule.apps import cli
from chainrule.apps.train import Recipe, resolve_recipe


def parse(text: str) -> argparse.Namespace:
    return cli.make_parser().parse_args(text.split())


def test_what_is_not_typed_is_the_recipe() -> None:
    assert resolve_recipe(parse("train mnist")) == Recipe()


def test_what_is_typed_replaces_the_recipe() -> None:
    line = "train mnist --layers 64,32 --epochs 2 --batch-size 100 --optimizer SGD --seed 7 --validation-split 0.1"
    recipe = resolve_recipe(parse(line))
    assert (recipe.layers, recipe.epochs, recipe.batch_size) == ((64, 32), 2, 100)
    assert (recipe.optimizer, recipe.seed, recipe.validation_split) == ("sgd", 7, 0.1)
    assert recipe.learning_rate != Recipe().learning_rate  # each optimizer has its own
    assert resolve_recipe(parse(line + " --learning-rate 0.5")).learning_rate == 0.5


@pytest.mark.parametrize(
    "line",
    [
        "",
        "fit mnist",
        "train",
        "train mnist --layers 64,,32",
        "train mnist --layers 0",
        "train mnist --layers wide",
        "train mnist --epochs 0",
        "train mnist --epochs 1.5",
        "train mnist --batch-size 0",
        "train mnist --batch-size -3",
        "train mnist --learning-rate 0",
        "train mnist --learning-rate nan",
        "train mnist --learning-rate inf",
        "train mnist --seed -1",
        "train mnist --validation-split 1",
        "train mnist --validation-split nan",
        "show everything",
        "predict run",
    ],
)
def test_what_may_not_be_typed(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(line.split())
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train minst", "did you mean 'mnist'"),
        ("train mnist --optimizer adma", "did you mean 'adam'"),
        ("evaluate nowhere", "no such run or model"),
        ("predict nowhere mnist:0", "no such run or model"),
        ("show graph nowhere", "no such run or model"),
    ],
)
def test_a_mistake_is_an_error_without_a_traceback(
    line: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert cli.main(line.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and message in printed.err
    assert "Traceback" not in printed.err


def test_interruption_is_told_and_has_a_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(options: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_command", interrupt)
    assert cli.main(["show", "graph"]) == 130
    assert "stopped" in capsys.readouterr().err


def test_the_version_is_printed() -> None:
    command = [sys.executable, "-m", "chainrule.apps.cli", "--version"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert re.fullmatch(r"chainrule (\d+\.\d+\.\d+|\(not installed\))\n", printed)


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "show", "profile", "inspect", "report"])
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0 and "usage: chainrule" in capsys.readouterr().out
