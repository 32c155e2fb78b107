"""The idx reader: every element type, and every way in which a file can be damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from chainrule.data.idx import DTYPES, parse_idx, read_idx
from chainrule.errors import FileError


def as_idx(array: np.ndarray, code: int) -> bytes:
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(DTYPES[code]).tobytes()


@pytest.mark.parametrize("code", DTYPES)
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (2, 0, 4), (2, 3, 4)])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_type_and_shape_comes_back(tmp_path: Path, code: int, shape: tuple[int, ...], compressed: bool) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(DTYPES[code])
    contents = as_idx(array, code)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(contents) if compressed else contents)
    result = read_idx(path)
    assert result.shape == shape and result.dtype == array.dtype.newbyteorder("=")
    assert result.dtype.isnative and result.flags.writeable
    np.testing.assert_array_equal(result, array)


WHOLE = as_idx(np.arange(12).reshape(3, 4), 0x08)


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"\0",
        WHOLE[:3],
        WHOLE[:4],
        WHOLE[:7],
        WHOLE[:-1],
        WHOLE + b"\0",
        b"\1" + WHOLE[1:],
        WHOLE[:2] + b"\x07" + WHOLE[3:],
        WHOLE[:3] + b"\0" + WHOLE[4:],
        WHOLE[:4] + b"\xff" * 8 + WHOLE[12:],
        b"PK\3\4 something else",
    ],
)
def test_damaged_contents_are_refused(contents: bytes) -> None:
    with pytest.raises(FileError, match="the file"):
        parse_idx(contents, where="the file")


@pytest.mark.parametrize("cut", [2, 3, 9, 20, -1, -8])
def test_truncated_compressed_files_are_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(WHOLE)[:cut])
    with pytest.raises(FileError, match="damaged or truncated"):
        read_idx(path)


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    whole = gzip.compress(WHOLE)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            result = read_idx(path)
        except FileError:
            continue
        np.testing.assert_array_equal(result, np.arange(12).reshape(3, 4))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nothing\.gz"):
        read_idx(tmp_path / "nothing.gz")
