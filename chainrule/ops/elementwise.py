"""Elementwise primitives: each element of the result is a formula of the elements at the same place.

Operands have the result's shape, or none (a scalar needs no broadcast); all have one dtype. The public functions
promote dtypes and broadcast shapes before they apply a primitive.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.primitive import NO_GRADIENT, Example, Formula, Notation, Primitive
from chainrule.graph.shapes import broadcast_shapes
from chainrule.graph.tracing import apply, as_operand
from chainrule.graph.types import ArrayType, DType, as_dtype, bool_, float32, promote, uint32
from chainrule.graph.variable import Variable

# -- shape rules --------------------------------------------------------------------------------------------------


def _common_shape(name: str, types: tuple[ArrayType, ...]) -> tuple[Any, ...]:
    shape: tuple[Any, ...] = ()
    for operand in types:
        if operand.shape and shape and operand.shape != shape:
            raise ChainruleError(
                "the operands differ in shape", where=name, expected=types[0], got=" and ".join(map(str, types))
            )
        shape = shape or operand.shape
    return shape


def _same_dtype(name: str, types: tuple[ArrayType, ...]) -> DType:
    dtype = types[0].dtype
    for operand in types:
        if operand.dtype is not dtype:
            raise ChainruleError(
                "the operands differ in dtype",
                where=name,
                expected=dtype.name,
                got=" and ".join(operand.dtype.name for operand in types),
            )
    return dtype


def _number_rule(
    name: str, operands: int, kinds: tuple[str, ...], result: DType | None = None
) -> Callable[..., ArrayType]:
    """Operands of one dtype whose kind is among `kinds`; the result has it too, or `result`."""

    def rule(*types: ArrayType) -> ArrayType:
        if len(types) != operands:
            raise ChainruleError("wrong number of operands", where=name, expected=operands, got=len(types))
        dtype = _same_dtype(name, types)
        if dtype.kind not in kinds:
            raise ChainruleError(
                "wrong dtype", where=name, expected=" or ".join(kinds), got=dtype.name, fix="convert with cr.ops.cast"
            )
        shape = _common_shape(name, types)
        if shape is types[0].shape and result is None:
            return types[0]  # most often: equal types that are one object are told apart fast
        return ArrayType(result or dtype, shape)

    return rule


_ANY = ("bool", "uint", "int", "float")
_NUMBERS = ("uint", "int", "float")
_FLOAT = ("float",)


def _by_name(name: str) -> Callable[..., Any]:
    """The formula that is the writer's method of the same name."""

    def formula(w: Any, *operands: Any) -> Any:
        return getattr(w, name)(*operands)

    return formula


def _examples(*arrays: tuple[Any, ...]) -> Callable[[], tuple[Example, ...]]:
    def make() -> tuple[Example, ...]:
        return tuple(Example(tuple(np.asarray(array) for array in group)) for group in arrays)

    return make


