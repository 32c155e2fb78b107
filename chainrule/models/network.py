"""A network: symbolic inputs and outputs, and the calls of layers and operations between them.

Its configuration lists the layers once and the calls in order, each by the numbers of the arrays that it takes:

    {"layers": [{"class_name": "InputLayer", …}, {"class_name": "Dense", …}],
     "calls":  [{"layer": 1, "arguments": [{"array": 0}]}, {"op": "add", "arguments": […], "params": {…}}],
     "inputs": {"array": 0}, "outputs": {"array": 2}}

Nothing but layers of the registry, and operations of the table of primitives, can be named there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule import layers as layers_module
from chainrule import ops, registry
from chainrule.errors import ChainruleError, unknown_name
from chainrule.graph.ir import CONSTANT, INPUT, Literal, Node, make_constant, reachable
from chainrule.graph.primitive import PRIMITIVES
from chainrule.graph.tracing import apply
from chainrule.graph.tree import flatten, map_leaves, unflatten
from chainrule.graph.types import DType, OpenDim, as_dtype
from chainrule.layers import InputLayer, Layer, symbolic
from chainrule.layers.core import input_layer_of
from chainrule.naming import free_name
from chainrule.training.nests import Output, split


class Network:
    """What stands between symbolic inputs and outputs.

    Raises:
        ChainruleError: for what is not symbolic, an output that needs another input, and two layers of one name.
    """

    def __init__(self, inputs: Any, outputs: Any):
        self.input, self.output = inputs, outputs
        self.inputs: list[Node] = flatten(inputs)[0]
        leaves, self.output_tree = flatten(outputs)
        for what, found in (("inputs", self.inputs), ("outputs", leaves)):
            if not found or not all(isinstance(leaf, Node) for leaf in found):
                raise ChainruleError("not symbolic arrays", where=f"Model, {what}", got=found, expected="from cr.Input")
        self.outputs: list[Node] = leaves
        self.input_layers: list[InputLayer] = [input_layer_of(node) for node in self.inputs]
        self.calls = symbolic.calls_in(leaves)
        given = set(self.inputs)
        for node in reachable(leaves):
            if node.primitive is INPUT and node not in given:
                raise ChainruleError(
                    "an output needs an input that the model does not have",
                    where="Model",
                    expected=[layer.name for layer in self.input_layers],
                    got=node.params["name"],
                )
        self.layers: list[Layer] = list(dict.fromkeys([*self.input_layers, *(call.layer for call in self.calls)]))
        name_layers(self.layers)
        if isinstance(inputs, dict):
            names = list(flatten({key: key for key in inputs})[0])
            self.input_names = names
        else:
            self.input_names = [layer.name for layer in self.input_layers]

    def input_shapes(self) -> Any:
        """The inputs' shapes without the batch, in the nest of the inputs."""
        return map_leaves(lambda node: tuple(node.shape[1:]), self.input)

    def run(self, inputs: Any, training: bool, mask: Any = None) -> Any:
        """The outputs for some inputs, which become the dtypes of the model's."""
        parts = split("inputs", inputs, self.input_names)
        values = {node: ops.cast(part, node.dtype) for node, part in zip(self.inputs, parts, strict=True)}
        for value, before in zip(values.values(), parts, strict=True):
            symbolic.set_mask(value, symbolic.mask_of(before))
        if mask is not None:
            for value, part in zip(values.values(), mask if isinstance(mask, list) else [mask], strict=False):
                symbolic.set_mask(value, part)
        return unflatten(self.output_tree, symbolic.replay(self.outputs, values, training))

    def describe_outputs(self) -> list[Output]:
        """The outputs, named by their keys or by the layers that give them."""
        producers = [producer_of(node) for node in self.outputs]
        if isinstance(self.output, dict):
            names = list(flatten({key: key for key in self.output})[0])
        else:
            names = []
            for producer in producers:
                names.append(free_name(producer, names))
        return [
            Output(name, tuple(node.shape[1:]), node.dtype, producer)  # type: ignore[arg-type]
            for name, node, producer in zip(names, self.outputs, producers, strict=True)
        ]

    def layers_before(self, place: int) -> list[Layer]:
        """The layers that give an output, the last first, back to where there are several inputs or an operation."""
        found: list[Layer] = []
        node = self.outputs[place]
        while node.primitive is symbolic.LAYER:
            found.append(node.params["call"].layer)
            if len(node.inputs) != 1:
                break
            node = node.inputs[0]
        return found

    def get_config(self) -> dict[str, Any]:
        """The network as JSON."""
        numbers: dict[Node, int] = {node: place for place, node in enumerate(self.inputs)}
        calls: list[dict[str, Any]] = []
        done: dict[symbolic.Call, int] = {}  # the number of its first result
        count = len(self.inputs)

        def refer(leaf: Any) -> Any:
            if not isinstance(leaf, Node):
                return {"value": describe_value(leaf)}
            if leaf.primitive is CONSTANT:
                return {"constant": describe_value(leaf.params["value"])}
            return {"array": numbers[leaf]}

        for node in reachable(self.outputs):
            if node in numbers or node.primitive is CONSTANT:
                continue
            if node.primitive is not symbolic.LAYER:
                params = {name: describe_value(value) for name, value in node.params.items()}
                calls.append(
                    {"op": node.primitive.name, "arguments": [refer(i) for i in node.inputs], "params": params}
                )
                numbers[node], count = count, count + 1
                continue
            call = node.params["call"]
            if call not in done:
                arguments, options = unflatten(call.tree, [refer(leaf) for leaf in call.leaves])
                entry = {"layer": self.layers.index(call.layer), "arguments": list(arguments)}
                calls.append(entry | ({"options": options} if options else {}))
                done[call], count = count, count + len(call.types)
            numbers[node] = done[call] + node.params["place"]
        return {
            "layers": [registry.describe(layer) for layer in self.layers],
            "calls": calls,
            "inputs": map_leaves(refer, self.input),
            "outputs": map_leaves(refer, self.output),
        }


