"""Fusion: which nodes become kernels together, and the program of kernels that follows.

    mean((relu(x @ w + b) - y) ** 2)   →   row 0  matmul, epilogue: + b, relu, - y, square
                                           row 1  reduce: sum, * 1/n

Goes in: a simplified graph and which output replaces which input. Comes out: a `Program` without schedules.

1. `lay_out`     what a matrix product cannot read as it lies gets a copy of its own.
2. `find_roots`  the nodes whose values are kept: results, sums, matrix products, values read more than once.
3. `form_groups` each root joins the kernel that makes what it reads when the loops are equal, so elementwise work runs
                 in the epilogue of a matrix product or a sum, and an optimizer's update in that of its gradient.
4. `join_column_sums`  the gradient of a bias is made by the kernel of the weights' gradient, which reads the same.
5. `order`       kernels after what they read; an array is overwritten in place after its last reader.
6. `build`       bodies, positions, buffers.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.compiler.kernel import (
    Accumulation,
    ColumnSums,
    Instruction,
    Kernel,
    MatrixProduct,
    Operand,
    Position,
    Reduction,
    Store,
    make_position,
)
from chainrule.compiler.lower.body import (
    VIEWS,
    ZERO,
    BodyBuilder,
    Index,
    dim_terms,
    element_position,
    flatten_index,
    identity_index,
    is_relabelling,
    loop_index,
    strip_reshapes,
)
from chainrule.compiler.program import Buffer, Program, Row
from chainrule.graph.ir import CONSTANT, INPUT, Graph, Node, reachable, rewrite
from chainrule.graph.primitive import PRIMITIVES
from chainrule.graph.shapes import contiguous_strides
from chainrule.graph.types import Shape

_FREE = frozenset({"iota", "dim_size"})
_REGIONS = frozenset({"pad", "concatenate"})
_LONGEST_CHAIN = 48  # nodes inlined into one another before one is kept, so that bodies stay bounded
_WIDE_ROW = 64  # elements


Reads = Mapping[Node, Mapping[Node, bool]]
"""For each root what `find_reads` found."""


@dataclass(eq=False)
class Group:
    """A kernel to be: an optional core, the values kept, and the shape of its loops.

    `sums` is a group of sums of the columns that a product reads anyway, made on its way.
    """

    number: int
    shape: Shape
    core: Node | None = None
    region: tuple[Node, int] | None = None  # a part of a pad or concatenate: the node and the part's number
    roots: list[Node] = field(default_factory=list)
    reads: set[Node] = field(default_factory=set)
    sums: Group | None = None

    @property
    def all_roots(self) -> list[Node]:
        """The values kept, those of the column sums too."""
        return self.roots if self.sums is None else self.roots + self.sums.roots


@dataclass(frozen=True)
class Outline:
    """What a group computes: groups whose keys are equal, as those of equal layers are, have one kernel.

    Args:
        key: all that the kernel follows from: operations, types and parameters, and which operands share memory. None
            where a kernel is always built anew.
        sources: the kept values and leaves that the group reads, in the order in which the key tells of them.
        scope: of the last root.
        scopes: of all roots, and of what they inline.
    """

    key: Hashable
    sources: list[Node]
    scope: str
    scopes: tuple[str, ...]


def is_core(node: Node) -> bool:
    """Whether a node needs loops of its own: it starts a kernel."""
    return node.primitive.family in ("reduction", "contraction") or is_accumulation(node)


def is_accumulation(node: Node) -> bool:
    return node.primitive.name == "scatter_add"


def is_pointwise(node: Node) -> bool:
    """Whether an element of the value is a function of its operands' elements at the same place."""
    return node.primitive.family == "elementwise"


def is_literal(node: Node) -> bool:
    return node.primitive is CONSTANT and node.params["value"].array.size == 1


def is_leaf(node: Node) -> bool:
    return node.primitive in (INPUT, CONSTANT)


def find_free(nodes: Sequence[Node]) -> set[Node]:
    """Values known without reading memory, such as 1 over a batch's size: each kernel works them out anew."""
    free: set[Node] = set()
    for node in nodes:
        simple = node.primitive.family == "elementwise" and not node.type.shape
        if node.primitive.name in _FREE or is_literal(node) or simple and free.issuperset(node.inputs):
            free.add(node)
    return free


