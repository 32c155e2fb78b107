"""Hashes of strings that are the same everywhere and always: FarmHash's 64-bit fingerprint and SipHash-2-4.

    texts ─to_bytes─► groups of equal length (n, length) ─► one hash each, in NumPy's 64-bit arithmetic

They are what Keras's layers compute by TensorFlow, so the buckets agree. Sources: farmhash (Google, 2014), its
"farmhashna" variant; Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_K0, _K1, _K2 = np.uint64(0xC3A5C85C97CB3127), np.uint64(0xB492B66FBE98F273), np.uint64(0x9AE16A3B2F90404F)
_MIX = np.uint64(0xC6A4A7935BD1E995)
_CROSS_KEY = np.uint64(0xDECAFCAFFE)

Rows = np.ndarray  # (n, length) bytes: strings of one length
Words = np.ndarray  # (n,) uint64


def fingerprint(texts: Any) -> np.ndarray:
    """FarmHash's fingerprint of each text.

    Args:
        texts: an array of strings, of any shape.

    Returns:
        uint64 of its shape.

    Example:
        >>> fingerprint(np.array(["A", "B"])) % 3
        array([1, 0], dtype=uint64)
    """
    return _by_length(texts, _farmhash)


def keyed_hash(texts: Any, key: tuple[int, int]) -> np.ndarray:
    """SipHash-2-4 of each text, with a key of two words.

    Example:
        >>> keyed_hash(np.array(["A", "B"]), (133, 137)) % 3
        array([1, 2], dtype=uint64)
    """

    def hash_rows(rows: Rows) -> Words:
        return _siphash(rows, key)

    return _by_length(texts, hash_rows)


def cross(columns: list[np.ndarray]) -> np.ndarray:
    """One hash for each row of several columns of uint64."""
    total = np.full(columns[0].shape, _CROSS_KEY)
    with np.errstate(over="ignore"):
        for column in columns:
            total = ((total ^ _MIX) ^ (_shift_mix(column * _MIX) * _MIX)) * _MIX
            total = _shift_mix(_shift_mix(total) * _MIX)
    return total


def as_strings(values: Any, encoding: str = "utf-8") -> np.ndarray:
    """An array of strings from strings or bytes, in arrays of objects too."""
    array = np.asarray(values)
    if array.dtype.kind == "U":
        return array
    texts = [text.decode(encoding) if isinstance(text, bytes) else str(text) for text in array.ravel().tolist()]
    return np.array(texts, dtype=np.str_).reshape(array.shape)


def to_texts(values: np.ndarray) -> np.ndarray:
    """Strings as they are; whole numbers in decimals, floats cut off to whole numbers first."""
    return as_strings(values if values.dtype.kind in "OSU" else values.astype(np.int64).astype(np.str_))


def _by_length(texts: Any, hash_rows: Callable[[Rows], Words]) -> np.ndarray:
    array = as_strings(texts)
    # Equal texts are hashed once: columns of categories hold few different ones.
    distinct, places = np.unique(array, return_inverse=True)
    encoded = [text.encode("utf-8") for text in distinct.tolist()]
    lengths = np.array([len(text) for text in encoded], dtype=np.int64)
    hashes = np.zeros(len(encoded), dtype=np.uint64)
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is what is meant
        for length in np.unique(lengths):
            chosen = np.flatnonzero(lengths == length)
            joined = b"".join(encoded[place] for place in chosen)
            hashes[chosen] = hash_rows(np.frombuffer(joined, dtype=np.uint8).reshape(len(chosen), length))
    return hashes[places].reshape(array.shape)


def _word(rows: Rows, at: int) -> Words:
    """The 8 bytes from `at` on, the first the lowest."""
    return np.ascontiguousarray(rows[:, at : at + 8]).view("<u8")[:, 0].astype(np.uint64)


def _half_word(rows: Rows, at: int) -> Words:
    return np.ascontiguousarray(rows[:, at : at + 4]).view("<u4")[:, 0].astype(np.uint64)


def _rotate(x: Words, bits: int) -> Words:
    """x turned to the right."""
    return (x >> np.uint64(bits)) | (x << np.uint64(64 - bits))


def _shift_mix(x: Words) -> Words:
    return x ^ (x >> np.uint64(47))


def _hash_pair(u: Words, v: Words, factor: np.uint64 | Words) -> Words:
    a = _shift_mix((u ^ v) * factor)
    return _shift_mix((v ^ a) * factor) * factor


def _farmhash(rows: Rows) -> Words:
    length = rows.shape[1]
    if length <= 16:
        return _farmhash_to_16(rows)
    if length <= 32:
        return _farmhash_to_32(rows)
    return _farmhash_to_64(rows) if length <= 64 else _farmhash_long(rows)


def _farmhash_to_16(rows: Rows) -> Words:
    count, length = rows.shape
    factor = _K2 + np.uint64(2 * length)
    if length >= 8:
        a, b = _word(rows, 0) + _K2, _word(rows, length - 8)
        return _hash_pair(_rotate(b, 37) * factor + a, (_rotate(a, 25) + b) * factor, factor)
    if length >= 4:
        first, last = _half_word(rows, 0), _half_word(rows, length - 4)
        return _hash_pair(np.uint64(length) + (first << np.uint64(3)), last, factor)
    if length == 0:
        return np.full(count, _K2)
    first, middle, last = (rows[:, at].astype(np.uint64) for at in (0, length >> 1, length - 1))
    y, z = first + (middle << np.uint64(8)), np.uint64(length) + (last << np.uint64(2))
    return _shift_mix(y * _K2 ^ z * _K0) * _K2


def _farmhash_to_32(rows: Rows) -> Words:
    length = rows.shape[1]
    factor = _K2 + np.uint64(2 * length)
    a, b = _word(rows, 0) * _K1, _word(rows, 8)
    c, d = _word(rows, length - 8) * factor, _word(rows, length - 16) * _K2
    return _hash_pair(_rotate(a + b, 43) + _rotate(c, 30) + d, a + _rotate(b + _K2, 18) + c, factor)


def _farmhash_to_64(rows: Rows) -> Words:
    length = rows.shape[1]
    factor = _K2 + np.uint64(2 * length)
    a, b = _word(rows, 0) * _K2, _word(rows, 8)
    c, d = _word(rows, length - 8) * factor, _word(rows, length - 16) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = _hash_pair(y, a + _rotate(b + _K2, 18) + c, factor)
    e, f = _word(rows, 16) * factor, _word(rows, 24)
    g, h = (y + _word(rows, length - 32)) * factor, (z + _word(rows, length - 24)) * factor
    return _hash_pair(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, factor)


def _mix_32(rows: Rows, at: int, a: Words, b: Words) -> tuple[Words, Words]:
    """Two words of state after 32 bytes."""
    w, x, y, z = (_word(rows, at + 8 * place) for place in range(4))
    a = a + w
    b = _rotate(b + a + z, 21)
    start = a
    a = a + x + y
    return a + z, b + _rotate(a, 44) + start


def _farmhash_long(rows: Rows) -> Words:
    count, length = rows.shape
    seed = np.uint64(81)
    x, y = np.full(count, seed), np.full(count, seed * _K1 + np.uint64(113))
    z = _shift_mix(y * _K2 + np.uint64(113)) * _K2
    zero = np.zeros(count, dtype=np.uint64)
    v, w = (zero, zero), (zero, zero)
    x = x * _K2 + _word(rows, 0)
    for at in range(0, (length - 1) // 64 * 64, 64):
        x = _rotate(x + y + v[0] + _word(rows, at + 8), 37) * _K1
        y = _rotate(y + v[1] + _word(rows, at + 48), 42) * _K1
        x = x ^ w[1]
        y = y + v[0] + _word(rows, at + 40)
        z = _rotate(z + w[0], 33) * _K1
        v = _mix_32(rows, at, v[1] * _K1, x + w[0])
        w = _mix_32(rows, at + 32, z + w[1], y + _word(rows, at + 16))
        z, x = x, z
    factor = _K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    at = length - 64
    w = (w[0] + np.uint64((length - 1) & 63), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x = _rotate(x + y + v[0] + _word(rows, at + 8), 37) * factor
    y = _rotate(y + v[1] + _word(rows, at + 48), 42) * factor
    x = x ^ (w[1] * np.uint64(9))
    y = y + v[0] * np.uint64(9) + _word(rows, at + 40)
    z = _rotate(z + w[0], 33) * factor
    v = _mix_32(rows, at, v[1] * factor, x + w[0])
    w = _mix_32(rows, at + 32, z + w[1], y + _word(rows, at + 16))
    z, x = x, z
    return _hash_pair(
        _hash_pair(v[0], w[0], factor) + _shift_mix(y) * _K0 + z, _hash_pair(v[1], w[1], factor) + x, factor
    )


def _siphash(rows: Rows, key: tuple[int, int]) -> Words:
    count, length = rows.shape
    keys = [np.uint64(word & 0xFFFFFFFFFFFFFFFF) for word in key]
    starts = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    state = [np.full(count, keys[place % 2] ^ np.uint64(start)) for place, start in enumerate(starts)]
    padded = np.zeros((count, length // 8 * 8 + 8), dtype=np.uint8)
    padded[:, :length], padded[:, -1] = rows, length & 0xFF
    for at in range(0, padded.shape[1], 8):
        word = _word(padded, at)
        state[3] = state[3] ^ word
        state = _sip_round(_sip_round(state))
        state[0] = state[0] ^ word
    state[2] = state[2] ^ np.uint64(0xFF)
    for _ in range(4):
        state = _sip_round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _sip_round(state: list[Words]) -> list[Words]:
    v0, v1, v2, v3 = state
    v0, v2 = v0 + v1, v2 + v3
    v1, v3 = _rotate(v1, 64 - 13) ^ v0, _rotate(v3, 64 - 16) ^ v2
    v0 = _rotate(v0, 32)
    v2, v0 = v2 + v1, v0 + v3
    v1, v3 = _rotate(v1, 64 - 17) ^ v2, _rotate(v3, 64 - 21) ^ v0
    return [v0, v1, _rotate(v2, 32), v3]
