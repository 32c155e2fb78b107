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

_PER_CYCLE = 2  # multiply-adds, and loads
_LATENCY = 4
_PACK_CYCLES = 4
"""To copy a vector of a panel, which a panel that is all of the matrix does not need."""
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
    return _best_tile(known[0], -(-columns // lanes), known[1], tiles, target.vector_bits // 8, columns > FEW_COLUMNS)


@functools.cache
def _best_tile(
    rows: int, vectors: int, depth: int, tiles: tuple[tuple[int, int], ...], vector_bytes: int, dealt: bool
) -> tuple[int, int]:
    return min(tiles, key=lambda tile: count_cycles(rows, vectors, depth, tile, vector_bytes, dealt))


def count_cycles(
    rows: int, vectors: int, depth: int, tile: tuple[int, int], vector_bytes: int = 64, dealt: bool = False
) -> float:
    """Cycles of a product of `rows` rows and `vectors` vectors of columns, each a sum of `depth` terms.

    With `dealt` the tiles are dealt out by their number, so a narrower one at the end counts as a whole one.

    Example:
        >>> count_cycles(64, 4, 64, (6, 4)) < count_cycles(64, 4, 64, (12, 2))
        True
    """
    height, width = tile
    blocks = [height] * (rows // height) + powers_of_two(rows % height)
    panels = [width] * (vectors // width) + ([vectors % width] if vectors % width else [])
    if dealt and len(panels) > 1:
        panels[-1] = width
    total = 0.0
    for panel in panels:
        far = depth * panel * vector_bytes > _NEAR_BYTES
        for block in blocks:
            step = max(block * panel / _PER_CYCLE, (block + panel) / _PER_CYCLE + 1, _LATENCY)
            total += depth * (max(step, panel * vector_bytes / _STREAM_BYTES) if far else step)
        if len(panels) > 1:
            total += _PACK_CYCLES * depth * panel
    return total


def powers_of_two(count: int) -> list[int]:
    """The powers of two that add up to a count, the largest first.

    Rows below a full tile are taken in tiles of so many, elements below a full vector in pieces of so many.

    Example:
        >>> powers_of_two(11)
        [8, 2, 1]
    """
    return [1 << bit for bit in reversed(range(count.bit_length())) if count >> bit & 1]
