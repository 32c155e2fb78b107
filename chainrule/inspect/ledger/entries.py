"""The entries of a ledger: from a traced function and the record of its chain rule to numbers with names.

In: a `Recording`, the graph of a function together with what `pull_back` wrote down. Out: an `Entry` for every input,
weight and operation. All numbers come from one evaluation of that very graph; nothing is differentiated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.autodiff.reverse import Contribution
from chainrule.graph.evaluate import evaluate_nodes
from chainrule.graph.ir import CONSTANT, INPUT, Graph, Node
from chainrule.graph.primitive import Formula
from chainrule.graph.tracing import TracedFunction, as_node
from chainrule.graph.variable import Variable
from chainrule.inspect.ledger import formulas, text
from chainrule.layers.layer import Result
from chainrule.naming import free_name
from chainrule.ops import ones_like


@dataclass(frozen=True, eq=False)
class Part:
    """What an operation hands back to one of its operands: a step of the chain rule.

    Args:
        operation: the name of the operation; empty where `operand` is the result itself.
        operand: the name of the value that gets it.
        place: which of the operation's operands it is.
        formula: how it is computed, as ``v̄3 ⊙ v1``.
        value: the numbers.
        slope: the formula of the local derivative, of elementwise operations.
        slope_value: its numbers; the local derivative of each element of the result.
    """

    operation: str
    operand: str
    place: int
    formula: Formula
    value: np.ndarray
    slope: Formula | None = None
    slope_value: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Entry:
    """One line of the ledger: an operation, or a value that was there before.

    Args:
        name: ``v1``, ``v2``, … of operations; of inputs and weights their own.
        kind: ``input``, ``weight``, ``state``, ``constant`` or ``operation``.
        scope: the layer or function that it belongs to.
        operation: the name of the primitive.
        operands: the names of the values that it reads; numbers as they are.
        formula: ``v3 = v1 ⊙ v2``.
        value: the result.
        gradient: how the end result changes with it; None where it does not depend on it smoothly.
        incoming: the parts whose sum is the gradient, in the order in which they are added.
        outgoing: what it hands back to its operands.
        becomes: the Variable whose new value it is.
    """

    name: str
    kind: str
    scope: str
    operation: str
    operands: tuple[str, ...]
    formula: Formula
    value: np.ndarray
    gradient: np.ndarray | None = None
    incoming: tuple[Part, ...] = ()
    outgoing: tuple[Part, ...] = ()
    becomes: str = ""

    @property
    def meets(self) -> tuple[Part, ...]:
        """The parts that add up here, where a value is used more than once."""
        return self.incoming if len(self.incoming) > 1 else ()

    def __str__(self) -> str:
        return text.format_entry(self)

    def __repr__(self) -> str:
        return f"<Entry {self.formula.text}>"


@dataclass
class Recording:
    """A function recorded with its chain rule.

    Args:
        traced: the function; its outputs are the results, then the new values of Variables.
        arrays: the values of the graph's inputs.
        record: what `pull_back` wrote down.
        gradients: the cotangents by the graph's inputs.
        prefix: of the scopes, taken off: the name of the model.
        calls: of layers, in their order.
    """

    traced: TracedFunction
    arrays: Sequence[np.ndarray]
    record: list[Contribution]
    gradients: dict[Node, Node]
    prefix: str = ""
    calls: list[Result] = field(default_factory=list)

    @property
    def graph(self) -> Graph:
        return self.traced.graph

    def scope_of(self, node: Node) -> str:
        return node.scope.removeprefix(f"{self.prefix}/") if self.prefix else node.scope


@dataclass(frozen=True, eq=False)
class Contents:
    """Entries, and what they are called."""

    entries: tuple[Entry, ...]
    names: Mapping[Node, str]
    results: tuple[np.ndarray, ...]
    gradients: Mapping[str, np.ndarray]
    updates: Mapping[str, np.ndarray]

    def value_of(self, name: str) -> np.ndarray:
        """The value of the entry of this name."""
        return next(entry.value for entry in self.entries if entry.name == name)


def make_contents(recording: Recording) -> Contents:
    """Evaluate a recording once, and write its entries."""
    return _Writer(recording).write()


class _Writer:
    """What the entries of one recording share."""

    def __init__(self, recording: Recording):
        self.recording = recording
        graph = recording.graph
        variables = recording.traced.variables
        self.variables: dict[Node, Variable] = dict(
            zip(graph.inputs[recording.traced.arguments :], variables, strict=True)
        )
        sources = [*graph.inputs, *graph.outputs, *(item.node for item in recording.record)]
        self.sources = {slope: node for node, slope in reversed(recording.gradients.items())}
        self.nodes = walk(sources, set(self.sources))
        self.names = self._name()
        self.scopes = self._find_scopes()
        self.short = self._shorten()
        self.slopes = self._differentiate()
        self.parts = {item: (as_node(item.part), as_node(item.total)) for item in recording.record}
        wanted = [*graph.outputs, *self.nodes, *recording.gradients.values()]
        wanted += [node for pair in self.parts.values() for node in pair]
        wanted += [slope for pair in self.slopes.values() for slope in pair if slope is not None]
        everything = Graph(graph.name, graph.inputs, tuple(dict.fromkeys(wanted)))
        self.values = evaluate_nodes(everything, recording.arrays)

    def write(self) -> Contents:
        recording, graph = self.recording, self.recording.graph
        incoming: dict[Node, list[Part]] = {}
        outgoing: dict[Node, list[Part]] = {}
        totals: dict[Node, np.ndarray] = {}
        for item in recording.record:
            part = self._make_part(item)
            incoming.setdefault(item.node, []).append(part)
            totals[item.node] = self.values[self.parts[item][1]]
            if item.user is not None:
                outgoing.setdefault(item.user, []).append(part)
        new = graph.outputs[recording.traced.results :]
        updates = {
            self.names[self._input_of(variable)]: node
            for variable, node in zip(recording.traced.assigned, new, strict=True)
        }
        becomes = {node: name for name, node in updates.items()}
        written: list[Entry] = []
        for node in self.nodes:
            if formulas.is_number(node):
                continue
            written.append(
                Entry(
                    name=self.names[node],
                    kind=self._kind(node),
                    scope=self.scopes[node],
                    operation=node.primitive.name,
                    operands=tuple(self._operand_name(operand) for operand in node.inputs),
                    formula=self._formula(node),
                    value=self.values[node],
                    gradient=totals.get(node),
                    incoming=tuple(incoming.get(node, ())),
                    outgoing=tuple(sorted(outgoing.get(node, ()), key=lambda part: part.place)),
                    becomes=becomes.get(node, ""),
                )
            )
        return Contents(
            entries=tuple(written),
            names=self.names,
            results=tuple(self.values[node] for node in graph.outputs[: recording.traced.results]),
            gradients={self.names[node]: self.values[slope] for node, slope in recording.gradients.items()},
            updates={name: self.values[node] for name, node in updates.items()},
        )

    # -- names ----------------------------------------------------------------------------------------------------

    def _name(self) -> dict[Node, str]:
        """Every value's name: inputs and Variables their own, constants c1, c2, …, operations v1, v2, …"""
        names: dict[Node, str] = {}
        for node in self.recording.graph.inputs:
            names[node] = free_name(node.params["name"], set(names.values()))
        taken = set(names.values())
        for letter, chosen in (("c", True), ("v", False)):
            number = 0
            for node in self.nodes:
                if node in names or formulas.is_number(node) or (node.primitive is CONSTANT) != chosen:
                    continue
                number += 1
                while f"{letter}{number}" in taken:
                    number += 1
                names[node] = f"{letter}{number}"
        return names

    def _find_scopes(self) -> dict[Node, str]:
        """Where each value belongs; a weight or a constant to the first operation that reads it."""
        scopes = {node: self.recording.scope_of(node) for node in self.nodes}
        arguments = set(self.recording.graph.inputs[: self.recording.traced.arguments])
        homeless = {node for node in self.nodes if node.primitive in (INPUT, CONSTANT)} - arguments
        for node in self.nodes:
            for operand in node.inputs:
                if operand in homeless:
                    scopes[operand] = scopes[node]
                    homeless.discard(operand)
        return scopes

    def _shorten(self) -> dict[tuple[str, Node], str]:
        """What a Variable is called within a scope: ``kernel``, where only one of that name is read there.

        Who reads its gradient reads the Variable's name, too.
        """
        read: dict[str, dict[Node, str]] = {}
        for node in self.nodes:
            for operand in node.inputs:
                source = self.sources.get(operand, operand)
                if source in self.variables:
                    read.setdefault(self.scopes[node], {})[source] = self.names[source].split("/")[-1]
        short = {}
        taken = set(self.names.values())
        for scope, found in read.items():
            last = list(found.values())
            for node, name in found.items():
                free = last.count(name) == 1 and name not in taken - {self.names[node]}
                short[scope, node] = name if free else self.names[node].replace("/", ".")
        return short

    def _input_of(self, variable: Variable) -> Node:
        return next(node for node, found in self.variables.items() if found is variable)

    def _kind(self, node: Node) -> str:
        if node in self.variables:
            return "weight" if self.variables[node].trainable else "state"
        return {INPUT: "input", CONSTANT: "constant"}.get(node.primitive, "operation")

    # -- formulas -------------------------------------------------------------------------------------------------

    def _operand_name(self, node: Node) -> str:
        if formulas.is_number(node) or node in self.sources:
            return self._write(node, "").text
        return self.names[node]

    def _write(self, node: Node, scope: str) -> Formula:
        """What an operand is called in a formula: a number, a name, or the gradient that an update reads."""
        if node in self.sources:
            source = self.sources[node]
            return formulas.write_cotangent(self.short.get((scope, source), self.names[source]))
        if formulas.is_number(node):
            return formulas.write_number(node.params["value"].array)
        return formulas.write_name(self.short.get((scope, node), self.names[node]))

    def _formula(self, node: Node) -> Formula:
        own = formulas.write_name(self.names[node])
        if node.primitive in (INPUT, CONSTANT):
            return own
        operands = [self._write(operand, self.scopes[node]) for operand in node.inputs]
        right = formulas.fill(formulas.notation_of(node).value, operands, own, not node.shape)
        return Formula(f"{own.text} = {right.text}", f"{own.latex} = {right.latex}")

    # -- the chain rule -------------------------------------------------------------------------------------------

    def _differentiate(self) -> dict[Node, tuple[Node | None, ...]]:
        """The local derivatives of elementwise operations: what their rule makes of a cotangent of ones."""
        slopes = {}
        for node in dict.fromkeys(item.user for item in self.recording.record):
            if node is not None and node.primitive.family == "elementwise":
                assert callable(node.primitive.vjp)
                found = node.primitive.vjp(as_node(ones_like(node)), node, *node.inputs, **node.params)
                slopes[node] = tuple(None if slope is None else as_node(slope) for slope in found)
        return slopes

    def _make_part(self, item: Contribution) -> Part:
        value = self.values[self.parts[item][0]]
        operand = self.names[item.node]
        user = item.user
        if user is None:
            return Part("", operand, item.place, formulas.ONE, value)
        own = formulas.write_name(self.names[user])
        names = [self._write(node, self.scopes[user]) for node in user.inputs]
        notation = formulas.notation_of(user)
        scalar = not user.shape
        if user in self.slopes:
            local = self.slopes[user][item.place]
            given = notation.slopes[item.place] if notation.slopes else None
            slope = None if given is None else formulas.fill(given, names, own, scalar)
            summed = bool(user.shape) and not item.node.shape
            cotangent = formulas.write_cotangent(own.text)
            shown = slope or Formula(f"∂{own.text}/∂{names[item.place].text}")
            formula = formulas.times(cotangent, shown, scalar, summed)
            return Part(
                own.text, operand, item.place, formula, value, slope, None if local is None else self.values[local]
            )
        places = notation.gradients or (None,)
        given = places[item.place if len(places) > 1 else 0]
        formula = formulas.fill(given or Formula("the rule's own"), names, own, scalar)
        return Part(own.text, operand, item.place, formula, value)


def walk(outputs: Iterable[Node], known: set[Node]) -> list[Node]:
    """The nodes that `outputs` need, in the order of creation, those of gradients left out."""
    seen: set[Node] = set()
    stack = [node for node in outputs if node not in known]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(operand for operand in node.inputs if operand not in known)
    return sorted(seen, key=lambda node: node.number)
