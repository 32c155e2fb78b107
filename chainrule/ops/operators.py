"""NumPy's operators and methods on nodes and Variables: ``x @ w + b`` in a traced function."""

from __future__ import annotations

from typing import Any

from chainrule.errors import TracingError
from chainrule.graph.ir import Node
from chainrule.graph.variable import Variable
from chainrule.ops import contraction, derived, elementwise, movement, reduction


def _binary(function: Any) -> tuple[Any, Any]:
    def forward(self: Any, other: Any) -> Any:
        return function(self, other)

    def backward(self: Any, other: Any) -> Any:
        return function(other, self)

    return forward, backward


def _unary(function: Any) -> Any:
    def method(self: Any) -> Any:
        return function(self)

    return method


_BINARY: dict[str, Any] = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": derived.floor_divide,
    "mod": elementwise.mod,
    "pow": elementwise.power,
    "matmul": contraction.matmul,
    "and": elementwise.logical_and,
    "or": elementwise.logical_or,
    "xor": derived.logical_xor,
}
_COMPARISON: dict[str, Any] = {
    "eq": elementwise.equal,
    "ne": elementwise.not_equal,
    "lt": elementwise.less,
    "le": elementwise.less_equal,
    "gt": elementwise.greater,
    "ge": elementwise.greater_equal,
}
_UNARY: dict[str, Any] = {"neg": elementwise.negative, "abs": elementwise.absolute, "invert": elementwise.logical_not}
_METHODS: dict[str, Any] = {
    "sum": reduction.sum,
    "mean": reduction.mean,
    "max": reduction.max,
    "min": reduction.min,
    "astype": elementwise.cast,
    "reshape": movement.reshape,
    "transpose": movement.transpose,
    "__getitem__": movement.select_index,
}
_UFUNCS: dict[str, Any] = {
    "add": elementwise.add,
    "subtract": elementwise.subtract,
    "multiply": elementwise.multiply,
    "divide": elementwise.divide,
    "floor_divide": derived.floor_divide,
    "remainder": elementwise.mod,
    "power": elementwise.power,
    "matmul": contraction.matmul,
    "bitwise_and": elementwise.logical_and,
    "bitwise_or": elementwise.logical_or,
    "bitwise_xor": derived.logical_xor,
    "equal": elementwise.equal,
    "not_equal": elementwise.not_equal,
    "less": elementwise.less,
    "less_equal": elementwise.less_equal,
    "greater": elementwise.greater,
    "greater_equal": elementwise.greater_equal,
}
"""What NumPy calls for ``array + node``, whose array stands first."""


def _array_ufunc(self: Any, ufunc: Any, method: str, *operands: Any, **options: Any) -> Any:
    """An operator between an array and this; every other function of NumPy is refused, and the right one named."""
    name, out = ufunc.__name__, options.pop("out", None)
    # ``array += node`` asks for the sum to be written into the array; as with numbers, the name gets the new value.
    if name in _UFUNCS and method == "__call__" and not options and (out is None or out[0] is operands[0]):
        return _UFUNCS[name](*operands)
    from chainrule import ops

    there = method == "__call__" and not options and out is None and hasattr(ops, name)
    raise TracingError(
        f"np.{name} cannot compute with {'a traced value' if isinstance(self, Node) else 'a Variable'}",
        where=repr(self),
        fix=f"cr.ops.{name} in place of np.{name}" if there else "use the functions of cr.ops, without `out`",
    )


def _power(self: Any, exponent: Any) -> Any:
    # The exponents of every loss and update, exact and a hundredth of the cost of a general power.
    if isinstance(exponent, int | float) and exponent in (1, 2):
        return derived.square(self) if exponent == 2 else self
    return elementwise.power(self, exponent)


def install() -> None:
    """Give nodes and Variables their operators; called once when `chainrule.ops` is imported."""
    kinds: tuple[Any, ...] = (Node, Variable)
    for kind in kinds:
        for name, function in _BINARY.items():
            forward, backward = _binary(function)
            setattr(kind, f"__{name}__", forward)
            setattr(kind, f"__r{name}__", backward)
        kind.__pow__ = _power
        for name, function in _COMPARISON.items():
            setattr(kind, f"__{name}__", _binary(function)[0])
        for name, single in _UNARY.items():
            setattr(kind, f"__{name}__", _unary(single))
        for name, method in _METHODS.items():
            setattr(kind, name, method)
        kind.__array_ufunc__ = _array_ufunc
        kind.T = property(_unary(movement.transpose))
        # Equality is elementwise, identity is what makes a node or a Variable itself.
        kind.__hash__ = object.__hash__
