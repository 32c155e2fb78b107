"""The digits inside the package are the published ones, and a damaged copy is refused."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from chainrule.datasets import mnist
from chainrule.errors import FileError


def test_the_digits() -> None:
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    assert x_train.shape == (60_000, 28, 28) and x_test.shape == (10_000, 28, 28)
    assert y_train.shape == (60_000,) and y_test.shape == (10_000,)
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9] and y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert x_train.min() == 0 and x_train.max() == 255


def test_another_file_under_the_name_is_refused(tmp_path: Path) -> None:
    name = "t10k-labels-idx1-ubyte.gz"
    contents = bytearray(gzip.decompress((mnist.FOLDER / name).read_bytes()))
    contents[100] ^= 1
    (tmp_path / name).write_bytes(gzip.compress(contents))
    with pytest.raises(FileError, match="not the published one"):
        mnist.load_file(name, tmp_path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    name = "t10k-labels-idx1-ubyte.gz"
    shutil.copy(mnist.FOLDER / name, tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="damaged or truncated"):
        mnist.load_file(name, tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        mnist.load_file("t10k-labels-idx1-ubyte.gz", tmp_path)


def test_source_and_licence_are_stated() -> None:
    text = (mnist.FOLDER / "README.md").read_text("utf-8")
    assert "LeCun" in text and "Cortes" in text and "CC BY-SA 3.0" in text
    assert all(f"`{digest}`" in text for digest in mnist.SHA256.values())
