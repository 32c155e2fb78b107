"""A table of a model's layers, as wide as it is allowed to be."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from chainrule.graph.ir import Node
from chainrule.layers import symbolic

_LIMITS = {"Output shape": 24, "Param #": 12, "Connected to": 24}
"""Widths at most; the names take what is left."""


def format_summary(model: Any, width: int = 80, expand_nested: bool = False, show_trainable: bool = False) -> str:
    """Layer, output shape and parameters of each layer, and the totals; where layers branch, what each one takes."""
    lines = [f'Model: "{model.name}"', *draw_table(summary_rows(model, expand_nested, show_trainable), width)]
    return "\n".join([*lines, *(f" {name}: {count:,}" for name, count in count_weights(model).items())])


def summary_rows(model: Any, expand_nested: bool = False, show_trainable: bool = False) -> list[list[str]]:
    """The table: its head, and a row a layer."""
    model.require_built()
    sources = connections(model)
    rows = [["Layer (type)", "Output shape", "Param #", *(["Connected to"] if sources else [])]]

    def add_layers(layers: Any, indent: int) -> None:
        for layer in layers:
            name = f"{'  ' * indent}{layer.name} ({type(layer).__name__})"
            if show_trainable and layer.weights and not layer.trainable_weights:
                name += " frozen"
            row = [name, format_shapes(layer.result_shape), f"{layer.count_params():,}"]
            rows.append([*row, ", ".join(sources.get(layer, []))] if sources else row)
            if expand_nested and hasattr(layer, "layers"):
                add_layers(layer.layers, indent + 1)

    add_layers(model.layers, 0)
    return rows


def count_weights(model: Any) -> dict[str, int]:
    """The totals under the table."""
    total = sum(weight.size for weight in model.weights)
    trainable = sum(weight.size for weight in model.trainable_variables)
    return {"Total params": total, "Trainable params": trainable, "Non-trainable params": total - trainable}


def draw_table(rows: list[list[str]], width: int) -> list[str]:
    """A table with a head; what does not fit ends with an ellipsis."""
    columns = range(len(rows[0]))
    widths = [max(len(row[column]) for row in rows) for column in columns]
    for column in columns[1:]:
        widths[column] = min(widths[column], _LIMITS[rows[0][column]])
    widths[0] = min(widths[0], max(12, width - 1 - sum(widths[1:]) - 3 * len(widths)))

    def rule(left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * (size + 2) for size in widths) + right

    lines = [rule("┌", "┬", "┐")]
    for number, row in enumerate(rows):
        cells = [cell if len(cell) <= size else cell[: size - 1] + "…" for cell, size in zip(row, widths, strict=True)]
        padded = [
            f" {cell:>{size}} " if rows[0][column] == "Param #" else f" {cell:<{size}} "
            for column, (cell, size) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append("│" + "│".join(padded) + "│")
        if number == 0:
            lines.append(rule("├", "┼", "┤"))
    return [*lines, rule("└", "┴", "┘")]


def connections(model: Any) -> dict[Any, list[str]]:
    """The layers and operations that each layer takes its inputs from; empty where each takes the one before."""
    if model.network is None:
        return {}
    found: dict[Any, list[str]] = {}
    for call in model.network.calls:
        leaves = [leaf for leaf in call.leaves if isinstance(leaf, Node)]
        found.setdefault(call.layer, []).extend(name_of(leaf) for leaf in leaves)
    layers = model.layers
    chain = all(found.get(after) == [before.name] for before, after in pairwise(layers))
    return {} if chain else found


def name_of(node: Node) -> str:
    """What gives a symbolic array: a layer, or an operation."""
    if node.primitive is symbolic.LAYER:
        return str(node.params["call"].layer.name)
    layer = node.params.get("layer")
    return str(layer.name) if layer is not None else node.primitive.name


def format_shapes(shapes: Any) -> str:
    """Shapes without the batch as ``(None, 10)``."""
    if shapes is None:
        return "?"
    if isinstance(shapes, dict):
        shapes = list(shapes.values())
    if any(isinstance(part, tuple | list) for part in shapes):
        return ", ".join(format_shapes(part) for part in shapes)
    return f"({', '.join(map(str, ('None', *shapes)))})" if shapes else "(None,)"
