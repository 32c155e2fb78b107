"""The ledger: every number of a function and of its chain rule, by name.

In: a function with its arguments, or a model with a batch. Out: a `Ledger`, which prints as a table, writes itself as
a page, and leads from a layer down to a neuron, an operation and the machine code that computes it.

    cr.explain(f)(x, y)          ledger["v7"]                  an operation
    model.explain(x, y)          ledger["dense"]               a layer
                                 ledger.neuron("dense", 3)     a neuron
                                 ledger.kernels("v7")          machine code

The numbers are those of `cr.grad` to the last bit: they come from the graph that `cr.grad` evaluates, on which
`pull_back` has written down what it does.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.autodiff.reverse import Contribution, pull_back
from chainrule.errors import unknown_name
from chainrule.graph.ir import Node
from chainrule.graph.tracing import as_node, as_operand, current_trace, trace
from chainrule.graph.tree import Tree, flatten, unflatten
from chainrule.graph.types import type_of
from chainrule.graph.variable import Variable
from chainrule.inspect.ledger import html, text
from chainrule.inspect.ledger.arguments import name_function, name_leaves_of, name_parameters
from chainrule.inspect.ledger.entries import Contents, Entry, Recording, make_contents
from chainrule.inspect.ledger.kernels import KernelViews, find_kernels
from chainrule.inspect.ledger.neuron import Neuron, find_neuron
from chainrule.layers.layer import collect_results
from chainrule.ops import ones_like
from chainrule.training.prepare import prepare
from chainrule.training.step import name_leaves


@dataclass(frozen=True, eq=False)
class Ledger:
    """Every number of a function, forwards and backwards.

    Args:
        title: what was explained.
        entries: inputs, weights and operations, in the order in which they are computed.
        result: what the function returned; of a step, the loss.
        result_name: what gradients are of: the function's name, or 𝓛 for a loss.
        gradients: of the result by each input and weight, by its name. Of a result that is no single number, they are
            those of the sum of its elements.
        updates: the new values of Variables that the function assigns, by name. The Variables keep their old ones.
        note: what is left out, and why.
        recording, contents: what the entries were made from.

    Example:
        >>> import chainrule as cr
        >>> ledger = cr.explain(lambda x: x * x + x)(3.0)
        >>> [entry.formula.text for entry in ledger.entries]
        ['x', 'v1 = x·x', 'v2 = v1 + x']
        >>> float(ledger.result), float(ledger.gradients["x"])
        (12.0, 7.0)
        >>> [float(part.value) for part in ledger["x"].meets]
        [1.0, 3.0, 3.0]
    """

    title: str
    entries: tuple[Entry, ...]
    result: Any
    result_name: str
    gradients: Mapping[str, np.ndarray]
    updates: Mapping[str, np.ndarray]
    note: str
    recording: Recording
    contents: Contents

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers and other scopes, in the order of their first operation."""
        return tuple(dict.fromkeys(entry.scope for entry in self.entries if entry.scope))

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __getitem__(self, name: str) -> Any:
        """The entry of this name, or the part of the ledger that belongs to this layer.

        Raises:
            ChainruleError: for a name that is neither.
        """
        for entry in self.contents.entries:
            if entry.name == name:
                return entry
        scope = self._find_scope(name)
        within = tuple(entry for entry in self.contents.entries if is_within(entry.scope, scope))
        return replace(self, title=f"{scope} in {self.title}", entries=within, note="")

    def _find_scope(self, name: str) -> str:
        """The scope of this name; an inner layer's may be given without those around it, where it is the only one."""
        known = {scope for entry in self.contents.entries for scope in outer_scopes(entry.scope)}
        inner = [scope for scope in sorted(known) if scope.rsplit("/", 1)[-1] == name]
        if name in known:
            return name
        if len(inner) == 1:
            return inner[0]
        names = [entry.name for entry in self.contents.entries if entry.kind in ("input", "weight")]
        raise unknown_name("name", name, {*known, *names, "v1, v2, …"}, where=self.title)

    def neuron(self, layer: str, number: int, row: int = 0) -> Neuron:
        """One neuron of a Dense layer: w·x + b spelled out, with all its derivatives.

        Args:
            number: of the neuron, from 0.
            row: of the batch.

        Raises:
            ChainruleError: for layers that are not Dense, and for numbers out of range.
        """
        return find_neuron(self.recording, self.contents, self.result_name, self._find_scope(layer), number, row)

    def kernels(self, name: str) -> KernelViews:
        """The loop nests that an operation or a layer is compiled to, with their LLVM text, forwards and backwards.

        Empty for what needs no code, such as a value that is known beforehand.
        """
        found = self[name]
        entries = [found] if isinstance(found, Entry) else list(found.entries)
        return find_kernels(self.recording, self.contents, [entry.name for entry in entries])

    def __str__(self) -> str:
        return text.format_table(self)

    def __repr__(self) -> str:
        return f"<Ledger of {self.title}: {len(self.entries)} entries>"

    def to_text(self) -> str:
        """Every entry in full, one after the other."""
        return text.format_in_full(self)

    def to_html(self) -> str:
        """A page of its own, with formulas in MathML.

        Raises:
            ChainruleError: without the package latex2mathml.
        """
        return html.make_page(self)

    def _repr_html_(self) -> str:
        return html.make_fragment(self)