def _sample(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Numbers spread over an interval, without repetition and off the places where a slope jumps."""
    count = math.prod(shape)
    steps = (np.arange(count) * 0.6180339887 + 0.137) % 1.0
    return (low + (high - low) * steps).reshape(shape).astype("float32")


def _unary_samples(low: float = -2.0, high: float = 2.0) -> Callable[[], tuple[Example, ...]]:
    return _examples(
        (_sample(3, 5, low=low, high=high),),
        (_sample(low=low, high=high),),
        (_sample(0, 4, low=low, high=high),),
        (_sample(17, low=low, high=high).astype("float64"),),
    )


def _binary_samples(low: float = -2.0, high: float = 2.0) -> Callable[[], tuple[Example, ...]]:
    first, second = _sample(3, 7, low=low, high=high), _sample(3, 7, low=low, high=high)[::-1].copy() * 0.9
    return _examples(
        (first, second),
        (first, np.float32(0.7)),
        (np.float32(1.3), second),
        (_sample(0, low=low, high=high), _sample(0, low=low, high=high)),
        (first.astype("float64"), second.astype("float64")),
    )


# -- arithmetic ---------------------------------------------------------------------------------------------------


def _add_vjp(g: Any, result: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return g, g


ADD = Primitive(
    name="add",
    family="elementwise",
    type_rule=_number_rule("add", 2, _NUMBERS),
    evaluate=np.add,
    vjp=_add_vjp,
    formula=_by_name("add"),
    notation=Notation(Formula("$x + $y"), slopes=(Formula("1"), Formula("1"))),
    examples=_binary_samples(),
)


def _subtract_vjp(g: Any, result: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return g, negative(g)


SUBTRACT = Primitive(
    name="subtract",
    family="elementwise",
    type_rule=_number_rule("subtract", 2, _NUMBERS),
    evaluate=np.subtract,
    vjp=_subtract_vjp,
    formula=_by_name("subtract"),
    notation=Notation(Formula("$x − $y"), slopes=(Formula("1"), Formula("−1"))),
    examples=_binary_samples(),
)


def _multiply_vjp(g: Any, result: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return multiply(g, y), multiply(g, x)


MULTIPLY = Primitive(
    name="multiply",
    family="elementwise",
    type_rule=_number_rule("multiply", 2, _NUMBERS),
    evaluate=np.multiply,
    vjp=_multiply_vjp,
    formula=_by_name("multiply"),
    notation=Notation(Formula("$x ⊙ $y"), slopes=(Formula("$y"), Formula("$x"))),
    examples=_binary_samples(),
)


def _divide_vjp(g: Any, result: Any, x: Any, y: Any) -> tuple[Any, ...]:
    over = divide(g, y)
    return over, negative(multiply(over, result))


DIVIDE = Primitive(
    name="divide",
    family="elementwise",
    type_rule=_number_rule("divide", 2, _FLOAT),
    evaluate=np.divide,
    vjp=_divide_vjp,
    formula=_by_name("divide"),
    notation=Notation(
        Formula("$x / $y", r"\frac{$x}{$y}"),
        slopes=(Formula("1 / $y", r"\frac{1}{$y}"), Formula("−$v / $y", r"-\frac{$v}{$y}")),
    ),
    cost=4,
    examples=_binary_samples(0.5, 3.0),
)

FLOOR_MOD = Primitive(
    name="floor_mod",
    family="elementwise",
    type_rule=_number_rule("floor_mod", 2, _NUMBERS),
    evaluate=np.mod,
    formula=_by_name("floor_mod"),
    notation=Notation(Formula("$x mod $y", r"$x \bmod $y")),
    cost=8,
    examples=_examples(
        (np.arange(-6, 6, dtype="int32"), np.int32(4)),
        (_sample(3, 5), np.float32(0.75)),
        (_sample(7), -_sample(7, low=0.5, high=1.5)),
    ),
)


def _power_vjp(g: Any, result: Any, x: Any, y: Any) -> tuple[Any, ...]:
    # At x = 0 the logarithm is taken of 1, so that a constant exponent does not bring in 0 * inf.
    slope = multiply(y, power(x, subtract(y, 1.0)))
    return multiply(g, slope), multiply(multiply(g, result), log(where(equal(x, 0.0), 1.0, x)))


POWER = Primitive(
    name="power",
    family="elementwise",
    type_rule=_number_rule("power", 2, _FLOAT),
    evaluate=np.power,
    vjp=_power_vjp,
    formula=_by_name("power"),
    notation=Notation(
        Formula("$x ^ $y", r"{$x}^{$y}"),
        slopes=(
            Formula("$y ⊙ $x ^ ($y − 1)", r"$y \odot {$x}^{$y - 1}"),
            Formula("$v ⊙ log($x)", r"$v \odot \log($x)"),
        ),
    ),
    cost=40,
    examples=_binary_samples(0.3, 2.5),
)


def _split_ties(g: Any, x: Any, y: Any, x_wins: Any) -> tuple[Any, ...]:
    """The whole cotangent to the operand that won, half to each on a tie."""
    half, zero = multiply(g, 0.5), 0.0
    tie = equal(x, y)
    return where(tie, half, where(x_wins, g, zero)), where(tie, half, where(x_wins, zero, g))


def _maximum_vjp(g: Any, result: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return _split_ties(g, x, y, greater(x, y))


MAXIMUM = Primitive(
    name="maximum",
    family="elementwise",
    type_rule=_number_rule("maximum", 2, _NUMBERS),
    evaluate=np.maximum,
    vjp=_maximum_vjp,
    formula=_by_name("maximum"),
    notation=Notation(
        Formula("max($x, $y)", r"\max($x, $y)"),
        slopes=(
            Formula("[$x > $y] + ½ [$x = $y]", r"[$x > $y] + \frac{1}{2} [$x = $y]"),
            Formula("[$y > $x] + ½ [$x = $y]", r"[$y > $x] + \frac{1}{2} [$x = $y]"),
        ),
    ),
    examples=_binary_samples(),
)


def _minimum_vjp(g: Any, result: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return _split_ties(g, x, y, less(x, y))


MINIMUM = Primitive(
    name="minimum",
    family="elementwise",
    type_rule=_number_rule("minimum", 2, _NUMBERS),
    evaluate=np.minimum,
    vjp=_minimum_vjp,
    formula=_by_name("minimum"),
    notation=Notation(
        Formula("min($x, $y)", r"\min($x, $y)"),
        slopes=(
            Formula("[$x < $y] + ½ [$x = $y]", r"[$x < $y] + \frac{1}{2} [$x = $y]"),
            Formula("[$y < $x] + ½ [$x = $y]", r"[$y < $x] + \frac{1}{2} [$x = $y]"),
        ),
    ),
    examples=_binary_samples(),
)


def _negative_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (negative(g),)


NEGATIVE = Primitive(
    name="negative",
    family="elementwise",
    type_rule=_number_rule("negative", 1, ("int", "float")),
    evaluate=np.negative,
    vjp=_negative_vjp,
    formula=_by_name("negative"),
    notation=Notation(Formula("−$x"), slopes=(Formula("−1"),)),
    examples=_unary_samples(),
)


def _absolute_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (multiply(g, sign(x)),)


ABSOLUTE = Primitive(
    name="absolute",
    family="elementwise",
    type_rule=_number_rule("absolute", 1, ("int", "float")),
    evaluate=np.absolute,
    vjp=_absolute_vjp,
    formula=_by_name("absolute"),
    notation=Notation(Formula("|$x|"), slopes=(Formula("sign($x)", r"\operatorname{sign}($x)"),)),
    examples=_unary_samples(),
)

SIGN = Primitive(
    name="sign",
    family="elementwise",
    type_rule=_number_rule("sign", 1, ("int", "float")),
    evaluate=np.sign,
    formula=_by_name("sign"),
    notation=Notation(Formula("sign($x)", r"\operatorname{sign}($x)")),
    examples=_unary_samples(),
)


def rounded_to_bfloat16(x: np.ndarray) -> np.ndarray:
    """float32 numbers rounded, to even, to the 8 bits of fraction that bfloat16 has."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, rounded.view(np.float32))


def _round_formula(w: Any, x: Any) -> Any:
    bits = w.bitcast(x, uint32)
    odd = w.and_(w.lshr(bits, w.like(16, bits)), w.like(1, bits))
    raised = w.add(w.add(bits, w.like(0x7FFF, bits)), odd)
    rounded = w.bitcast(w.and_(raised, w.like(0xFFFF0000, bits)), float32)
    return w.select(w.equal(x, x), rounded, x)


ROUND_TO_BFLOAT16 = Primitive(
    name="round_to_bfloat16",
    family="elementwise",
    type_rule=_number_rule("round_to_bfloat16", 1, ("float",)),
    evaluate=rounded_to_bfloat16,
    formula=_round_formula,
    notation=Notation(Formula("bfloat16($x)", r"\text{bfloat16}($x)")),
    examples=lambda: (Example((np.array([1.0, 1.00390625, 1.01171875, -3.3e38, 1e-40, np.nan], "float32"),)),),
)

# -- exponentials -------------------------------------------------------------------------------------------------


def _exp_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (multiply(g, result),)


EXP = Primitive(
    name="exp",
    family="elementwise",
    type_rule=_number_rule("exp", 1, _FLOAT),
    evaluate=np.exp,
    vjp=_exp_vjp,
    formula=_by_name("exp"),
    notation=Notation(Formula("exp($x)", r"\exp($x)"), slopes=(Formula("$v"),)),
    cost=16,
    examples=_unary_samples(),
)


def _expm1_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (multiply(g, add(result, 1.0)),)


EXPM1 = Primitive(
    name="expm1",
    family="elementwise",
    type_rule=_number_rule("expm1", 1, _FLOAT),
    evaluate=np.expm1,
    vjp=_expm1_vjp,
    formula=_by_name("expm1"),
    notation=Notation(Formula("exp($x) − 1", r"\exp($x) - 1"), slopes=(Formula("$v + 1"),)),
    cost=20,
    examples=_unary_samples(),
)


def _log_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (divide(g, x),)


LOG = Primitive(
    name="log",
    family="elementwise",
    type_rule=_number_rule("log", 1, _FLOAT),
    evaluate=np.log,
    vjp=_log_vjp,
    formula=_by_name("log"),
    notation=Notation(Formula("log($x)", r"\log($x)"), slopes=(Formula("1 / $x", r"\frac{1}{$x}"),)),
    cost=20,
    examples=_unary_samples(0.2, 3.0),
)


def _log1p_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (divide(g, add(x, 1.0)),)


LOG1P = Primitive(
    name="log1p",
    family="elementwise",
    type_rule=_number_rule("log1p", 1, _FLOAT),
    evaluate=np.log1p,
    vjp=_log1p_vjp,
    formula=_by_name("log1p"),
    notation=Notation(Formula("log(1 + $x)", r"\log(1 + $x)"), slopes=(Formula("1 / (1 + $x)", r"\frac{1}{1 + $x}"),)),
    cost=24,
    examples=_unary_samples(-0.7, 3.0),
)


def _sqrt_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (divide(multiply(g, 0.5), result),)


SQRT = Primitive(
    name="sqrt",
    family="elementwise",
    type_rule=_number_rule("sqrt", 1, _FLOAT),
    evaluate=np.sqrt,
    vjp=_sqrt_vjp,
    formula=_by_name("sqrt"),
    notation=Notation(Formula("√$x", r"\sqrt{$x}"), slopes=(Formula("1 / (2·$v)", r"\frac{1}{2 $v}"),)),
    cost=8,
    examples=_unary_samples(0.2, 3.0),
)

# -- functions of networks ----------------------------------------------------------------------------------------


def _tanh_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (multiply(g, subtract(1.0, multiply(result, result))),)


TANH = Primitive(
    name="tanh",
    family="elementwise",
    type_rule=_number_rule("tanh", 1, _FLOAT),
    evaluate=np.tanh,
    vjp=_tanh_vjp,
    formula=_by_name("tanh"),
    notation=Notation(Formula("tanh($x)", r"\tanh($x)"), slopes=(Formula("1 − $v²", r"1 - {$v}^{2}"),)),
    cost=24,
    examples=_unary_samples(),
)


def _evaluate_sigmoid(x: np.ndarray) -> np.ndarray:
    # 1 / (1 + exp(-x)) overflows to inf for very negative x, and 1 / inf is the right limit.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def _sigmoid_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (multiply(g, multiply(result, subtract(1.0, result))),)


SIGMOID = Primitive(
    name="sigmoid",
    family="elementwise",
    type_rule=_number_rule("sigmoid", 1, _FLOAT),
    evaluate=_evaluate_sigmoid,
    vjp=_sigmoid_vjp,
    formula=_by_name("sigmoid"),
    notation=Notation(Formula("sigmoid($x)", r"\operatorname{sigmoid}($x)"), slopes=(Formula("$v ⊙ (1 − $v)"),)),
    cost=20,
    examples=_unary_samples(),
)


def _erf_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (multiply(multiply(g, 2.0 / math.sqrt(math.pi)), exp(negative(multiply(x, x)))),)


_scalar_erf = np.vectorize(math.erf, otypes=["float64"])


def _evaluate_erf(x: np.ndarray) -> np.ndarray:
    return _scalar_erf(x).astype(x.dtype) if x.size else x


ERF = Primitive(
    name="erf",
    family="elementwise",
    type_rule=_number_rule("erf", 1, _FLOAT),
    evaluate=_evaluate_erf,
    vjp=_erf_vjp,
    formula=_by_name("erf"),
    notation=Notation(
        Formula("erf($x)", r"\operatorname{erf}($x)"),
        slopes=(Formula("2/√π·exp(−$x²)", r"\frac{2}{\sqrt{\pi}} \exp(-{$x}^{2})"),),
    ),
    cost=40,
    examples=_unary_samples(),
)


def _relu_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (where(greater(result, 0.0), g, 0.0),)


def _evaluate_relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0).astype(x.dtype)


