"""Verification: a model's own gradients and machine code, checked against independent ways to the same numbers.

In: a compiled model and some rows. Out: a `Verification`, a row a layer:

    output, weights   the chain rule's gradient against differences of the loss, in float64
    compiled, NumPy   machine code and the interpreter, both in float32, against float64
    workers           two steps of training by one worker and by several: the same bits

A gradient at a layer's output says whether all is right after the layer; so the layer is named in which it goes wrong.
The model is as before afterwards, to the bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import optimizers, registry, settings
from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.tree import flatten, unflatten
from chainrule.graph.variable import Variable, kept
from chainrule.inspect.markup import Markup, element
from chainrule.inspect.verification.differences import Comparison
from chainrule.inspect.verification.trial import Part, Trial
from chainrule.naming import keep_end
from chainrule.runtime.jit import build
from chainrule.training.prepare import prepare
from chainrule.training.step import record, train_step

ROWS = 64
"""Rows that are looked at, at most."""

_TIMES = 8
"""How many times as far from float64 as NumPy's float32 machine code may be, which sums in another order."""


@dataclass(frozen=True)
class VerifiedLayer:
    """A layer's call.

    Args:
        name: of the layer, after those of the layers around it; of the loss ``loss``.
        kind: its class.
        output: the gradient at its output against differences: their distance as a part of the gradient's norm; None
            where there is none.
        weights: the same for its own weights, the worst of them.
        compiled, interpreted: distance from float64, as a part of the largest sum of terms' sizes.
        same_bits: whether its weights, and what the optimizer keeps beside them, are the same for one worker and
            several.
        verdict: ``ok``; ``wrong here``; ``wrong after it`` where a later layer's gradient is at fault; ``machine
            code``; ``workers``; ``at a kink`` where differences say nothing.
        note: more of it.
    """

    name: str
    kind: str
    output: float | None
    weights: float | None
    compiled: float | None
    interpreted: float | None
    same_bits: bool | None
    verdict: str = "ok"
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict in ("ok", "at a kink")


@dataclass(frozen=True)
class Verification:
    """What `verify` found; it prints as a table.

    Args:
        rows: the layers in the order of their calls, and the loss.
        model: its name.
        samples: how many rows of the data were looked at.
        workers: how many were compared with one.
        tolerance: what `compiled` may be.
        loss, compiled_loss: in float64 and by machine code.
    """

    rows: tuple[VerifiedLayer, ...]
    model: str
    samples: int
    workers: int
    tolerance: float
    loss: float
    compiled_loss: float

    @property
    def passed(self) -> bool:
        """Whether every layer is."""
        return all(row.passed for row in self.rows)

    @property
    def summary(self) -> str:
        """One line."""
        wrong = [f"'{row.name}'" for row in self.rows if row.verdict not in ("ok", "at a kink", "wrong after it")]
        found = "all is well" if self.passed else f"wrong: {', '.join(wrong)}"
        return f"Verification of '{self.model}' on {self.samples} rows: {found}"

    def __str__(self) -> str:
        heads = [text.rjust(width) for text, width in zip(_HEADS[1:], _WIDTHS[1:], strict=True)]
        lines = [self.summary, "", f"{_HEADS[0]:{_WIDTHS[0]}}{''.join(heads)}  verdict"]
        for row in self.rows:
            cells = [keep_end(row.name, _WIDTHS[0] - 1).ljust(_WIDTHS[0])]
            cells += [text.rjust(width) for text, width in zip(cells_of(row), _WIDTHS[1:], strict=True)]
            lines.append(f"{''.join(cells)}  {row.verdict}")
            if row.note:
                lines.append(f"  {row.note}")
        lines += ["", *(f"{head:<17}{meaning}" for head, meaning in self._legend())]
        return "\n".join(line.rstrip() for line in lines)

    def _legend(self) -> list[tuple[str, str]]:
        return [
            ("output, weights", "the gradient against differences of the loss, in float64"),
            ("compiled, NumPy", f"float32 against float64; up to {self.tolerance:.0e}, or {_TIMES} times NumPy's"),
            ("workers", f"two steps by 1 worker and by {self.workers}, compared bit by bit"),
        ]

    def _repr_html_(self) -> str:
        heads = [element("th", head) for head in (*_HEADS, "verdict")]
        body = [
            element("tr", element("th", row.name, scope="row"), [element("td", text) for text in cells_of(row)],
                    element("td", row.verdict, f": {row.note}" if row.note else None))
            for row in self.rows
        ]  # fmt: skip
        table = element("table", element("thead", element("tr", heads)), element("tbody", body))
        legend = [element("li", f"{head}: {meaning}") for head, meaning in self._legend()]
        page: Markup = element("div", element("p", self.summary), table, element("ul", legend))
        return str(page)


