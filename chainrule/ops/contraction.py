"""Contraction: the matrix product, and what is built of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.primitive import Example, Formula, Notation, Primitive
from chainrule.graph.shapes import broadcast_shapes, multiply_dims, normalize_axis
from chainrule.graph.tracing import apply, as_operand
from chainrule.graph.types import ArrayType, float32
from chainrule.ops.elementwise import multiply, promoted, rounded_to_bfloat16
from chainrule.ops.movement import broadcast_to, expand_dims, reshape, squeeze, transpose


def _matmul_rule(
    a: ArrayType, b: ArrayType, transpose_a: bool, transpose_b: bool, precision: str | None = None
) -> ArrayType:
    if a.rank != b.rank or a.rank < 2 or a.dtype != b.dtype or not a.dtype.is_float:
        raise ChainruleError(
            "not two matrices of one float type",
            where="matmul",
            expected="equal ranks of 2 or more",
            got=f"{a} and {b}",
        )
    m, inner = (a.shape[-1], a.shape[-2]) if transpose_a else (a.shape[-2], a.shape[-1])
    inner_b, n = (b.shape[-1], b.shape[-2]) if transpose_b else (b.shape[-2], b.shape[-1])
    if inner != inner_b or a.shape[:-2] != b.shape[:-2]:
        raise ChainruleError(
            "the inner dimensions differ",
            where="matmul",
            expected=f"{inner} rows in the second matrix",
            got=f"{a} and {b}",
        )
    if precision is not None and (precision != "bfloat16" or a.dtype != float32):
        raise ChainruleError(
            "not a precision for this product",
            where="matmul",
            expected="'bfloat16' of float32",
            got=(precision, a.dtype),
        )
    return ArrayType(a.dtype, (*a.shape[:-2], m, n))


def _evaluate_matmul(
    a: np.ndarray, b: np.ndarray, transpose_a: bool, transpose_b: bool, precision: str | None = None
) -> np.ndarray:
    if precision:
        a, b = rounded_to_bfloat16(a), rounded_to_bfloat16(b)
    return np.matmul(a.swapaxes(-1, -2) if transpose_a else a, b.swapaxes(-1, -2) if transpose_b else b)


def _product(a: Any, b: Any, transpose_a: bool, transpose_b: bool, precision: str | None = None) -> Any:
    extra = {"precision": precision} if precision else {}
    return apply(MATMUL, a, b, transpose_a=transpose_a, transpose_b=transpose_b, **extra)


def _matmul_vjp(
    g: Any, result: Any, a: Any, b: Any, transpose_a: bool, transpose_b: bool, precision: str | None = None
) -> tuple[Any, ...]:
    """With C = A B: dA = dC Bᵀ and dB = Aᵀ dC, each turned where its operand was, in the same precision."""
    p = precision
    da = _product(b, g, transpose_b, True, p) if transpose_a else _product(g, b, False, not transpose_b, p)
    db = _product(g, a, True, transpose_a, p) if transpose_b else _product(a, g, not transpose_a, False, p)
    return da, db


def _matmul_notation(transpose_a: bool, transpose_b: bool, precision: str | None = None) -> Notation:
    """Products as they are computed: the letters turned as `_matmul_vjp` turns them."""

    def product(first: str, first_turned: bool, second: str, second_turned: bool) -> Formula:
        text = f"{first}{'ᵀ' * first_turned}·{second}{'ᵀ' * second_turned}"
        latex = rf"{{{first}}}{'^{T}' * first_turned} \cdot {{{second}}}{'^{T}' * second_turned}"
        return Formula(text, latex)

    if transpose_a:
        by_a = product("$y", transpose_b, "$g", True)
    else:
        by_a = product("$g", False, "$y", not transpose_b)
    if transpose_b:
        by_b = product("$g", True, "$x", transpose_a)
    else:
        by_b = product("$x", not transpose_a, "$g", False)
    return Notation(product("$x", transpose_a, "$y", transpose_b), gradients=(by_a, by_b))


def _matrix(*shape: int) -> np.ndarray:
    count = math.prod(shape)
    return (((np.arange(count) * 0.618034) % 1.0) - 0.5).reshape(shape).astype("float32")


def _matmul_examples() -> tuple[Example, ...]:
    plain = {"transpose_a": False, "transpose_b": False}
    return (
        Example((_matrix(3, 4), _matrix(4, 5)), plain),
        Example((_matrix(4, 3), _matrix(4, 5)), {"transpose_a": True, "transpose_b": False}),
        Example((_matrix(3, 4), _matrix(5, 4)), {"transpose_a": False, "transpose_b": True}),
        Example((_matrix(4, 3), _matrix(5, 4)), {"transpose_a": True, "transpose_b": True}),
        Example((_matrix(2, 3, 4), _matrix(2, 4, 5)), plain),
        Example((_matrix(1, 1), _matrix(1, 1)), plain),
        Example((_matrix(3, 0), _matrix(0, 5)), plain),
        Example((_matrix(13, 33).astype("float64"), _matrix(33, 17).astype("float64")), plain),
    )


MATMUL = Primitive(
    name="matmul",
    family="contraction",
    type_rule=_matmul_rule,
    evaluate=_evaluate_matmul,
    vjp=_matmul_vjp,
    notation=_matmul_notation,
    cost=2,
    examples=_matmul_examples,
)

# -- public functions ---------------------------------------------------------------------------------------------


def matmul(x: Any, y: Any, precision: str | None = None) -> Any:
    """The matrix product over the last two axes, leading axes broadcast; a vector counts as a row or a column.

    Args:
        precision: with ``"bfloat16"`` the factors, here and in the gradients, are rounded to 8 bits before they are
            multiplied; sums are float32. About twice as fast where the processor has the instructions.

    Example:
        >>> matmul(np.eye(2), np.array([3.0, 4.0]))
        array([3., 4.])
    """
    a, b = _one_float_type(x, y)
    if not a.shape or not b.shape:
        raise ChainruleError("a scalar is no matrix", where="matmul", expected="rank 1 or more", got=(a.shape, b.shape))
    row, column = len(a.shape) == 1, len(b.shape) == 1
    a = expand_dims(a, 0) if row else a
    b = expand_dims(b, -1) if column else b
    if len(b.shape) == 2 and len(a.shape) > 2:
        flat = reshape(a, (multiply_dims(a.shape[:-1]), a.shape[-1]))
        product = reshape(_product(flat, b, False, False, precision), (*a.shape[:-1], b.shape[-1]))
    else:
        lead = broadcast_shapes(a.shape[:-2], b.shape[:-2], where="matmul")
        a = broadcast_to(a, (*lead, *a.shape[-2:]))
        b = broadcast_to(b, (*lead, *b.shape[-2:]))
        product = _product(a, b, False, False, precision)
    if row:
        product = squeeze(product, -2)
    return squeeze(product, -1) if column else product


def _one_float_type(x: Any, y: Any) -> tuple[Any, Any]:
    from chainrule.graph.types import as_dtype, promote
    from chainrule.ops.elementwise import cast

    a, b = as_operand(x), as_operand(y)
    dtype = promote(as_dtype(a.dtype), as_dtype(b.dtype))
    dtype = dtype if dtype.is_float else float32
    return cast(a, dtype), cast(b, dtype)


def dot(x: Any, y: Any) -> Any:
    """NumPy's dot: matrix product of matrices, sum of products of vectors, multiplication by a scalar."""
    a, b = as_operand(x), as_operand(y)
    if not a.shape or not b.shape:
        return multiply(a, b)
    if len(b.shape) <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=((len(a.shape) - 1,), (len(b.shape) - 2,)))


def tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """The sum of products over pairs of axes, as in NumPy."""
    a, b = _one_float_type(x, y)
    if isinstance(axes, int):
        first, second = tuple(range(len(a.shape) - axes, len(a.shape))), tuple(range(axes))
    else:
        first, second = (tuple([part] if isinstance(part, int) else part) for part in axes)
    first = tuple(normalize_axis(axis, len(a.shape), "tensordot") for axis in first)
    second = tuple(normalize_axis(axis, len(b.shape), "tensordot") for axis in second)
    left = tuple(axis for axis in range(len(a.shape)) if axis not in first)
    right = tuple(axis for axis in range(len(b.shape)) if axis not in second)
    a_shape = tuple(a.shape[axis] for axis in left)
    b_shape = tuple(b.shape[axis] for axis in right)
    inner = multiply_dims(a.shape[axis] for axis in first)
    a = reshape(transpose(a, (*left, *first)), (multiply_dims(a_shape), inner))
    b = reshape(transpose(b, (*second, *right)), (inner, multiply_dims(b_shape)))
    return reshape(_product(a, b, False, False), (*a_shape, *b_shape))


def outer(x: Any, y: Any) -> Any:
    """``x[i] * y[j]`` for all i and j."""
    a, b = promoted("outer", (x, y)) if np.shape(x) == np.shape(y) else (as_operand(x), as_operand(y))
    return multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


