"""The MNIST handwritten digits: 60,000 training and 10,000 test images of 28×28 grey pixels.

The files lie inside the package (`chainrule/data/mnist`, with their source and licence), so nothing is downloaded.
Source: Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from chainrule.data.idx import parse_idx, read_bytes
from chainrule.errors import FileError

FOLDER = Path(__file__).resolve().parent.parent / "data" / "mnist"

SHA256 = {
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""What the decompressed files must hash to."""

Pair = tuple[np.ndarray, np.ndarray]


def load_data() -> tuple[Pair, Pair]:
    """The digits as ``(x_train, y_train), (x_test, y_test)``.

    Returns:
        Images uint8 (n, 28, 28), 0 for paper and 255 for ink; labels uint8 (n,), the digit 0 to 9.

    Raises:
        FileError: a file of the package is missing, or is not what was published.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_train.dtype, y_test.shape
        ((60000, 28, 28), dtype('uint8'), (10000,))
    """
    with ThreadPoolExecutor() as pool:  # decompressing and hashing leave the interpreter free
        images, labels, test_images, test_labels = pool.map(load_file, SHA256)
    return (images, labels), (test_images, test_labels)


def load_file(name: str, folder: Path = FOLDER) -> np.ndarray:
    """One file of the set, checked against its published sum."""
    path = folder / name
    contents = read_bytes(path)
    digest = hashlib.sha256(contents).hexdigest()
    if digest != SHA256[name]:
        raise FileError(
            "the file is not the published one",
            where=str(path),
            expected=f"SHA-256 {SHA256[name]}",
            got=f"SHA-256 {digest}",
            fix="install chainrule again",
        )
    return parse_idx(contents, where=str(path))
