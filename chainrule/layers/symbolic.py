"""Symbolic arrays: what `Input` gives, and what layers give when they are called on them.

A symbolic array is a graph's node outside of any trace. A call of a layer on it becomes a node too, so that layers and
operations mix freely; `replay` computes such nodes from their inputs, calling the layers again.

    x = Input((8,))          a node, its first dimension open
    y = Dense(4)(x) + 1.0    a node of a call, a node of an addition
    replay([y], {x: array})  the arrays
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.graph.ir import CONSTANT, INPUT, Node, reachable
from chainrule.graph.primitive import Primitive
from chainrule.graph.tracing import apply, current_trace, trace
from chainrule.graph.tree import Tree, flatten, map_leaves, unflatten
from chainrule.graph.types import ArrayType, OpenDim, as_dtype

BATCH = OpenDim("batch")


def batch_type(array: Any) -> ArrayType:
    """The type of any number of rows like an array's."""
    return ArrayType(as_dtype(array.dtype), (BATCH, *array.shape[1:]))


def _refuse(*arrays: Any, **params: Any) -> Any:
    raise ChainruleError("a layer's call is computed by its model, not on its own")


LAYER = Primitive(
    name="layer", family="source", type_rule=lambda *types, call, place: call.types[place], evaluate=_refuse
)
"""A result of a layer's call."""


@dataclass(frozen=True, eq=False)
class Call:
    """A recorded call of a layer.

    Args:
        layer: what was called.
        tree: the nest of its positional and named arguments.
        leaves: their leaves; the symbolic ones are the inputs of the nodes.
        types, result_tree: of the results.
    """

    layer: Any
    tree: Tree
    leaves: tuple[Any, ...]
    types: tuple[ArrayType, ...]
    result_tree: Tree


def is_symbolic(nest: Any) -> bool:
    """Whether an array of the nest is symbolic."""
    return current_trace() is None and any(isinstance(leaf, Node) for leaf in flatten(nest)[0])


def make_symbolic(layer: Any, kind: ArrayType) -> Node:
    """A new symbolic input, with the layer that describes it."""
    return Node(INPUT, (), {"name": layer.name, "type": kind, "layer": layer}, kind)


def infer(layer: Any, types: Any, *others: Any, **options: Any) -> Any:
    """The types of a layer's results for inputs of these types."""
    leaves, tree = flatten(((types, *others), options))
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, ArrayType)]

    def call(*arrays: Any) -> Any:
        full = list(leaves)
        for place, array in zip(places, arrays, strict=True):
            full[place] = array
        arguments, named = unflatten(tree, full)
        return layer(*arguments, **named)

    _, given_tree = flatten(tuple(leaves[place] for place in places))
    traced = trace(call, [leaves[place] for place in places], given_tree)
    return unflatten(traced.result_tree, [node.type for node in traced.graph.outputs[: traced.results]])


def record_call(layer: Any, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """The symbolic results of a call."""
    leaves, tree = flatten((arguments, dict(options)))
    layer.ensure_built(map_leaves(lambda leaf: tuple(leaf.shape[1:]), arguments[0]))
    given = unflatten(tree, [leaf.type if isinstance(leaf, Node) else leaf for leaf in leaves])
    types, result_tree = flatten(infer(layer, *given[0], **given[1]))
    call = Call(layer, tree, tuple(leaves), tuple(types), result_tree)
    inputs = tuple(leaf for leaf in leaves if isinstance(leaf, Node))
    return unflatten(
        result_tree,
        [Node(LAYER, inputs, {"call": call, "place": place}, kind) for place, kind in enumerate(types)],
    )


def calls_in(outputs: Sequence[Node]) -> list[Call]:
    """The calls that symbolic arrays need, each once, in the order in which they were made."""
    return list(dict.fromkeys(node.params["call"] for node in reachable(outputs) if node.primitive is LAYER))


def replay(outputs: Sequence[Node], values: Mapping[Node, Any], training: bool = False) -> list[Any]:
    """The values of symbolic arrays from those of their inputs."""
    known: dict[Node, Any] = dict(values)
    results: dict[Call, list[Any]] = {}
    for node in reachable(outputs):
        if node in known:
            continue
        if node.primitive is INPUT:
            raise ChainruleError("an output needs an input that the model does not have", got=node.params["name"])
        if node.primitive is CONSTANT:
            known[node] = node.params["value"].array
        elif node.primitive is LAYER:
            call = node.params["call"]
            if call not in results:
                leaves = [known[leaf] if isinstance(leaf, Node) else leaf for leaf in call.leaves]
                arguments, options = unflatten(call.tree, leaves)
                results[call] = flatten(call.layer(*arguments, **{"training": training, **options}))[0]
            known[node] = results[call][node.params["place"]]
        else:
            known[node] = apply(node.primitive, *(known[operand] for operand in node.inputs), **node.params)
    return [known[node] for node in outputs]


# -- masks --------------------------------------------------------------------------------------------------------


_eager_masks: contextvars.ContextVar[dict[int, tuple[Any, Any]] | None] = contextvars.ContextVar(
    "eager_masks", default=None
)
"""Within an eager call: the arrays that have masks, kept so that their numbers stay theirs, and the masks."""


@contextlib.contextmanager
def masks_of_a_call() -> Iterator[None]:
    """Masks are handed on within the outermost call of a layer; a trace keeps its own."""
    if current_trace() is not None or _eager_masks.get() is not None:
        yield
        return
    token = _eager_masks.set({})
    try:
        yield
    finally:
        _eager_masks.reset(token)


def set_mask(result: Any, mask: Any) -> None:
    """Note which positions of a result count."""
    if mask is None:
        return
    record, eager = current_trace(), _eager_masks.get()
    for leaf in flatten(result)[0]:
        if record is not None and isinstance(leaf, Node):
            record.masks[leaf] = mask
        elif record is None and eager is not None:
            eager[id(leaf)] = (leaf, mask)


def mask_of(inputs: Any) -> Any:
    """The mask of inputs, or None; of several inputs a list."""
    record, eager = current_trace(), _eager_masks.get()
    if not (eager if record is None else record.masks):
        return None
    leaves = flatten(inputs)[0]
    if record is not None:
        masks = [record.masks.get(leaf) if isinstance(leaf, Node) else None for leaf in leaves]
    else:
        assert eager is not None
        masks = [eager[id(leaf)][1] if id(leaf) in eager else None for leaf in leaves]
    if all(mask is None for mask in masks):
        return None
    return masks if isinstance(inputs, list | tuple | dict) else masks[0]
