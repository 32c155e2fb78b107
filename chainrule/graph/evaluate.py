"""Evaluation with NumPy: the meaning of a graph, against which everything compiled is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import INPUT, Graph, Node
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
    if len(arrays) != len(graph.inputs):
        raise ChainruleError("wrong number of inputs", where=graph.name, expected=len(graph.inputs), got=len(arrays))
    sizes = match_sizes(
        [node.type for node in graph.inputs],
        [np.shape(array) for array in arrays],
        [node.params["name"] for node in graph.inputs],
    )

    def dtype_of(dtype: DType) -> DType:
        return float64 if wide and dtype.is_float else dtype

    values: dict[Node, np.ndarray] = {
        node: np.asarray(array, dtype=dtype_of(node.dtype).numpy)
        for node, array in zip(graph.inputs, arrays, strict=True)
    }
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node.primitive is not INPUT:
                params = {
                    key: dtype_of(value) if isinstance(value, DType) else bind_param(value, sizes)
                    for key, value in node.params.items()
                }
                result = node.primitive.evaluate(*(values[operand] for operand in node.inputs), **params)
                values[node] = np.asarray(result, dtype=dtype_of(node.dtype).numpy)
    return values


def bind_param(value: Any, sizes: Mapping[str, int]) -> Any:
    """A parameter with every open dimension within it replaced by its size."""
    if isinstance(value, OpenDim):
        return value.bind(sizes)
    if isinstance(value, tuple):
        return tuple(bind_param(item, sizes) for item in value)
    return value