def lay_out(graph: Graph) -> Graph:
    """Give each matrix product a right-hand side that is stored as it is or turned; other views are copied.

    A product in bfloat16 needs the same of its left-hand side.

    Before: ``matmul(dy, w, transpose_b=True)``; after: ``matmul(dy, transpose(w))``, which packs its panels from w.
    """
    matmul, identity, transpose = PRIMITIVES["matmul"], PRIMITIVES["identity"], PRIMITIVES["transpose"]
    copies: dict[Node, Node] = {}

    def stored(b: Node) -> Node:
        if b.primitive.name not in VIEWS:
            return b
        if b not in copies:
            copies[b] = Node(identity, (b,), {}, b.type, b.scope)
        return copies[b]

    def lay_out_product(node: Node) -> Node:
        if node.primitive is not matmul:
            return node
        params = node.params
        left, right = node.inputs[0], stored(node.inputs[1])
        if params["transpose_b"]:
            axes = (*range(right.type.rank - 2), right.type.rank - 1, right.type.rank - 2)
            right = Node(transpose, (right,), {"axes": axes}, transpose.type_rule(right.type, axes=axes), right.scope)
        if "precision" in params and left.primitive.name in VIEWS:
            left = stored(left)  # pairs are packed from numbers that lie side by side
        return Node(matmul, (left, right), {**params, "transpose_b": False}, node.type, node.scope)

    return rewrite(graph, lay_out_product)


def find_roots(graph: Graph) -> set[Node]:
    """The nodes whose values are kept in buffers (some only pass through registers in the end)."""
    nodes = reachable(graph.outputs)
    readers: dict[Node, int] = dict.fromkeys(nodes, 0)
    roots: set[Node] = {node for node in graph.outputs if not is_leaf(node)}
    roots |= find_gathered_beside_products(nodes)
    free = find_free(nodes)
    depth: dict[Node, int] = {}

    def keep(node: Node) -> None:
        if not is_leaf(node):
            roots.add(node)

    def keep_factor(node: Node) -> None:
        while node.primitive.name in VIEWS and (node.primitive.name != "reshape" or is_relabelling(node)):
            node = node.inputs[0]
        if node.primitive.name == "reshape" and node not in roots:
            node = node.inputs[0]
        keep(node)

    def keep_what_lies_in_memory(node: Node) -> None:
        name = node.primitive.name
        if is_core(node) or name in _REGIONS or name == "identity":
            roots.add(node)
        if name == "matmul":
            keep_factor(node.inputs[0])
            keep_factor(node.inputs[1])
        elif name == "take":
            keep(strip_reshapes(node.inputs[0]))
        elif name == "reshape" and not is_relabelling(node):
            keep(node.inputs[0])

    for node in nodes:
        name, rank = node.primitive.name, len(node.type.shape)
        if not is_pointwise(node) or name == "identity":
            keep_what_lies_in_memory(node)
        is_view = name in VIEWS
        for operand in node.inputs:
            narrowed = name == "broadcast_to" or len(operand.type.shape) < rank
            base = operand
            while base.primitive.name in VIEWS:
                narrowed = narrowed or base.primitive.name == "broadcast_to"
                base = base.inputs[0]
            if not is_view:
                readers[base] += 1
            if narrowed and base not in free:
                keep(base)
        depth[node] = 1 + max([0 if operand in roots else depth[operand] for operand in node.inputs], default=0)
        if depth[node] > _LONGEST_CHAIN:
            keep(node.inputs[0] if is_view else node)
    for node in nodes:
        if readers[node] > 1 and node not in roots and node not in free:
            if any(not is_literal(operand) for operand in node.inputs):
                keep(node)
    return roots


