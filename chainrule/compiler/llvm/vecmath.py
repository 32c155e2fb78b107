"""exp, log, tanh and others on vectors: range reduction and a polynomial, without branches and without a library.

Each takes the writer and a float32 or float64 value of any lanes. Polynomials of exp, tanh and erf are the best of
their degree; the others are the Taylor series on an interval so short that the first term left out is below the
rounding, with the exact coefficients, rounded once. NaN passes through exp, tanh and erf without a choice at the end.
Accuracy, held by the tests: float32 within 5 units in the last place, float64 within 8, but for `power` and `erf` in
float64, whose error grows with |y log x| and with x**2, and `sin` and `cos`, which lose digits beyond |x| = 10,000.

Sources: Muller et al., "Handbook of floating-point arithmetic", 2nd edition, 2018; Remez, "Sur la détermination des
polynômes d'approximation de degré donné", 1934.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from chainrule.compiler.llvm.writer import Reg
from chainrule.graph.types import DType, float32, float64, int32, int64

if TYPE_CHECKING:
    from chainrule.compiler.llvm.arithmetic import Arithmetic


def _bits(dtype: DType) -> tuple[DType, int, int]:
    """The integer type of the same size, the bits of the fraction, the bias of the exponent."""
    return (int32, 23, 127) if dtype == float32 else (int64, 52, 1023)


def _polynomial(w: Arithmetic, x: Reg, coefficients: Sequence[float]) -> Reg:
    """``c[0] + c[1] x + c[2] x**2 + …``, from the last to the first."""
    total = w.like(coefficients[-1], x)
    for coefficient in reversed(coefficients[:-1]):
        total = w.fma(total, x, w.like(coefficient, x))
    return total


def _parts(value: Fraction, widths: Sequence[int]) -> list[float]:
    """A number as a sum of floats whose fractions have few bits, so that small multiples of them are exact."""
    parts = []
    for width in widths:
        scale = width - 1 - math.floor(math.log2(abs(float(value))))
        part = Fraction(round(value * 2**scale), 2**scale) if scale >= 0 else value
        parts.append(float(part))
        value -= part
    return [*parts, float(value)]


# 40 digits, of which `_parts` makes pieces.
_LN2 = Fraction("0.6931471805599453094172321214581765680755")
_HALF_PI = Fraction("1.5707963267948966192313216916397514420986")


# Coefficients, lowest degree first, found by Remez's exchange in 60 digits and rounded once, of what comes nearest to
# - exp(r) for |r| <= ln 2 / 2, among 1 + r + r**2 q(r): but for 3.1e-9 of it in float32, 3.6e-18 in float64;
# - tanh(r) for |r| <= ln 2 / 4, among r + r**3 q(r**2): but for 5.6e-8 and 4.1e-18;
# - erf(x) for |x| <= 4, among x p(x**2) / q(x**2): but for 2.5e-8.
# A rounding to float32 changes a number by up to 6.0e-8 of it, to float64 by 1.1e-16.
_EXP = {
    float32: (0.4999999345, 0.1666652068, 0.04166838722, 0.008368710677, 0.001381462289),
    float64: (
        0.50000000000000106, 0.16666666666666413, 0.041666666666530255, 0.0083333333334943501, 0.0013888888943601001,
        0.00019841269506749789, 2.4801493132388058e-5, 2.7557586286327463e-6, 2.7630235391494954e-7,
        2.5000068209060589e-8,
    ),
}  # fmt: skip
_TANH = {
    float32: (-0.3333127288, 0.1311066864),
    float64: (
        -0.33333333333332486, 0.13333333332784235, -0.053968252782849804, 0.021869370776840303,
        -0.0088573108492166127, 0.0034448634539423374,
    ),
}  # fmt: skip
_ERF = (
    (1.128379139297, 0.193545880996, 0.05310186056445, 0.003883381815807, 0.0002845672157518, 1.98678161095e-6),
    (1.0, 0.5048581263523, 0.1153503447122, 0.01520732520155, 0.001185581255479, 3.742023719064e-5),
)


def _limited(w: Arithmetic, x: Reg, low: float, high: float) -> Reg:
    """x between two limits. NaN fails both comparisons and stays: so each is one instruction on x86."""
    lowest, highest = w.like(low, x), w.like(high, x)
    x = w.select(w.less(highest, x), highest, x)
    return w.select(w.greater(lowest, x), lowest, x)


def _count_steps(w: Arithmetic, x: Reg, step: Fraction, biases: int) -> tuple[Reg, Reg]:
    """``n = x / step``, rounded: as a float, and as an integer that ends in the bits of n plus so many biases.

    A float of 1.5 * 2**23 (2**52) has no bits for a fraction: adding it rounds, and leaves n in the lowest bits.
    """
    whole, fraction, bias = _bits(x.dtype)
    magic = w.like(1.5 * 2.0**fraction + biases * bias, x)
    shifted = w.fma(x, w.like(float(1 / step), x), magic)
    return w.subtract(shifted, magic), w.bitcast(shifted, whole)


def _power_of_two(w: Arithmetic, bits: Reg, dtype: DType) -> Reg:
    """``2**n`` for an integer that ends in n plus the bias: moved to the exponent's place, what is above drops out."""
    _, fraction, _ = _bits(dtype)
    return w.bitcast(w.shl(bits, w.like(fraction, bits)), dtype)