def is_within(scope: str, outer: str) -> bool:
    """Whether a scope is another, or lies in it."""
    return scope == outer or scope.startswith(f"{outer}/")


def outer_scopes(scope: str) -> list[str]:
    """A scope and those around it."""
    parts = scope.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))] if scope else []


# -- functions ----------------------------------------------------------------------------------------------------


def explain(function: Callable[..., Any]) -> Callable[..., Ledger]:
    """A function of the same arguments that returns the ledger of ``function(...)``.

    Args:
        function: of nests of arrays, numbers and Variables, as `cr.grad` takes it; it may return any nest of arrays.

    Raises:
        ChainruleError: where the function cannot be traced.

    Example:
        >>> import chainrule as cr
        >>> print(explain(lambda x, y: x * cr.ops.sin(y))(2.0, 0.0)["v1"])
        v1 = sin(y)
          value        sin                          0
          gradient     from v2: v̄2·x                2
          ∂v1/∂y       cos(y)                       1
          to y         v̄1·cos(y)                    2
    """

    @functools.wraps(function)
    def explained(*arguments: Any) -> Ledger:
        names = name_parameters(function, len(arguments))
        return explain_call(function, name_function(function), arguments, names)

    return explained


def explain_call(function: Callable[..., Any], title: str, arguments: tuple[Any, ...], names: list[str]) -> Ledger:
    """The ledger of ``function(*arguments)``, in which function and arguments have these names."""
    leaves, tree = flatten(arguments)
    arrays = [None if isinstance(leaf, Variable) else np.array(as_operand(leaf)) for leaf in leaves]
    record: list[Contribution] = []
    slopes: dict[Node, Node] = {}

    def run(*inputs: Any) -> Any:
        fresh = iter(inputs)
        filled = [leaf if array is None else next(fresh) for array, leaf in zip(arrays, leaves, strict=True)]
        results, result_tree = flatten(function(*unflatten(tree, filled)))
        outputs = [as_node(leaf) for leaf in results]
        floats = [output for output in outputs if output.dtype.is_float]
        under_way = current_trace()
        assert under_way is not None
        read = [node for variable, node in under_way.inputs.items() if variable.trainable]
        wrt = [node for node in (*inputs, *read) if node.dtype.is_float]
        found = pull_back(floats, [ones_like(output) for output in floats], wrt, record)
        slopes.update(zip(wrt, map(as_node, found), strict=True))
        return unflatten(result_tree, outputs)

    run.__name__ = title
    given = [array for array in arrays if array is not None]
    labels = [name for name, array in zip(name_leaves_of(arguments, names), arrays, strict=True) if array is not None]
    with collect_results() as calls:
        traced = trace(run, [type_of(array) for array in given], flatten(tuple(given))[1], labels)
    inputs = [*given, *(variable.numpy() for variable in traced.variables)]
    recording = Recording(traced, inputs, record, slopes, calls=list(calls))
    whole = given and not slopes and all(array.dtype.kind in "iub" for array in given)
    note = "whole numbers have no gradient: pass 3.0 in place of 3" if whole else ""
    return make_ledger(recording, f"{title}({', '.join(names)})", title, note, traced.result_tree)


