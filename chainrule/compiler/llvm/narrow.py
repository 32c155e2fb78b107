"""Products of bfloat16 numbers: both matrices packed as pairs along k, two products for each lane and instruction.

The operands lie in memory as float32. Packing rounds them to bfloat16 and puts the numbers for k = 2 j and 2 j + 1 side
by side into one word of 32 bits:

    right   workspace[j, n]          for the columns of one panel
    left    workspace[m, j]          for all rows, once for each worker, behind the panel

An odd last k gets a zero beside it. Rows of pairs are rounded up to whole vectors, so that blocks are stored whole.
Sums are float32. Only for processors that have the instructions; for others `compiler.precision` spells it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.compiler.llvm.writer import Reg
from chainrule.graph.types import bool_, float32

if TYPE_CHECKING:
    from chainrule.compiler.kernel import Position
    from chainrule.compiler.llvm.emit import KernelEmitter, Number

_BLOCK = 32  # numbers along k that make a vector of pairs
_LANES = 16


def multiply_pairs(w: KernelEmitter, total: Reg, left: Reg, right: Reg) -> Reg:
    """``total + left[0] right[0] + left[1] right[1]`` in each lane."""
    name = "@llvm.x86.avx512bf16.dpbf16ps.512"
    w.declare(f"declare <16 x float> {name}(<16 x float>, <32 x bfloat>, <32 x bfloat>)")
    pairs = []
    for value in (left, right):
        pair = w.fresh("pair")
        w.line(f"{pair} = bitcast <16 x float> {value} to <32 x bfloat>")
        pairs.append(pair)
    text = f"call <16 x float> {name}(<16 x float> {total}, <32 x bfloat> {pairs[0]}, <32 x bfloat> {pairs[1]})"
    return w.op(text, float32, _LANES)


def pairs_of_rows(w: KernelEmitter, first: Reg, second: Reg) -> Reg:
    """Sixteen pairs of a number in `first` and the one below it in `second`."""
    halves = []
    for value in (first, second):
        narrow, whole, wide = w.fresh("bf"), w.fresh("bits"), w.fresh("wide")
        w.declare("declare <16 x bfloat> @llvm.x86.avx512bf16.cvtneps2bf16.512(<16 x float>)")
        w.line(f"{narrow} = call <16 x bfloat> @llvm.x86.avx512bf16.cvtneps2bf16.512(<16 x float> {value})")
        w.line(f"{whole} = bitcast <16 x bfloat> {narrow} to <16 x i16>")
        w.line(f"{wide} = zext <16 x i16> {whole} to <16 x i32>")
        halves.append(wide)
    shifted, joined = w.fresh("high"), w.fresh("pair")
    sixteen = ", ".join(["i32 16"] * _LANES)
    w.line(f"{shifted} = shl <16 x i32> {halves[1]}, <{sixteen}>")
    w.line(f"{joined} = or <16 x i32> {halves[0]}, {shifted}")
    return w.op(f"bitcast <16 x i32> {joined} to <16 x float>", float32, _LANES)


def pairs_of_run(w: KernelEmitter, low: Reg, high: Reg) -> Reg:
    """Sixteen pairs of neighbours among 32 numbers in a row."""
    name = "@llvm.x86.avx512bf16.cvtne2ps2bf16.512"
    w.declare(f"declare <32 x bfloat> {name}(<16 x float>, <16 x float>)")
    narrow = w.fresh("bf")
    w.line(f"{narrow} = call <32 x bfloat> {name}(<16 x float> {high}, <16 x float> {low})")
    return w.op(f"bitcast <32 x bfloat> {narrow} to <16 x float>", float32, _LANES)


class PairPacker:
    """Packs a matrix that is read along k and along one other loop.

    Args:
        position, pointer: where the elements lie.
        loop, k_loop: the other loop, and that of k.
        extent, depth: how far they run.
        indices: those of the loops around.
    """

    def __init__(
        self,
        w: KernelEmitter,
        position: Position,
        pointer: str,
        loop: int,
        k_loop: int,
        extent: Number,
        depth: Number,
        indices: dict[int, Number],
    ):
        self.w, self.position, self.pointer = w, position, pointer
        self.loop, self.k_loop, self.extent, self.depth, self.indices = loop, k_loop, extent, depth, indices

    def address(self, at: Number, k: Number) -> str:
        place = self.w.place_of(self.position.terms, {**self.indices, self.loop: at, self.k_loop: k})
        return self.w.element(self.pointer, float32, place)

    def across(self, at: Number, k: Number) -> Reg:
        """Pairs for 16 neighbours along the other loop from `at`, for k and k + 1; zeros outside the matrix."""
        w = self.w
        mask = w.mask(w.int_op("sub", self.extent, at))
        below = w.int_op("add", k, 1)
        inside = w.compare_int("slt", below, self.depth)
        both = w.op(f"select i1 {inside}, <16 x i1> {mask}, <16 x i1> zeroinitializer", bool_, _LANES)
        rows = [w.load_run(self.address(at, k), float32, _LANES, mask)]
        rows.append(w.load_run(self.address(at, below), float32, _LANES, both.name))
        return pairs_of_rows(w, *rows)

    def along(self, at: Number, k: Number) -> Reg:
        """Pairs of 32 numbers along k at one place of the other loop, at most its last; zeros behind the last k."""
        w = self.w
        row = w.minimum_int(at, w.int_op("sub", self.extent, 1))
        halves = []
        for offset in (0, _LANES):
            start = w.int_op("add", k, offset)
            mask = w.mask(w.maximum_int(w.int_op("sub", self.depth, start), 0))
            halves.append(w.load_run(self.address(row, start), float32, _LANES, mask))
        return pairs_of_run(w, *halves)

    def block_of_rows(self, at: Number, k: Number) -> list[Reg]:
        """For 16 places from `at` along the other loop: the vector of pairs of k to k + 31."""
        if self.position.is_unit(self.k_loop):
            return [self.along(self.w.int_op("add", at, lane), k) for lane in range(_LANES)]
        return self.w.transpose_block([self.across(at, self.w.int_op("add", k, 2 * pair)) for pair in range(_LANES)])

    def block_of_pairs(self, at: Number, k: Number) -> list[Reg]:
        """For 16 pairs from k: the vector of 16 places from `at` along the other loop."""
        if self.position.is_unit(self.loop):
            return [self.across(at, self.w.int_op("add", k, 2 * pair)) for pair in range(_LANES)]
        return self.w.transpose_block([self.along(self.w.int_op("add", at, lane), k) for lane in range(_LANES)])


def pairs_in(w: KernelEmitter, depth: Number) -> Number:
    """Pairs that k makes, the last perhaps with a zero."""
    return w.int_op("udiv", w.int_op("add", depth, 1), 2)


def row_of_pairs(w: KernelEmitter, depth: Number) -> Number:
    """Words of a row of pairs along k: whole vectors, and one more, so that rows do not fall on the same cache sets."""
    blocks = w.int_op("udiv", w.int_op("add", depth, _BLOCK - 1), _BLOCK)
    return w.int_op("mul", w.int_op("add", blocks, 1), _LANES)


def emit_right_packing(w: KernelEmitter, packer: PairPacker, n0: Number, vectors: int) -> None:
    """``workspace[j, c]``, the pairs of the columns from n0."""
    width = vectors * _LANES
    with w.loop(0, packer.depth, _BLOCK) as k:
        first = w.int_op("mul", w.int_op("udiv", k, 2), width)
        for place in range(vectors):
            block = packer.block_of_pairs(w.int_op("add", n0, place * _LANES), k)
            for pair, vector in enumerate(block):
                at = w.int_op("add", first, pair * width + place * _LANES)
                w.store_run(w.element(w.workspace, float32, at), vector)


def emit_left_packing(w: KernelEmitter, packer: PairPacker, target: str) -> None:
    """``target[m, j]``, the pairs of all rows."""
    words = row_of_pairs(w, packer.depth)
    with w.loop(0, packer.extent, _LANES) as m, w.loop(0, packer.depth, _BLOCK) as k:
        for lane, vector in enumerate(packer.block_of_rows(m, k)):
            row = w.int_op("mul", w.int_op("add", m, lane), words)
            place = w.int_op("add", row, w.int_op("udiv", k, 2))
            w.store_run(w.element(target, float32, place), vector)