def _halves_of_power(w: Arithmetic, bits: Reg, dtype: DType) -> tuple[Reg, Reg]:
    """Two powers of two with the product ``2**n``, from n plus two biases: n may be beyond the exponents of floats."""
    half = w.lshr(bits, w.like(1, bits))
    return _power_of_two(w, half, dtype), _power_of_two(w, w.subtract(bits, half), dtype)


def _reduce_exp(w: Arithmetic, x: Reg, biases: int) -> tuple[Reg, Reg]:
    """``x = n ln 2 + r`` with |r| <= ln 2 / 2: the bits of n plus so many biases, and r."""
    n, bits = _count_steps(w, x, _LN2, biases)
    high, low = _parts(_LN2, [12 if x.dtype == float32 else 40])
    return bits, w.fma(n, w.like(-low, x), w.fma(n, w.like(-high, x), x))


def exp(w: Arithmetic, x: Reg) -> Reg:
    """``2**n * exp(r)``; the power of two in two halves, so that results near the limits come out right."""
    low, high = (-105.0, 90.0) if x.dtype == float32 else (-750.0, 712.0)
    bits, r = _reduce_exp(w, _limited(w, x, low, high), 2)
    first, second = _halves_of_power(w, bits, x.dtype)
    return w.multiply(w.multiply(_polynomial(w, r, [1.0, 1.0, *_EXP[x.dtype]]), first), second)


def expm1(w: Arithmetic, x: Reg) -> Reg:
    """``2**n * (exp(r) - 1) + (2**n - 1)``: near zero n is 0 and nothing cancels."""
    low, high = (-30.0, 90.0) if x.dtype == float32 else (-60.0, 712.0)
    bits, r = _reduce_exp(w, _limited(w, x, low, high), 2)
    small = w.fma(w.multiply(r, r), _polynomial(w, r, _EXP[x.dtype]), r)
    first, second = _halves_of_power(w, bits, x.dtype)
    # (2**n - 1) in the scale of the first half, which cannot overflow: first * second * small + first * second - 1.
    whole, fraction, bias = _bits(x.dtype)
    inverse = w.bitcast(w.subtract(w.const(2 * bias << fraction, whole, x.lanes), w.bitcast(first, whole)), x.dtype)
    value = w.multiply(w.fma(small, second, w.subtract(second, inverse)), first)
    return w.select(w.equal(x, w.like(0.0, x)), x, value)  # for the sign of zero


def _log_series(w: Arithmetic, m: Reg) -> Reg:
    """``log(m)`` near 1: with s = (m - 1) / (m + 1) it is ``2 s (1 + s**2/3 + s**4/5 + …)``."""
    one = w.like(1.0, m)
    f = w.subtract(m, one)
    s = w.divide(f, w.add(m, one))
    z = w.multiply(s, s)
    tail = _polynomial(w, z, [2 / (2 * k + 3) for k in range(5 if m.dtype == float32 else 11)])
    # 2 s = f - s f, so the rounding of the division only touches the small part.
    return w.fma(w.negative(s), w.subtract(f, w.multiply(z, tail)), f)


