"""Tracing: run a Python function on stand-ins and record what it does as a graph.

`apply` is the one gate through which every operation goes: with a traced value among its arguments it records
a node, with arrays alone it computes at once (the eager mode, which is the meaning of the primitive in NumPy).
`trace` records a whole function; the Variables that it reads become inputs and those that it assigns outputs.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, DataError
from chainrule.graph.ir import Graph, Node, make_constant, make_input
from chainrule.graph.primitive import Primitive
from chainrule.graph.shapes import format_shape
from chainrule.graph.tree import Tree, flatten, unflatten
from chainrule.graph.types import ArrayType, as_dtype, type_of
from chainrule.graph.variable import Variable

Operand = Any  # a Node, a Variable, an array, or a Python number
_NUMBERS = (bool, int, float)


class Trace:
    """What one tracing has met: the Variables read, each as an input, and the value each has by now.

    `masks` says of some nodes which of their positions count; layers hand them on.
    """

    def __init__(self) -> None:
        self.masks: dict[Node, Any] = {}
        self.inputs: dict[Variable, Node] = {}
        self.values: dict[Variable, Node] = {}

    def read(self, variable: Variable) -> Node:
        if variable not in self.values:
            self.inputs[variable] = self.values[variable] = make_input(variable.name, variable.type)
        return self.values[variable]

    def assign(self, variable: Variable, value: Operand) -> None:
        before = self.read(variable)
        node = as_node(value)
        if node.type != before.type:
            raise ChainruleError(
                "the assigned value has another type",
                where=f"variable '{variable.name}'",
                expected=before.type,
                got=node.type,
                fix="reshape it, or convert it with cr.ops.cast",
            )
        self.values[variable] = node

    @property
    def assigned(self) -> list[Variable]:
        return [variable for variable, node in self.values.items() if node is not self.inputs[variable]]


_trace: contextvars.ContextVar[Trace | None] = contextvars.ContextVar("trace", default=None)
_scope: contextvars.ContextVar[str] = contextvars.ContextVar("scope", default="")


def current_trace() -> Trace | None:
    """The tracing under way, or None."""
    return _trace.get()


@contextlib.contextmanager
def scope(name: str) -> Iterator[None]:
    """Nodes made within carry `name`, after the names around it: ``model/dense_1``."""
    outer = _scope.get()
    token = _scope.set(f"{outer}/{name}" if outer else name)
    try:
        yield
    finally:
        _scope.reset(token)


def current_scope() -> str:
    """The names of the scopes around, joined with slashes."""
    return _scope.get()


def as_operand(value: Operand) -> Node | np.ndarray:
    """A Node, or a NumPy array of a known dtype; Python floats become float32, ints int32."""
    if isinstance(value, Node):
        return value
    if isinstance(value, Variable):
        trace = current_trace()
        # Outside a trace a copy: what is computed from it must not change when the Variable does.
        return value.numpy() if trace is None else trace.read(value)
    if isinstance(value, _NUMBERS):
        return np.asarray(value, dtype=as_dtype(type(value)).numpy)
    try:
        array = np.asarray(value)
        return array.astype(as_dtype(array.dtype).numpy, copy=False)
    except (ChainruleError, ValueError, TypeError):
        raise DataError(
            "this is not an array of numbers",
            expected="numbers in an array, a list, or a scalar",
            got=f"{type(value).__name__}: {value!r:.60}",
        ) from None


def as_node(value: Operand) -> Node:
    """The value as a node of a graph; an array becomes a constant."""
    operand = as_operand(value)
    return operand if isinstance(operand, Node) else make_constant(operand)


def apply(primitive: Primitive, *values: Operand, **params: Any) -> Any:
    """The result of a primitive: a node if any argument is traced or a dimension is open, else an array."""
    operands = [value if isinstance(value, Node) else as_operand(value) for value in values]
    arrays = [operand for operand in operands if not isinstance(operand, Node)]
    if len(arrays) == len(operands):  # nothing is traced
        result = primitive.type_rule(*map(type_of, arrays), **params)
        if result.is_static:
            return np.asarray(primitive.evaluate(*arrays, **params), dtype=result.dtype.numpy)
    inputs = tuple([operand if isinstance(operand, Node) else make_constant(operand) for operand in operands])
    result = primitive.type_rule(*[node.type for node in inputs], **params)
    return Node(primitive, inputs, params, result, _scope.get())


@dataclass(frozen=True)
class TracedFunction:
    """A recorded function: its graph, and which Variables stand behind inputs and outputs.

    The graph's inputs are the arguments' leaves, then `variables` in order; its outputs are the results' leaves,
    then the new values of `assigned`.
    """

    graph: Graph
    variables: tuple[Variable, ...]
    assigned: tuple[Variable, ...]
    result_tree: Tree

    @property
    def arguments(self) -> int:
        return len(self.graph.inputs) - len(self.variables)

    @property
    def results(self) -> int:
        return len(self.graph.outputs) - len(self.assigned)


def trace(
    function: Callable[..., Any], types: Sequence[ArrayType], tree: Tree, names: Sequence[str] | None = None
) -> TracedFunction:
    """Record `function`, called with the nest of arguments `tree` whose leaves have `types`.

    `tree` is the structure of the tuple of positional arguments. Variables are lifted to inputs and outputs.
    """
    if current_trace() is not None:
        raise ChainruleError("a function is being traced already", fix="call the inner function without jit")
    labels = names or [f"x{position}" for position in range(len(types))]
    arguments = [make_input(label, array_type) for label, array_type in zip(labels, types, strict=True)]
    record = Trace()
    token = _trace.set(record)
    try:
        results, result_tree = flatten(function(*unflatten(tree, arguments)))
        outputs = [as_node(result) for result in results]
    finally:
        _trace.reset(token)
    assigned = tuple(record.assigned)
    graph = Graph(
        name=getattr(function, "__name__", "function").strip("<>"),
        inputs=(*arguments, *record.inputs.values()),
        outputs=(*outputs, *(record.values[variable] for variable in assigned)),
    )
    return TracedFunction(graph, tuple(record.inputs), assigned, result_tree)


def describe(value: Operand) -> str:
    """A short description of an operand for messages: its type, or its value when it is a number."""
    operand = as_operand(value)
    if isinstance(operand, Node):
        return str(operand.type)
    return str(operand) if operand.ndim == 0 else f"{as_dtype(operand.dtype)}{format_shape(operand.shape)}"