def einsum(subscripts: str, *operands: Any, precision: str | None = None) -> Any:
    """Einstein's summation of one or two arrays: products summed over the letters that the result does not name.

    Args:
        subscripts: a letter an axis, as ``"abc,cd->abd"``; ``...`` stands for any number of axes.
        precision: of the products, as in `matmul`.

    Raises:
        ChainruleError: where letters and axes do not fit, a letter is twice in one operand, or has two sizes.

    Example:
        >>> einsum("ij,j->i", np.eye(2), np.array([3.0, 4.0]))
        array([3., 4.])
    """
    arrays = [as_operand(operand) for operand in operands]
    terms, result = _letters_of(subscripts, [len(array.shape) for array in arrays])
    sizes: dict[str, Any] = {}
    for letters, array in zip(terms, arrays, strict=True):
        for letter, size in zip(letters, array.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ChainruleError(f"axis '{letter}' has two sizes", where="einsum", expected=sizes[letter], got=size)
    if len(arrays) == 1:
        array, letters = _sum_out(arrays[0], terms[0], result)
        return transpose(array, [letters.index(letter) for letter in result])
    a, b = _one_float_type(*arrays)
    a, first = _sum_out(a, terms[0], result + terms[1])
    b, second = _sum_out(b, terms[1], result + terms[0])
    shared = [letter for letter in result if letter in first and letter in second]
    left = [letter for letter in result if letter in first and letter not in second]
    right = [letter for letter in result if letter in second and letter not in first]
    inner = [letter for letter in second if letter in first and letter not in result]

    def sizes_of(letters: list[str]) -> tuple[Any, ...]:
        return tuple(sizes[letter] for letter in letters)

    lead, rows, columns, depth = sizes_of(shared), sizes_of(left), sizes_of(right), sizes_of(inner)
    a = transpose(a, [first.index(letter) for letter in [*shared, *left, *inner]])
    b = transpose(b, [second.index(letter) for letter in [*shared, *inner, *right]])
    a = reshape(a, (*lead, multiply_dims(rows), multiply_dims(depth)))
    b = reshape(b, (*lead, multiply_dims(depth), multiply_dims(columns)))
    product = reshape(_product(a, b, False, False, precision), (*lead, *rows, *columns))
    found = [*shared, *left, *right]
    return transpose(product, [found.index(letter) for letter in result])


def _letters_of(subscripts: str, ranks: list[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result; the axes that ``...`` stands for get digits."""
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    if len(terms) != len(ranks) or len(ranks) not in (1, 2) or not arrow:
        raise ChainruleError(
            "the subscripts do not fit",
            where="einsum",
            expected="one or two operands, '->' and the result",
            got=f"{subscripts!r} for {len(ranks)} operands",
        )
    widths = {rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True) if "..." in term}
    if len(widths) > 1 or min(widths, default=0) < 0:
        raise ChainruleError("'...' does not fit the axes", where="einsum", expected=subscripts, got=f"ranks {ranks}")
    elided = "".join(str(place) for place in range(max(widths, default=0)))
    terms, result = [term.replace("...", elided) for term in terms], result.replace("...", elided)
    for term, rank in zip(terms, ranks, strict=True):
        if len(term) != rank or len(set(term)) != len(term):
            raise ChainruleError(
                "an operand needs one letter an axis, each once", where="einsum", expected=f"{rank} letters", got=term
            )
    if len(set(result)) != len(result) or not set(result) <= set("".join(terms)):
        raise ChainruleError("the result needs letters of the operands", where="einsum", expected=terms, got=result)
    return terms, result


def _sum_out(array: Any, letters: str, wanted: str) -> tuple[Any, str]:
    """An array without the axes that nothing else names, and the letters that are left."""
    from chainrule.ops.reduction import sum as sum_

    axes = tuple(axis for axis, letter in enumerate(letters) if letter not in wanted)
    kept = "".join(letter for letter in letters if letter in wanted)
    return (sum_(array, axes) if axes else array), kept