RELU = Primitive(
    name="relu",
    family="elementwise",
    type_rule=_number_rule("relu", 1, ("int", "float")),
    evaluate=_evaluate_relu,
    vjp=_relu_vjp,
    formula=_by_name("relu"),
    notation=Notation(Formula("relu($x)", r"\operatorname{relu}($x)"), slopes=(Formula("[$v > 0]"),)),
    examples=_unary_samples(),
)


def _sin_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (multiply(g, cos(x)),)


SIN = Primitive(
    name="sin",
    family="elementwise",
    type_rule=_number_rule("sin", 1, _FLOAT),
    evaluate=np.sin,
    vjp=_sin_vjp,
    formula=_by_name("sin"),
    notation=Notation(Formula("sin($x)", r"\sin($x)"), slopes=(Formula("cos($x)", r"\cos($x)"),)),
    cost=30,
    examples=_unary_samples(-6.0, 6.0),
)


def _cos_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (negative(multiply(g, sin(x))),)


COS = Primitive(
    name="cos",
    family="elementwise",
    type_rule=_number_rule("cos", 1, _FLOAT),
    evaluate=np.cos,
    vjp=_cos_vjp,
    formula=_by_name("cos"),
    notation=Notation(Formula("cos($x)", r"\cos($x)"), slopes=(Formula("−sin($x)", r"-\sin($x)"),)),
    cost=30,
    examples=_unary_samples(-6.0, 6.0),
)

