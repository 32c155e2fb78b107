"""A table of a model's layers, at most 80 columns wide."""

from __future__ import annotations

from typing import Any


def format_summary(model: Any) -> str:
    """Layer, output shape and parameters of each layer, and the totals."""
    model.require_built()
    rows = [("Layer (type)", "Output shape", "Param #")]
    for layer in model.layers:
        shape = ", ".join(map(str, ("None", *layer.output_shape)))
        rows.append((f"{layer.name} ({type(layer).__name__})", f"({shape})", f"{layer.count_params():,}"))
    widths = [min(36, max(len(row[column]) for row in rows)) for column in range(3)]
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
