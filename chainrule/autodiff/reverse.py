"""The chain rule, backwards, from graph to graph.

For a node y = f(x) and the cotangent g = d loss / d y, the primitive's `vjp` gives d loss / d x = g * f'(x), written
with the public operations, so the result is made of nodes again and can be differentiated again. `pull_back` visits the
nodes from the outputs to the inputs, each once, and adds up the cotangents that reach it.

Source: Griewank and Walther, "Evaluating derivatives", 2008.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.evaluate import evaluate
from chainrule.graph.ir import Graph, Node, make_input, reachable
from chainrule.graph.primitive import NO_GRADIENT
from chainrule.graph.tracing import apply, as_node, as_operand, current_trace, scope, trace
from chainrule.graph.tree import flatten, unflatten
from chainrule.graph.types import type_of
from chainrule.graph.variable import Variable
from chainrule.ops import add, ones_like, zeros_like
from chainrule.ops.elementwise import identity
from chainrule.ops.reduction import SUM


@dataclass(frozen=True, eq=False)
class Contribution:
    """What one use of a node adds to its cotangent.

    Args:
        node: whose cotangent it is a part of.
        user: the node that reads `node`; None where `node` is an output, whose cotangent was given.
        place: which of the user's operands `node` is, or which of the outputs.
        part: what this use adds.
        total: the cotangent so far, this part in it.
    """

    node: Node
    user: Node | None
    place: int
    part: Any
    total: Any


def pull_back(
    outputs: Sequence[Node],
    cotangents: Sequence[Any],
    wrt: Sequence[Node],
    record: list[Contribution] | None = None,
) -> list[Any]:
    """The cotangents of `wrt` for those of `outputs`: ``sum over outputs of cotangent * d output / d wrt``.

    Only nodes on a path from `wrt` are visited. A node of `wrt` that no output depends on gets zeros.

    Args:
        record: where every addition to a cotangent is written down, in order.
    """
    order = reachable(outputs)
    wanted = set(wrt)
    active: set[Node] = set()
    for node in order:
        if node in wanted:
            active.add(node)
        elif node.primitive.vjp is not NO_GRADIENT and node.dtype.is_float:
            if any(operand in active for operand in node.inputs):
                active.add(node)
    gathered: dict[Node, Any] = {}

    def gather(node: Node, part: Any, user: Node | None, place: int) -> None:
        gathered[node] = add(gathered[node], part) if node in gathered else part
        if record is not None:
            record.append(Contribution(node, user, place, part, gathered[node]))

    for place, (output, cotangent) in enumerate(zip(outputs, cotangents, strict=True)):
        if output in active:
            gather(output, cotangent, None, place)
    for node in reversed(order):
        if node not in gathered or node.primitive.vjp is NO_GRADIENT or node.primitive.family == "source":
            continue
        if not any(operand in active for operand in node.inputs):
            continue
        cotangent = gathered[node]
        assert callable(node.primitive.vjp)
        with scope(f"gradient/{node.scope}" if node.scope else "gradient"):
            parts = node.primitive.vjp(cotangent, node, *node.inputs, **node.params)
            for place, (operand, part) in enumerate(zip(node.inputs, parts, strict=True)):
                if part is not None and operand in active:
                    gather(operand, _fit(part, operand), node, place)
    return [gathered[node] if node in gathered else zeros_like(node) for node in wrt]


def _fit(part: Any, operand: Node) -> Any:
    """An operand without a shape was used for every element, so its cotangent is their sum."""
    if not operand.shape and part.shape:
        return apply(SUM, part, axes=tuple(range(len(part.shape))))
    return part


def value_and_grad(
    function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns ``(function(...), its gradient)``.

    Args:
        function: returns a number (an array of shape ()), or with `has_aux` a pair of it and anything else.
        argnums: which positional arguments to differentiate by; each may be a nest of arrays or Variables.
        has_aux: whether `function` returns more beside the number.

    Returns:
        A function of the same arguments. The gradient has the structure of the argument, or is a tuple of such, one
        for each of several `argnums`.

    Raises:
        ChainruleError: where the result is not a single float, or an argument holds whole numbers.

    Example:
        >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
        >>> float(value), float(slope)
        (9.0, 6.0)
    """
    places = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(function)
    def differentiated(*arguments: Any) -> Any:
        for place in places:
            if not -len(arguments) <= place < len(arguments):
                raise ChainruleError(
                    "there is no such argument", where="grad", expected=f"argnums below {len(arguments)}", got=place
                )
        leaves, tree = flatten(arguments)
        if current_trace() is not None or any(isinstance(leaf, Node) for leaf in leaves):
            return _differentiate(function, arguments, places, isinstance(argnums, int), has_aux)
        return _run(function, leaves, tree, places, isinstance(argnums, int), has_aux)

    return differentiated