# -- steps --------------------------------------------------------------------------------------------------------

FLOOR = Primitive(
    name="floor",
    family="elementwise",
    type_rule=_number_rule("floor", 1, _FLOAT),
    evaluate=np.floor,
    formula=_by_name("floor"),
    notation=Notation(Formula("⌊$x⌋", r"\lfloor $x \rfloor")),
    examples=_unary_samples(),
)

CEIL = Primitive(
    name="ceil",
    family="elementwise",
    type_rule=_number_rule("ceil", 1, _FLOAT),
    evaluate=np.ceil,
    formula=_by_name("ceil"),
    notation=Notation(Formula("⌈$x⌉", r"\lceil $x \rceil")),
    examples=_unary_samples(),
)

ROUND = Primitive(
    name="round",
    family="elementwise",
    type_rule=_number_rule("round", 1, _FLOAT),
    evaluate=np.round,
    formula=_by_name("round"),
    notation=Notation(Formula("round($x)", r"\operatorname{round}($x)")),
    examples=_examples((_sample(3, 5) * 4,), (np.array([0.5, 1.5, 2.5, -0.5, -1.5], dtype="float32"),)),
)

# -- comparison and choice ----------------------------------------------------------------------------------------


def _comparison(name: str, sign: str, evaluate: Callable[..., Any], kinds: tuple[str, ...]) -> Primitive:
    return Primitive(
        name=name,
        family="elementwise",
        type_rule=_number_rule(name, 2, kinds, bool_),
        evaluate=evaluate,
        formula=_by_name(name),
        notation=Notation(Formula(f"$x {sign} $y")),
        examples=_examples(
            (_sample(3, 5), _sample(3, 5)[::-1].copy()),
            (_sample(9), np.float32(0.5)),
            (np.array([1, 2, 3], dtype="int32"), np.array([1, 3, 2], dtype="int32")),
            (np.array([np.nan, 1.0, np.inf], dtype="float64"), np.array([np.nan, 1.0, -np.inf])),
        ),
    )