def _split_log(w: Arithmetic, x: Reg) -> tuple[Reg, Reg]:
    """``x = 2**e * m`` with m between sqrt(1/2) and sqrt(2), for positive, normal, finite x."""
    whole, fraction, _ = _bits(x.dtype)
    bits = w.bitcast(x, whole)
    # The fraction's bits of sqrt(1/2) taken away, the carry into the exponent chooses the octave.
    root = 0x3F3504F3 if x.dtype == float32 else 0x3FE6A09E667F3BCD
    offset = w.subtract(bits, w.like(root, bits))
    e = w.op(f"ashr {offset.type} {offset}, {w.like(fraction, offset)}", whole, x.lanes)
    m = w.bitcast(w.subtract(bits, w.shl(e, w.like(fraction, e))), x.dtype)
    return w.cast(e, x.dtype), m


def log(w: Arithmetic, x: Reg) -> Reg:
    """``e ln 2 + log(m)`` for ``x = 2**e * m``."""
    e, m = _split_log(w, x)
    high, low = _parts(_LN2, [12 if x.dtype == float32 else 40])
    value = w.fma(e, w.like(high, x), w.fma(e, w.like(low, x), _log_series(w, m)))
    value = w.select(w.less(x, w.like(math.inf, x)), value, x)  # infinity and NaN stay
    value = w.select(w.equal(x, w.like(0.0, x)), w.like(-math.inf, x), value)
    return w.select(w.less(x, w.like(0.0, x)), w.like(math.nan, x), value)


def log1p(w: Arithmetic, x: Reg) -> Reg:
    """``log(u) + (x - (u - 1)) / u`` with u = 1 + x rounded: the second term is what the rounding lost."""
    one = w.like(1.0, x)
    u = w.add(x, one)
    lost = w.divide(w.subtract(x, w.subtract(u, one)), u)
    value = log(w, u)
    value = w.select(w.equal(lost, lost), w.add(value, lost), value)  # at -1 and infinity the quotient is not a number
    return w.select(w.equal(x, w.like(0.0, x)), x, value)  # for the sign of zero


def tanh(w: Arithmetic, x: Reg) -> Reg:
    """``((2**n - 1) + (2**n + 1) t) / ((2**n + 1) + (2**n - 1) t)`` for ``|x| = n ln 2 / 2 + r`` and t = tanh(r).

    That is the tanh of a sum, multiplied out. From n = 3 on it is taken from 1, ``1 - 2 (1 - t) / (…)``: there the
    roundings of the fraction count for less the nearer the result is to 1, as they must where 1 - tanh**2 is a slope.
    """
    limit = w.like(10.0 if x.dtype == float32 else 22.0, x)  # there it is 1 to the last digit
    size = w.absolute(x)
    size = w.select(w.less(limit, size), limit, size)  # NaN stays
    step = _LN2 / 2
    n, bits = _count_steps(w, size, step, 1)
    r = w.fma(n, w.like(-float(step), x), size)
    t = w.multiply(r, _polynomial(w, w.multiply(r, r), [1.0, *_TANH[x.dtype]]))
    power, one, two = _power_of_two(w, bits, x.dtype), w.like(1.0, x), w.like(2.0, x)
    more, less = w.add(power, one), w.subtract(power, one)
    far = w.greater_equal(n, w.like(3.0, x))
    above = w.fma(w.select(far, two, more), t, w.select(far, w.negative(two), less))
    value = w.add(w.select(far, one, w.like(0.0, x)), w.divide(above, w.fma(less, t, more)))
    return w.intrinsic("copysign", value, x)


def sigmoid(w: Arithmetic, x: Reg) -> Reg:
    """``1 / (1 + 2**n * exp(r))`` for ``-x = n ln 2 + r``; the largest n makes infinity, and the result 0."""
    high = 89.0 if x.dtype == float32 else 710.0
    bits, r = _reduce_exp(w, _limited(w, w.negative(x), -40.0, high), 1)
    one = w.like(1.0, x)
    series = _polynomial(w, r, [1.0, 1.0, *_EXP[x.dtype]])
    return w.divide(one, w.fma(series, _power_of_two(w, bits, x.dtype), one))


def erf(w: Arithmetic, x: Reg) -> Reg:
    """The fraction ``x p(x**2) / q(x**2)`` in float32, a series in float64; beyond a limit, 1 to the last digit."""
    if x.dtype != float32:
        return _erf_series(w, x)
    x = w.cast(_limited(w, x, -4.0, 4.0), float64)  # in which none of the roundings counts
    above, below = (_polynomial(w, w.multiply(x, x), coefficients) for coefficients in _ERF)
    return w.cast(w.divide(w.multiply(x, above), below), float32)


