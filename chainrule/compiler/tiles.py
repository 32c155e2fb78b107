"""Tiles: which part of a matrix product is held in registers at once, from a count of the processor's cycles.

A tile of r rows and v vectors adds r * v products a step of the sum; it loads v vectors of the right matrix and r
numbers of the left. Two multiply-adds and two loads a cycle, one cycle of loads left to others, and four cycles until a
sum can be added to again, bound the step from below:

    cycles(r, v) = max(r v / 2, (r + v) / 2 + 1, 4)

The counts are those of today's processors with wide vectors; what matters is only which tile has the fewest. Which tile
is taken changes no bit: each sum is added up in the same order.

Source: Goto, van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008.
"""

from __future__ import annotations

import functools

from chainrule import settings
from chainrule.compiler.kernel import Kernel, MatrixProduct
from chainrule.compiler.target import Target

TILES = {32: ((12, 2), (8, 3), (6, 4), (4, 5), (16, 1)), 16: ((6, 2), (4, 3), (12, 1))}
"""Rows and vectors of the tiles that fit so many registers beside the two factors; of equals the first is taken."""

_TYPICAL = 96
"""What an open size is taken for."""

FEW_COLUMNS = 128
"""Up to so many columns every worker may pack the whole right matrix for its own rows; more are dealt out by tiles."""

_KEEP_ROWS, _KEEP_PANELS = 2048, 16
"""From so many rows and panels on the left matrix is copied: its rows, or its columns, lie pages apart, in the same few
places of the caches. The copy is made beside the products of the first panel."""

_KEPT_BLOCKS = 32
KEPT_WORDS = 1 << 20
"""At a time, rows of so many tiles at most are copied, fewer where they are more than so many elements: for each such
part the right matrix is packed anew, and beside it what is kept of the left should stay in the third cache."""

_PER_CYCLE = 2  # multiply-adds, and loads
_LATENCY = 4
_PACK_CYCLES = 4
"""To copy a vector of a panel, which a panel that is all of the matrix does not need."""
_PAGE_BYTES, _PAGE_CYCLES = 4096, 8
"""To come to a panel's next row where each row of the matrix is a page or more."""
_NEAR_BYTES = 24 << 10
"""A panel up to this size stays in the first cache; a longer one streams from the second, at so many bytes a cycle:"""
_STREAM_BYTES = 16


def choose_tile(kernel: Kernel, target: Target, lanes: int) -> tuple[int, int]:
    """Rows and vectors of a product's tile: those with the fewest cycles, or those that CHAINRULE_TILE names."""
    assert isinstance(kernel.core, MatrixProduct)
    rows, columns = kernel.loops[-2:]
    tiles = TILES[32 if target.registers >= 32 else 16]
    asked = settings.register_tile(tiles)
    if asked is not None or not isinstance(columns, int) or kernel.core.narrow:
        return asked or tiles[0]
    known = [dim if isinstance(dim, int) else _TYPICAL for dim in (rows, kernel.core.depth)]
    vector_bytes = target.vector_bits // 8
    apart = isinstance(kernel.core.depth, int) and columns // lanes * vector_bytes >= _PAGE_BYTES
    return _best_tile(known[0], -(-columns // lanes), known[1], tiles, vector_bytes, columns > FEW_COLUMNS, apart)


def choose_kept(kernel: Kernel, tile: tuple[int, int], lanes: int) -> int:
    """Of how many tiles' rows a product keeps copies of the left matrix, in the order in which tiles read it."""
    core = kernel.core
    assert isinstance(core, MatrixProduct)
    rows, columns = kernel.loops[-2:]
    if kernel.rank > 2 or core.narrow or not isinstance(rows, int) or not isinstance(columns, int):
        return 0
    return _KEPT_BLOCKS if rows >= _KEEP_ROWS and columns >= _KEEP_PANELS * tile[1] * lanes else 0


def count_kept(depth: int, rows: int, most: int) -> int:
    """Elements of these copies, for tiles of so many rows."""
    return min(max(KEPT_WORDS // rows // max(depth, 1), fewest_kept(most)), most) * rows * depth


def fewest_kept(most: int) -> int:
    """Of how many tiles' rows copies are kept, however many elements they have."""
    return max(most // 8, 1)


@functools.cache
def _best_tile(
    rows: int,
    vectors: int,
    depth: int,
    tiles: tuple[tuple[int, int], ...],
    vector_bytes: int,
    dealt: bool,
    apart: bool,
) -> tuple[int, int]:
    return min(tiles, key=lambda tile: count_cycles(rows, vectors, depth, tile, vector_bytes, dealt, apart))


def count_cycles(
    rows: int,
    vectors: int,
    depth: int,
    tile: tuple[int, int],
    vector_bytes: int = 64,
    dealt: bool = False,
    apart: bool = False,
) -> float:
    """Cycles of a product of `rows` rows and `vectors` vectors of columns, each a sum of `depth` terms.

    With `dealt` the tiles are dealt out by their number, so a narrower one at the end counts as a whole one; with
    `apart` the rows of the right matrix lie pages apart.

    Example:
        >>> count_cycles(64, 4, 64, (6, 4)) < count_cycles(64, 4, 64, (12, 2))
        True
    """
    height, width = tile
    blocks = [height] * (rows // height) + powers_of_two(rows % height)
    panels = [width] * (vectors // width) + ([vectors % width] if vectors % width else [])
    if dealt and len(panels) > 1:
        panels[-1] = width
    turn = _PAGE_CYCLES if apart else 0
    total = 0.0
    for panel in panels:
        far = depth * panel * vector_bytes > _NEAR_BYTES
        for block in blocks:
            step = max(block * panel / _PER_CYCLE, (block + panel) / _PER_CYCLE + 1, _LATENCY)
            total += depth * (max(step, panel * vector_bytes / _STREAM_BYTES) if far else step)
        if len(panels) > 1:
            total += depth * (_PACK_CYCLES * panel + turn)
    return total


def powers_of_two(count: int) -> list[int]:
    """The powers of two that add up to a count, the largest first.

    Rows below a full tile are taken in tiles of so many, elements below a full vector in pieces of so many.

    Example:
        >>> powers_of_two(11)
        [8, 2, 1]
    """
    return [1 << bit for bit in reversed(range(count.bit_length())) if count >> bit & 1]
