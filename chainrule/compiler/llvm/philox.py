"""Philox4x32-10 in LLVM text: the same rounds as `ops.philox`, on the lanes of a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.compiler.llvm.writer import Reg
from chainrule.graph.types import int64, uint32
from chainrule.ops.philox import KEY_STEPS, MULTIPLIERS, ROUNDS

if TYPE_CHECKING:
    from chainrule.compiler.llvm.arithmetic import Arithmetic


def philox(w: Arithmetic, key0: Reg, key1: Reg, stream: Reg, draw: Reg, low: Reg, high: Reg) -> Reg:
    """Word 0 for the key (key0, key1) and the counters (low, high, draw, stream); all uint32."""
    counter = [low, high, draw, stream]
    keys = [key0, key1]
    for _ in range(ROUNDS):
        high0, low0 = _multiply_wide(w, counter[0], MULTIPLIERS[0])
        high1, low1 = _multiply_wide(w, counter[2], MULTIPLIERS[1])
        counter = [w.xor(w.xor(high1, counter[1]), keys[0]), low1, w.xor(w.xor(high0, counter[3]), keys[1]), low0]
        keys = [w.add(key, w.like(step, key)) for key, step in zip(keys, KEY_STEPS, strict=True)]
    return counter[0]


def _multiply_wide(w: Arithmetic, x: Reg, factor: int) -> tuple[Reg, Reg]:
    """The upper and the lower half of a 64-bit product."""
    product = w.multiply(w.cast(x, int64), w.const(factor, int64, x.lanes))
    return w.cast(w.lshr(product, w.like(32, product)), uint32), w.cast(product, uint32)
