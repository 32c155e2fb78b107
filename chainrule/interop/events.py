"""Event files, as TensorBoard reads them: TFRecord frames around protocol-buffer messages, written here byte by byte.

    frame    length, 8 bytes | checksum of these | message | checksum of it
    message  Event: 1 wall time, double | 2 step | 3 version, first event only | 4 graph | 5 Summary
    Summary  1 Value, any number: 1 tag | 2 number, float | 4 image | 5 histogram | 9 metadata

Checksums are CRC-32C, rotated and shifted by a constant. Source: the descriptions of `event.proto`, `summary.proto`
and `graph.proto`, and of the record format, in TensorFlow's documentation.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_BUCKETS = 30
_numbers = itertools.count()

# -- the wire format: a field is its number and kind, then the value ------------------------------------------------

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """A whole number, seven bits a byte, the lowest first; the highest bit says that another byte follows.

    Example:
        >>> varint(300).hex()
        'ac02'
    """
    value &= (1 << 64) - 1  # negative numbers are written in two's complement
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, kind: int, contents: bytes) -> bytes:
    """A field of a message."""
    return varint(number << 3 | kind) + contents


def whole(number: int, value: int) -> bytes:
    return field(number, _VARINT, varint(value))


def double(number: int, value: float) -> bytes:
    return field(number, _EIGHT_BYTES, struct.pack("<d", value))


def single(number: int, value: float) -> bytes:
    return field(number, _FOUR_BYTES, struct.pack("<f", value))


def nested(number: int, contents: bytes | str) -> bytes:
    """A message within a message, bytes, or text."""
    raw = contents.encode() if isinstance(contents, str) else contents
    return field(number, _BYTES, varint(len(raw)) + raw)


# -- records ----------------------------------------------------------------------------------------------------


def _make_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _make_table()


def crc32c(contents: bytes) -> int:
    """The Castagnoli checksum.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    value = 0xFFFFFFFF
    for byte in contents:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def masked_checksum(contents: bytes) -> bytes:
    """The checksum of a record, changed so that checksums of what holds checksums stay good."""
    value = crc32c(contents)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(message: bytes) -> bytes:
    """A message in its frame."""
    length = struct.pack("<Q", len(message))
    return length + masked_checksum(length) + message + masked_checksum(message)


# -- events -----------------------------------------------------------------------------------------------------


def event(step: int, contents: bytes, seconds: float | None = None) -> bytes:
    """The record of an event at a step; `contents` are the fields that say what it is."""
    return record(double(1, time.time() if seconds is None else seconds) + whole(2, step) + contents)


def version() -> bytes:
    """The record that a file begins with."""
    return event(0, nested(3, "brain.Event:2"))


def summary(values: Sequence[bytes]) -> bytes:
    """The field of an event that holds some values."""
    return nested(5, b"".join(nested(1, value) for value in values))


def scalar(tag: str, value: float) -> bytes:
    """A number."""
    return nested(1, tag) + single(2, value)


def histogram(tag: str, values: np.ndarray) -> bytes:
    """How often numbers lie in each of 30 intervals of equal width."""
    numbers = np.asarray(values, dtype=np.float64).ravel()
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        numbers = np.zeros(1)
    counts, edges = np.histogram(numbers, _BUCKETS)
    limits = struct.pack(f"<{_BUCKETS}d", *edges[1:])
    found = (
        double(1, numbers.min()),
        double(2, numbers.max()),
        double(3, numbers.size),
        double(4, numbers.sum()),
        double(5, np.square(numbers).sum()),
        nested(6, limits),
        nested(7, struct.pack(f"<{_BUCKETS}d", *counts)),
    )
    return nested(1, tag) + nested(5, b"".join(found))


def image(tag: str, pixels: np.ndarray) -> bytes:
    """A gray picture: uint8, (height, width)."""
    height, width = pixels.shape
    found = whole(1, height) + whole(2, width) + whole(3, 1) + nested(4, png(pixels))
    return nested(1, tag) + nested(4, found)


def png(pixels: np.ndarray) -> bytes:
    """A picture as PNG: gray (height, width), or red, green and blue (height, width, 3).

    Source: the PNG specification, W3C 2003.
    """

    def chunk(kind: bytes, contents: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + contents))
        return struct.pack(">I", len(contents)) + kind + contents + checksum

    height, width = pixels.shape[:2]
    lines = pixels.astype(np.uint8).reshape(height, -1)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), lines], axis=1)  # 0: no filter
    colour_type = 0 if pixels.ndim == 2 else 2
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + chunk(b"IEND", b"")
    )


@dataclass(frozen=True)
class GraphNode:
    """A node of the graph that TensorBoard draws."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    notes: Mapping[str, str]


def graph(nodes: Sequence[GraphNode]) -> bytes:
    """The field of an event that holds a graph."""
    messages = []
    for node in nodes:
        notes = b"".join(nested(5, nested(1, name) + nested(2, nested(2, text))) for name, text in node.notes.items())
        messages.append(
            nested(1, nested(1, node.name) + nested(2, node.kind) + b"".join(nested(3, i) for i in node.inputs) + notes)
        )
    return nested(4, b"".join(messages))


def new_path(folder: Path) -> Path:
    """A name for a new event file that no other process uses."""
    name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}.v2"
    return folder / name