def _differentiate(
    function: Callable[..., Any], arguments: tuple[Any, ...], places: tuple[int, ...], single: bool, has_aux: bool
) -> Any:
    """Value and gradient as nodes, within a trace. Arguments become fresh nodes, so that closures over them count as
    constants; Variables are differentiated by where they stand."""
    arguments = tuple(arguments)
    changed = list(arguments)
    wrt: list[Node] = []
    trees = []
    for place in places:
        leaves, tree = flatten(arguments[place])
        fresh: list[Any] = []
        for leaf in leaves:
            node = as_node(leaf)
            if not node.dtype.is_float:
                raise ChainruleError(
                    "only floating point numbers have a gradient",
                    where=f"grad, argument {place}",
                    expected="float32 or float64",
                    got=node.dtype.name,
                    fix="pass 3.0 in place of 3, or convert arrays with cr.ops.cast first",
                )
            if isinstance(leaf, Variable):
                wrt.append(node)
                fresh.append(leaf)
            else:
                wrt.append(identity(node))
                fresh.append(wrt[-1])
        trees.append((tree, len(leaves)))
        changed[place] = unflatten(tree, fresh)
    outcome = function(*changed)
    value, aux = outcome if has_aux else (outcome, None)
    result = as_node(value)
    if result.shape or not result.dtype.is_float:
        raise ChainruleError(
            "a gradient is of a single number",
            where="grad",
            expected="a float of shape ()",
            got=str(result.type),
            fix="reduce the result with cr.ops.sum or cr.ops.mean",
        )
    slopes = iter(pull_back([result], [ones_like(result)], wrt))
    gradients = tuple(unflatten(tree, [next(slopes) for _ in range(count)]) for tree, count in trees)
    gradient = gradients[0] if single else gradients
    return ((result, aux) if has_aux else result), gradient


def _run(
    function: Callable[..., Any], leaves: list[Any], tree: Any, places: tuple[int, ...], single: bool, has_aux: bool
) -> Any:
    """The eager mode: trace, differentiate, evaluate with NumPy. Variables assigned within keep their new values."""
    arrays = [None if isinstance(leaf, Variable) else np.asarray(as_operand(leaf)) for leaf in leaves]
    given = [array for array in arrays if array is not None]

    def outer(*inputs: Any) -> Any:
        fresh = iter(inputs)
        filled = [next(fresh) if array is not None else leaf for array, leaf in zip(arrays, leaves, strict=True)]
        return _differentiate(function, unflatten(tree, filled), places, single, has_aux)

    _, given_tree = flatten(tuple(given))
    traced = trace(outer, [type_of(array) for array in given], given_tree)
    values = evaluate(traced.graph, [*given, *(variable.memory for variable in traced.variables)])
    for variable, new in zip(traced.assigned, values[traced.results :], strict=True):
        variable.assign(new)
    return unflatten(traced.result_tree, values[: traced.results])


def grad(function: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a function that returns a number; with `has_aux`, ``(gradient, aux)``.

    See `value_and_grad` for the arguments.

    Example:
        >>> float(grad(grad(lambda x: x * x * x))(2.0))
        12.0
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def gradient(*arguments: Any) -> Any:
        value, slope = both(*arguments)
        return (slope, value[1]) if has_aux else slope

    return gradient


def gradient_graph(graph: Graph) -> Graph:
    """The graph of the cotangents of all float inputs, for a cotangent given for each output."""
    cotangents = [make_input(f"d{place}", output.type) for place, output in enumerate(graph.outputs)]
    wrt = [node for node in graph.inputs if node.dtype.is_float]
    slopes = [as_node(slope) for slope in pull_back(graph.outputs, cotangents, wrt)]
    return Graph(f"{graph.name}_gradient", (*graph.inputs, *cotangents), tuple(slopes))