_HEADS = ("layer", "output", "weights", "compiled", "NumPy", "workers")
_WIDTHS = (25, 9, 9, 9, 9, 8)


def cells_of(row: VerifiedLayer) -> list[str]:
    """The cells of a row behind its name."""
    numbers = [row.output, row.weights, row.compiled, row.interpreted]
    bits = {True: "same", False: "differ", None: ""}[row.same_bits]
    return [*("" if number is None else f"{number:.1e}" for number in numbers), bits]


def verify(model: Any, x: Any, y: Any, sample_weight: Any = None) -> Verification:
    """Check the gradients and the machine code of a model on the first 64 of these rows.

    Layers act as in training; random draws are those that the next step would make.

    It takes as long as about four passes forwards for each layer and each weight, and up to eight times
    as long where there are kinks.

    Raises:
        DataError: for rows that do not fit the model.
        ChainruleError: where their loss is not finite.

    Example:
        >>> import chainrule as cr
        >>> x = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
        >>> model = cr.Sequential([cr.Input((3,)), cr.layers.Dense(4, "tanh"), cr.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> found = verify(model, x, x[:, :1])
        >>> found.passed, [row.name for row in found.rows]
        (True, ['dense', 'dense_1', 'loss'])
    """
    model.require_compiled()
    leaves, tree = flatten(prepare(model, x, y, sample_weight))
    leaves = [leaf[:ROWS] for leaf in leaves]
    workers = max(2, settings.count_workers())
    differing = find_differing(model, unflatten(tree, leaves), workers)
    trial = Trial(model, leaves, tree)
    return Verification(
        rows=tuple(Judgement(trial).rows(differing)),
        model=model.name,
        samples=len(leaves[0]),
        workers=workers,
        tolerance=trial.tolerance,
        loss=trial.here.slopes.loss,
        compiled_loss=trial.here.loss,
    )


# -- judging ------------------------------------------------------------------------------------------------------


