"""The chain rule for ``f(g(x))`` on one page, with the user's own functions in it.

In: functions, the outermost first, and x. Out: a `Chain`: every function's value and derivative, the product of the
derivatives, and beside it the derivative of the whole.
"""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.autodiff.reverse import pull_back
from chainrule.errors import ChainruleError
from chainrule.graph.evaluate import evaluate
from chainrule.graph.ir import Node
from chainrule.graph.primitive import Formula
from chainrule.graph.tracing import as_node, as_operand, trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import type_of
from chainrule.inspect.ledger import formulas, html
from chainrule.inspect.ledger.arguments import name_function
from chainrule.inspect.ledger.ledger import Ledger, explain_call
from chainrule.inspect.ledger.text import WIDTH, format_entries, pad
from chainrule.inspect.numbers import describe_in_full, format_number
from chainrule.ops import ones_like, reshape

_FUNCTIONS = "fghkpqrs"
_VALUES = "uvwst"
_MOST = 16
"""Elements that a value of the chain may have, so that its Jacobian fits on the page."""

_LONGEST = 60
_LABEL = 44
_LINES = 12


@dataclass(frozen=True, eq=False)
class ChainLink:
    """One function of a chain.

    Args:
        name: the function's; `input` and `output` what goes in and comes out: ``u = g(x)``.
        value: what comes out.
        slope: its derivative by what goes in, at this place: a number, or a Jacobian of (elements out, elements in).
        formula: ``u = g(x) = x·x + 1``, in one line where that fits.
        slope_name: ``du/dx``.
        source: the lines of the function, as far as they can be found; `place` is their file and line.
        ledger: its atomic operations.
    """

    name: str
    input: str
    output: str
    value: np.ndarray
    slope: np.ndarray
    formula: Formula
    slope_name: Formula
    source: str
    place: str
    ledger: Ledger


@dataclass(frozen=True, eq=False)
class Chain:
    """A chain of functions at a place.

    Args:
        title: ``f(g(x))``.
        x: the place.
        links: the functions, in the order in which they are computed: the innermost first.
        product: of the links' derivatives, the last first.
        product_formula: ``dy/dx = dy/du·du/dx``.
        slope: the derivative of the whole, as `cr.grad` finds it.
    """

    title: str
    x: np.ndarray
    links: tuple[ChainLink, ...]
    product: np.ndarray
    product_formula: Formula
    slope: np.ndarray

    @property
    def head(self) -> str:
        return f"{self.title} at {self.links[0].input} = {describe_in_full(self.x)}"

    def __str__(self) -> str:
        lines = [self.head, ""]
        for link in self.links:
            lines += [_line(link.formula.text, link.value), _line(f"  {link.slope_name.text}", link.slope)]
        product = self.product_formula.text
        if self.product.ndim == 0:
            product += f" = {'·'.join(_in_product(link.slope) for link in reversed(self.links))}"
        lines += ["", _line(product, self.product), _line(f"cr.grad of {self.title}", self.slope)]
        for link in self.links:
            title = f"{link.output} = {link.name}({link.input})"
            lines += ["", f"── {title}{f', {link.place}' if link.place else ''} ".ljust(WIDTH, "─")]
            if link.source:
                lines += [*(f"    {line}" for line in link.source.splitlines()), ""]
            lines += format_entries(link.ledger)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Chain {self.head}>"

    def to_html(self) -> str:
        """A page of its own, with formulas in MathML.

        Raises:
            ChainruleError: without the package latex2mathml.
        """
        return html.make_chain_page(self)

    def _repr_html_(self) -> str:
        return html.make_chain_fragment(self)


def _line(label: str, value: np.ndarray) -> str:
    """A name and its numbers; a matrix stands below, row by row."""
    if value.ndim == 2:
        rows = [" ".join(f"{format_number(item, 4):>10}" for item in row) for row in value]
        if max(map(len, rows)) <= WIDTH - 4:
            return "\n".join([f"  {label}", *(f"    {row}" for row in rows)])
    text = describe_in_full(value)
    if len(label) <= _LABEL and 3 + _LABEL + len(text) <= WIDTH:
        return f"  {pad(label, _LABEL)} {text}"
    return f"  {label}\n{' ' * 6}{text}"


def _in_product(slope: np.ndarray) -> str:
    text = format_number(slope)
    return f"({text})" if text.startswith("-") else text