def from_config(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """New symbolic inputs and outputs from what `Network.get_config` gave."""
    made = [registry.resolve("layer", entry, layers_module.known_layers()) for entry in config["layers"]]
    arrays: list[Any] = [layer.output for layer in made if isinstance(layer, InputLayer)]
    for entry in config["calls"]:
        arguments = [find_references(argument, arrays) for argument in entry["arguments"]]
        if "op" in entry:
            primitive = PRIMITIVES.get(entry["op"])
            if primitive is None or primitive.family == "source":
                raise unknown_name("operation", entry["op"], [n for n, p in PRIMITIVES.items() if p.family != "source"])
            params = {name: read_value(value) for name, value in entry["params"].items()}
            arrays.append(apply(primitive, *arguments, **params))
        else:
            options = {name: find_references(value, arrays) for name, value in entry.get("options", {}).items()}
            arrays += flatten(made[entry["layer"]](*arguments, **options))[0]
    return find_references(config["inputs"], arrays), find_references(config["outputs"], arrays)


def find_references(nest: Any, arrays: list[Any]) -> Any:
    """The nest with arrays and values in the place of what refers to them."""
    if isinstance(nest, dict) and len(nest) == 1:
        if "array" in nest:
            return arrays[nest["array"]]
        if "value" in nest:
            return read_value(nest["value"])
        if "constant" in nest:
            return make_constant(read_value(nest["constant"]).array)
    if isinstance(nest, dict):
        return {key: find_references(value, arrays) for key, value in nest.items()}
    if isinstance(nest, list):
        return [find_references(value, arrays) for value in nest]
    return nest


def describe_value(value: Any) -> Any:
    """A parameter of an operation as JSON."""
    if isinstance(value, Literal):
        return {"kind": "literal", "dtype": str(value.array.dtype), "of": value.array.tolist()}
    if isinstance(value, np.ndarray | np.generic):
        return {"kind": "ndarray", "dtype": str(value.dtype), "of": value.tolist()}
    if isinstance(value, DType):
        return {"kind": "dtype", "of": value.name}
    if isinstance(value, OpenDim):
        return {"kind": "open", "of": [value.name, value.scale]}
    if isinstance(value, slice):
        return {"kind": "slice", "of": [value.start, value.stop, value.step]}
    if isinstance(value, tuple | list):
        return {"kind": type(value).__name__, "of": [describe_value(item) for item in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ChainruleError("this cannot be written to a file", got=repr(value), expected="numbers, text, shapes")


_READERS: dict[str, Callable[[Any], Any]] = {
    "literal": lambda entry: Literal(np.asarray(entry["of"], dtype=entry["dtype"])),
    "ndarray": lambda entry: np.asarray(entry["of"], dtype=entry["dtype"]),
    "dtype": lambda entry: as_dtype(entry["of"]),
    "open": lambda entry: OpenDim(*entry["of"]),
    "slice": lambda entry: slice(*entry["of"]),
    "tuple": lambda entry: tuple(read_value(item) for item in entry["of"]),
    "list": lambda entry: [read_value(item) for item in entry["of"]],
}


def read_value(entry: Any) -> Any:
    """What `describe_value` described."""
    if not isinstance(entry, dict):
        return entry
    if entry.get("kind") not in _READERS:
        raise unknown_name("kind of value", entry.get("kind"), list(_READERS))
    return _READERS[entry["kind"]](entry)


def producer_of(node: Node) -> str:
    """The name of the layer that gives an array, or of the operation."""
    return node.params["call"].layer.name if node.primitive is symbolic.LAYER else node.primitive.name


def name_layers(layers: list[Layer]) -> None:
    """Give each layer a name of its own: ``dense``, ``dense_1``, … where it was given none.

    Raises:
        ChainruleError: where two were given the same.
    """
    taken: set[str] = set()
    for layer in sorted(layers, key=lambda layer: (layer.given_name is None) + (not layer.named)):
        name_layer(layer, taken)


def name_layer(layer: Layer, taken: set[str]) -> None:
    """Give a layer a name that is not taken, and take it."""
    name = layer.name
    if name in taken and layer.given_name is not None:
        raise ChainruleError("two layers have one name", where="the model", got=name)
    # `dense_1` gives way to `dense_2`, not to `dense_1_1`.
    base = name.rstrip("0123456789").rstrip("_") if name[-1].isdigit() else name
    name = free_name(name, taken, base)
    if name != layer.name:
        rename(layer, name)
    if hasattr(layer, "layers"):  # weights of a model within a model are named after both
        for weight in layer.weights:
            if not weight.name.startswith(f"{name}/"):
                weight.name = f"{name}/{weight.name}"
    layer.named = True
    taken.add(name)


def rename(layer: Layer, name: str) -> None:
    """Another name for a layer, and for its weights."""
    before, layer.name = layer.name, name
    for weight in layer.weights:
        if weight.name.startswith(f"{before}/"):
            weight.name = name + weight.name[len(before) :]