def find_gathered_beside_products(nodes: Sequence[Node]) -> set[Node]:
    """Wide rows of a data set that are combined with a matrix product, such as targets with predictions.

    The product's tiles would go to each row in memory once for every panel of columns; a copy is made row by row.
    """
    # The gathered rows that a value is an elementwise function of, where there are some.
    within = {node: {node} for node in nodes if _takes_wide_rows(node)}
    if not within:
        return set()
    found: set[Node] = set()
    beside: set[Node] = set()  # values that are elementwise functions of a product
    for node in nodes:
        primitive = node.primitive
        if primitive.family == "contraction":
            beside.add(node)
        elif primitive.family == "elementwise" or primitive.name in VIEWS:
            rows = set().union(*[within[operand] for operand in node.inputs if operand in within])
            if not beside.isdisjoint(node.inputs):
                beside.add(node)
                found |= rows
            elif rows:
                within[node] = rows
    return found


def _takes_wide_rows(node: Node) -> bool:
    if node.primitive.name != "take":
        return False
    return math.prod(dim for dim in node.shape[1:] if isinstance(dim, int)) > _WIDE_ROW


def find_reads(node: Node, roots: set[Node]) -> dict[Node, bool]:
    """The kept values and leaves that the value of `node` is computed from.

    Of each, whether an element of `node` depends on its element at the same place alone, not on others through a view.
    """
    shape = node.type.shape
    reads: dict[Node, bool] = {}
    inlined: dict[Node, bool] = {node: True}
    stack = [node]
    while stack:
        reader = stack.pop()
        straight = inlined[reader] and is_pointwise(reader)
        for operand in reader.inputs:
            in_place = straight and operand.type.shape == shape
            if operand in roots or is_leaf(operand):
                reads[operand] = in_place and reads.get(operand, True)
            elif operand not in inlined or inlined[operand] and not in_place:
                inlined[operand] = in_place
                stack.append(operand)
    return reads


class Dependencies:
    """Which group must run after which.

    A group's level is above those of all that it runs after, so that a search for a path can stop below its goal.
    """

    def __init__(self) -> None:
        self.before: list[set[int]] = []  # groups that a group directly runs after
        self.followers: list[set[int]] = []  # the same edges the other way
        self.level: list[int] = []

    def add_group(self) -> None:
        self.before.append(set())
        self.followers.append(set())
        self.level.append(0)

    def depends(self, later: int, earlier: int) -> bool:
        """Whether one must run after the other, directly or over others."""
        goal = self.level[earlier]
        stack, seen = [later], {later}
        while stack:
            for number in self.before[stack.pop()]:
                if number == earlier:
                    return True
                if number not in seen and self.level[number] > goal:
                    seen.add(number)
                    stack.append(number)
        return False

    def add(self, later: int, earlier: int) -> None:
        if earlier in self.before[later]:
            return
        self.before[later].add(earlier)
        self.followers[earlier].add(later)
        stack = [(later, self.level[earlier] + 1)]
        while stack:
            number, level = stack.pop()
            if self.level[number] < level:
                self.level[number] = level
                stack.extend((follower, level + 1) for follower in self.followers[number])


def form_groups(roots: set[Node], reads: Reads) -> tuple[list[Group], dict[Node, Group], Dependencies]:
    """Put each root into a group, in topological order."""
    groups: list[Group] = []
    home: dict[Node, Group] = {}
    dependencies = Dependencies()

    def start(shape: Shape, core: Node | None = None, region: tuple[Node, int] | None = None) -> Group:
        group = Group(len(groups), shape, core, region)
        groups.append(group)
        dependencies.add_group()
        return group

    def join(group: Group, node: Node, operands: Iterable[Node]) -> None:
        for operand in operands:
            source = home.get(operand)
            if source is group or is_literal(operand):
                continue
            group.reads.add(operand)
            if source is not None:
                dependencies.add(group.number, source.number)
        group.roots.append(node)
        home[node] = group

    for node in sorted(roots, key=lambda root: root.number):
        if node.primitive.name in _REGIONS:
            previous = None
            parts = range(len(node.inputs)) if node.primitive.name == "concatenate" else range(2)
            for part in parts:
                operand = node.inputs[part if node.primitive.name == "concatenate" else 0]
                filling = node.primitive.name == "pad" and part == 0
                group = start(node.shape if filling else operand.shape, region=(node, part))
                if not filling:
                    kept = operand in roots or is_leaf(operand)
                    join(group, node, {operand} if kept else find_reads(operand, roots))
                if previous is not None:
                    dependencies.add(group.number, previous.number)
                previous = group
            assert previous is not None
            home[node] = previous
            continue
        if is_core(node):
            group = start(node.shape, core=node)
            join(group, node, reads[node])
            continue
        sources = {home[read].number for read in reads[node] if read in home}
        for number in sorted(sources, reverse=True):
            group = groups[number]
            if group.shape != node.shape or group.region is not None:
                continue
            if group.core is not None and is_accumulation(group.core):
                continue
            if any(dependencies.depends(other, number) for other in sources if other != number):
                continue
            if all(in_place for read, in_place in reads[node].items() if home.get(read) is group):
                break
        else:
            group = start(node.shape)
        join(group, node, reads[node])
    return groups, home, dependencies


