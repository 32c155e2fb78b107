"""Cost: how many operations and bytes a kernel's call takes, counted from the kernel's value.

Two numbers bound a call from below: its arithmetic at the machine's peak, and the bytes it must move at least once at
the memory's bandwidth. `profile` holds them against the clock; the runtime decides from them what is worth sharing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.compiler.kernel import Accumulation, Instruction, Kernel, MatrixProduct, Position, Reduction
from chainrule.graph.types import Dim, OpenDim

Sizes = Mapping[str, int]


def bind_dim(dim: Dim, sizes: Sizes) -> int:
    return dim.bind(sizes) if isinstance(dim, OpenDim) else dim


def bind_product(dims: Sequence[Dim], sizes: Sizes) -> int:
    count = 1
    for dim in dims:
        count *= bind_dim(dim, sizes)
    return count


def count_operations(kernel: Kernel, sizes: Sizes) -> int:
    """Arithmetic operations of a call: two for each product that is added to a sum, one for each other step."""
    points = bind_product(kernel.loops, sizes)
    total = points * _count_computes(kernel.body)
    core = kernel.core
    if isinstance(core, MatrixProduct):
        total += 2 * points * bind_dim(core.depth, sizes)
        if kernel.beside is not None:
            total += bind_dim(kernel.loops[-1], sizes) * (
                bind_dim(core.depth, sizes) + _count_computes(kernel.beside.body)
            )
    elif isinstance(core, Reduction):
        total += points * bind_product(core.extents, sizes) * (1 + _count_computes(core.body))
    elif isinstance(core, Accumulation):
        total += points * bind_dim(core.rows, sizes) * (1 + _count_computes(core.body))
    return total


def _count_computes(steps: Sequence[Instruction]) -> int:
    return sum(1 for step in steps if step.op == "compute" and step.primitive not in ("pair", "cast"))


def count_traffic(kernel: Kernel, sizes: Sizes) -> int:
    """Bytes that a call must read or write, each element once."""
    extents = list(kernel.loops)
    core = kernel.core
    steps = list(kernel.body)
    touched: set[tuple[int, Position, bool]] = set()
    if isinstance(core, MatrixProduct):
        extents.append(core.depth)
        touched |= {(core.a, core.a_position, False), (core.b, core.b_position, False)}
    elif isinstance(core, Reduction):
        extents += core.extents
        steps += core.body
    elif isinstance(core, Accumulation):
        extents.append(core.rows)
        steps += core.body
        touched.add((core.operand, core.position, True))
    stores = list(kernel.stores)
    if kernel.beside is not None:
        steps += kernel.beside.body
        stores += kernel.beside.stores
    for step in steps:
        if step.op == "load" and step.position is not None:
            touched.add((step.operand, step.position, bool(step.args)))
    touched |= {(store.operand, store.position, False) for store in stores}
    total = 0
    for operand, position, by_row in touched:
        loops = [loop for loop in range(len(extents)) if position.depends_on(loop)]
        count = bind_product([extents[loop] for loop in loops], sizes)
        if by_row:  # the row's number follows loops that the position does not name: the outermost of those
            count *= bind_product([extent for loop, extent in enumerate(extents) if loop not in loops][:1], sizes)
        total += count * kernel.operands[operand].dtype.bytes
    return total


def estimate_work(kernel: Kernel, sizes: Sizes) -> int:
    """About how many vector-free instructions a call takes; products of matrices run four times as fast as the rest."""
    points = bind_product(kernel.loops, sizes)
    steps = len(kernel.body) + len(kernel.stores)
    if isinstance(kernel.core, MatrixProduct):
        steps += bind_dim(kernel.core.depth, sizes) // 4
    elif isinstance(kernel.core, Reduction):
        steps += bind_product(kernel.core.extents, sizes) * len(kernel.core.body)
    return points * steps
