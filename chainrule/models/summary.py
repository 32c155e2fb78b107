"""A table of a model's layers, at most 80 columns wide."""

from __future__ import annotations

from typing import Any


def format_summary(model: Any, width: int = 80, expand_nested: bool = False, show_trainable: bool = False) -> str:
    """Layer, output shape and parameters of each layer, and the totals."""
    model.require_built()
    rows = [("Layer (type)", "Output shape", "Param #")]

    def add_layers(layers: Any, indent: int) -> None:
        for layer in layers:
            name = f"{'  ' * indent}{layer.name} ({type(layer).__name__})"
            if show_trainable and layer.weights and not layer.trainable_weights:
                name += " frozen"
            rows.append((name, format_shapes(layer.output_shape), f"{layer.count_params():,}"))
            if expand_nested and hasattr(layer, "layers"):
                add_layers(layer.layers, indent + 1)

    add_layers(model.layers, 0)
    limits = (width - 44, 24, 12)
    widths = [min(limits[column], max(len(row[column]) for row in rows)) for column in range(3)]
    lines = [f'Model: "{model.name}"']

    def rule(left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * (width + 2) for width in widths) + right

    lines.append(rule("┌", "┬", "┐"))
    for number, row in enumerate(rows):
        cells = [f" {cell[:width]:<{width}} " for cell, width in zip(row[:2], widths, strict=False)]
        lines.append("│" + "│".join([*cells, f" {row[2]:>{widths[2]}} "]) + "│")
        if number == 0:
            lines.append(rule("├", "┼", "┤"))
    lines.append(rule("└", "┴", "┘"))
    total = sum(weight.size for weight in model.weights)
    trainable = sum(weight.size for weight in model.trainable_variables)
    lines += [
        f" Total params: {total:,}",
        f" Trainable params: {trainable:,}",
        f" Non-trainable params: {total - trainable:,}",
    ]
    return "\n".join(lines)


def format_shapes(shapes: Any) -> str:
    """Shapes without the batch as ``(None, 10)``."""
    if shapes is None:
        return "?"
    if isinstance(shapes, dict):
        shapes = list(shapes.values())
    if any(isinstance(part, tuple | list) for part in shapes):
        return ", ".join(format_shapes(part) for part in shapes)
    return f"({', '.join(map(str, ('None', *shapes)))})"
