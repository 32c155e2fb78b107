"""Operations on numbers in LLVM text, on any number of lanes: what the formulas of primitives are written with.

An operation is the same instructions for one lane and for sixteen, so an element's bits do not depend on where it lies.
No flag allows LLVM to reorder: NaN and infinity mean what IEEE 754 says. Functions such as exp are in `vecmath`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from chainrule.compiler.llvm import philox, vecmath
from chainrule.compiler.llvm.writer import Reg, Writer, llvm_type
from chainrule.graph.types import DType, bool_, int32, int64

_COMPARISONS = {  # floats, signed, unsigned
    "equal": ("oeq", "eq", "eq"),
    "not_equal": ("une", "ne", "ne"),
    "less": ("olt", "slt", "ult"),
    "less_equal": ("ole", "sle", "ule"),
    "greater": ("ogt", "sgt", "ugt"),
    "greater_equal": ("oge", "sge", "uge"),
}


class Arithmetic(Writer):
    """A writer with arithmetic. Operands of one call have equal dtype and lanes."""

    # -- constants and lanes --------------------------------------------------------------------------------------

    def const(self, value: float, dtype: DType, lanes: int = 1) -> Reg:
        """A literal in every lane; floats are written exactly."""
        if dtype.is_float:
            rounded = float(np.asarray(value, dtype=dtype.numpy))
            text = f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"
        elif dtype == bool_:
            text = "true" if value else "false"
        else:
            text = str(int(value))
        return self.splat(Reg(text, dtype), lanes)

    def like(self, value: float, reg: Reg) -> Reg:
        """A literal with the dtype and the lanes of `reg`."""
        return self.const(value, reg.dtype, reg.lanes)

    def splat(self, scalar: Reg, lanes: int) -> Reg:
        """A scalar in every lane."""
        if lanes == 1:
            return scalar
        kind = llvm_type(scalar.dtype, lanes)
        if not scalar.name.startswith("%"):
            items = ", ".join([f"{scalar.type} {scalar.name}"] * lanes)
            return Reg(f"<{items}>", scalar.dtype, lanes)
        first = self.op(f"insertelement {kind} poison, {scalar.type} {scalar}, i64 0", scalar.dtype, lanes)
        return self.op(
            f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer", scalar.dtype, lanes
        )

    def iota(self, dtype: DType, lanes: int) -> Reg:
        """0, 1, 2, … along the lanes."""
        if lanes == 1:
            return self.const(0, dtype)
        return Reg(f"<{', '.join(f'{llvm_type(dtype)} {lane}' for lane in range(lanes))}>", dtype, lanes)

    def reduce_lanes(self, combine: Callable[[Arithmetic, Reg, Reg], Reg], reg: Reg) -> Reg:
        """All lanes combined in a fixed tree: halves with each other, again and again."""
        while reg.lanes > 2:
            half = reg.lanes // 2
            parts = []
            for start in (0, half):
                picks = ", ".join(f"i32 {start + lane}" for lane in range(half))
                text = f"shufflevector {reg.type} {reg}, {reg.type} poison, <{half} x i32> <{picks}>"
                parts.append(self.op(text, reg.dtype, half))
            reg = combine(self, parts[0], parts[1])
        if reg.lanes == 1:
            return reg
        first, second = (self.op(f"extractelement {reg.type} {reg}, i64 {lane}", reg.dtype) for lane in (0, 1))
        return combine(self, first, second)

    # -- helpers --------------------------------------------------------------------------------------------------

    def binary(self, floats: str, ints: str, a: Reg, b: Reg) -> Reg:
        return self.op(f"{floats if a.dtype.is_float else ints} {a.type} {a}, {b}", a.dtype, a.lanes)

    def intrinsic(self, name: str, *operands: Reg) -> Reg:
        """Call ``llvm.name`` for the operands' type."""
        first = operands[0]
        suffix = (
            f"v{first.lanes}" if first.lanes > 1 else ""
        ) + f"{'f' if first.dtype.is_float else 'i'}{first.dtype.bits}"
        types = ", ".join(operand.type for operand in operands)
        self.declare(f"declare {first.type} @llvm.{name}.{suffix}({types})")
        values = ", ".join(f"{operand.type} {operand}" for operand in operands)
        return self.op(f"call {first.type} @llvm.{name}.{suffix}({values})", first.dtype, first.lanes)

    def compare(self, name: str, a: Reg, b: Reg) -> Reg:
        floats, signed, unsigned = _COMPARISONS[name]
        if a.dtype.is_float:
            return self.op(f"fcmp {floats} {a.type} {a}, {b}", bool_, a.lanes)
        condition = signed if a.dtype.kind == "int" else unsigned
        return self.op(f"icmp {condition} {a.type} {a}, {b}", bool_, a.lanes)

    # -- arithmetic -----------------------------------------------------------------------------------------------

    def identity(self, x: Reg) -> Reg:
        return x

    def add(self, a: Reg, b: Reg) -> Reg:
        return self.binary("fadd", "add", a, b)

    def subtract(self, a: Reg, b: Reg) -> Reg:
        return self.binary("fsub", "sub", a, b)

    def multiply(self, a: Reg, b: Reg) -> Reg:
        return self.binary("fmul", "mul", a, b)

    def divide(self, a: Reg, b: Reg) -> Reg:
        return self.binary("fdiv", "sdiv" if a.dtype.kind == "int" else "udiv", a, b)

    def fma(self, a: Reg, b: Reg, c: Reg) -> Reg:
        """``a * b + c``, rounded once where the target can, twice where it cannot."""
        if not self.target.has_fma:
            return self.add(self.multiply(a, b), c)
        return self.intrinsic("fma", a, b, c)

    def negative(self, x: Reg) -> Reg:
        if x.dtype.is_float:
            return self.op(f"fneg {x.type} {x}", x.dtype, x.lanes)
        return self.subtract(self.like(0, x), x)

    def absolute(self, x: Reg) -> Reg:
        if x.dtype.is_float:
            return self.intrinsic("fabs", x)
        return self.select(self.less(x, self.like(0, x)), self.negative(x), x)

    def sign(self, x: Reg) -> Reg:
        zero = self.like(0, x)
        below = self.select(self.less(x, zero), self.like(-1, x), x if x.dtype.is_float else zero)
        return self.select(self.greater(x, zero), self.like(1, x), below)

    def maximum(self, a: Reg, b: Reg) -> Reg:
        """The larger; NaN if either is."""
        first = self.greater(a, b)
        if a.dtype.is_float:
            first = self.logical_or(first, self.not_equal(a, a))
        return self.select(first, a, b)

    def minimum(self, a: Reg, b: Reg) -> Reg:
        """The smaller; NaN if either is."""
        first = self.less(a, b)
        if a.dtype.is_float:
            first = self.logical_or(first, self.not_equal(a, a))
        return self.select(first, a, b)

    def floor_mod(self, a: Reg, b: Reg) -> Reg:
        """What is left of a division that rounds down; it has the divisor's sign."""
        if a.dtype.kind == "uint":
            return self.binary("", "urem", a, b)
        if a.dtype.is_float:
            quotient = self.floor(self.divide(a, b))
            return self.fma(self.negative(quotient), b, a)
        rest = self.binary("", "srem", a, b)
        zero = self.like(0, rest)
        differs = self.less(self.xor(rest, b), zero)
        return self.select(self.logical_and(differs, self.not_equal(rest, zero)), self.add(rest, b), rest)

    def relu(self, x: Reg) -> Reg:
        zero = self.like(0, x)
        return self.select(self.less(x, zero), zero, x)

    def sqrt(self, x: Reg) -> Reg:
        return self.intrinsic("sqrt", x)

    # -- whole numbers --------------------------------------------------------------------------------------------

    def _near_whole(self, x: Reg) -> Reg:
        """The nearest whole number by adding and taking away a number so large that it has no fraction."""
        magic = self.like(2.0 ** (23 if x.dtype.bits == 32 else 52), x)
        size = self.absolute(x)
        rounded = self.subtract(self.add(size, magic), magic)
        signed = self.intrinsic("copysign", rounded, x)
        return self.select(self.less(size, magic), signed, x)

    def round(self, x: Reg) -> Reg:
        """Halves to even."""
        return self._near_whole(x) if self.target.name == "sse2" else self.intrinsic("rint", x)

    def floor(self, x: Reg) -> Reg:
        if self.target.name != "sse2":
            return self.intrinsic("floor", x)
        near = self._near_whole(x)
        return self.select(self.greater(near, x), self.subtract(near, self.like(1, x)), near)

    def ceil(self, x: Reg) -> Reg:
        if self.target.name != "sse2":
            return self.intrinsic("ceil", x)
        near = self._near_whole(x)
        return self.select(self.less(near, x), self.add(near, self.like(1, x)), near)

    # -- comparison and bits --------------------------------------------------------------------------------------

    def equal(self, a: Reg, b: Reg) -> Reg:
        return self.compare("equal", a, b)

    def not_equal(self, a: Reg, b: Reg) -> Reg:
        return self.compare("not_equal", a, b)

    def less(self, a: Reg, b: Reg) -> Reg:
        return self.compare("less", a, b)

    def less_equal(self, a: Reg, b: Reg) -> Reg:
        return self.compare("less_equal", a, b)

    def greater(self, a: Reg, b: Reg) -> Reg:
        return self.compare("greater", a, b)

    def greater_equal(self, a: Reg, b: Reg) -> Reg:
        return self.compare("greater_equal", a, b)

    def select(self, condition: Reg, a: Reg, b: Reg) -> Reg:
        return self.op(f"select {condition.type} {condition}, {a.type} {a}, {b.type} {b}", a.dtype, a.lanes)

    def logical_and(self, a: Reg, b: Reg) -> Reg:
        return self.binary("", "and", a, b)

    def logical_or(self, a: Reg, b: Reg) -> Reg:
        return self.binary("", "or", a, b)

    def logical_not(self, a: Reg) -> Reg:
        return self.binary("", "xor", a, self.like(1, a))

    and_ = logical_and
    or_ = logical_or

    def xor(self, a: Reg, b: Reg) -> Reg:
        return self.binary("", "xor", a, b)

    def shl(self, a: Reg, b: Reg) -> Reg:
        return self.binary("", "shl", a, b)

    def lshr(self, a: Reg, b: Reg) -> Reg:
        return self.binary("", "lshr", a, b)

    def bitcast(self, x: Reg, dtype: DType) -> Reg:
        """The same bits read as another type of the same size."""
        return self.op(f"bitcast {x.type} {x} to {llvm_type(dtype, x.lanes)}", dtype, x.lanes)

    def cast(self, x: Reg, dtype: DType) -> Reg:
        """The same number in another type, as NumPy's astype; to bool: whether it is not zero."""
        if x.dtype == dtype:
            return x
        if dtype == bool_:
            return self.not_equal(x, self.like(0, x))
        source = x.dtype
        unsigned = source.kind in ("bool", "uint")
        if source.is_float and dtype.is_float:
            operation = "fpext" if dtype.bits > source.bits else "fptrunc"
        elif source.is_float:
            # Through a signed type of at least 32 bits, so that what is out of range wraps as in NumPy.
            wide = int64 if dtype.bits == 64 or dtype.kind == "uint" and dtype.bits == 32 else int32
            if wide != dtype and wide.bits != dtype.bits:
                return self.cast(self.cast(x, wide), dtype)
            operation = "fptosi"
        elif dtype.is_float:
            operation = "uitofp" if unsigned else "sitofp"
        elif source == bool_:
            operation = "zext"
        elif dtype.bits < source.bits:
            operation = "trunc"
        elif dtype.bits > source.bits:
            operation = "zext" if unsigned else "sext"
        else:
            return Reg(x.name, dtype, x.lanes)
        return self.op(f"{operation} {x.type} {x} to {llvm_type(dtype, x.lanes)}", dtype, x.lanes)

    # -- functions ------------------------------------------------------------------------------------------------

    def exp(self, x: Reg) -> Reg:
        return vecmath.exp(self, x)

    def expm1(self, x: Reg) -> Reg:
        return vecmath.expm1(self, x)

    def log(self, x: Reg) -> Reg:
        return vecmath.log(self, x)

    def log1p(self, x: Reg) -> Reg:
        return vecmath.log1p(self, x)

    def tanh(self, x: Reg) -> Reg:
        return vecmath.tanh(self, x)

    def sigmoid(self, x: Reg) -> Reg:
        return vecmath.sigmoid(self, x)

    def erf(self, x: Reg) -> Reg:
        return vecmath.erf(self, x)

    def sin(self, x: Reg) -> Reg:
        return vecmath.sin(self, x)

    def cos(self, x: Reg) -> Reg:
        return vecmath.cos(self, x)

    def power(self, x: Reg, y: Reg) -> Reg:
        return vecmath.power(self, x, y)

    def philox(self, key0: Reg, key1: Reg, stream: Reg, draw: Reg, low: Reg, high: Reg) -> Reg:
        return philox.philox(self, key0, key1, stream, draw, low, high)
