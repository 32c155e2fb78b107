"""The network: drawn, and layer by layer as a table."""

from __future__ import annotations

from chainrule.inspect.markup import element
from chainrule.inspect.page import Section, facts, figure, shorten, table
from chainrule.inspect.report.sections.subject import Subject
from chainrule.models.summary import format_shapes
from chainrule.utils.drawing import boxes_of, draw

_MOST_BOXES = 60


def write_network(subject: Subject) -> Section:
    """The section on the network."""
    model = subject.model
    layers = model.layers
    rows = [
        [shorten(layer.name), type(layer).__name__, format_shapes(layer.result_shape), f"{layer.count_params():,}"]
        for layer in layers
    ]
    numbers = table("The layers", ["layer", "kind", "output shape", "parameters"], rows, texts=(0, 1, 2))
    boxes = boxes_of(model, shapes=True, dtypes=False, names=True)
    drawing = None
    if 0 < len(boxes) <= _MOST_BOXES:
        for box in boxes:
            box.lines = [shorten(line) for line in box.lines]
        description = "From top to bottom: " + ", ".join(box.lines[0] for box in boxes) + "."
        title = f"The network {shorten(model.name)}"
        drawing = element(
            "div", subject.drawings.keep(draw(boxes, title, standalone=False), title, description), class_="network"
        )
    trained = sum(weight.size for weight in model.trainable_variables)
    caption = "One box per layer, from input to output; None stands for any number of rows."
    losses = [loss.name for loss in model.objective.losses if loss is not None]
    return Section(
        "network",
        "Network",
        element(
            "div",
            facts(
                [
                    ("Parameters", f"{model.count_params():,}, of which {trained:,} are trained"),
                    ("Loss", ", ".join(losses) or "its own"),
                    ("Optimizer", type(model.optimizer).__name__),
                ]
            ),
            figure(drawing, caption, numbers),
        ),
    )


__all__ = ["write_network"]
