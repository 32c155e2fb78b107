"""A writer of LLVM's text form: values with a type and a number of lanes, lines, labels, declarations.

It writes one function at a time and decides nothing. `arithmetic` adds the operations on numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.compiler.target import Target
from chainrule.graph.types import DType, bool_

CACHE_LINE = 64  # bytes

_LLVM_NAMES = {"float32": "float", "float64": "double", "bool": "i1"}


@dataclass(frozen=True)
class Reg:
    """A value in LLVM text: its name or literal, its element type, and its lanes (1 for a scalar).

    A bool is one bit here, one byte in memory.
    """

    name: str
    dtype: DType
    lanes: int = 1

    @property
    def type(self) -> str:
        return llvm_type(self.dtype, self.lanes)

    def __str__(self) -> str:
        return self.name


def llvm_type(dtype: DType, lanes: int = 1) -> str:
    """LLVM's name of an element type, or of a vector of it.

    Example:
        >>> from chainrule.graph.types import float32
        >>> llvm_type(float32, 16)
        '<16 x float>'
    """
    element = _LLVM_NAMES.get(dtype.name) or f"i{dtype.bits}"
    return element if lanes == 1 else f"<{lanes} x {element}>"


def memory_type(dtype: DType, lanes: int = 1) -> str:
    """The same, as it lies in memory: a bool takes a byte."""
    if dtype is bool_ or dtype == bool_:
        return "i8" if lanes == 1 else f"<{lanes} x i8>"
    return llvm_type(dtype, lanes)


class Writer:
    """Collects the lines of one LLVM function and the declarations that it needs."""

    def __init__(self, target: Target):
        self.target = target
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self._count = 0

    def fresh(self, hint: str = "v") -> str:
        """A new value name, ``%v12``."""
        self._count += 1
        return f"%{hint}{self._count}"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def op(self, text: str, dtype: DType, lanes: int = 1, hint: str = "v") -> Reg:
        """Write ``%new = text`` and return the new value."""
        name = self.fresh(hint)
        self.lines.append(f"  {name} = {text}")
        return Reg(name, dtype, lanes)

    def declare(self, declaration: str) -> None:
        """Ask for ``declare ...`` once in the module."""
        self.declarations.add(declaration)

    def label(self, hint: str = "block") -> str:
        """A new label's name, not yet placed."""
        self._count += 1
        return f"{hint}{self._count}"

    def place(self, label: str) -> None:
        """Begin the block `label`; the one before must have ended."""
        self.lines.append(f"{label}:")

    def jump(self, label: str) -> None:
        self.line(f"br label %{label}")

    def branch(self, condition: Reg, then: str, otherwise: str) -> None:
        self.line(f"br i1 {condition}, label %{then}, label %{otherwise}")
