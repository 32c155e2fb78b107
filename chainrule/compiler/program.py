"""The program: a table with one row a kernel call, and the buffers that the rows touch. It is data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.compiler.kernel import Kernel
from chainrule.graph.types import ArrayType


@dataclass(frozen=True)
class Buffer:
    """A piece of memory.

    `role` is ``input`` (an argument or Variable), ``output`` (a result), ``constant`` or ``temporary``;
    `place` is the position among the graph's inputs or outputs; `array` the constant's value.
    """

    type: ArrayType
    role: str
    place: int = -1
    array: np.ndarray | None = None
    label: str = ""


@dataclass(frozen=True)
class Row:
    """One kernel call: the kernel's number, the buffers it is given in order, and the scope it came from.

    `scopes` are those of all operations that the kernel computes, fused ones too.
    """

    kernel: int
    buffers: tuple[int, ...]
    scope: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """Kernels, buffers and the rows that call them in order.

    `outputs` names the buffer of each of the graph's outputs; an assigned Variable's is its own input buffer.
    """

    name: str
    kernels: tuple[Kernel, ...]
    buffers: tuple[Buffer, ...]
    rows: tuple[Row, ...]
    outputs: tuple[int, ...]
    sizes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"program {self.name}: {len(self.rows)} rows, {len(self.kernels)} kernels"]
        lines.append("row  kernel              writes                    reads")
        for number, row in enumerate(self.rows):
            kernel = self.kernels[row.kernel]
            written: list[str] = []
            read: list[str] = []
            for operand, buffer in zip(kernel.operands, row.buffers, strict=True):
                (written if operand.written else read).append(self._name(buffer))
            title = f"{row.kernel} {kernel.family}"
            lines.append(f"{number:>3}  {title:<18}  {' '.join(written):<24}  {' '.join(read)}".rstrip())
        return "\n".join(lines)

    def _name(self, number: int) -> str:
        buffer = self.buffers[number]
        return f"{buffer.label or buffer.role[0] + str(number)}:{buffer.type}"