def explain_chain(*functions: Callable[[Any], Any]) -> Callable[[Any], Chain]:
    """A function of x that explains ``f(g(x))`` by the chain rule: ``dy/dx = dy/du · du/dx``.

    Args:
        functions: two or more, the outermost first; each takes one array of at most 16 elements and returns one. Of
            arrays the derivatives are Jacobians, and their product is that of matrices.

    Raises:
        ChainruleError: for a single function, or arrays that are too large for a page.

    Example:
        >>> import chainrule as cr
        >>> def square(x):
        ...     return x * x
        >>> chain = explain_chain(cr.ops.sin, square)(2.0)
        >>> [link.formula.text for link in chain.links]
        ['u = square(x) = x·x', 'y = sin(u)']
        >>> [round(float(link.slope), 4) for link in chain.links], round(float(chain.product), 4)
        ([4.0, -0.6536], -2.6146)
    """
    if len(functions) < 2:
        raise ChainruleError(
            "a chain has at least two links",
            where="explain_chain",
            expected="explain_chain(f, g)(x) for f(g(x))",
            got=len(functions),
            fix="look at a single function with cr.explain(f)(x)",
        )

    def explained(x: Any) -> Chain:
        place = np.array(as_operand(x))
        if not np.issubdtype(place.dtype, np.floating):
            place = place.astype(np.float32)
        order = list(reversed(functions))
        letters = ["x", *(_value_name(number) for number in range(len(order) - 1)), "y"]
        names = [_function_name(function, len(order) - 1 - number) for number, function in enumerate(order)]
        links = []
        value = place
        for function, name, given, result in zip(order, names, letters[:-1], letters[1:], strict=True):
            link = make_link(function, name, value, given, result)
            links.append(link)
            value = link.value

        def whole(argument: Any) -> Any:
            for function in order:
                argument = function(argument)
            return argument

        product = links[-1].slope
        for link in reversed(links[:-1]):
            product = np.asarray(product @ link.slope if product.ndim else product * link.slope)
        title = letters[0]
        for name in names:
            title = f"{name}({title})"
        total = _slope_name("y", "x", product.ndim == 0)
        steps = [link.slope_name for link in reversed(links)]
        latex = r" \cdot ".join(step.latex for step in steps)
        return Chain(
            title=title,
            x=place,
            links=tuple(links),
            product=product,
            product_formula=Formula(
                f"{total.text} = {'·'.join(step.text for step in steps)}",
                f"{total.latex} = {latex}",
            ),
            slope=find_jacobian(whole, place, title),
        )

    return explained


def _function_name(function: Callable[..., Any], number: int) -> str:
    """The function's own name; letters for those that have none."""
    own = getattr(function, "__name__", "")
    return name_function(function) if own.isidentifier() else _FUNCTIONS[number % len(_FUNCTIONS)]


def _value_name(number: int) -> str:
    return _VALUES[number] if number < len(_VALUES) else f"u{number}"


def _slope_name(output: str, given: str, single: bool) -> Formula:
    d, latex = ("d", "d") if single else ("∂", r"\partial ")
    over, under = formulas.write_name(output), formulas.write_name(given)
    return Formula(f"{d}{output}/{d}{given}", rf"\frac{{{latex}{over.latex}}}{{{latex}{under.latex}}}")


def make_link(function: Callable[[Any], Any], name: str, x: np.ndarray, given: str, result: str) -> ChainLink:
    """A function of the chain with its value and derivative at x."""
    ledger = explain_call(function, name, (x,), [given])
    leaves = flatten(ledger.result)[0]
    if len(leaves) != 1 or not np.issubdtype(leaves[0].dtype, np.floating):
        raise ChainruleError(
            "a function of a chain returns one array of floats", where=name, got=f"{len(leaves)} results"
        )
    value = leaves[0]
    slope = find_jacobian(function, x, name)
    own = formulas.write_name(result)
    call = Formula(
        f"{result} = {name}({given})",
        f"{own.latex} = {formulas.write_name(name).latex}({formulas.write_name(given).latex})",
    )
    graph = ledger.recording.graph
    line = formulas.write_in_one(graph.outputs[0], _LONGEST) if len(graph.nodes) < _LONGEST else call
    if line is not call and len(call.text) + len(line.text) + 3 <= _LONGEST and not call.text.endswith(f" {line.text}"):
        call = Formula(f"{call.text} = {line.text}", f"{call.latex} = {line.latex}")
    source, place = find_source(function)
    single = slope.ndim == 0
    return ChainLink(name, given, result, value, slope, call, _slope_name(result, given, single), source, place, ledger)


def find_jacobian(function: Callable[[Any], Any], x: np.ndarray, name: str) -> np.ndarray:
    """The derivative of a function at x: a number, or a matrix of (elements out, elements in)."""

    def run(given: Node) -> Any:
        result = as_node(function(given))
        sizes = [math.prod(dim for dim in node.shape if isinstance(dim, int)) for node in (result, given)]
        if max(sizes) > _MOST:
            raise ChainruleError(
                "an array is too large for a page",
                where=name,
                expected=f"at most {_MOST} elements",
                got=max(sizes),
                fix="look at the whole with cr.explain",
            )
        if not result.shape:
            return pull_back([result], [ones_like(result)], [given])
        flat = reshape(result, (-1,))
        rows = np.eye(sizes[0], dtype=result.dtype.numpy)
        return [pull_back([flat], [row], [given])[0] for row in rows]

    traced = trace(run, [type_of(x)], flatten((x,))[1], ["x"])
    rows = [np.asarray(row).reshape(-1) for row in evaluate(traced.graph, [x])]
    matrix = np.stack(rows)
    return matrix.reshape(()) if matrix.size == 1 and not x.ndim else matrix


def find_source(function: Callable[..., Any]) -> tuple[str, str]:
    """The lines of a function, and their file and number; empty where they cannot be found, or are many."""
    try:
        lines, first = inspect.getsourcelines(function)
        path = inspect.getsourcefile(function)
    except (OSError, TypeError):
        return "", ""
    text = textwrap.dedent("".join(lines)).rstrip()
    if path is None or len(lines) > _LINES or max(map(len, text.splitlines()), default=0) > WIDTH - 4:
        return "", ""
    return text, f"{Path(path).name} line {first}"


__all__ = ["Chain", "ChainLink", "explain_chain"]
