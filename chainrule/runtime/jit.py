"""`jit`: a function on arrays, compiled at its first call for each set of argument types."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.compiler.target import choose_target
from chainrule.errors import ChainruleError
from chainrule.graph.garbage import collection_paused
from chainrule.graph.ir import Node
from chainrule.graph.tracing import TracedFunction, as_operand, current_trace, trace
from chainrule.graph.tree import flatten, unflatten
from chainrule.graph.types import ArrayType, type_of
from chainrule.runtime.executable import Executable


def build(traced: TracedFunction, *, eager: bool = False, target: str | None = None, workers: int | None = None) -> Any:
    """The executable of a traced function; with `eager` the NumPy interpreter behind the same interface."""
    if eager:
        from chainrule.runtime.interpreted import Interpreted

        return Interpreted(traced)
    with collection_paused():
        return Executable(traced, choose_target(target), workers)


def compile_function(
    function: Callable[..., Any], *specs: Any, target: str | None = None, workers: int | None = None
) -> Executable:
    """Compile `function` for arguments of these types, whose dimensions may be open.

    Args:
        specs: a nest of `ArrayType` for each positional argument.

    Example:
        >>> from chainrule.graph.types import ArrayType, OpenDim, float32
        >>> double = compile_function(lambda x: x + x, ArrayType(float32, (OpenDim("batch"), 2)))
        >>> double(np.ones((3, 2), "float32"))[0].shape
        (3, 2)
    """
    types, tree = flatten(specs)
    for spec in types:
        if not isinstance(spec, ArrayType):
            raise ChainruleError("not an array type", where="compile_function", expected="ArrayType", got=repr(spec))
    executable: Executable = build(trace(function, types, tree), target=target, workers=workers)
    return executable


def jit(function: Callable[..., Any], *, target: str | None = None, workers: int | None = None) -> Callable[..., Any]:
    """`function` compiled to machine code, once for each set of argument shapes and dtypes.

    Args:
        function: positional arguments are nests of arrays and numbers; its results too. It may read and assign
            Variables. It is traced: it runs once per set of types, on stand-ins.
        target: a weaker target than the host has, for tests.
        workers: number of threads.

    Returns:
        A function with the same arguments and results. Within another traced function it is inlined.

    Example:
        >>> import chainrule as cr
        >>> norm = cr.jit(lambda x: cr.ops.sqrt(cr.ops.sum(x * x)))
        >>> float(norm(np.array([3.0, 4.0], "float32")))
        5.0
    """
    executables: dict[Any, Executable] = {}

    @functools.wraps(function)
    def compiled(*arguments: Any) -> Any:
        leaves, tree = flatten(arguments)
        if current_trace() is not None or any(isinstance(leaf, Node) for leaf in leaves):
            return function(*arguments)
        arrays = [np.asarray(as_operand(leaf)) for leaf in leaves]
        types = tuple(type_of(array) for array in arrays)
        key = (types, tree)
        if key not in executables:
            executables[key] = build(trace(function, types, tree), target=target, workers=workers)
        executable = executables[key]
        return unflatten(executable.traced.result_tree, executable(*arrays))

    compiled.executables = executables  # type: ignore[attr-defined]
    return compiled
