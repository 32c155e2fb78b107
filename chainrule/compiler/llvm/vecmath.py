"""exp, log, tanh and others on vectors: range reduction and a polynomial, without branches and without a library.

Each takes the writer and a float32 or float64 value of any lanes. Polynomials are the Taylor series on an interval so
short that the first term left out is below the rounding; their coefficients are the exact ones, rounded once.
Accuracy, held by the tests: float32 within 5 units in the last place, float64 within 8, but for `power` and `erf` in
float64, whose error grows with |y log x| and with x**2, and `sin` and `cos`, which lose digits beyond |x| = 10,000.

Source: Muller et al., "Handbook of floating-point arithmetic", 2nd edition, 2018.
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


def _power_of_two(w: Arithmetic, exponent: Reg, dtype: DType) -> Reg:
    """``2**exponent`` for a whole number, by writing it into the exponent's bits."""
    _, fraction, bias = _bits(dtype)
    return w.bitcast(w.shl(w.add(exponent, w.like(bias, exponent)), w.like(fraction, exponent)), dtype)


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


def _reduce_exp(w: Arithmetic, x: Reg) -> tuple[Reg, Reg]:
    """``x = n ln 2 + r`` with |r| <= ln 2 / 2: n as a whole number and r."""
    single = x.dtype == float32
    whole, _, _ = _bits(x.dtype)
    n = w.round(w.multiply(x, w.like(1 / math.log(2.0), x)))
    high, low = _parts(_LN2, [12 if single else 40])
    r = w.fma(n, w.like(-low, x), w.fma(n, w.like(-high, x), x))
    return w.cast(n, whole), r


def _limited(w: Arithmetic, x: Reg, low: float, high: float) -> Reg:
    """x between two limits; NaN becomes `low`, so that it can be converted, and is put back by the caller."""
    return w.select(
        w.greater(x, w.like(low, x)), w.select(w.less(x, w.like(high, x)), x, w.like(high, x)), w.like(low, x)
    )


def _or_nan(w: Arithmetic, x: Reg, result: Reg) -> Reg:
    return w.select(w.equal(x, x), result, x)


def exp(w: Arithmetic, x: Reg) -> Reg:
    """``2**n * exp(r)``; the power of two in two halves, so that results near the limits come out right."""
    single = x.dtype == float32
    limited = _limited(w, x, -105.0 if single else -750.0, 90.0 if single else 712.0)
    n, r = _reduce_exp(w, limited)
    series = _polynomial(w, r, [1 / math.factorial(k) for k in range(8 if single else 14)])
    half = w.op(f"ashr {n.type} {n}, {w.like(1, n)}", n.dtype, n.lanes)
    rest = w.subtract(n, half)
    value = w.multiply(w.multiply(series, _power_of_two(w, half, x.dtype)), _power_of_two(w, rest, x.dtype))
    return _or_nan(w, x, value)


def expm1(w: Arithmetic, x: Reg) -> Reg:
    """``2**n * (exp(r) - 1) + (2**n - 1)``: near zero n is 0 and nothing cancels."""
    single = x.dtype == float32
    limited = _limited(w, x, -30.0 if single else -60.0, 90.0 if single else 712.0)
    n, r = _reduce_exp(w, limited)
    tail = _polynomial(w, r, [1 / math.factorial(k + 2) for k in range(6 if single else 12)])
    small = w.fma(w.multiply(r, r), tail, r)
    half = w.op(f"ashr {n.type} {n}, {w.like(1, n)}", n.dtype, n.lanes)
    first, second = _power_of_two(w, half, x.dtype), _power_of_two(w, w.subtract(n, half), x.dtype)
    # (2**n - 1) in the scale of the first half, which cannot overflow: first * second * small + first * second - 1.
    inverse = _power_of_two(w, w.negative(half), x.dtype)
    value = w.multiply(w.fma(small, second, w.subtract(second, inverse)), first)
    value = w.select(w.equal(x, w.like(0.0, x)), x, value)
    return _or_nan(w, x, value)


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
    """``x = 2**e * m`` with m between sqrt(1/2) and sqrt(2), for positive finite x."""
    whole, fraction, bias = _bits(x.dtype)
    tiny = w.less(x, w.like(2.0 ** (1 - bias), x))
    lift = fraction + 2
    x = w.select(tiny, w.multiply(x, w.like(2.0**lift, x)), x)
    bits = w.bitcast(x, whole)
    # The fraction's bits of sqrt(1/2) taken away, the carry into the exponent chooses the octave.
    root = 0x3F3504F3 if x.dtype == float32 else 0x3FE6A09E667F3BCD
    offset = w.subtract(bits, w.like(root, bits))
    e = w.op(f"ashr {offset.type} {offset}, {w.like(fraction, offset)}", whole, x.lanes)
    m = w.bitcast(w.subtract(bits, w.shl(e, w.like(fraction, e))), x.dtype)
    e = w.select(tiny, w.subtract(e, w.like(lift, e)), e)
    return w.cast(e, x.dtype), m