def build_program(graph: Graph, updates: Mapping[int, int]) -> Program:
    """The program of a graph; ``updates[output] = input`` names the outputs that replace an input's value."""
    graph = lay_out(graph)
    roots = find_roots(graph)
    reads = {root: find_reads(root, roots) for root in roots}
    groups, home, dependencies = form_groups(roots, reads)
    in_place = _choose_in_place(graph, updates, groups, home, dependencies, reads)
    groups = join_column_sums(groups, home, dependencies)
    ordered = _order(groups, dependencies)
    return _Builder(graph, roots, groups, home, updates, in_place).build(ordered)


def _choose_in_place(
    graph: Graph,
    updates: Mapping[int, int],
    groups: list[Group],
    home: Mapping[Node, Group],
    dependencies: Dependencies,
    reads: Reads,
) -> dict[int, int]:
    """The updates that may be stored straight into the input's memory, with the readers put before them."""
    chosen: dict[int, int] = {}
    taken: set[Node] = set()
    readers: dict[Node, list[Group]] = {}
    for group in groups:
        for read in group.reads:
            readers.setdefault(read, []).append(group)
    # What a result, or another Variable, takes as it was before: it must not be overwritten.
    outputs = {
        node
        for place, node in enumerate(graph.outputs)
        if place not in updates or node is not graph.inputs[updates[place]]
    }
    for output, place in updates.items():
        node, target = graph.outputs[output], graph.inputs[place]
        group = home.get(node)  # type: ignore[assignment]
        if group is None or group.region is not None or node in taken or target in outputs:
            continue
        if node.primitive.family != "elementwise":
            continue
        if group.core is not None and target in reads[group.core]:
            continue
        if not all(reads[root].get(target, True) for root in group.roots if root is not group.core):
            continue
        others = [reader for reader in readers.get(target, []) if reader is not group]
        if any(dependencies.depends(reader.number, group.number) for reader in others):
            continue
        for reader in others:
            dependencies.add(group.number, reader.number)
        taken.add(node)
        chosen[output] = place
    return chosen


def join_column_sums(groups: list[Group], home: dict[Node, Group], dependencies: Dependencies) -> list[Group]:
    """Let a product that reads all rows of its right matrix add up the columns too; the groups that are left.

    Before: ``dw = x.T @ dy`` and ``db = sum(dy, 0)``, two kernels; after: one, which reads dy once.
    """
    products: dict[Node, list[Group]] = {}
    for group in groups:
        if group.core is not None and _reads_columns(group.core):
            products.setdefault(group.core.inputs[1], []).append(group)
    joined: set[int] = set()
    for group in groups:
        core = group.core
        if core is None or core.primitive.name != "sum" or core.params["axes"] != (0,):
            continue
        for product in products.get(core.inputs[0], ()):
            ends = group.number, product.number
            if product.sums is None and not dependencies.depends(*ends) and not dependencies.depends(*reversed(ends)):
                product.sums = group
                product.reads |= group.reads
                home.update(dict.fromkeys(group.roots, product))
                for earlier in dependencies.before[group.number]:
                    dependencies.add(product.number, earlier)
                for follower in tuple(dependencies.followers[group.number]):
                    dependencies.add(follower, product.number)
                joined.add(group.number)
                break
    return [group for group in groups if group.number not in joined]


