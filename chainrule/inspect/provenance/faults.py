"""Faults: the operation of a step that first gave a number that is not finite, described.

In: the node that `tracking` led to, and which of its numbers are at fault. Out: a `Fault`: the operation with its
operands, the layer and part of the step that it stands in, and the rows of the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph.evaluate import evaluate_each
from chainrule.graph.ir import CONSTANT, INPUT, Graph, Node
from chainrule.graph.tracing import TracedFunction
from chainrule.graph.types import OpenDim
from chainrule.inspect.numbers import format_number
from chainrule.layers.layer import Layer

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}


@dataclass(frozen=True)
class Operand:
    """What went into an operation.

    Args:
        source: a Variable's name, ``x``, or the operation and layer that it came from.
        operation: that operation's name; empty for what is given.
        type: as printed in graphs.
        value: the number at the place of the fault, where the operation works element by element.
        low, high, norm: of all its numbers.
    """

    source: str
    operation: str
    type: str
    value: float | None
    low: float
    high: float
    norm: float


@dataclass(frozen=True)
class Fault:
    """An operation that made the first number that is not finite.

    Args:
        operation: its name, such as ``log``; empty where it is not known.
        part: ``forward``, ``loss``, ``gradient``, ``update`` (by the optimizer) or ``step`` (outside of layers).
        layer: its name, after those of the layers around it; of the loss ``loss``.
        weight: of an update, the Variable's name.
        type: of the result, as printed in graphs.
        index: the first place of the result that is not finite, and `value` the number there.
        operands: in order.
        bad, size: how many numbers of the result are not finite, of how many.
        samples: rows of the batch in which there are some; empty where the result has no rows.
    """

    operation: str
    part: str
    layer: str
    weight: str = ""
    type: str = ""
    index: tuple[int, ...] = ()
    value: float = float("nan")
    operands: tuple[Operand, ...] = ()
    bad: int = 0
    size: int = 0
    samples: tuple[int, ...] = ()

    @property
    def formula(self) -> str:
        """The operation with its numbers: ``log(0) = -inf``."""
        values = [operand.value for operand in self.operands]
        if not values or any(value is None for value in values):
            left = f"{self.operation}({', '.join(operand.type for operand in self.operands)})"
        elif self.operation in _SIGNS:
            first, second = (format_number(float(value or 0)) for value in values)
            left = f"{first} {_SIGNS[self.operation]} {f'({second})' if second.startswith('-') else second}"
        else:
            left = f"{self.operation}({', '.join(format_number(float(value or 0)) for value in values)})"
        return f"{left} = {format_number(self.value)}"

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return describe_place(self.part, self.layer, self.weight)


def describe_place(part: str, layer: str, weight: str = "") -> str:
    """A place in a step, in words.

    Example:
        >>> describe_place("gradient", "dense_1")
        "the gradient of layer 'dense_1'"
    """
    inner = "the loss" if layer == "loss" else f"layer '{layer}'"
    if part == "update":
        return f"the update of '{weight}'" if weight else "the optimizer"
    if part == "step":
        return f"train_step, '{layer}'" if layer else "train_step"
    return f"the gradient of {inner}" if part == "gradient" else inner


# -- places -------------------------------------------------------------------------------------------------------


class Places:
    """Which part of a model a node's scope names."""

    def __init__(self, model: Any):
        self.model = model
        self.paths: set[str] = set()
        self.owners: dict[str, str] = {}  # of Variables, by name
        self._walk(model, "")
        self.optimizers = set(optimizer_names(model.optimizer))

    def _walk(self, layer: Layer, path: str) -> None:
        inner = layer.sublayers
        within = {weight for part in inner for weight in part.weights}
        for weight in layer.weights:
            if weight not in within:
                self.owners.setdefault(weight.name, path or self.model.name)
        for part in inner:
            name = f"{path}/{part.name}" if path else part.name
            if name not in self.paths:
                self.paths.add(name)
                self._walk(part, name)

    def find(self, scope: str) -> tuple[str, str, str]:
        """Part, layer and weight that a scope names."""
        head, _, rest = scope.partition("/")
        if head == "gradient":
            part, layer, weight = self.find(rest)
            return ("gradient" if part in ("forward", "loss") else part), layer, weight
        if head in self.optimizers:
            weight = rest if rest in self.owners else next(
                (name for name in self.owners if rest.endswith(f"/{name}")), ""
            )  # fmt: skip
            return "update", self.owners.get(weight, ""), weight
        if head == "loss":
            return "loss", self.owners.get(rest, "loss"), rest if rest in self.owners else ""
        if head == self.model.name:
            return "forward", self._path(rest), ""
        return "step", scope, ""

    def _path(self, path: str) -> str:
        """The innermost layer of a path, which may go on within the layer."""
        while path and path not in self.paths and "/" in path:
            path = path.rpartition("/")[0]
        return path or self.model.name


