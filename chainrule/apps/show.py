"""``chainrule show``: what becomes of a network on its way to machine code, printed.

graph      the network as typed operations on whole arrays
gradient   its loss and the gradient of each weight, by the chain rule
kernels    the loop nests that a training step is compiled to
llvm       their text for LLVM
program    the table of kernel calls that is a training step
"""

from __future__ import annotations

import argparse
from typing import Any

import chainrule as cr
from chainrule.apps import runs
from chainrule.apps.train import Recipe, make_model
from chainrule.graph.ir import Graph
from chainrule.graph.text import format_graph
from chainrule.graph.tracing import trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, OpenDim, float32, int32

ROWS = 60_000
"""Training rows that the default network's schedule is made for; what is printed does not depend on it."""


def show(options: argparse.Namespace) -> int:
    """Carry out the command ``show``."""
    model = runs.load_network(options.run) if options.run else make_model(Recipe(), ROWS)
    print(render(model, options.view))
    return 0


def render(model: Any, view: str) -> str:
    """The text of one view of a model."""
    if view == "graph":
        return format_graph(forward_graph(model))
    if view == "gradient":
        return format_graph(gradient_graph(model))
    executable = model.train_executable()
    if view == "kernels":
        return "\n\n".join(f"kernel {number}: {kernel}" for number, kernel in enumerate(executable.kernels))
    if view == "llvm":
        return str(executable.llvm())
    return str(executable.program)


def input_type(model: Any) -> ArrayType:
    """The type of a batch of inputs, its number of rows open."""
    dtype = model.input_layer.dtype if model.input_layer else float32
    return ArrayType(dtype, (OpenDim("batch"), *model.input_kinds()[0][0]))


def forward_graph(model: Any) -> Graph:
    """The network's outputs for a batch; its weights are inputs too."""

    def network(x: Any) -> Any:
        return model(x)

    types, tree = flatten((input_type(model),))
    return trace(network, types, tree, ["x"]).graph


def gradient_graph(model: Any) -> Graph:
    """The loss of a batch, and how it changes with each weight."""
    model.require_compiled()

    def gradient(x: Any, y: Any) -> Any:
        def network_loss(weights: Any) -> Any:
            return model.loss(y, model(x, training=True))

        return cr.value_and_grad(network_loss)(list(model.trainable_variables))

    labels = isinstance(model.loss, cr.losses.SparseCategoricalCrossentropy)
    shape = model.output_shape[1:-1] if labels else model.output_shape[1:]
    targets = ArrayType(int32 if labels else float32, (OpenDim("batch"), *shape))
    types, tree = flatten((input_type(model), targets))
    return trace(gradient, types, tree, ["x", "y"]).graph