def log(w: Arithmetic, x: Reg) -> Reg:
    """``e ln 2 + log(m)`` for ``x = 2**e * m``."""
    e, m = _split_log(w, x)
    high, low = _parts(_LN2, [12 if x.dtype == float32 else 40])
    value = w.fma(e, w.like(high, x), w.fma(e, w.like(low, x), _log_series(w, m)))
    value = w.select(w.equal(x, w.like(math.inf, x)), x, value)
    value = w.select(w.equal(x, w.like(0.0, x)), w.like(-math.inf, x), value)
    return _or_nan(w, x, w.select(w.less(x, w.like(0.0, x)), w.like(math.nan, x), value))


def log1p(w: Arithmetic, x: Reg) -> Reg:
    """``log(u) + (x - (u - 1)) / u`` with u = 1 + x rounded: the second term is what the rounding lost."""
    one = w.like(1.0, x)
    u = w.add(x, one)
    lost = w.divide(w.subtract(x, w.subtract(u, one)), u)
    usual = w.add(log(w, u), lost)
    # For large x nothing of x is lost that matters, and at -1 and infinity the quotient is not a number.
    plain = w.logical_or(w.equal(u, w.like(0.0, x)), w.equal(u, w.like(math.inf, x)))
    value = w.select(plain, log(w, u), usual)
    return w.select(w.equal(x, w.like(0.0, x)), x, value)


def tanh(w: Arithmetic, x: Reg) -> Reg:
    """``t / (t + 2)`` with t = exp(2|x|) - 1, and the sign of x; beyond the limit it is 1 to the last digit."""
    single = x.dtype == float32
    limit = w.like(10.0 if single else 22.0, x)
    size = w.absolute(x)
    limited = w.select(w.less(size, limit), size, limit)
    n, r = _reduce_exp(w, w.add(limited, limited))
    tail = _polynomial(w, r, [1 / math.factorial(k + 2) for k in range(6 if single else 12)])
    small = w.fma(w.multiply(r, r), tail, r)
    scale = _power_of_two(w, n, x.dtype)
    t = w.fma(small, scale, w.subtract(scale, w.like(1.0, x)))
    return _or_nan(w, x, w.intrinsic("copysign", w.divide(t, w.add(t, w.like(2.0, x))), x))


def sigmoid(w: Arithmetic, x: Reg) -> Reg:
    """``1 / (1 + exp(-x))``."""
    one = w.like(1.0, x)
    return w.divide(one, w.add(one, exp(w, w.negative(x))))


def erf(w: Arithmetic, x: Reg) -> Reg:
    """``2/sqrt(pi) exp(-x**2) sum of 2**n x**(2n+1) / (1 3 5 … (2n+1))``: every term positive, nothing cancels."""
    if x.dtype == float32:
        # In float64: the rounding of x**2 would be multiplied by the length of the series.
        return w.cast(_erf(w, w.cast(x, float64), 4.0, 52), float32)
    return _erf(w, x, 6.0, 132)


def _erf(w: Arithmetic, x: Reg, limit: float, terms: int) -> Reg:
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
    value = w.select(far, w.intrinsic("copysign", w.like(1.0, x), x), value)
    return _or_nan(w, x, value)


def _quarter_turns(w: Arithmetic, x: Reg) -> tuple[Reg, Reg]:
    """``x = n pi/2 + r`` with |r| <= pi/4: n as a whole number and r."""
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
