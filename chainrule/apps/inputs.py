"""Data named on the command line, as arrays.

mnist                 the 10,000 test images
mnist:7               test image number 7
FILE.npy              images (n, …) or one image
FILE.npz              arrays x and, for evaluation, y (or x_test and y_test)
FILE-idx3-ubyte[.gz]  images in the idx format
FILE.png, .jpg, …     a picture, with the extra `images`
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.arrays import check_lengths
from chainrule.data.idx import read_idx
from chainrule.errors import ChainruleError, DataError, FileError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def labelled(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a data set: ``mnist``, or an .npz file."""
    if name == "mnist":
        from chainrule.datasets import mnist

        return mnist.load_data()[1]
    if not name.endswith(".npz"):
        raise ChainruleError(
            "no data set of this name", where="DATA", expected="mnist, or a file FILE.npz with x and y", got=repr(name)
        )
    arrays = read_npz(Path(name))
    x, y = pick(arrays, ("x", "x_test"), name), pick(arrays, ("y", "y_test"), name)
    for label, array in (("x", x), ("y", y)):
        if array.ndim == 0:
            raise DataError("a single number, where rows are asked for", where=f"{name}, {label}", got=array.item())
    try:
        check_lengths([("x", x), ("y", y)])
    except DataError as error:
        raise error.located(name) from None
    return x, y


def images(name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Images (n, \\*shape) from a file, or from the test set where `name` is ``mnist`` or ``mnist:7``."""
    if name == "mnist" or name.startswith("mnist:"):
        return digits(name)
    path = Path(name)
    if not path.is_file():
        raise FileError("there is no such file", where=name, fix="or name a test image as mnist:7")
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        array = read_picture(path, shape)
    elif suffix == ".npy":
        array = read_npy(path)
    elif suffix == ".npz":
        array = pick(read_npz(path), ("x", "x_test"), name)
    else:
        array = read_idx(path)
    if array.ndim == len(shape):
        array = array[np.newaxis]
    if array.ndim != len(shape) + 1 or not fits(array.shape[1:], shape):
        raise DataError(
            "the images have another shape than the network's input",
            where=name,
            expected=f"{shape}, or many of them",
            got=array.shape,
        )
    if array.dtype.kind == "f" and array.size and 0 < float(np.nanmax(array)) <= 1:
        raise DataError(
            "the pixels lie between 0 and 1",
            where=name,
            expected="pixels from 0 to 255: the network scales them itself",
            got=f"a largest pixel of {float(np.nanmax(array)):g}",
            fix="multiply by 255",
        )
    return array


def fits(given: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    """Whether a sample's shape is the one asked for; None takes any size."""
    return len(given) == len(shape) and all(want in (None, size) for size, want in zip(given, shape, strict=True))


def digits(name: str) -> np.ndarray:
    """All test images, or the one that ``mnist:7`` names."""
    from chainrule.datasets import mnist

    test = mnist.load_data()[1][0]
    if name == "mnist":
        return test
    number = name.removeprefix("mnist:")
    if not number.isdecimal() or int(number) >= len(test):
        raise ChainruleError("no such test image", where=name, expected=f"mnist:0 to mnist:{len(test) - 1}", got=number)
    return test[int(number)][np.newaxis]


def read_npy(path: Path) -> np.ndarray:
    """The array in an .npy file; objects, which would run code, are refused."""
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FileError("the file is no array of numbers, or is damaged", where=str(path), got=str(error)) from None


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays in an .npz file, by name."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return {name.removesuffix(".npy"): read_member(archive, name) for name in archive.namelist()}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FileError("the file is no .npz archive, or is damaged", where=str(path), got=str(error)) from None


def read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array of an .npz archive."""
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def pick(arrays: dict[str, np.ndarray], names: tuple[str, ...], where: str) -> np.ndarray:
    """The first of `names` that the archive holds; an archive of one array needs no name."""
    for name in names:
        if name in arrays:
            return arrays[name]
    if len(arrays) == 1 and names[0] == "x":
        return next(iter(arrays.values()))
    raise FileError(
        f"the archive has no array '{names[0]}'",
        where=where,
        expected=" or ".join(names),
        got=", ".join(sorted(arrays)) or "an empty archive",
    )


def read_picture(path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """A picture in grey, scaled to the network's input, light on dark as the digits are.

    A picture with a light border is dark ink on paper, and is inverted.
    """
    sizes = [size for size in shape if size is not None]
    if len(sizes) != 2 or len(shape) != 2:
        raise DataError("the network does not take pictures", where=str(path), expected=f"arrays {shape}")
    try:
        from PIL import Image
    except ImportError:
        raise ChainruleError(
            "reading pictures needs Pillow", where=str(path), fix="pip install 'chainrule[images]'"
        ) from None
    height, width = sizes
    try:
        with Image.open(path) as opened:
            picture: Any = opened.convert("L").resize((width, height), Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError) as error:
        raise FileError("the picture cannot be read", where=str(path), got=str(error)) from None
    array = np.asarray(picture, dtype=np.uint8)
    border = np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])
    return 255 - array if border.mean() > 127 else array
