"""Graphs as text that is printed and read back.

    graph   ::= "graph" NAME "(" input ("," input)* ")" "{" node* "return" ref* "}"
    input   ::= ref ":" type JSON-string
    node    ::= ref ":" type "=" PRIMITIVE ref* JSON-object?
    type    ::= DTYPE "[" dims "]"          dims such as 3,batch,10*batch
    ref     ::= "%" NUMBER

Parameters are JSON: a dtype is {"dtype": "f32"}, an open dimension {"open": "10*batch"}, a constant array
{"array": nested list or number, "dtype": "f32"}; floats that JSON lacks are {"float": "nan"}.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import INPUT, Graph, Literal, Node, make_input
from chainrule.graph.primitive import PRIMITIVES
from chainrule.graph.types import ArrayType, Dim, DType, OpenDim, as_dtype


def format_graph(graph: Graph) -> str:
    """The graph as text.

    Example:
        >>> from chainrule.graph.types import float32
        >>> x = make_input("x", ArrayType(float32, (2,)))
        >>> print(format_graph(Graph("same", (x,), (x,))))
        graph same(%0: f32[2] "x") {
          return %0
        }
    """
    names = {node: f"%{number}" for number, node in enumerate(graph.nodes)}
    heads = ", ".join(f"{names[node]}: {node.type} {json.dumps(node.params['name'])}" for node in graph.inputs)
    lines = [f"graph {graph.name}({heads}) {{"]
    for node in graph.nodes:
        if node.primitive is not INPUT:
            inputs = "".join(f" {names[operand]}" for operand in node.inputs)
            params = {key: _to_json(value) for key, value in node.params.items()}
            text = f" {json.dumps(params)}" if params else ""
            lines.append(f"  {names[node]}: {node.type} = {node.primitive.name}{inputs}{text}")
    lines.append(f"  return {' '.join(names[node] for node in graph.outputs)}")
    return "\n".join([*lines, "}"])


def _to_json(value: Any) -> Any:
    if isinstance(value, Literal):
        listed = value.array.tolist()
        return {"array": _floats(listed), "dtype": as_dtype(value.array.dtype).short, "shape": list(value.array.shape)}
    if isinstance(value, DType):
        return {"dtype": value.short}
    if isinstance(value, OpenDim):
        return {"open": str(value)}
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return _floats(value)


def _floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return {"float": str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_from_json(item) for item in value)
    if isinstance(value, dict):
        if "array" in value:
            numbers = _unfloat(value["array"])
            return Literal(np.array(numbers, dtype=as_dtype(value["dtype"]).numpy).reshape(value["shape"]))
        if "dtype" in value:
            return as_dtype(value["dtype"])
        return _dim(value["open"]) if "open" in value else float(value["float"])
    return value


def _unfloat(value: Any) -> Any:
    if isinstance(value, list):
        return [_unfloat(item) for item in value]
    return float(value["float"]) if isinstance(value, dict) else value


def _dim(text: str) -> Dim:
    if text.isdigit():
        return int(text)
    scale, _, name = text.rpartition("*")
    return OpenDim(name, int(scale) if scale else 1)


_TYPE = r"(?P<dtype>\w+)\[(?P<dims>[^\]]*)\]"
_INPUT = re.compile(rf"\s*(?P<ref>%\d+): {_TYPE} (?P<name>\"(?:[^\"\\]|\\.)*\"),?")
_NODE = re.compile(rf"\s*(?P<ref>%\d+): {_TYPE} = (?P<primitive>\w+)(?P<inputs>(?: %\d+)*)(?: (?P<params>\{{.*\}}))?$")
_HEAD = re.compile(r"graph (?P<name>\w+)\((?P<inputs>.*)\) \{$")


def parse_graph(text: str) -> Graph:
    """The graph that `format_graph` printed.

    Raises:
        ChainruleError: with the line that does not follow the grammar, or breaks a primitive's type rule.
    """
    nodes: dict[str, Node] = {}
    lines = text.strip().split("\n")

    def wrong(number: int, reason: str) -> ChainruleError:
        got = lines[number] if number < len(lines) else "the end"
        return ChainruleError(reason, where=f"line {number + 1}", got=got, expected="see chainrule/graph/text.py")

    def read_type(match: re.Match[str]) -> ArrayType:
        dims = match["dims"]
        return ArrayType(as_dtype(match["dtype"]), tuple(_dim(dim) for dim in dims.split(",")) if dims else ())

    def look_up(number: int, refs: str) -> tuple[Node, ...]:
        for ref in refs.split():
            if ref not in nodes:
                raise wrong(number, f"{ref} is not defined before it is used")
        return tuple(nodes[ref] for ref in refs.split())

    head = _HEAD.match(lines[0])
    if not head:
        raise wrong(0, "a graph begins with its name and inputs")
    at = 0
    while at < len(head["inputs"]):
        match = _INPUT.match(head["inputs"], at)
        if not match:
            raise wrong(0, "this is not an input")
        nodes[match["ref"]] = make_input(json.loads(match["name"]), read_type(match))
        at = match.end()
    inputs = tuple(nodes.values())
    for number, line in enumerate(lines[1:], 1):
        if line.startswith("  return"):
            return Graph(head["name"], inputs, look_up(number, line.removeprefix("  return")))
        match = _NODE.match(line)
        if not match or match["primitive"] not in PRIMITIVES:
            raise wrong(number, "this is not a node")
        operands = look_up(number, match["inputs"])
        try:
            params = {key: _from_json(value) for key, value in json.loads(match["params"] or "{}").items()}
            array_type = PRIMITIVES[match["primitive"]].type_rule(*(operand.type for operand in operands), **params)
        except (ChainruleError, TypeError, ValueError, KeyError) as error:
            raise wrong(number, f"the node is not valid: {error}") from None
        if array_type != read_type(match):
            raise wrong(number, f"the type should be {array_type}")
        nodes[match["ref"]] = Node(PRIMITIVES[match["primitive"]], operands, params, array_type)
    raise wrong(len(lines), "the graph does not end")
