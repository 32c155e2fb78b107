"""Slopes of a graph by differences, in float64: what the chain rule is held against.

In: a node of one number, the values of all that it depends on, and one of those nodes. Out: how the number changes when
that node's numbers are moved along a direction. Only what depends on the node is computed again. What passes through
`stop_gradient` stays as it is, as the chain rule has it.

At a kink, such as that of relu at 0, the slope to the left is another than that to the right, and the chain rule takes
one between them. A kink that is merely near is passed by with a smaller step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.graph.evaluate import evaluate_node
from chainrule.graph.ir import Graph, Node, reachable

STEPS = (1e-4, 1e-5, 1e-6, 1e-7)
"""Steps as parts of the moved numbers' size: smaller ones where larger ones meet a kink."""
TOLERANCE = 1e-6
"""A central difference errs by about the step's square; its rounding is reckoned apart (`Slopes.blur`)."""
SHARP = 1e-3
"""The most that rounding may hide of a slope."""
_ROUNDINGS = 64
"""Roundings of float64 by which the result may be off: those of sums partly cancel, so they are fewer than terms."""


@dataclass(frozen=True)
class Comparison:
    """A slope by the chain rule against differences.

    Args:
        error: their distance, as a part of what a slope along this direction is expected to be.
        agrees: whether it is as small as it must be.
        is_kink: whether left and right differ however small the step is.
    """

    error: float
    agrees: bool
    is_kink: bool = False


class Slopes:
    """The slopes of a graph's result at some point.

    Args:
        result: the node of a single number.
        values: of it and all nodes that it depends on, in float64.
        sizes: of open dimensions.
    """

    def __init__(self, result: Node, values: Mapping[Node, np.ndarray], sizes: Mapping[str, int]):
        self.result, self.values, self.sizes = result, values, sizes
        self.loss = float(values[result])
        self.users: dict[Node, list[Node]] = {}
        for node in reachable([result]):
            for operand in dict.fromkeys(node.inputs):
                self.users.setdefault(operand, []).append(node)

    def dependents(self, node: Node) -> list[Node]:
        """What changes with a node, in order."""
        found: set[Node] = set()
        stack = [node]
        while stack:
            for user in self.users.get(stack.pop(), []):
                if user not in found and user.primitive.name != "stop_gradient":
                    found.add(user)
                    stack.append(user)
        return sorted(found, key=lambda dependent: dependent.number)

    def result_with(self, node: Node, value: np.ndarray, dependents: Sequence[Node]) -> float:
        """The result where a node has another value."""
        new: dict[Node, np.ndarray] = {node: value}
        for dependent in dependents:
            operands = [new.get(operand, self.values[operand]) for operand in dependent.inputs]
            new[dependent] = evaluate_node(dependent, operands, self.sizes, wide=True)
        return float(new.get(self.result, self.values[self.result]))

    def compare(
        self, node: Node, gradient: np.ndarray, least: float = 0.0, directions: int = 2, seed: int = 0
    ) -> Comparison:
        """The worst of some random directions along which a node is moved, against the chain rule's gradient.

        Args:
            least: what counts as the gradient's norm, where that is smaller still: so large are the terms of its sums.
        """
        dependents = self.dependents(node)
        expected = max(float(np.sqrt(np.sum(gradient * gradient))), least)  # as a direction's numbers are about 1
        generator = np.random.Generator(np.random.Philox(key=seed))
        drawn = [generator.standard_normal(gradient.shape) for _ in range(directions)]
        found = [self._compare_along(node, gradient, direction, dependents, expected) for direction in drawn]
        wrong = [comparison for comparison in found if not comparison.agrees]
        return max(wrong or found, key=lambda comparison: (not comparison.is_kink, comparison.error))

    def _compare_along(
        self, node: Node, gradient: np.ndarray, direction: np.ndarray, dependents: Sequence[Node], expected: float
    ) -> Comparison:
        value = self.values[node]
        exact = float(np.sum(gradient * direction))
        size = max(float(np.sqrt(np.mean(value * value))), 0.1)  # biases begin at 0
        least = np.inf
        jumps: list[float] = []
        for step in sorted(STEPS, reverse=True):
            distance = step * size
            right = (self.result_with(node, value + distance * direction, dependents) - self.loss) / distance
            left = (self.loss - self.result_with(node, value - distance * direction, dependents)) / distance
            off, blur = abs((left + right) / 2 - exact), self.blur(distance)
            seen = max(expected, abs(left), abs(right))
            if blur > SHARP * seen and step < max(STEPS):
                break  # with smaller steps there is nothing but rounding to be seen
            if off <= TOLERANCE * expected + blur:
                return Comparison(off / expected if expected else 0.0, True)
            least = min(least, off / seen)
            if np.isfinite(right - left) and abs(right - left) > blur:
                jumps.append(abs(right - left))
        # Where there is no kink, left and right come together as the steps become smaller, each a tenth of the last.
        is_kink = len(jumps) > 1 and jumps[-1] > 0.5 * jumps[-2]
        return Comparison(least, False, is_kink)

    def blur(self, distance: float) -> float:
        """By how much the rounding of the result may change a slope."""
        return _ROUNDINGS * np.finfo(np.float64).eps * (abs(self.loss) + 1e-300) / distance


def without_rounding(graph: Graph) -> dict[Node, Node]:
    """Each node's counterpart in a graph whose products round no factors to bfloat16."""
    new: dict[Node, Node] = {}
    for node in graph.nodes:
        inputs = tuple(new[operand] for operand in node.inputs)
        params = {key: value for key, value in node.params.items() if key != "precision"}
        same = len(params) == len(node.params) and all(a is b for a, b in zip(inputs, node.inputs, strict=True))
        new[node] = node if same else Node(node.primitive, inputs, params, node.type, node.scope)
    return new