def _erf_series(w: Arithmetic, x: Reg) -> Reg:
    """``2/sqrt(pi) exp(-x**2) sum of 2**n x**(2n+1) / (1 3 5 … (2n+1))``: every term positive, nothing cancels."""
    limit, terms = 6.0, 132
    limited = _limited(w, x, -limit, limit)
    z = w.multiply(limited, limited)
    coefficients = [Fraction(1)]
    for k in range(1, terms):
        coefficients.append(coefficients[-1] * 2 / (2 * k + 1))
    series = _polynomial(w, z, [float(value) for value in coefficients])
    # exp(-z) with the rounding of z made good: z is limited**2 only up to an error that exp would multiply.
    error = w.fma(limited, limited, w.negative(z)) if w.target.has_fma else w.like(0.0, x)
    decay = exp(w, w.negative(z))
    decay = w.fma(w.negative(decay), error, decay)
    value = w.multiply(w.multiply(w.multiply(limited, w.like(2 / math.sqrt(math.pi), x)), decay), series)
    far = w.greater_equal(w.absolute(x), w.like(limit, x))
    return w.select(far, w.intrinsic("copysign", w.like(1.0, x), x), value)


def _quarter_turns(w: Arithmetic, x: Reg) -> tuple[Reg, Reg]:
    """``x = n pi/2 + r`` with |r| <= pi/4: n as a whole number, any for NaN, and r."""
    single = x.dtype == float32
    whole, _, _ = _bits(x.dtype)
    limited = _limited(w, x, -1e9 if single else -1e15, 1e9 if single else 1e15)
    n = w.round(w.multiply(limited, w.like(2 / math.pi, x)))
    r = limited
    for part in _parts(_HALF_PI, [8, 8, 8] if single else [30, 30, 30]):
        r = w.fma(n, w.like(-part, x), r)
    one = w.like(1.0, x)
    return w.cast(n, whole), w.maximum(w.minimum(r, one), w.negative(one))


def _sine(w: Arithmetic, x: Reg, turn: int) -> Reg:
    single = x.dtype == float32
    n, r = _quarter_turns(w, x)
    n = w.add(n, w.like(turn, n))
    z = w.multiply(r, r)
    terms = 5 if single else 9
    odd = _polynomial(w, z, [(-1) ** (k + 1) / math.factorial(2 * k + 3) for k in range(terms)])
    even = _polynomial(w, z, [(-1) ** k / math.factorial(2 * k) for k in range(terms + 2)])
    sine = w.fma(w.multiply(z, r), odd, r)
    one, two = w.like(1, n), w.like(2, n)
    value = w.select(w.equal(w.and_(n, one), one), even, sine)
    value = w.select(w.equal(w.and_(n, two), two), w.negative(value), value)
    return w.select(w.less(w.absolute(x), w.like(math.inf, x)), value, w.like(math.nan, x))


def sin(w: Arithmetic, x: Reg) -> Reg:
    """The sine by quarter turns and a series on the eighth of a turn."""
    return _sine(w, x, 0)


def cos(w: Arithmetic, x: Reg) -> Reg:
    """The sine a quarter of a turn later."""
    return _sine(w, x, 1)


def power(w: Arithmetic, x: Reg, y: Reg) -> Reg:
    """``exp(y log |x|)``, in float64, with the sign of an odd whole power of a negative number."""
    if x.dtype == float32:
        return w.cast(power(w, w.cast(x, float64), w.cast(y, float64)), float32)
    zero, one = w.like(0.0, x), w.like(1.0, x)
    size = exp(w, w.multiply(y, log(w, w.absolute(x))))
    whole = w.equal(w.floor(y), y)
    half = w.multiply(y, w.like(0.5, y))
    odd = w.logical_and(whole, w.not_equal(w.floor(half), half))
    negative = w.less(x, zero)
    value = w.select(w.logical_and(negative, odd), w.negative(size), size)
    finite = w.less(w.absolute(x), w.like(math.inf, x))
    value = w.select(w.logical_and(w.logical_and(negative, finite), w.logical_not(whole)), w.like(math.nan, x), value)
    return w.select(w.logical_or(w.equal(y, zero), w.equal(x, one)), one, value)
