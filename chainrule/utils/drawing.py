"""A drawing of a network as SVG: a box a layer, in ranks from the inputs down, an arrow for each array handed on.

It reads `model.network` (or the stack of `model.layers`), writes text, and needs no other program.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node

_LINE, _PAD, _GAP_X, _GAP_Y = 17, 10, 28, 44
_LETTER = 7.2  # width of a letter at 12 px, on the safe side

_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # which XML does not have

_STYLE = """
  .box { fill: #ffffff; stroke: #44546a; rx: 5 }
  .head { fill: #e8eef7; fill-opacity: 1; rx: 5 }
  .name { font: 600 12px sans-serif; fill: #1a2433 }
  .text { font: 12px sans-serif; fill: #3c4858 }
  .arrow { fill: none; stroke: #6a7a8f; stroke-width: 1.3 }
  .tip { fill: #6a7a8f }
  @media (prefers-color-scheme: dark) {
    .box { fill: #1d2530; stroke: #8fa3bf } .head { fill: #2c3a4d } .name { fill: #f0f4fa } .text { fill: #c5d0de }
    .arrow { stroke: #8fa3bf } .tip { fill: #8fa3bf }
  }
"""


@dataclass(eq=False)
class Box:
    """A layer or an operation of the drawing.

    Args:
        lines: what stands in it, the name first.
        parents: the boxes whose results it takes.
    """

    lines: list[str]
    parents: list[Box] = field(default_factory=list)
    rank: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        return max(len(line) for line in self.lines) * _LETTER + 2 * _PAD

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 2 * _PAD - 4


def plot_model(
    model: Any,
    to_file: Any = "model.svg",
    show_shapes: bool = True,
    show_dtype: bool = False,
    show_layer_names: bool = True,
) -> str:
    """Draw a model; the SVG is returned, and written to `to_file` unless that is None.

    Args:
        show_shapes: whether a box says the shape of its result.
        show_dtype: whether it says the dtype, where that is known.
        show_layer_names: whether it says the layer's name beside its class.

    Example:
        >>> import chainrule as cr
        >>> text = plot_model(cr.Sequential([cr.Input((4,)), cr.layers.Dense(2, name="last")]), to_file=None)
        >>> "last" in text
        True
    """
    if to_file is not None and Path(to_file).suffix.lower() != ".svg":
        raise ChainruleError(
            "drawings are SVG", where="plot_model", expected="a name that ends in .svg", got=str(to_file)
        )
    model.require_built()
    boxes = boxes_of(model, show_shapes, show_dtype, show_layer_names)
    text = draw(boxes, f"the network {model.name}")
    if to_file is not None:
        Path(to_file).write_text(text, "utf-8")
    return text


def describe(layer: Any, shapes: bool, names: bool) -> list[str]:
    """What a layer's box says."""
    kind = type(layer).__name__
    lines = [f"{layer.name}: {kind}" if names else kind]
    if shapes:
        shape = layer.result_shape
        text = "?" if shape is None else str(shape).replace("(", "(None, ", 1).replace(",)", ")")
        lines.append("(None,)" if shape == () else text)
    count = layer.count_params()
    if count:
        lines.append(f"{count:,} parameters")
    return lines


def boxes_of(model: Any, shapes: bool, dtypes: bool, names: bool) -> list[Box]:
    """The boxes in the order of computation."""
    if model.network is None:
        boxes: list[Box] = []
        for layer in model.layers:
            boxes.append(Box(describe(layer, shapes, names), boxes[-1:]))
        return boxes
    return boxes_of_network(model.network, shapes, dtypes, names)


def boxes_of_network(network: Any, shapes: bool, dtypes: bool, names: bool) -> list[Box]:
    """The boxes of a graph of calls and operations."""
    from chainrule.graph.ir import CONSTANT, reachable

    found: dict[Any, Box] = {}  # of a call, or of a node that is no call

    def key_of(node: Node) -> Any:
        return node.params.get("call", node)

    for node in reachable(network.outputs):
        if node.primitive is CONSTANT or key_of(node) in found:
            continue
        parents = list(dict.fromkeys(found[key_of(leaf)] for leaf in node.inputs if key_of(leaf) in found))
        layer = node.params["call"].layer if "call" in node.params else node.params.get("layer")
        if layer is not None:
            lines = describe(layer, False, names)
        else:
            lines = [node.primitive.name]
        if shapes:
            lines.insert(1, "(" + ", ".join(["None", *map(str, node.shape[1:])]) + ")")
        if dtypes:
            lines.insert(1, node.dtype.name)
        found[key_of(node)] = Box(lines, parents)
    return list(found.values())


def arrange(boxes: list[Box]) -> tuple[float, float]:
    """Give every box its place; the size of the whole."""
    ranks: dict[int, list[Box]] = {}
    for box in boxes:
        box.rank = max((parent.rank + 1 for parent in box.parents), default=0)
        ranks.setdefault(box.rank, []).append(box)
    widths = {rank: sum(box.width for box in row) + _GAP_X * (len(row) - 1) for rank, row in ranks.items()}
    whole = max(widths.values())
    y = float(_PAD)
    for rank in sorted(ranks):
        row = ranks[rank]
        if rank:  # below their parents, as far as there is room
            row.sort(key=lambda box: sum(p.x + p.width / 2 for p in box.parents) / max(1, len(box.parents)))
        x = _PAD + (whole - widths[rank]) / 2
        for box in row:
            box.x, box.y = x, y
            x += box.width + _GAP_X
        y += max(box.height for box in row) + _GAP_Y
    return whole + 2 * _PAD, y - _GAP_Y + _PAD


def _escape(text: str) -> str:
    return html.escape(_NO_CHARACTERS.sub("\ufffd", text), quote=False)


def curve_between(parent: Box, box: Box, boxes: Sequence[Box]) -> tuple[tuple[float, float], ...]:
    """The arrow from a box to one that takes its result: start, two handles and end of a Bézier curve.

    Past the boxes between it goes around, on their right.
    """
    x0, y0 = parent.x + parent.width / 2, parent.y + parent.height
    x1, y1 = box.x + box.width / 2, box.y
    if box.rank > parent.rank + 1:
        side = (_edge_past(parent, box, boxes) - (x0 + x1) / 8) / 0.75  # the handles that let the curve reach the edge
        return (x0, y0), (side, y0 + 30), (side, y1 - 30), (x1, y1 - 5)
    bend = (y1 - y0) / 2
    return (x0, y0), (x0, y0 + bend), (x1, y1 - bend), (x1, y1 - 5)


def _edge_past(parent: Box, box: Box, boxes: Sequence[Box]) -> float:
    """Where the way around the boxes between two others lies."""
    return max(b.x + b.width for b in boxes if parent.rank < b.rank < box.rank) + _GAP_X / 2


def right_edge(boxes: Sequence[Box]) -> float:
    """What boxes and arrows need to the right."""
    arrows = [_edge_past(parent, box, boxes) for box in boxes for parent in box.parents if box.rank > parent.rank + 1]
    return max([*(box.x + box.width for box in boxes), *arrows]) + _PAD


def draw(boxes: list[Box], title: str, standalone: bool = True) -> str:
    """The SVG.

    Args:
        standalone: whether it is a file with colours of its own, light and dark; else it stands in a page and has the
            colour of the page's text, and no rules of style, which would hold for the whole page.
    """
    width, height = arrange(boxes)
    width = max(width, right_edge(boxes))
    parts: list[str] = []
    for box in boxes:
        for parent in box.parents:
            start, first, second, (x, y) = curve_between(parent, box, boxes)
            handles = " ".join(f"{a:.1f},{b:.1f}" for a, b in (first, second, (x, y)))
            curve = f'd="M{start[0]:.1f},{start[1]:.1f} C{handles}"'
            parts.append(f'<path class="arrow" {curve} fill="none" stroke="currentColor"/>')
            parts.append(f'<path class="tip" d="M{x - 4:.1f},{y - 2:.1f} h8 l-4,7 z" fill="currentColor"/>')
    for box in boxes:
        place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
        parts.append(f'<rect class="box" {place} rx="5" fill="none" stroke="currentColor"/>')
        place = f'x="{box.x + 1:.1f}" y="{box.y + 1:.1f}" width="{box.width - 2:.1f}" height="22"'
        parts.append(f'<rect class="head" {place} rx="5" fill="currentColor" fill-opacity="0.1"/>')
        for number, line in enumerate(box.lines):
            kind = "text" if number else 'name" font-weight="600'
            y = box.y + _PAD + 6 + number * _LINE + (3 if number else 0)
            text = _escape(line)
            parts.append(f'<text class="{kind}" x="{box.x + _PAD:.1f}" y="{y:.1f}" fill="currentColor">{text}</text>')
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{_escape(title)}</title>",
        *([f"<style>{_STYLE}</style>"] if standalone else []),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])
