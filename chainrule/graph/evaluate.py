"""Evaluation with NumPy: the meaning of a graph, against which everything compiled is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Graph, Node
from chainrule.graph.shapes import match_sizes
from chainrule.graph.types import DType, OpenDim, float64


def evaluate(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The graph's outputs for these inputs, one NumPy call a node."""
    values = evaluate_nodes(graph, arrays)
    return [values[node] for node in graph.outputs]


def evaluate_nodes(graph: Graph, arrays: Sequence[np.ndarray], wide: bool = False) -> dict[Node, np.ndarray]:
    """The value of every node.

    Args:
        wide: compute in float64 whatever the nodes' floats are, to see what rounding does.
    """
    return dict(evaluate_each(graph, arrays, wide))


def evaluate_each(graph: Graph, arrays: Sequence[np.ndarray], wide: bool = False) -> Iterator[tuple[Node, np.ndarray]]:
    """Every node with its value, each after what it reads; a value is let go after the last node that reads it."""
    sizes = sizes_of(graph, arrays)
    nodes = graph.nodes
    left = Counter(operand for node in nodes for operand in node.inputs)
    values: dict[Node, np.ndarray] = {}
    given = dict(zip(graph.inputs, arrays, strict=True))
    for node in nodes:
        if node in given:
            value = np.asarray(given[node], dtype=dtype_in(node.dtype, wide).numpy)
        else:
            value = evaluate_node(node, [values[operand] for operand in node.inputs], sizes, wide)
        if left[node]:
            values[node] = value
        yield node, value
        for operand in node.inputs:
            left[operand] -= 1
            if not left[operand]:
                del values[operand]


def evaluate_node(
    node: Node, operands: Sequence[np.ndarray], sizes: Mapping[str, int], wide: bool = False
) -> np.ndarray:
    """The value of one node, that is no input, for those of its operands and the sizes of open dimensions."""
    params = {
        key: dtype_in(value, wide) if isinstance(value, DType) else bind_param(value, sizes)
        for key, value in node.params.items()
    }
    with np.errstate(all="ignore"):
        result = node.primitive.evaluate(*operands, **params)
        return np.asarray(result, dtype=dtype_in(node.dtype, wide).numpy)


def sizes_of(graph: Graph, arrays: Sequence[np.ndarray]) -> dict[str, int]:
    """The sizes that these inputs give to the graph's open dimensions.

    Raises:
        ChainruleError: for inputs of another number or shape than the graph's.
    """
    if len(arrays) != len(graph.inputs):
        raise ChainruleError("wrong number of inputs", where=graph.name, expected=len(graph.inputs), got=len(arrays))
    return match_sizes(
        [node.type for node in graph.inputs],
        [np.shape(array) for array in arrays],
        [node.params["name"] for node in graph.inputs],
    )


def dtype_in(dtype: DType, wide: bool) -> DType:
    """The type that numbers of a type are computed in."""
    return float64 if wide and dtype.is_float else dtype


def bind_param(value: Any, sizes: Mapping[str, int]) -> Any:
    """A parameter with every open dimension within it replaced by its size."""
    if isinstance(value, OpenDim):
        return value.bind(sizes)
    if isinstance(value, tuple):
        return tuple(bind_param(item, sizes) for item in value)
    return value
