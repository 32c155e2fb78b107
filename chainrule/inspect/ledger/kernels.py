"""From an operation down to machine code: the kernels of the compiled program that compute it.

In: the recording behind a ledger, and names of entries. Out: `KernelView`s. The recorded graph is compiled as `cr.jit`
and `fit` compile it; on the way each node's scope holds the name of its entry, so that a kernel tells which entries
were fused into it. Nothing runs, and no machine code is loaded.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.compiler.llvm.emit import emit_kernel
from chainrule.compiler.pipeline import compile_graph
from chainrule.compiler.target import choose_target
from chainrule.graph.ir import Graph, Node, reachable
from chainrule.graph.tracing import as_node
from chainrule.inspect.ledger.entries import Contents, Recording

_BACK = "gradient of "


@dataclass(frozen=True, eq=False)
class KernelView:
    """A kernel of the compiled program.

    Args:
        row: the place of its call in the program.
        number: of the kernel; equal kernels are one.
        family: ``loop``, ``reduce``, ``matmul`` or ``accumulate``.
        computes: names of the entries whose values it computes.
        pulls_back: names of the entries whose gradients it computes from those of their results.
        nest: the loop nest and its schedule, as text.
        llvm: the text that LLVM makes machine code from.
    """

    row: int
    number: int
    family: str
    computes: tuple[str, ...]
    pulls_back: tuple[str, ...]
    nest: str
    llvm: str

    @property
    def schedule(self) -> str:
        """The last line of the nest: lanes, tiles, and what the workers share."""
        return next((line for line in self.nest.splitlines() if line.startswith("schedule ")), "")

    def __str__(self) -> str:
        lines = textwrap.wrap(self.describe(), 80, subsequent_indent="    ")
        lines.append(f"    LLVM text of {self.llvm.count(chr(10)) + 1} lines in .llvm")
        return "\n".join([*lines, "", self.nest])

    def describe(self) -> str:
        """One line: what it is and what it computes."""
        parts = [f"computes {', '.join(self.computes)}" if self.computes else ""]
        parts.append(f"pulls back through {', '.join(self.pulls_back)}" if self.pulls_back else "")
        return f"kernel {self.number} ({self.family}), row {self.row}: {'; '.join(filter(None, parts))}"

    def __repr__(self) -> str:
        return f"<{self.describe()}>"


class KernelViews(tuple[KernelView, ...]):
    """Kernels in the order of the program; printed, a line or two each."""

    def __repr__(self) -> str:
        lines = [textwrap.fill(kernel.describe(), 80, subsequent_indent="    ") for kernel in self]
        return "\n".join([*lines, "print one, or its .nest; its LLVM text is .llvm"] if lines else ["no kernels"])


def find_kernels(recording: Recording, contents: Contents, wanted: Sequence[str]) -> KernelViews:
    """The kernels that compute one of these entries, or its gradients, in the order of the program."""
    graph = label_nodes(recording, contents)
    traced = recording.traced
    places = {variable: traced.arguments + place for place, variable in enumerate(traced.variables)}
    updates = {traced.results + number: places[variable] for number, variable in enumerate(traced.assigned)}
    target = choose_target()
    program = compile_graph(graph, updates, target)
    found = []
    for number, row in enumerate(program.rows):
        names = [scope for scope in row.scopes if scope]
        computes = tuple(name for name in names if not name.startswith(_BACK))
        pulls_back = tuple(name.removeprefix(_BACK) for name in names if name.startswith(_BACK))
        if set(wanted) & {*computes, *pulls_back}:
            kernel = program.kernels[row.kernel]
            llvm = emit_kernel(kernel, target, f"kernel_{row.kernel}")
            found.append(KernelView(number, row.kernel, kernel.family, computes, pulls_back, str(kernel), llvm))
    return KernelViews(found)


def label_nodes(recording: Recording, contents: Contents) -> Graph:
    """The graph of results, gradients and updates, in which a node's scope is the name of its entry."""
    labels = dict(contents.names)
    for item in recording.record:
        if item.user is not None:
            label = f"{_BACK}{contents.names[item.user]}"
            stack = [as_node(item.total)]
            while stack:
                node = stack.pop()
                if node not in labels:  # what has a label was made before, as were its operands
                    labels[node] = label
                    stack.extend(node.inputs)
    outputs = [*recording.graph.outputs[: recording.traced.results]]
    kept = list(recording.graph.outputs[recording.traced.results :])
    new: dict[Node, Node] = {node: node for node in recording.graph.inputs}
    slopes = [] if kept else list(recording.gradients.values())
    for node in reachable([*outputs, *slopes, *kept]):
        if node not in new:
            inputs = tuple(new[operand] for operand in node.inputs)
            new[node] = Node(node.primitive, inputs, node.params, node.type, labels.get(node, ""))
    return Graph(
        recording.graph.name,
        recording.graph.inputs,
        tuple(new[node] for node in [*outputs, *kept, *slopes]),
    )