EQUAL = _comparison("equal", "=", np.equal, _ANY)
NOT_EQUAL = _comparison("not_equal", "≠", np.not_equal, _ANY)
LESS = _comparison("less", "<", np.less, _NUMBERS)
LESS_EQUAL = _comparison("less_equal", "≤", np.less_equal, _NUMBERS)

_TRUTH = (np.array([True, True, False, False]), np.array([True, False, True, False]))

LOGICAL_AND = Primitive(
    name="logical_and",
    family="elementwise",
    type_rule=_number_rule("logical_and", 2, ("bool",)),
    evaluate=np.logical_and,
    formula=_by_name("logical_and"),
    notation=Notation(Formula("$x ∧ $y")),
    examples=_examples(_TRUTH),
)

LOGICAL_OR = Primitive(
    name="logical_or",
    family="elementwise",
    type_rule=_number_rule("logical_or", 2, ("bool",)),
    evaluate=np.logical_or,
    formula=_by_name("logical_or"),
    notation=Notation(Formula("$x ∨ $y")),
    examples=_examples(_TRUTH),
)

LOGICAL_NOT = Primitive(
    name="logical_not",
    family="elementwise",
    type_rule=_number_rule("logical_not", 1, ("bool",)),
    evaluate=np.logical_not,
    formula=_by_name("logical_not"),
    notation=Notation(Formula("¬$x")),
    examples=_examples((_TRUTH[0],)),
)


