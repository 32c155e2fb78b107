"""The safetensors format: a JSON header with name, dtype, shape and place of each array, then the bytes. No code in it.

Source: the format's description in the safetensors repository, version 0.4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from chainrule.errors import FileError

_NAMES = {
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "bool": "BOOL",
}
_DTYPES = {short: np.dtype(name) for name, short in _NAMES.items()}
_LONGEST_HEADER = 100_000_000


def dump(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The file's contents for these arrays.

    Example:
        >>> load(dump({"a": np.arange(3, dtype="int32")}), "memory")["a"].tolist()
        [0, 1, 2]
    """
    header: dict[str, object] = {}
    offset = 0
    parts = []
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(raw)],
        }
        offset += len(raw)
        parts.append(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def load(contents: bytes, where: str) -> dict[str, np.ndarray]:
    """The arrays of a file; everything that does not fit together raises a FileError."""

    def damaged(reason: str) -> FileError:
        return FileError(f"not a sound safetensors file: {reason}", where=where, fix="use another copy of the file")

    if len(contents) < 8:
        raise damaged("it is shorter than 8 bytes")
    length = int.from_bytes(contents[:8], "little")
    if length > min(_LONGEST_HEADER, len(contents) - 8):
        raise damaged("the header is longer than the file")
    try:
        header = json.loads(contents[8 : 8 + length])
    except (ValueError, UnicodeDecodeError):
        raise damaged("the header is not JSON") from None
    data = contents[8 + length :]
    arrays: dict[str, np.ndarray] = {}
    if not isinstance(header, dict):
        raise damaged("the header is not an object")
    end = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = _DTYPES[entry["dtype"]], tuple(int(size) for size in entry["shape"])
            start, stop = (int(offset) for offset in entry["data_offsets"])
        except (KeyError, TypeError, ValueError):
            raise damaged(f"the entry '{name}' is incomplete") from None
        count = int(np.prod(shape, dtype=object)) if shape else 1
        if (
            min((*shape, start), default=0) < 0
            or start != end
            or stop > len(data)
            or stop - start != count * dtype.itemsize
        ):
            raise damaged(f"the bytes of '{name}' do not fit its shape")
        end = stop
        arrays[name] = np.frombuffer(data[start:stop], dtype=dtype).reshape(shape).copy()
    if end != len(data):
        raise damaged("bytes are left over")
    return arrays
