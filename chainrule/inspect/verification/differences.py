"""Slopes of a graph by differences, in float64: what the chain rule is held against.

In: a node of one number, the values of all that it depends on, and one of those nodes. Out: how the number changes when
that node's numbers are moved along a direction. Only what depends on the node is computed again. What passes through
`stop_gradient` stays as it is, as the chain rule has it.

At a kink, such as that of relu at 0, the slope to the left is another than that to the right, and the chain rule takes
one between them. A kink that is merely near is passed by with a smaller step. Of all steps that one judges which knows
the slope best, by what the others say. A gradient is wrong only where it is much farther off than what that step does
not know; else, and where left and right stay apart however small the step is, there is a kink.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chainrule.graph.evaluate import evaluate_node
from chainrule.graph.ir import Graph, Node, reachable

STEPS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11)
"""Steps as parts of the moved numbers' size: smaller ones where larger ones meet a kink."""
TOLERANCE = 1e-6
"""A central difference errs by about the step's square; its rounding is reckoned apart (`Slopes.blur`)."""
SHARP = 1e-3
"""The most that rounding may hide of a slope."""
_ROUNDINGS = 64
"""Roundings of float64 by which the result may be off: those of sums partly cancel, so they are fewer than terms."""
_EPSILON = float(np.finfo(np.float64).eps)
_FARTHER = 10
"""How many times as far off as is unknown a wrong slope is: along a direction that meets many kinks, of which each adds
or takes, what is unknown and how far off it is are about the same by chance."""
_TRIES = 4
"""How often the result is computed with other roundings."""
_JUMPING = frozenset({"floor", "ceil", "round", "sign", "cast"})
"""What changes at once: numbers that it takes are not rounded otherwise."""


@dataclass(frozen=True)
class Comparison:
    """A slope by the chain rule against differences.

    Args:
        error: their distance, as a part of what a slope along this direction is expected to be.
        agrees: whether it is as small as it must be.
        is_kink: whether left and right, or one step and the next, differ so much however small the step is that the
            chain rule's slope may be right.
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
        if not np.isfinite(exact):
            return Comparison(np.inf, False)
        size = max(float(np.sqrt(np.mean(value * value))), 0.1)  # biases begin at 0
        seen: list[_Step] = []
        for step in sorted(STEPS, reverse=True):
            distance = step * size
            right = (self.result_with(node, value + distance * direction, dependents) - self.loss) / distance
            left = (self.loss - self.result_with(node, value - distance * direction, dependents)) / distance
            blur, largest = self.blur(distance), max(expected, abs(left), abs(right))
            if blur > SHARP * largest and step < max(STEPS):
                break  # with smaller steps there is nothing but rounding to be seen
            middle = (left + right) / 2
            off = abs(middle - exact)
            agrees = off <= TOLERANCE * expected + blur
            if agrees and blur <= TOLERANCE * expected:
                return Comparison(off / expected if expected else 0.0, True)
            if np.isfinite(right - left):
                seen.append(_Step(middle, right - left, blur, largest, off, agrees))
        if not seen:
            return Comparison(np.inf, False, True)
        unknown = [_unknown(seen, place) for place in range(len(seen))]
        place = int(np.argmin(unknown))
        best = seen[place]
        if best.agrees:
            return Comparison(best.off / expected if expected else 0.0, True)
        # Where there is no kink, left and right come together as the steps become smaller, each a tenth of the last.
        jumps = [abs(step.jump) for step in seen if abs(step.jump) > step.blur]
        stays = len(jumps) > 1 and jumps[-1] > 0.5 * jumps[-2]
        return Comparison(best.off / best.largest, False, stays or best.off <= _FARTHER * unknown[place])

    def blur(self, distance: float) -> float:
        """By how much the rounding of the result may change a slope."""
        return self.rounding / distance

    @functools.cached_property
    def rounding(self) -> float:
        """By how much rounding may change the result.

        A loss that is small because large numbers cancel is off by a part of these. So it is also computed with each
        number changed by about its rounding (Parker 1997, Monte Carlo Arithmetic), and must be expected to be off by
        as much as it then changes.
        """
        generator = np.random.Generator(np.random.Philox(key=2))
        order = reachable([self.result])
        fixed = {operand for node in order if node.primitive.name in _JUMPING for operand in node.inputs}
        changes = []
        for _ in range(_TRIES):
            new: dict[Node, np.ndarray] = {}
            for node in order:
                if not node.inputs:
                    new[node] = self.values[node]
                    continue
                value = evaluate_node(node, [new[operand] for operand in node.inputs], self.sizes, wide=True)
                if value.dtype.kind == "f" and node not in fixed:
                    value = value * (1 + _EPSILON * generator.uniform(-1, 1, value.shape))
                new[node] = value
            changes.append(abs(float(new[self.result]) - self.loss))
        return max(_ROUNDINGS * _EPSILON * (abs(self.loss) + 1e-300), float(np.median(changes)))


class _Step(NamedTuple):
    """What a step says: the slope, by how much that to the right is larger than that to the left, what rounding may
    change, the largest slope of all, how far the chain rule's is off, and whether that is as little as it must be."""

    middle: float
    jump: float
    blur: float
    largest: float
    off: float
    agrees: bool


def _unknown(steps: Sequence[_Step], place: int) -> float:
    """How far the slope of a step may be from the true one, by the steps before and after it.

    Where there is no kink, the difference of right and left is a tenth of what it was with a step ten times as large,
    and the slope between them hardly changes. What smaller steps see otherwise, beyond their rounding, is nearer to the
    truth.
    """
    step = steps[place]
    unknown = step.blur
    if place:
        before = steps[place - 1]
        unknown += abs(step.jump - before.jump / 10) + abs(step.middle - before.middle)
    else:
        unknown += abs(step.jump)
    after = [abs(later.middle - step.middle) - later.blur for later in steps[place + 1 :]]
    return unknown + max([0.0, *after])


def without_rounding(graph: Graph) -> dict[Node, Node]:
    """Each node's counterpart in a graph whose products round no factors to bfloat16."""
    new: dict[Node, Node] = {}
    for node in graph.nodes:
        inputs = tuple(new[operand] for operand in node.inputs)
        params = {key: value for key, value in node.params.items() if key != "precision"}
        same = len(params) == len(node.params) and all(a is b for a, b in zip(inputs, node.inputs, strict=True))
        new[node] = node if same else Node(node.primitive, inputs, params, node.type, node.scope)
    return new
