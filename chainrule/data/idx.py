"""The idx format, in which MNIST is published: a four-byte head, the sizes, then the elements in row-major order.

    file ::= 0x00 0x00 dtype rank size{rank} element*        sizes are big-endian 32-bit integers

Goes in: a path, compressed with gzip or not. Comes out: an array. Nothing is written in this format.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from chainrule.errors import FileError

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The head's third byte, and the elements it stands for."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's code for "a gzip head, and check the sum at the end"
_MOST_COMPRESSED = 1032  # deflate cannot do better than this ratio


def read_idx(path: str | Path) -> np.ndarray:
    """The array in an idx file, compressed or not.

    Raises:
        FileError: the file is missing, damaged, truncated or of another kind.
    """
    return parse_idx(read_bytes(path), where=str(path))


def read_bytes(path: str | Path) -> bytes:
    """A file's contents, decompressed where they are compressed with gzip."""
    try:
        contents = Path(path).read_bytes()
    except OSError as error:
        raise FileError(
            "the file cannot be read", where=str(path), got=error.strerror, fix="check the path and its permissions"
        ) from None
    if not contents.startswith(_GZIP_MAGIC):
        return contents
    # The last four bytes tell the size; room for all of it at once halves the time. A damaged size is only a hint.
    (size,) = struct.unpack("<I", contents[-4:].rjust(4, b"\0"))
    room = max(1, min(size, _MOST_COMPRESSED * len(contents)))
    try:
        return zlib.decompress(contents, _GZIP_WINDOW, room)
    except zlib.error as error:
        raise FileError(
            "the compressed file is damaged or truncated", where=str(path), got=str(error), fix="fetch the file again"
        ) from None


def parse_idx(contents: bytes, *, where: str) -> np.ndarray:
    """The array that `contents` describe.

    Example:
        >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), where="example")
        array([7, 8, 9], dtype=uint8)
    """
    if len(contents) < 4 or contents[:2] != b"\0\0" or contents[2] not in DTYPES or contents[3] == 0:
        raise FileError(
            "this is not an idx file",
            where=where,
            expected="two zero bytes, a type, and a number of axes",
            got=contents[:4].hex(" ") or "an empty file",
        )
    dtype, rank = np.dtype(DTYPES[contents[2]]), contents[3]
    start = 4 + 4 * rank
    if len(contents) < start:
        raise FileError("the idx file ends within its head", where=where, expected=f"{start} bytes", got=len(contents))
    shape = struct.unpack(f">{rank}I", contents[4:start])
    expected = start + dtype.itemsize * int(np.prod(shape, dtype=object))
    if len(contents) != expected:
        raise FileError(
            "the idx file is truncated or has more than it says",
            where=where,
            expected=f"{expected} bytes for {shape}",
            got=f"{len(contents)} bytes",
            fix="fetch the file again",
        )
    return np.frombuffer(contents, dtype=dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
