"""What to do about a fault, by its operation and place."""

from __future__ import annotations

import math
from collections.abc import Callable

from chainrule.inspect.numbers import format_number
from chainrule.inspect.provenance.faults import Fault, Operand

_GROWING = ("add", "subtract", "multiply", "divide", "power", "matmul", "sum", "prod", "cast", "exp", "expm1")
_LARGE_RATE = 100.0
"""A learning rate that no optimizer is meant to have."""


def suggest(fault: Fault, grows: bool, rate: float | None, scale: float) -> str:
    """One sentence that says what to do.

    Args:
        grows: whether the weights grew from step to step.
        rate: the learning rate, where it is a number.
        scale: the largest number of the batch's inputs.
    """
    found = _by_operation(fault)
    if found is not None and not (grows and fault.operation in _GROWING and math.isinf(fault.value)):
        return found
    if fault.operation in _GROWING:
        return _overflow(fault, grows, rate, scale)
    return "lower the learning rate, set clipnorm, or scale the inputs"


def _overflow(fault: Fault, grows: bool, rate: float | None, scale: float) -> str:
    """A number became too large for its type."""
    lower = "lower the learning rate" + ("" if rate is None else f" ({format_number(rate)} now)")
    if grows:
        return f"{lower}, or set clipnorm in the optimizer: the weights grow from step to step"
    if rate is not None and rate > _LARGE_RATE:
        return f"{lower}, which is far from what is usual"
    if scale > 1e3:
        return (
            f"scale the inputs, whose largest number is {format_number(scale)}: cr.layers.Normalization, or "
            "cr.layers.Rescaling, as the first layer"
        )
    if fault.part in ("update", "gradient"):
        return f"set clipnorm in the optimizer, or {lower}: the gradient is too large for float32"
    return f"{lower}, set clipnorm, or scale inputs and targets: the numbers are too large for float32"


def _by_operation(fault: Fault) -> str | None:
    """What to do about operations that have no value, or no slope, at some numbers; None for all others."""
    rule = _RULES.get(fault.operation)
    if rule is None or any(operand.value is None for operand in fault.operands):
        return None
    return rule(fault, *fault.operands)


def _log(fault: Fault, x: Operand) -> str | None:
    if fault.part == "loss":
        return (
            "let the last layer give logits and the loss take from_logits=True; in a loss of your own, "
            "cr.ops.log(cr.ops.maximum(x, 1e-7))"
        )
    return "keep the argument above 0: cr.ops.log(cr.ops.maximum(x, 1e-7))"


def _log1p(fault: Fault, x: Operand) -> str | None:
    return "keep the argument above -1: cr.ops.log1p(cr.ops.maximum(x, -1 + 1e-6))"


def _sqrt(fault: Fault, x: Operand) -> str | None:
    return "keep the argument from 0: cr.ops.sqrt(cr.ops.maximum(x, 1e-12))"


def _divide(fault: Fault, x: Operand, y: Operand) -> str | None:
    if y.value != 0:
        return None
    if fault.part == "gradient":
        if y.operation == "sqrt":
            return (
                "the slope of a square root, and so of a norm, has no value at 0: add a small number within, "
                "cr.ops.sqrt(x + 1e-12)"
            )
        if x.value == 0:
            return (
                "a where around the result does not keep its slope from being 0 / 0: choose the argument too, "
                "f(cr.ops.where(ok, x, 1.0))"
            )
        return "the slope has no value at 0: keep the argument away from it, with cr.ops.maximum(x, 1e-7)"
    return "keep what is divided by away from 0: cr.ops.maximum(y, 1e-7), or add a small number to it"


def _power(fault: Fault, x: Operand, y: Operand) -> str | None:
    if math.isnan(fault.value) or x.value == 0:
        slope = "the slope of " if fault.part == "gradient" else ""
        return f"{slope}a power needs a base above 0 here: cr.ops.maximum(x, 1e-7) ** y"
    return None


def _exp(fault: Fault, x: Operand) -> str | None:
    return (
        "exp is too large for float32 above 88.7: take cr.ops.softmax, cr.ops.logsumexp or cr.ops.softplus, which "
        "cannot overflow, or cr.ops.minimum(x, 80.0)"
    )


def _meets_constant(fault: Fault, *operands: Operand) -> str | None:
    """0 · inf and inf - inf, where one of the two was written down."""
    given = [
        operand for operand in operands if operand.source == "a constant" and not math.isfinite(operand.value or 0)
    ]
    if not given:
        return None
    return "an infinite constant meets another number: write a large finite one, or choose with cr.ops.where"


def _select(fault: Fault, condition: Operand, x: Operand, y: Operand) -> str | None:
    if fault.part == "forward" and condition.source.startswith(("less", "logical", "greater", "equal", "not")):
        return "a where chose this constant: look at its condition; an Embedding does so for numbers without a vector"
    return "a where chose a constant that is not finite: write a finite one"


_RULES: dict[str, Callable[..., str | None]] = {
    "add": _meets_constant,
    "divide": _divide,
    "exp": _exp,
    "expm1": _exp,
    "log": _log,
    "log1p": _log1p,
    "multiply": _meets_constant,
    "power": _power,
    "select": _select,
    "sqrt": _sqrt,
    "subtract": _meets_constant,
}
