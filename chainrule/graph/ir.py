"""The graph: nodes, each one operation on the results of others.

    graph  ::= "graph" name "(" inputs ")" "{" node* "return" names "}"
    node   ::= name ":" type "=" primitive name* params?

A `Node` is pure and immutable; it names its inputs by reference, so a graph is no more than its inputs and its
outputs, and everything between is found by walking. While a function is traced the node is also the stand-in
for the array: `ops.operators` gives it NumPy's operators.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, TracingError
from chainrule.graph.primitive import Primitive
from chainrule.graph.types import ArrayType, DType, Shape, type_of

_numbers = itertools.count()


class Literal:
    """A constant array as a node's parameter: equal where type and bytes are equal."""

    __slots__ = ("array", "_key")

    def __init__(self, array: np.ndarray):
        self.array = np.array(array, order="C")  # a copy: the caller may change theirs
        self.array.setflags(write=False)
        self._key = (array.dtype.str, array.shape, self.array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Literal({self.array!r})"


class Node:
    """One operation's result: its primitive, its inputs, its parameters and its type.

    `number` grows with creation, so sorting by it is a topological order. `scope` is the layer or function that
    the node was made in, for messages and profiles.
    """

    __slots__ = ("primitive", "inputs", "params", "type", "number", "scope")
    __hash__ = object.__hash__

    def __init__(
        self, primitive: Primitive, inputs: tuple[Node, ...], params: dict[str, Any], type: ArrayType, scope: str = ""
    ):
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.type = type
        self.number = next(_numbers)
        self.scope = scope

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        """The same operation on other inputs."""
        return Node(self.primitive, inputs, self.params, self.type, self.scope)

    def __repr__(self) -> str:
        place = f" in {self.scope}" if self.scope else ""
        return f"<traced {self.type} from {self.primitive.name}{place}>"

    def _refuse(self, wanted: str, fix: str) -> Any:
        raise TracingError(
            f"a traced value has no {wanted}: the function is being recorded, and runs later on real arrays",
            where=repr(self),
            fix=fix,
        )

    def __bool__(self) -> bool:
        return self._refuse("truth value", "choose with cr.ops.where(condition, a, b) in place of if, while, and, or")

    def __float__(self) -> float:
        return self._refuse("Python number", "compute with cr.ops functions, or return the value and read it outside")

    def __int__(self) -> int:
        return self._refuse("Python number", "compute with cr.ops functions, or return the value and read it outside")

    __index__ = __int__

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._refuse("NumPy array", "use the function of the same name in cr.ops")

    def __iter__(self) -> Any:
        if not self.shape or not isinstance(self.shape[0], int):
            return self._refuse("length", "use an operation over the whole axis in place of a loop over it")
        return (self[index] for index in range(self.shape[0]))  # type: ignore[index]

    def __len__(self) -> int:
        if not self.shape or not isinstance(self.shape[0], int):
            return self._refuse("length", "use an operation over the whole axis in place of a loop over it")
        return self.shape[0]


def _refuse_evaluation(*arrays: np.ndarray, **params: Any) -> np.ndarray:
    raise ChainruleError("an input has no value of its own")


INPUT = Primitive(
    name="input",
    family="source",
    type_rule=lambda name, type: type,
    evaluate=_refuse_evaluation,
)

CONSTANT = Primitive(
    name="constant",
    family="source",
    type_rule=lambda value: type_of(value.array),
    evaluate=lambda value: value.array,
)


def make_input(name: str, array_type: ArrayType) -> Node:
    """A node that stands for an array given at the call."""
    return Node(INPUT, (), {"name": name, "type": array_type}, array_type)


def make_constant(array: np.ndarray) -> Node:
    """A node that holds an array known now."""
    literal = Literal(array)
    return Node(CONSTANT, (), {"value": literal}, type_of(literal.array))


@dataclass(frozen=True, eq=False)
class Graph:
    """A function on arrays: what goes in and what comes out; the nodes between are reached from the outputs."""

    name: str
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]

    @property
    def nodes(self) -> list[Node]:
        """Inputs first, then every node the outputs need, each after what it reads."""
        return list(self.inputs) + [node for node in reachable(self.outputs) if node.primitive is not INPUT]


def reachable(outputs: Iterable[Node]) -> list[Node]:
    """Every node that `outputs` need, themselves included, in the order of creation."""
    seen = set(outputs)
    stack = list(seen)
    while stack:
        for operand in stack.pop().inputs:
            if operand not in seen:
                seen.add(operand)
                stack.append(operand)
    return sorted(seen, key=_number)


_number = operator.attrgetter("number")


def rewrite(graph: Graph, rule: Callable[[Node], Node]) -> Graph:
    """The graph with `rule` applied to each node once, inputs first; what does not change is shared.

    The nodes that `rule` is given read what it made of their inputs.
    """
    changed: dict[Node, Node] = {}
    for node in reachable(graph.outputs):
        current = node
        if not changed.keys().isdisjoint(node.inputs):
            current = node.with_inputs(tuple(map(changed.get, node.inputs, node.inputs)))
        current = rule(current)
        if current is not node:
            changed[node] = current
    return Graph(graph.name, graph.inputs, tuple([changed.get(node, node) for node in graph.outputs]))