class Judgement:
    """What a trial says of each layer."""

    def __init__(self, trial: Trial):
        self.trial = trial

    def rows(self, differing: set[Variable]) -> list[VerifiedLayer]:
        """What was found of each layer.

        Args:
            differing: Variables of which several workers made something else than one.
        """
        slopes = {node: self._compare(node, place) for place, node in enumerate(self.trial.wrt)}
        code = {node: self._check_code(node) for node in self.trial.wrt}
        rows = [self._row(part, slopes, code, differing) for part in self.trial.parts]
        return self._blame(rows, slopes)

    def _compare(self, node: Node, seed: int) -> tuple[Comparison, bool]:
        """The gradient at a node against differences; and whether it was looked at beside a kink."""
        comparison = self.trial.here.compare(node, seed)
        if not comparison.is_kink:
            return comparison, False
        return self.trial.beside.compare(node, seed), True

    def _check_code(self, node: Node) -> tuple[float, float, bool]:
        """Distance of machine code and of NumPy from float64, and whether machine code is right.

        Rounding may put a number on the other side of a kink, which changes a gradient at once: what is wrong is so
        beside it too.
        """
        compiled, interpreted = self.trial.here.distances(node)
        good = self._is_near(compiled, interpreted)
        return compiled, interpreted, good or self._is_near(*self.trial.beside.distances(node))

    def _is_near(self, compiled: float, interpreted: float) -> bool:
        return compiled <= max(self.trial.tolerance, _TIMES * interpreted)

    def _row(self, part: Part, slopes: Any, code: Any, differing: set[Variable]) -> VerifiedLayer:
        outputs = part.outputs or part.given
        weights = [self.trial.node_of[weight] for weight in part.weights]
        checked = [*outputs, *weights]
        verdict, notes = "ok", []
        if any(slopes[node][0].is_kink for node in checked):
            verdict = "at a kink"
        elif any(slopes[node][1] for node in checked):
            notes.append("at a kink: looked at with the weights moved by a thousandth")
        if not all(code[node][2] for node in checked):
            verdict = "machine code"
        others = [variable.name for variable in differing if self._keeper(variable) is part]
        if others:
            verdict = "workers"
            notes.append(f"not the same: {', '.join(sorted(others)[:3])}" + ", …" * (len(others) > 3))
        return VerifiedLayer(
            name=part.name,
            kind=part.kind,
            output=max((slopes[node][0].error for node in outputs), default=None),
            weights=max((slopes[node][0].error for node in weights), default=None),
            compiled=max((code[node][0] for node in checked), default=None),
            interpreted=max((code[node][1] for node in checked), default=None),
            same_bits=not others if part.state or others else None,
            verdict=verdict,
            note="; ".join(notes),
        )

    def _keeper(self, variable: Variable) -> Part:
        """The part that a Variable belongs to; the loss for all others."""
        return next((part for part in self.trial.parts if part.keeps(variable)), self.trial.parts[-1])

    def _blame(self, rows: list[VerifiedLayer], slopes: Any) -> list[VerifiedLayer]:
        """Name the layers in which gradients go wrong: those after which they are right."""

        def wrong(nodes: Sequence[Node]) -> bool:
            return any(not slopes[node][0].agrees and not slopes[node][0].is_kink for node in nodes if node in slopes)

        judged = []
        for row, part in zip(rows, self.trial.parts, strict=True):
            at_weights = wrong([self.trial.node_of[weight] for weight in part.weights])
            if wrong(part.outputs):
                row = replace(row, verdict="wrong after it")
            elif at_weights or wrong(part.given):
                row = replace(row, verdict="wrong here")
            judged.append(row)
        if any(row.verdict == "wrong after it" for row in judged) and not any(
            row.verdict == "wrong here" for row in judged
        ):  # no layer takes what is wrong: it passes through operations between layers
            last = max(at for at, row in enumerate(judged) if row.verdict == "wrong after it")
            judged[last] = replace(judged[last], verdict="wrong here", note="between this layer and the next")
        return judged


# -- workers ------------------------------------------------------------------------------------------------------


def find_differing(model: Any, data: Any, workers: int) -> set[Variable]:
    """The Variables of which two steps of training make something else by several workers than by one."""
    with stand_ins(model):
        traced = record(model, train_step, data)
        leaves = flatten(data)[0]
        order = np.arange(len(leaves[0]), dtype=np.int32)
        size = -(-len(order) // 2)
        steps = -(-len(order) // size)
        found = []
        for count in (1, workers):
            executable = build(traced, workers=count)
            times = np.zeros((count, 2, len(executable.program.rows)), np.int64)  # it fixes the number of workers
            with kept(traced.variables):
                executable.run_steps([*leaves, order], batch_size=size, first=0, count=steps, times=times)
                found.append([variable.numpy() for variable in traced.assigned])
    return {
        variable
        for variable, one, several in zip(traced.assigned, *found, strict=True)
        if one.tobytes() != several.tobytes()
    }


@contextlib.contextmanager
def stand_ins(model: Any) -> Iterator[None]:
    """Let the model have an optimizer and counters of no consequence for a while, so that its own stay as they are."""
    optimizer, watch = model.optimizer, model.watch
    try:
        model.optimizer = optimizers.get(registry.describe(optimizer))
    except (ChainruleError, NotImplementedError, TypeError):  # one of the user's own that cannot be described
        model.optimizer = optimizer
    model.watch = type(watch)()
    try:
        yield
    finally:
        model.optimizer, model.watch = optimizer, watch