def make_ledger(recording: Recording, title: str, result_name: str, note: str, tree: Tree) -> Ledger:
    """The ledger of a recording whose results are a nest of this structure."""
    contents = make_contents(recording)
    return Ledger(
        title=title,
        entries=contents.entries,
        result=unflatten(tree, contents.results),
        result_name=result_name,
        gradients=contents.gradients,
        updates=contents.updates,
        note=note,
        recording=recording,
        contents=contents,
    )


# -- a step of training -------------------------------------------------------------------------------------------


def explain_step(model: Any, x: Any, y: Any, sample_weight: Any = None) -> Ledger:
    """The ledger of a step of training on these rows: layers, loss, gradients, and the new weights.

    Layers act as in training. The model stays as it is, in all its Variables. A `train_step` of one's own is not
    looked at: what is explained is the model's formula, its loss, and its optimizer.

    Raises:
        ChainruleError: for a model that is not compiled.
        DataError: for rows that do not fit the model.

    Example:
        >>> import chainrule as cr
        >>> model = cr.Sequential([cr.Input((2,)), cr.layers.Dense(1, kernel_initializer="ones")])
        >>> model.compile(cr.optimizers.SGD(0.1), "mse")
        >>> ledger = explain_step(model, np.array([[1.0, 2.0]], "float32"), np.array([[1.0]], "float32"))
        >>> float(ledger.result), ledger.gradients["dense/kernel"].ravel(), ledger.updates["dense/bias"]
        (4.0, array([4., 8.], dtype=float32), array([-0.4], dtype=float32))
    """
    model.require_compiled()
    data = prepare(model, x, y, sample_weight)
    leaves, tree = flatten(data)
    arrays = [np.array(leaf) for leaf in leaves]
    record: list[Contribution] = []
    slopes: dict[Node, Node] = {}

    def step(*nests: Any) -> Any:
        inputs, targets, weights = nests
        _, loss = model.forward(inputs, targets, weights, training=True)
        loss = as_node(loss)
        trained = list(model.trainable_variables)
        wrt = [as_node(variable) for variable in trained]
        wrt += [node for node in flatten(inputs)[0] if node.dtype.is_float]
        scaled = as_node(model.optimizer.scale_loss(loss))
        found = [as_node(slope) for slope in pull_back([scaled], [ones_like(scaled)], wrt, record)]
        slopes.update(zip(wrt, found, strict=True))
        if not model.optimizer.needs_closure:
            model.optimizer.apply(found[: len(trained)], trained)
        return loss

    names = ["sample_weight" if name == "weight" else name for name in name_leaves(data)]
    with undisturbed(model.optimizer), collect_results() as calls:
        traced = trace(step, [type_of(array) for array in arrays], tree, names)
    rows = len(arrays[0])
    notes = []
    if model.optimizer.needs_closure:
        name = model.optimizer.name
        notes.append(f"{name} takes the loss as a function and computes it more than once: no update is shown")
    if any(item.user is None and item.node is not traced.graph.outputs[0] for item in record):
        notes.append("gradients are of the loss times the optimizer's loss_scale_factor")
    inputs = [*arrays, *(variable.numpy() for variable in traced.variables)]
    recording = Recording(traced, inputs, record, slopes, model.name, list(calls))
    title = f"a step of {model.name} on {rows} row{'s' * (rows != 1)}"
    return make_ledger(recording, title, "𝓛", "; ".join(notes), traced.result_tree)


@contextlib.contextmanager
def undisturbed(optimizer: Any) -> Iterator[None]:
    """Afterwards an optimizer, and one within it, has no state that it did not have before."""
    inner: list[Any] = []
    while optimizer is not None and optimizer not in inner:
        inner.append(optimizer)
        optimizer = getattr(optimizer, "optimizer", None)
    before = [
        {name: dict(value) if isinstance(value, dict) else value for name, value in vars(one).items()} for one in inner
    ]
    try:
        yield
    finally:
        for one, attributes in zip(inner, before, strict=True):
            vars(one).clear()
            vars(one).update(attributes)


__all__ = ["Contents", "Entry", "Ledger", "explain", "explain_step"]