def _select_rule(condition: ArrayType, x: ArrayType, y: ArrayType) -> ArrayType:
    if condition.dtype != bool_:
        raise ChainruleError("the condition is not bool", where="select", expected="bool", got=condition.dtype.name)
    return ArrayType(_same_dtype("select", (x, y)), _common_shape("select", (condition, x, y)))


def _select_vjp(g: Any, result: Any, condition: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return None, where(condition, g, 0.0), where(condition, 0.0, g)


SELECT = Primitive(
    name="select",
    family="elementwise",
    type_rule=_select_rule,
    evaluate=np.where,
    vjp=_select_vjp,
    formula=_by_name("select"),
    notation=Notation(
        Formula("where($x, $y, $z)", r"\begin{cases} $y & \text{where } $x \\ $z & \text{else} \end{cases}"),
        slopes=(None, Formula("[$x]"), Formula("[¬$x]")),
    ),
    examples=_examples(
        (_sample(3, 5) > 0, _sample(3, 5), _sample(3, 5)[::-1].copy()),
        (_sample(7) > 0, _sample(7), np.float32(0)),
        (np.bool_(True), _sample(4), _sample(4) * 2),
    ),
)

# -- conversion and markers ---------------------------------------------------------------------------------------


def _cast_rule(x: ArrayType, dtype: DType) -> ArrayType:
    return ArrayType(dtype, x.shape)


def _evaluate_cast(x: np.ndarray, dtype: DType) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(x).astype(dtype.numpy)


def _cast_vjp(g: Any, result: Any, x: Any, dtype: DType) -> tuple[Any, ...]:
    if not (dtype.is_float and x.dtype.is_float):
        return (None,)
    return (cast(g, x.dtype),)


def _cast_formula(w: Any, x: Any, dtype: DType) -> Any:
    return w.cast(x, dtype)


def _cast_notation(dtype: DType) -> Notation:
    return Notation(Formula(f"{dtype.name}($x)", rf"\text{{{dtype.name}}}($x)"), slopes=(Formula("1"),))


def _cast_examples() -> tuple[Example, ...]:
    names = ("float32", "float64", "int32", "uint8", "bool", "int64")
    numbers = np.array([0.0, 1.0, 2.7, 100.2])
    return tuple(
        Example((numbers.astype(source),), {"dtype": as_dtype(target)})
        for source in names
        for target in names
        if source != target
    )


CAST = Primitive(
    name="cast",
    family="elementwise",
    type_rule=_cast_rule,
    evaluate=_evaluate_cast,
    vjp=_cast_vjp,
    formula=_cast_formula,
    notation=_cast_notation,
    examples=_cast_examples,
)


def _identity_rule(x: ArrayType) -> ArrayType:
    return x


def _identity_vjp(g: Any, result: Any, x: Any) -> tuple[Any, ...]:
    return (g,)


IDENTITY = Primitive(
    name="identity",
    family="elementwise",
    type_rule=_identity_rule,
    evaluate=np.array,
    vjp=_identity_vjp,
    formula=_by_name("identity"),
    notation=Notation(Formula("$x"), slopes=(Formula("1"),)),
    cost=0,
    examples=_unary_samples(),
)

STOP_GRADIENT = Primitive(
    name="stop_gradient",
    family="elementwise",
    type_rule=_identity_rule,
    evaluate=np.array,
    vjp=NO_GRADIENT,
    formula=_by_name("identity"),
    notation=Notation(Formula("stop_gradient($x)", r"\text{stop\_gradient}($x)")),
    cost=0,
    examples=_unary_samples(),
)

# -- public functions ---------------------------------------------------------------------------------------------


_TYPED = (Node, Variable)
_WEAK = (bool, int, float)


def _dtype_of(operand: Any) -> DType:
    """The dtype of what `as_operand` gave."""
    return operand.dtype if isinstance(operand, Node) else as_dtype(operand.dtype)


def _is_weak(value: Any) -> bool:
    """Whether a value is a Python number, which takes the dtype of the array it meets."""
    return isinstance(value, _WEAK) and not isinstance(value, np.generic)


@functools.cache
def _meeting_dtype(kinds: tuple[Any, ...]) -> DType:
    """The dtype in which arrays of some dtypes and numbers of some Python types meet.

    A number changes that of the arrays only where it could not be one of them, such as 0.5 among whole numbers.
    """
    numbers = [kind for kind in kinds if not isinstance(kind, DType)]
    if len(numbers) == len(kinds):
        return functools.reduce(promote, map(as_dtype, numbers))
    dtype = functools.reduce(promote, [kind for kind in kinds if isinstance(kind, DType)])
    for number in numbers:
        if issubclass(number, float) and not dtype.is_float:
            dtype = promote(dtype, float32)
        elif issubclass(number, int) and not issubclass(number, bool) and dtype is bool_:
            dtype = as_dtype(int)
    return dtype


def _converted(operand: Any, dtype: DType) -> Any:
    """What `as_operand` gave, or a Python number, with this dtype."""
    if _is_weak(operand):
        return np.asarray(operand, dtype=dtype.numpy)
    return operand if _dtype_of(operand) is dtype else apply(CAST, operand, dtype=dtype)


def promoted(name: str, values: tuple[Any, ...], floating: bool = False) -> list[Any]:
    """Operands with one dtype and one shape: Python numbers take the arrays' dtype, scalars stay scalars."""
    operands = [value if _is_weak(value) else as_operand(value) for value in values]
    dtype = _meeting_dtype(tuple([type(operand) if _is_weak(operand) else _dtype_of(operand) for operand in operands]))
    if floating and not dtype.is_float:
        dtype = float32
    return aligned(name, [_converted(operand, dtype) for operand in operands])


def aligned(name: str, operands: list[Any]) -> list[Any]:
    """Operands broadcast to one shape; those without a shape stay as they are."""
    shapes = [operand.shape for operand in operands if operand.shape]
    if not shapes or shapes.count(shapes[0]) == len(shapes):
        return operands
    shape = broadcast_shapes(*shapes, where=name)
    from chainrule.ops.movement import broadcast_to

    return [broadcast_to(operand, shape) if operand.shape else operand for operand in operands]


def _apply_numbers(primitive: Primitive, *values: Any, floating: bool = False) -> Any:
    if not _are_of_one_type(values) or floating and not values[0].dtype.is_float:
        values = tuple(promoted(primitive.name, values, floating))
    return apply(primitive, *values)


def _are_of_one_type(values: tuple[Any, ...]) -> bool:
    """Whether there is nothing to promote, as in most operations of a traced network."""
    kinds = [value.type for value in values if isinstance(value, _TYPED)]
    return len(kinds) == len(values) and all(kind is kinds[0] or kind == kinds[0] for kind in kinds)


def add(x: Any, y: Any) -> Any:
    """x + y, element by element."""
    return _apply_numbers(ADD, x, y)


def subtract(x: Any, y: Any) -> Any:
    """x - y, element by element."""
    return _apply_numbers(SUBTRACT, x, y)


def multiply(x: Any, y: Any) -> Any:
    """x * y, element by element."""
    return _apply_numbers(MULTIPLY, x, y)


def divide(x: Any, y: Any) -> Any:
    """x / y, in floating point, element by element."""
    return _apply_numbers(DIVIDE, x, y, floating=True)


def mod(x: Any, y: Any) -> Any:
    """x - floor(x / y) * y, with the sign of y, element by element."""
    return _apply_numbers(FLOOR_MOD, x, y)


def power(x: Any, y: Any) -> Any:
    """x to the power y, in floating point, element by element."""
    return _apply_numbers(POWER, x, y, floating=True)


def maximum(x: Any, y: Any) -> Any:
    """The larger of x and y; NaN if either is, element by element."""
    return _apply_numbers(MAXIMUM, x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of x and y; NaN if either is, element by element."""
    return _apply_numbers(MINIMUM, x, y)


def negative(x: Any) -> Any:
    """-x, element by element."""
    return _apply_numbers(NEGATIVE, x)


def absolute(x: Any) -> Any:
    """|x|, element by element."""
    return _apply_numbers(ABSOLUTE, x)


def sign(x: Any) -> Any:
    """-1, 0 or 1, element by element."""
    return _apply_numbers(SIGN, x)


def exp(x: Any) -> Any:
    """e to the power x, element by element."""
    return _apply_numbers(EXP, x, floating=True)


def expm1(x: Any) -> Any:
    """exp(x) - 1, exact near zero, element by element."""
    return _apply_numbers(EXPM1, x, floating=True)


def log(x: Any) -> Any:
    """The natural logarithm, element by element."""
    return _apply_numbers(LOG, x, floating=True)


def log1p(x: Any) -> Any:
    """log(1 + x), exact near zero, element by element."""
    return _apply_numbers(LOG1P, x, floating=True)


def sqrt(x: Any) -> Any:
    """The square root, element by element."""
    return _apply_numbers(SQRT, x, floating=True)


def tanh(x: Any) -> Any:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)), element by element."""
    return _apply_numbers(TANH, x, floating=True)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), element by element."""
    return _apply_numbers(SIGMOID, x, floating=True)


def erf(x: Any) -> Any:
    """2 / sqrt(pi) * integral of exp(-t**2) from 0 to x, element by element."""
    return _apply_numbers(ERF, x, floating=True)


def relu(x: Any) -> Any:
    """max(x, 0), element by element."""
    return _apply_numbers(RELU, x)


def sin(x: Any) -> Any:
    """The sine of x in radians, element by element."""
    return _apply_numbers(SIN, x, floating=True)


def cos(x: Any) -> Any:
    """The cosine of x in radians, element by element."""
    return _apply_numbers(COS, x, floating=True)


def floor(x: Any) -> Any:
    """The largest whole number that is not above x, element by element."""
    return _apply_numbers(FLOOR, x, floating=True)


def ceil(x: Any) -> Any:
    """The smallest whole number that is not below x, element by element."""
    return _apply_numbers(CEIL, x, floating=True)


def round(x: Any) -> Any:
    """The nearest whole number, halves to even, element by element."""
    return _apply_numbers(ROUND, x, floating=True)


def equal(x: Any, y: Any) -> Any:
    """x == y, element by element."""
    return _apply_numbers(EQUAL, x, y)


def not_equal(x: Any, y: Any) -> Any:
    """x != y, element by element."""
    return _apply_numbers(NOT_EQUAL, x, y)


def less(x: Any, y: Any) -> Any:
    """x < y, element by element."""
    return _apply_numbers(LESS, x, y)


def less_equal(x: Any, y: Any) -> Any:
    """x <= y, element by element."""
    return _apply_numbers(LESS_EQUAL, x, y)


def greater(x: Any, y: Any) -> Any:
    """x > y, element by element."""
    return less(y, x)


def greater_equal(x: Any, y: Any) -> Any:
    """x >= y, element by element."""
    return less_equal(y, x)


def logical_and(x: Any, y: Any) -> Any:
    """Whether x and y hold; numbers count as true where they are not zero."""
    return apply(LOGICAL_AND, *aligned("logical_and", [cast(x, bool_), cast(y, bool_)]))


def logical_or(x: Any, y: Any) -> Any:
    """Whether x or y hold; numbers count as true where they are not zero."""
    return apply(LOGICAL_OR, *aligned("logical_or", [cast(x, bool_), cast(y, bool_)]))


def logical_not(x: Any) -> Any:
    """Whether x does not hold."""
    return apply(LOGICAL_NOT, cast(x, bool_))


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, else y, element by element.

    Example:
        >>> where(np.array([True, False]), 1.0, np.array([5.0, 6.0], "float32"))
        array([1., 6.], dtype=float32)
    """
    x, y = promoted("where", (x, y))
    return apply(SELECT, *aligned("where", [cast(condition, bool_), x, y]))


def cast(x: Any, dtype: Any) -> Any:
    """The same numbers with another dtype."""
    return _converted(as_operand(x), as_dtype(dtype))


def identity(x: Any) -> Any:
    """x, as a value of its own."""
    return apply(IDENTITY, x)


def stop_gradient(x: Any) -> Any:
    """x, through which no gradient passes: its derivative counts as zero.

    Example:
        >>> import chainrule as cr
        >>> float(cr.grad(lambda x: x * cr.stop_gradient(x))(3.0))
        3.0
    """
    return apply(STOP_GRADIENT, x)
