"""A primitive: one atomic operation on arrays, with all that is known of it in one block.

A primitive is pure and has one result. Its examples feed the tests: the shape rule against NumPy, compiled code
against NumPy, the gradient against finite differences, the round trip through text. Its notation is how formulas
write it and its derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.types import ArrayType

NO_GRADIENT = "no gradient"
"""In place of a `vjp`: the result does not depend smoothly on the inputs, its derivative counts as zero."""


@dataclass(frozen=True)
class Example:
    """One call to test a primitive with: arrays and parameters."""

    arrays: tuple[np.ndarray, ...]
    params: Mapping[str, Any] = field(default_factory=dict)


_SIGNS = str.maketrans(
    {"−": "-", "⊙": r"\odot ", "·": r"\cdot ", "≤": r"\le ", "≠": r"\ne ", "∧": r"\land ", "∨": r"\lor ", "¬": r"\neg "}
)


@dataclass(frozen=True)
class Formula:
    """A formula for people, as text and as LaTeX.

    In it `$x`, `$y`, `$z`, `$w` stand for the operands in order, `$all` for all of them, `$v` for the result, and `$g`
    for its cotangent. The signs are those of `docs/notation.md`.

    Args:
        latex: by default the text with its signs in LaTeX's spelling.

    Example:
        >>> Formula("$x ⊙ $y").latex
        '$x \\\\odot  $y'
    """

    text: str
    latex: str = ""

    def __post_init__(self) -> None:
        if not self.latex:
            object.__setattr__(self, "latex", self.text.translate(_SIGNS))


@dataclass(frozen=True)
class Notation:
    """How formulas write a primitive and what the chain rule does with it.

    Args:
        value: the result.
        slopes: the derivative of an element of the result by the same element of each operand, for elementwise
            primitives; None for an operand that gets no cotangent.
        gradients: the cotangent of each operand, for all others; a single one stands for every operand.
    """

    value: Formula
    slopes: tuple[Formula | None, ...] = ()
    gradients: tuple[Formula | None, ...] = ()


@dataclass(frozen=True, eq=False)
class Primitive:
    """One atomic operation.

    Args:
        name: as printed in graphs.
        family: what the compiler keys on: ``source``, ``elementwise``, ``reduction``, ``movement``, ``indexing``,
            ``contraction``, ``random``.
        type_rule: ``(*input_types, **params) -> ArrayType``; raises ChainruleError for what does not fit.
        evaluate: ``(*arrays, **params) -> array``, the meaning, in NumPy.
        vjp: ``(cotangent, result, *inputs, **params) -> one cotangent (or None) per input``, written with the public
            operations, so that it can be differentiated again; or NO_GRADIENT.
        formula: for elementwise primitives, ``(writer, *scalars, **params) -> scalar``, the formula of one element;
            for reductions, ``(writer, accumulator, element) -> accumulator``.
        identity: for reductions, ``dtype -> number``, what an empty reduction gives.
        notation: how formulas write it: a `Notation`, or where it depends on parameters ``(**params) -> Notation``.
        cost: arithmetic operations per element of the result, for the cost model.
        examples: a function that returns the calls to test with (a function, so that importing costs nothing).
    """

    name: str
    family: str
    type_rule: Callable[..., ArrayType]
    evaluate: Callable[..., np.ndarray]
    vjp: Callable[..., tuple[Any, ...]] | str = NO_GRADIENT
    formula: Callable[..., Any] | None = None
    identity: Callable[..., Any] | None = None
    notation: Notation | Callable[..., Notation] | None = None
    cost: int = 1
    examples: Callable[[], tuple[Example, ...]] = tuple

    def __post_init__(self) -> None:
        if self.name in PRIMITIVES:
            raise ChainruleError(f"the primitive '{self.name}' is defined twice")
        PRIMITIVES[self.name] = self

    def __repr__(self) -> str:
        return self.name


PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by name: the registry that the parser, the compiler and the tests read."""
