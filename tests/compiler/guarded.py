"""Matrix products of every size near a constant of the microkernel, in memory with a forbidden page behind or before.

Run as a program: a touch outside a buffer ends it with a segmentation fault, which the test sees.

    python guarded.py TARGET end|start [kept]

With `kept`, products of constant sizes copy their left matrix, a tile's rows at a time.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

PAGE = mmap.PAGESIZE
WHERE = sys.argv[2] if len(sys.argv) > 2 else "end"
_libc = ctypes.CDLL(None, use_errno=True)
_keep: list[mmap.mmap] = []


def guarded_empty(shape: Sequence[int], dtype: Any = np.uint8) -> np.ndarray:
    """An array that ends where a forbidden page begins, or begins where one ends."""
    kind = np.dtype(dtype)
    size = kind.itemsize
    for dim in shape:
        size *= dim
    inner = -(-max(size, 1) // PAGE) * PAGE
    memory = mmap.mmap(-1, inner + 2 * PAGE)
    _keep.append(memory)
    whole = np.frombuffer(memory, dtype=np.uint8)
    address = whole.ctypes.data
    for page in (address, address + PAGE + inner):
        if _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    start = PAGE if WHERE == "start" else PAGE + inner - size
    return whole[start : start + size].view(kind).reshape(shape)


def guarded(values: np.ndarray) -> np.ndarray:
    array = guarded_empty(values.shape, values.dtype)
    array[...] = values
    return array


def install() -> None:
    """Put Variables, temporaries and workspaces into guarded memory."""
    from chainrule.graph import memory, variable
    from chainrule.runtime import executable

    for module in (memory, variable, executable):
        module.aligned_empty = guarded_empty  # type: ignore[attr-defined]


def keep_left() -> None:
    """Have products copy their left matrix wherever that is possible, in the smallest parts."""
    from chainrule.compiler import tiles

    tiles._KEEP_ROWS = tiles._KEEP_PANELS = tiles._KEPT_BLOCKS = 1


def main(target: str, kept: bool) -> None:
    install()
    if kept:
        keep_left()
    import chainrule as cr
    from chainrule.graph.tracing import trace
    from chainrule.graph.tree import flatten
    from chainrule.graph.types import ArrayType, OpenDim, as_dtype
    from chainrule.runtime.jit import build

    rng = np.random.default_rng(0)
    lanes = {"avx512": 16, "avx2": 8, "sse2": 4, "neon": 4}[target]
    rows = 12 if target in ("avx512", "neon") else 6
    near = {1, lanes - 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes, 2 * lanes + 1}
    # An odd number of whole vectors: the last panel is narrower, but no lane of it is empty.
    widths = sorted(near | {3 * lanes - 1, 3 * lanes, 5 * lanes, 8 * lanes + 1, 16 * lanes, 32 * lanes + 1})
    depths = [1, lanes - 1, lanes, 2 * lanes, rows + 1]
    # Around the rows of tiles; the last leaves each of two workers so many that the first tile packs the panel.
    heights = [1, 2, 3, 4, 5, 7, 9, 11, 12, 13, 16, 17, 25, 77]
    batch = OpenDim("batch")
    checked = 0
    for name in ("float32", "float64"):
        dtype = as_dtype(name)
        tolerance = 1e-4 if name == "float32" else 1e-12
        if name == "float64":
            widths, depths = [1, lanes // 2 * 3, lanes, lanes + 1], [lanes // 2 + 1]
            heights = [1, 5, rows + 1, 2 * rows + 1]
        for depth in depths:
            rights = [cr.Variable(rng.standard_normal((depth, width)), dtype=name) for width in widths]
            turned = [cr.Variable(rng.standard_normal((width, depth)), dtype=name) for width in widths]
            weights = [cr.Variable(np.zeros((depth, width)), dtype=name) for width in widths]

            def products(
                a: Any, deltas: Any, rights: Any = rights, turned: Any = turned, weights: Any = weights
            ) -> Any:
                """Forward; with the right matrix turned; and what a weight's gradient is, added to the weight."""
                first = [cr.ops.tanh(cr.ops.matmul(a, right) + right[0]) for right in rights]
                second = [cr.ops.matmul(a, cr.ops.transpose(right)) for right in turned]
                for weight, delta in zip(weights, deltas, strict=True):
                    weight.assign(weight + cr.ops.matmul(cr.ops.transpose(a), delta))
                return first, second

            types, tree = flatten(
                (ArrayType(dtype, (batch, depth)), [ArrayType(dtype, (batch, width)) for width in widths])
            )
            executable = build(trace(products, types, tree), target=target, workers=2)
            for height in heights:
                a = guarded(rng.standard_normal((height, depth)).astype(name))
                deltas = [guarded(rng.standard_normal((height, width)).astype(name)) for width in widths]
                before = [weight.numpy() for weight in weights]
                results = executable(a, *deltas)
                for place, width in enumerate(widths):
                    expected = (
                        np.tanh(a @ rights[place].numpy() + rights[place].numpy()[0]),
                        a @ turned[place].numpy().T,
                        before[place] + a.T @ deltas[place],
                    )
                    got = (results[place], results[len(widths) + place], weights[place].numpy())
                    for kind, (want, have) in enumerate(zip(expected, got, strict=True)):
                        what = f"{target} {name} kind {kind}: {height} x {depth} x {width}"
                        np.testing.assert_allclose(have, want, rtol=tolerance, atol=tolerance, err_msg=what)
                        checked += 1
    print(f"{checked} products")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3:] == ["kept"])