def optimizer_names(optimizer: Any) -> Iterable[str]:
    """The names of an optimizer and those within it, which its operations carry."""
    yield optimizer.name
    inner = [getattr(optimizer, "optimizer", None), *(getattr(optimizer, "optimizers", None) or [])]
    for part in inner:
        if part is not None:
            yield from optimizer_names(part)


# -- describing ---------------------------------------------------------------------------------------------------


def describe_fault(
    traced: TracedFunction,
    arrays: Sequence[np.ndarray],
    node: Node,
    bad: np.ndarray,
    places: Places,
    weight: str = "",
) -> Fault:
    """The operation of a node that is not finite, with its operands.

    Args:
        bad: its numbers at fault.
        weight: the Variable whose update it belongs to, where the scope does not say.
    """
    wanted = {node, *node.inputs}
    graph = Graph(traced.graph.name, traced.graph.inputs, (node,))
    values = {found: value for found, value in evaluate_each(graph, arrays) if found in wanted}
    value = values[node]
    index = tuple(int(at) for at in np.argwhere(bad)[0])
    part, layer, named = places.find(node.scope)
    if part == "update" and not named:
        named, layer = weight, places.owners.get(weight, layer)
    names = {given: given.params["name"] for given in graph.inputs}
    (rows,) = graph.inputs[traced.arguments - 1].shape
    assert isinstance(rows, OpenDim)
    return Fault(
        operation=node.primitive.name,
        part=part,
        layer=layer,
        weight=named,
        type=str(node.type),
        index=index,
        value=float(value[index]),
        operands=tuple(
            describe_operand(operand, values[operand], node, index, places, names) for operand in node.inputs
        ),
        bad=int(bad.sum()),
        size=value.size,
        samples=find_samples(node, bad, rows.name),
    )


def describe_operand(
    node: Node, value: np.ndarray, user: Node, index: tuple[int, ...], places: Places, names: Mapping[Node, str]
) -> Operand:
    """One operand of the operation at fault."""
    number: float | None = None
    if not node.shape:
        number = float(value)
    elif user.primitive.family == "elementwise":
        number = float(value[index])
    known = value[np.isfinite(value)].astype(np.float64) if node.dtype.is_float else value.astype(np.float64)
    plain = node
    while plain.primitive.name in ("broadcast_to", "reshape", "identity") or plain.scope == "batch":
        plain = plain.inputs[0]
    if plain.primitive is INPUT:
        source, operation = names[plain], ""
    elif plain.primitive is CONSTANT:
        source, operation = "a constant", ""
    else:
        part, layer, weight = places.find(plain.scope)
        source, operation = f"{plain.primitive.name} in {describe_place(part, layer, weight)}", plain.primitive.name
    return Operand(
        source=source,
        operation=operation,
        type=str(node.type),
        value=number,
        low=float(known.min(initial=np.inf)),
        high=float(known.max(initial=-np.inf)),
        norm=float(np.sqrt(np.square(known).sum())),
    )


def find_samples(node: Node, bad: np.ndarray, rows: str) -> tuple[int, ...]:
    """The rows of the batch that hold what is not finite; none where the first axis is not the batch.

    A first axis of several times the batch counts where it came from reshaping an array of rows.
    """
    if not node.shape:
        return ()
    first = node.shape[0]
    if not isinstance(first, OpenDim) or first.name != rows:
        return ()
    if first.scale > 1 and not is_reshaped_rows(node, {node}):
        return ()
    marked = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
    return tuple(int(row) for row in np.unique(marked // first.scale))


def is_reshaped_rows(node: Node, seen: Collection[Node]) -> bool:
    """Whether an array of several lines a row got them by reshaping, so that those of a row stand together."""
    dim = node.shape[0]
    for operand in node.inputs:
        if not operand.shape or operand in seen:
            continue
        first = operand.shape[0]
        if node.primitive.name == "reshape" and isinstance(first, OpenDim) and first.scale == 1:
            return True
        if first == dim and is_reshaped_rows(operand, {*seen, operand}):
            return True
    return False
