"""Data named on the command line, good and bad."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from chainrule.apps import inputs
from chainrule.datasets import mnist
from chainrule.errors import ChainruleError, DataError, FileError

SHAPE = (28, 28)


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype("uint8")


def test_one_image_or_many_from_npy(tmp_path: Path, pictures: np.ndarray) -> None:
    path = tmp_path / "images.npy"
    np.save(path, pictures)
    np.testing.assert_array_equal(inputs.images(str(path), SHAPE), pictures)
    np.save(path, pictures[0])
    np.testing.assert_array_equal(inputs.images(str(path), SHAPE), pictures[:1])


def test_npz_by_name_or_alone(tmp_path: Path, pictures: np.ndarray) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=pictures, y=np.arange(3))
    np.testing.assert_array_equal(inputs.images(str(path), SHAPE), pictures)
    x, y = inputs.labelled(str(path))
    assert len(x) == 3 and y.tolist() == [0, 1, 2]
    np.savez(path, anything=pictures)
    np.testing.assert_array_equal(inputs.images(str(path), SHAPE), pictures)
    with pytest.raises(FileError, match="no array 'y'"):
        inputs.labelled(str(path))


def test_idx(tmp_path: Path, pictures: np.ndarray) -> None:
    path = tmp_path / "images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", *pictures.shape) + pictures.tobytes()))
    np.testing.assert_array_equal(inputs.images(str(path), SHAPE), pictures)


def test_a_test_image_by_number() -> None:
    x_test, _ = mnist.load_data()[1]
    np.testing.assert_array_equal(inputs.images("mnist:7", SHAPE), x_test[7:8])
    for name in ("mnist:10000", "mnist:-1", "mnist:", "mnist:one"):
        with pytest.raises(ChainruleError, match="no such test image"):
            inputs.images(name, SHAPE)


def test_dark_ink_on_paper_is_inverted(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    drawing = np.full((56, 56), 255, "uint8")
    drawing[10:40, 26:30] = 0
    path = tmp_path / "one.png"
    image.fromarray(drawing).save(path)
    (dark,) = inputs.images(str(path), SHAPE)
    assert dark.shape == SHAPE and dark[0, 0] == 0 and dark[10, 13] > 200
    image.fromarray(255 - drawing).save(path)
    (light,) = inputs.images(str(path), SHAPE)
    assert np.abs(light.astype(int) - dark).max() <= 1


@pytest.mark.parametrize("name", ["bad.npy", "bad.npz", "bad.png", "bad-idx3-ubyte.gz", "bad"])
@pytest.mark.parametrize("contents", [b"", b"\x93NUMPY", b"PK\3\4 broken", b"\x1f\x8b broken", b"words, not numbers"])
def test_damaged_files_are_refused(tmp_path: Path, name: str, contents: bytes) -> None:
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(ChainruleError):
        inputs.images(str(tmp_path / name), SHAPE)


def test_files_that_would_run_code_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FileError):
        inputs.images(str(tmp_path / "objects.npy"), SHAPE)


def test_another_shape_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "small.npy", np.zeros((5, 14, 14), "uint8"))
    with pytest.raises(DataError, match=r"\(28, 28\)"):
        inputs.images(str(tmp_path / "small.npy"), SHAPE)


def test_pixels_scaled_already_are_refused(tmp_path: Path, pictures: np.ndarray) -> None:
    np.save(tmp_path / "scaled.npy", pictures / 255)
    with pytest.raises(DataError, match="multiply by 255"):
        inputs.images(str(tmp_path / "scaled.npy"), SHAPE)


def test_unknown_names() -> None:
    with pytest.raises(FileError, match="no such file"):
        inputs.images("nothing.png", SHAPE)
    with pytest.raises(ChainruleError, match="no data set"):
        inputs.labelled("cifar")
    with pytest.raises(FileError):
        inputs.labelled("nothing.npz")