def _reads_columns(node: Node) -> bool:
    """Whether a node is a product of two matrices in their own precision, of more than one column and one term.

    It must have rows, whatever the open sizes: without one no tile would read the columns.
    """
    if node.primitive.name != "matmul" or "precision" in node.params or node.type.rank != 2:
        return False
    some_rows = isinstance(node.shape[0], int) and node.shape[0] > 0
    return some_rows and 1 not in node.inputs[1].shape and node.inputs[1].type.rank == 2


def _order(groups: Sequence[Group], dependencies: Dependencies) -> list[Group]:
    """A topological order, as near to that of the graph as there is."""
    left = {group.number: group for group in groups}
    waiting = {number: sum(earlier in left for earlier in dependencies.before[number]) for number in left}
    ready = [number for number, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order: list[Group] = []
    while ready:
        number = heapq.heappop(ready)
        order.append(left[number])
        for follower in dependencies.followers[number]:
            if follower in left:
                waiting[follower] -= 1
                if waiting[follower] == 0:
                    heapq.heappush(ready, follower)
    assert len(order) == len(groups), "the groups depend on each other in a circle"
    return order


class _Builder:
    """Turns ordered groups into kernels, buffers and rows."""

    def __init__(
        self,
        graph: Graph,
        roots: set[Node],
        groups: Sequence[Group],
        home: Mapping[Node, Group],
        updates: Mapping[int, int],
        in_place: Mapping[int, int],
    ):
        self.graph, self.roots, self.home, self.updates, self.in_place = graph, roots, home, updates, in_place
        self.buffers: list[Buffer] = []
        self.buffer_of: dict[Node, int] = {}
        self.kernels: dict[Kernel, int] = {}
        self.known: dict[Hashable, tuple[int, list[int]]] = {}  # by outline: the kernel, the order of the sources
        self.rows: list[Row] = []
        self.outputs: list[int] = [-1] * len(graph.outputs)
        self.targets: dict[Node, list[int]] = {}  # buffers beside its own that a root is stored to
        self.escapes = self._find_escapes(groups)
        # Roots that replace a Variable's value only after everything else, from a buffer of their own.
        self.late = {graph.outputs[output] for output in updates if output not in in_place}

    def _find_escapes(self, groups: Sequence[Group]) -> set[Node]:
        """Roots that some other group, or a view within their own, reads from memory."""
        escapes: set[Node] = set()
        for group in groups:  # every part of a concatenate: `home` knows only the last
            escapes |= {read for read in group.reads if self.home.get(read) is not group}
        return escapes

    def new_buffer(self, buffer: Buffer) -> int:
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def buffer(self, node: Node) -> int:
        if node not in self.buffer_of:
            if node.primitive is CONSTANT:
                made = Buffer(node.type, "constant", array=node.params["value"].array)
            else:
                made = Buffer(node.type, "temporary")
            self.buffer_of[node] = self.new_buffer(made)
        return self.buffer_of[node]

    def build(self, ordered: list[Group]) -> Program:
        graph = self.graph
        for place, node in enumerate(graph.inputs):
            self.buffer_of[node] = self.new_buffer(Buffer(node.type, "input", place, label=node.params["name"]))
        late: list[tuple[Node, int]] = []
        for output, node in enumerate(graph.outputs):
            if output in self.in_place:
                target = self.buffer_of[graph.inputs[self.in_place[output]]]
                self.outputs[output] = target
                self.targets.setdefault(node, []).append(target)
            elif output in self.updates:
                target = self.buffer_of[graph.inputs[self.updates[output]]]
                self.outputs[output] = target
                if node is not graph.inputs[self.updates[output]]:
                    late.append((node, target))
            else:
                result = self.new_buffer(Buffer(node.type, "output", output))
                self.outputs[output] = result
                if is_leaf(node):
                    late.append((node, result))
                else:
                    self.targets.setdefault(node, []).append(result)
        for group in ordered:
            self.add_group(group)
        self.copy_late(late)
        names = {name for kernel in self.kernels for name in kernel.size_names}
        names |= {dim.name for node in graph.inputs for dim in node.shape if not isinstance(dim, int)}
        return Program(
            graph.name,
            tuple(self.kernels),
            tuple(self.buffers),
            tuple(self.rows),
            tuple(self.outputs),
            tuple(sorted(names)),
        )

    def copy_late(self, late: list[tuple[Node, int]]) -> None:
        """Copies after everything else; what a copy would overwrite before another reads it goes aside first."""
        overwritten = {target for _, target in late}
        aside: list[tuple[Node, int, int]] = []
        for node, target in late:
            source = self.buffer(node)
            if source in overwritten and len(late) > 1:
                spare = self.new_buffer(Buffer(node.type, "temporary"))
                self.add_copy(node, source, spare)
                source = spare
            aside.append((node, source, target))
        for node, source, target in aside:
            self.add_copy(node, source, target)

    def add_copy(self, node: Node, source: int, target: int) -> None:
        body = BodyBuilder(lambda other: other is node, lambda other: 0)
        index = identity_index(node.shape)
        value = body.value(node, index)
        position = element_position(node.shape, index)
        operands = (Operand(node.dtype, False), Operand(node.dtype, True))
        kernel = Kernel(operands, node.shape, None, tuple(body.steps), (Store(1, position, value),))
        self.add_row(kernel, [source, target], node.scope)

    def add_zeros(self, node: Node) -> None:
        literal = Instruction("literal", node.dtype, value=0)
        position = element_position(node.shape, identity_index(node.shape))
        kernel = Kernel((Operand(node.dtype, True),), node.shape, None, (literal,), (Store(0, position, 0),))
        self.add_row(kernel, [self.buffer(node)], node.scope)

    def add_row(self, kernel: Kernel, buffers: list[int], scope: str) -> None:
        number = self.kernels.setdefault(kernel, len(self.kernels))
        self.rows.append(Row(number, tuple(buffers), scope, (scope,)))

    def add_group(self, group: Group) -> None:
        """The row of a group; its kernel is built where no group before had the same outline."""
        outline = self._outline(group)
        if outline.key in self.known:
            number, places = self.known[outline.key]
            buffers = [self.buffer(outline.sources[place]) for place in places]
            for root in group.all_roots:
                buffers += self._destinations(root)
            buffers = list(dict.fromkeys(buffers))
        else:
            kernel, buffers, reads = self._build_kernel(group)
            number = self.kernels.setdefault(kernel, len(self.kernels))
            place_of = {source: place for place, source in enumerate(outline.sources)}
            if outline.key is not None and all(node in place_of for node in reads):
                self.known[outline.key] = number, [place_of[node] for node in reads]
        self.rows.append(Row(number, tuple(buffers), outline.scope, outline.scopes))
        if group.core is not None and is_accumulation(group.core):
            first, *others = self._destinations(group.core, always=True)
            for other in others:
                self.add_copy(group.core, first, other)

    def _outline(self, group: Group) -> Outline:
        """What a group computes, with its nodes and buffers told by numbers, in the order in which they are met."""
        starts = named = group.all_roots
        if group.region is not None:
            node, part = group.region  # a part of a join, or what a border is put around
            starts = [node.inputs[0 if node.primitive.name == "pad" else part]] if group.roots else []
            named = [node]
        numbers = {node: number for number, node in enumerate(starts)}
        memory: dict[int | Node, int] = {}  # numbers of buffers, and of nodes that have none yet
        sources: list[Node] = []
        scopes = dict.fromkeys([node.scope for node in named])
        steps: list[Hashable] = []
        stack = list(starts)
        while stack:
            node = stack.pop()
            kind = node.type
            if is_literal(node):
                steps.append(node.params["value"])
            elif is_leaf(node) or self.home.get(node, group) is not group:
                place = memory.setdefault(self.buffer_of.get(node, node), len(memory))
                steps.append((kind.dtype, kind.shape, place))
                sources.append(node)
            else:
                scopes[node.scope] = None
                for operand in node.inputs:
                    if operand not in numbers:
                        numbers[operand] = len(numbers)
                        stack.append(operand)
                operands = tuple([numbers[operand] for operand in node.inputs])
                steps.append((node.primitive, kind.dtype, kind.shape, tuple(node.params.items()), operands))
        stores = []
        for root in group.all_roots:
            targets = [memory.setdefault(buffer, len(memory)) for buffer in self.targets.get(root, [])]
            stores.append((root in self.escapes or root in self.late, *targets))
        key = None
        if group.region is None and (group.core is None or not is_accumulation(group.core)):
            key = (group.shape, group.core is None, len(group.roots), len(starts), tuple(steps), tuple(stores))
        last = named[-1] if group.sums is None else group.roots[-1]
        return Outline(key, sources, last.scope, tuple(scopes))

    def _build_kernel(self, group: Group) -> tuple[Kernel, list[int], list[Node]]:
        """The kernel of a group, the buffers that it is given in order, and the nodes that it reads in order."""
        operands: list[int] = []  # buffer numbers
        reads: dict[Node, None] = {}
        written: set[int] = set()

        def use(buffer: int) -> int:
            if buffer not in operands:
                operands.append(buffer)
            return operands.index(buffer)

        def operand_of(node: Node) -> int:
            reads[node] = None
            return use(self.buffer(node))

        def is_stored(node: Node) -> bool:
            return is_leaf(node) or self.home.get(node, group) is not group

        def is_readable(node: Node) -> bool:
            return is_leaf(node) or node in self.roots

        rank = len(group.shape)
        index = identity_index(group.shape)
        body = BodyBuilder(is_stored, operand_of)
        core: Reduction | MatrixProduct | Accumulation | None = None
        stores: list[Store] = []
        beside: tuple[BodyBuilder, list[tuple[Node, Position, int]]] | None = None

        def store(buffer: int, position: Position, value: int) -> None:
            stores.append(Store(use(buffer), position, value))
            written.add(buffer)

        node = group.core
        if node is not None and node.primitive.family == "reduction":
            core = self._reduction(node, is_stored, operand_of)
        elif node is not None and node.primitive.family == "contraction":
            core = self._matrix_product(node, is_readable, operand_of)
        elif node is not None:
            self.buffer_of[node] = self._destinations(node, always=True)[0]
            self.add_zeros(node)
            core = self._accumulation(node, is_stored, operand_of)
            written.add(self.buffer(node))
        if node is not None and not isinstance(core, Accumulation):
            body.define(node, index, body.add(Instruction("core", node.dtype)))
        if group.region is not None:
            value, region = self._region(group, body, index)
            for buffer in self._destinations(group.region[0], always=True):
                store(buffer, region, value)
        elif not isinstance(core, Accumulation):
            position = element_position(group.shape, index)
            values = [(root, body.value(root, index)) for root in group.roots]
            if group.sums is not None:
                beside = self._column_sums(group.sums, rank - 1, BodyBuilder(is_stored, operand_of))
            for root, number in values:
                for buffer in self._destinations(root):
                    store(buffer, position, number)
        column_sums = None
        if beside is not None:
            steps, kept = beside
            sums_stores = []
            for root, place, number in kept:
                for buffer in self._destinations(root):
                    sums_stores.append(Store(use(buffer), place, number))
                    written.add(buffer)
            column_sums = ColumnSums(tuple(steps.steps), tuple(sums_stores))
        loops = group.shape
        if isinstance(core, Accumulation):
            assert node is not None
            loops = (core.rows, *node.shape[1:])[1:]
        kernel = Kernel(
            tuple(Operand(self.buffers[buffer].type.dtype, buffer in written) for buffer in operands),
            loops,
            core,
            tuple(body.steps),
            tuple(stores),
            beside=column_sums,
        )
        assert len(loops) in (rank, rank - 1)
        return kernel, operands, list(reads)

    def _destinations(self, root: Node, always: bool = False) -> list[int]:
        """The buffers that a root is stored to: for other kernels, for results, for Variables."""
        targets = list(self.targets.get(root, []))
        if root in self.escapes or root in self.late or (always and not targets):
            if root not in self.buffer_of and targets:
                self.buffer_of[root] = targets[0]  # readers take it from the result or the Variable
            elif self.buffer(root) not in targets:
                targets.append(self.buffer(root))
        return targets

    def _column_sums(
        self, group: Group, loop: int, body: BodyBuilder
    ) -> tuple[BodyBuilder, list[tuple[Node, Position, int]]]:
        """The body of column sums along a product's loop n: the values kept, their places and their steps."""
        assert group.core is not None
        index = (loop_index(loop),)
        body.define(group.core, index, body.add(Instruction("core", group.core.dtype)))
        place = element_position(group.shape, index)
        return body, [(root, place, body.value(root, index)) for root in group.roots]

    def _reduction(self, node: Node, is_stored, operand_of) -> Reduction:
        operand = node.inputs[0]
        axes = node.params["axes"]
        kept = [axis for axis in range(operand.type.rank) if axis not in axes]
        index: list[Position] = [ZERO] * operand.type.rank
        for loop, axis in enumerate([*kept, *axes]):
            if operand.shape[axis] != 1:
                index[axis] = loop_index(loop)
        body = BodyBuilder(is_stored, operand_of)
        last = body.value(operand, tuple(index))
        steps = body.steps[: last + 1]
        extents = tuple(operand.shape[axis] for axis in axes)
        return Reduction(node.primitive.name, node.dtype, extents, tuple(steps))

    def _matrix_product(self, node: Node, is_readable, operand_of) -> MatrixProduct:
        a, b = node.inputs
        rank = node.type.rank
        batch = [loop_index(axis) if node.shape[axis] != 1 else ZERO for axis in range(rank - 2)]
        depth = a.shape[-2] if node.params["transpose_a"] else a.shape[-1]
        row, column, inner = loop_index(rank - 2), loop_index(rank - 1), loop_index(rank)
        a_index = (*batch, inner, row) if node.params["transpose_a"] else (*batch, row, inner)
        reader = BodyBuilder(is_readable, operand_of)
        a_base, a_position = reader.address(a, a_index)
        b_base, b_position = reader.address(b, (*batch, inner, column))
        narrow = "precision" in node.params
        return MatrixProduct(node.dtype, depth, operand_of(a_base), operand_of(b_base), a_position, b_position, narrow)

    def _accumulation(self, node: Node, is_stored, operand_of) -> Accumulation:
        indices, updates = node.inputs
        columns = node.type.rank - 1
        body = BodyBuilder(is_stored, operand_of)
        row = loop_index(columns)
        place = body.value(indices, (row if indices.shape[0] != 1 else ZERO,))
        index = tuple(ZERO if dim == 1 else loop_index(axis) for axis, dim in enumerate(node.shape[1:]))
        value = body.value(updates, (row if updates.shape[0] != 1 else ZERO, *index))
        strides = contiguous_strides(node.shape)
        target = operand_of(node)
        steps = [*body.steps, Instruction("pair", node.dtype, (place, value))]
        return Accumulation(
            node.dtype,
            indices.shape[0],
            tuple(steps),
            target,
            make_position(flatten_index(index, strides[1:])),
            tuple(dim_terms(strides[0])),
            node.shape[0],
        )

    def _region(self, group: Group, body: BodyBuilder, index: Index) -> tuple[int, Position]:
        """The value and the place of one part of a pad or a concatenate."""
        assert group.region is not None
        node, part = group.region
        strides = contiguous_strides(node.shape)
        if node.primitive.name == "pad":
            if part == 0:
                value = body.add(Instruction("literal", node.dtype, value=node.params["value"]))
                return value, make_position(flatten_index(index, strides))
            start = list(dim_terms(0))
            for low, stride in zip(node.params["low"], strides, strict=True):
                start += [(c * low, loop, sizes) for c, loop, sizes in dim_terms(stride)]
            value = body.value(node.inputs[0], index)
            return value, make_position([*flatten_index(index, strides), *start])
        axis = node.params["axis"]
        before = list(dim_terms(0))
        for operand in node.inputs[:part]:
            width = make_position(dim_terms(operand.shape[axis]))
            before += flatten_index([width], [strides[axis]])
        value = body.value(node.inputs[part], index)
        return value, make_position([*flatten_index(index, strides), *before])
