"""`chainrule inspect`: a network from inside, typed in a shell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

import chainrule as cr
from chainrule.apps import cli


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A saved model and data for it."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 4)).astype("float32")
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(6, "relu"), cr.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=3, verbose=0)
    model.save(tmp_path / "m.chainrule")
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return str(tmp_path / "m.chainrule"), str(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("layers", ["What each layer knows: 90 rows", "dense_1", "probe"]),
        ("step", ["a step of sequential on 32 rows", "v1 = ", "dense_1/kernel (weight)"]),
        ("step --layer dense_1", ["dense_1/bias (weight)"]),
        ("step --layer dense --neuron 2 --rows 5", ["neuron 2 of dense, row 0", "x·w"]),
        ("doctor", ["90 of 90 rows passed through the network"]),
        ("verify", ["Verification of 'sequential' on 32 rows: all is well"]),
    ],
)
def test_each_view(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path, view: str, words: list[str]
) -> None:
    model, data = files
    name, *options = view.split()
    page = tmp_path / "page.html"
    assert cli.main(["inspect", name, model, "--data", data, *options, "--html", str(page)]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in words), printed
    assert max(cell_len(line) for line in printed.splitlines()[:-1]) <= 80
    assert page.read_text("utf-8").lower().startswith("<!doctype html>")


def test_a_found_mistake_is_the_status(files: tuple[str, str], tmp_path: Path) -> None:
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(3, "softmax"), cr.layers.Softmax()])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(tmp_path / "twice.chainrule")
    assert cli.main(["inspect", "doctor", str(tmp_path / "twice.chainrule"), "--data", files[1]]) == 1


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": np.ones((50, 4), "f"), "y": np.zeros(40, int)}, "layers", "differ in length"),
        ({"x": np.float32(1.0), "y": np.zeros(40, int)}, "verify", "a single number"),
        ({"x": np.ones((9, 5), "f"), "y": np.zeros(9, int)}, "layers", "do not fit"),
        ({"x": np.ones((9, 4), "f"), "y": np.zeros(9, int)}, "layers --layer dense", "only a step"),
        ({"x": np.ones((9, 4), "f"), "y": np.zeros(9, int)}, "step --neuron 1", "--layer NAME"),
        ({"x": np.ones((9, 4), "f"), "y": np.zeros(9, int)}, "step --layer densse", "dense"),
        ({"x": np.ones((9, 4), "f"), "y": np.zeros(9, int)}, "step --layer dense --neuron 99", "neuron"),
    ],
)
def test_a_mistake_is_told(
    files: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arrays: dict[str, np.ndarray],
    options: str,
    message: str,
) -> None:
    np.savez(tmp_path / "other.npz", **arrays)
    view, *others = options.split()
    assert cli.main(["inspect", view, files[0], "--data", str(tmp_path / "other.npz"), *others]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error, error
