"""What workers do between two waits, counted element by element, against the barriers that the compiler sets."""

import itertools
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.kernel import Accumulation, Kernel, MatrixProduct, Reduction
from chainrule.compiler.memory import plan_memory
from chainrule.compiler.pipeline import compile_graph
from chainrule.compiler.sharing import find_barriers, find_epochs, find_portions, is_dealt_by_rows, order_rows
from chainrule.compiler.target import choose_target
from chainrule.graph.tracing import trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, OpenDim, bind_shape, float32, int32
from chainrule.graph.variable import Variable
from chainrule.runtime.executable import Executable


def bind(dim, sizes):
    return dim.bind(sizes) if isinstance(dim, OpenDim) else dim


def share(extent, unit, worker, workers):
    """The steps of a loop that a worker does, as the schedule says."""
    units = -(-extent // unit)
    return range(min(worker * units // workers * unit, extent), min((worker + 1) * units // workers * unit, extent))


def points(kernel: Kernel, sizes, worker, workers):
    """The values of the loops in which a worker runs the body."""
    extents = [bind(dim, sizes) for dim in kernel.loops]
    if not extents:
        return [()] if worker == 0 else []
    schedule = kernel.schedule
    rest = [range(extent) for extent in extents[1:]]
    if schedule.unit:
        return list(itertools.product(share(extents[0], schedule.unit, worker, workers), *rest))
    rows, width = schedule.tile[0], schedule.tile[1] * schedule.lanes
    blocks, panels = -(-extents[0] // rows), -(-extents[1] // width)
    found = []
    for tile in share(blocks * panels, 1, worker, workers):
        panel, block = divmod(tile, blocks)
        down = range(block * rows, min((block + 1) * rows, extents[0]))
        along = range(panel * width, min((panel + 1) * width, extents[1]))
        found += itertools.product(down, along)
    return found


def places(position, grid, sizes):
    """The positions' values at all points of a grid of loop indices."""
    total = np.zeros(grid.shape[1], dtype=np.int64)
    for coefficient, loop, names in position.terms:
        part = coefficient * int(np.prod([sizes[name] for name in names]))
        total += part * (grid[loop] if loop >= 0 else 1)
    return set(total.ravel().tolist())


def touched(kernel: Kernel, sizes, worker, workers):
    """For each operand: the elements a worker reads, and those it writes; None: any."""
    outer = points(kernel, sizes, worker, workers)
    reads = [set() for _ in kernel.operands]
    writes = [set() for _ in kernel.operands]
    if not outer:
        return reads, writes
    core = kernel.core
    inner = ()
    if isinstance(core, Reduction):
        inner = core.extents
    elif isinstance(core, MatrixProduct):
        inner = (core.depth,)
    elif isinstance(core, Accumulation):
        inner = (core.rows,)
    inner_points = list(itertools.product(*(range(bind(dim, sizes)) for dim in inner)))
    grid = np.array([[*o, *i] for o in outer for i in inner_points], dtype=np.int64)
    grid = grid.reshape(len(outer) * len(inner_points), kernel.rank + len(inner)).T
    plain = np.array(outer, dtype=np.int64).reshape(len(outer), kernel.rank).T
    steps = [(step, plain) for step in kernel.body]
    if isinstance(core, Reduction | Accumulation):
        steps += [(step, grid) for step in core.body]
    if isinstance(core, MatrixProduct):
        reads[core.a] |= places(core.a_position, grid, sizes)
        reads[core.b] |= places(core.b_position, grid, sizes)
    for step, where in steps:
        if step.op == "load":
            if step.args or reads[step.operand] is None:
                reads[step.operand] = None
            else:
                reads[step.operand] |= places(step.position, where, sizes)
    for store in kernel.stores:
        writes[store.operand] |= places(store.position, plain, sizes)
    if kernel.beside is not None:  # done with the first row
        first = plain[:, plain[0] == 0]
        for step in kernel.beside.body:
            if step.op == "load":
                reads[step.operand] |= places(step.position, first, sizes)
        for store in kernel.beside.stores:
            writes[store.operand] |= places(store.position, first, sizes)
    if isinstance(core, Accumulation):
        writes[core.operand] = None
    return reads, writes


def bytes_of(elements, span, size):
    start, end = span
    if elements is None:
        return set(range(start, end))
    return {start + size * element + at for element in elements for at in range(size)}


def check_waits(program, sizes, workers, alone):
    """No byte is written by one worker and touched by another between two waits; the program in order, its barriers."""
    program = order_rows(program, sizes)
    alone = [alone(program.kernels[row.kernel], place) for place, row in enumerate(program.rows)]
    epochs = find_epochs(program, sizes)
    plan = plan_memory(program, epochs, sizes)
    spans, free = [], plan.size + 64
    for number, buffer in enumerate(program.buffers):
        count = buffer.type.dtype.bytes * int(np.prod(bind_shape(buffer.type.shape, sizes)))
        start = plan.offsets.get(number, free)
        spans.append((start, start + count))
        free += 0 if number in plan.offsets else count + 64
    barriers = find_barriers(program, epochs, spans, alone)
    read = [set() for _ in range(workers)]
    written = [set() for _ in range(workers)]
    for row, barrier, single in zip(program.rows, barriers, alone, strict=True):
        if barrier:
            read, written = [set() for _ in range(workers)], [set() for _ in range(workers)]
        kernel = program.kernels[row.kernel]
        team = 1 if single else workers
        for worker in range(team):
            reads, writes = touched(kernel, sizes, worker, team)
            for operand, buffer in enumerate(row.buffers):
                size = kernel.operands[operand].dtype.bytes
                mine_read = bytes_of(reads[operand], spans[buffer], size)
                mine_written = bytes_of(writes[operand], spans[buffer], size)
                for other in range(workers):
                    if other != worker:
                        assert not mine_written & (read[other] | written[other]), row
                        assert not mine_read & written[other], row
                read[worker] |= mine_read
                written[worker] |= mine_written
    return program, barriers


def nothing(kernel, place):
    """No row is left to the first worker."""
    return False


def training_step(widths, rate=0.1):
    """A step of stochastic gradient descent with momentum through dense layers, on rows of a data set."""
    rng = np.random.default_rng(0)
    weights = [
        Variable(rng.standard_normal(shape).astype("f4") * 0.1, name=f"w{place}")
        for place, pair in enumerate(itertools.pairwise(widths))
        for shape in (pair, (pair[1],))
    ]
    moments = [Variable(np.zeros(weight.shape, "f4"), name=f"m{place}") for place, weight in enumerate(weights)]

    def network(values, x):
        for kernel, bias in zip(values[::2], values[1::2], strict=True):
            x = cr.ops.tanh(x @ kernel + bias)
        return x

    def step(data, targets, rows):
        def loss(values):
            x, y = cr.ops.take(data, rows, axis=0), cr.ops.take(targets, rows, axis=0)
            return cr.ops.mean((network(values, x) - y) ** 2)

        now = [weight * 1 for weight in weights]
        gradients = cr.grad(loss)(now)
        for weight, moment, gradient in zip(weights, moments, gradients, strict=True):
            velocity = moment * 0.9 + gradient
            moment.assign(velocity)
            weight.assign(weight - rate * velocity)
        return loss(now)

    batch = OpenDim("batch")
    types = (
        ArrayType(float32, (40, widths[0])),
        ArrayType(float32, (40, widths[-1])),
        ArrayType(int32, (batch,)),
    )
    leaves, tree = flatten(types)
    return trace(step, leaves, tree, ["data", "targets", "rows"]), weights + moments


WIDTHS = [(5, 7, 3), (6, 16, 16, 1), (4, 33, 40, 2), (9, 130, 4), (3, 64, 64, 64, 5)]


def compiled(traced):
    places = {variable: traced.arguments + place for place, variable in enumerate(traced.variables)}
    updates = {traced.results + number: places[variable] for number, variable in enumerate(traced.assigned)}
    return compile_graph(traced.graph, updates, choose_target())


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("batch", [1, 4, 13])
def test_no_worker_touches_what_another_writes_between_two_waits(widths, batch):
    traced, _ = training_step(widths)
    program = compiled(traced)
    for workers in (2, 3):
        for alone in (nothing, lambda kernel, _: not is_dealt_by_rows(kernel), lambda _, place: place % 3 == 0):
            check_waits(program, {"batch": batch}, workers, alone)


def test_a_forward_and_a_backward_pass_run_without_a_wait():
    traced, _ = training_step((20, 64, 64, 1))
    program = compiled(traced)
    program, barriers = check_waits(program, {"batch": 8}, 2, nothing)
    assert sum(barriers) == 1
    passes = barriers.index(True)
    dealt = [is_dealt_by_rows(program.kernels[row.kernel]) for row in program.rows]
    assert sum(dealt[:passes]) >= 6 and not any(dealt[passes:])


def test_the_check_notices_a_missing_wait(monkeypatch):
    traced, _ = training_step((5, 7, 3))
    program = compiled(traced)
    monkeypatch.setattr(sys.modules[__name__], "find_barriers", lambda program, *_: [False] * len(program.rows))
    with pytest.raises(AssertionError):
        check_waits(program, {"batch": 13}, 2, nothing)


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_the_bits_are_the_same_for_any_number_of_workers(widths, monkeypatch):
    monkeypatch.setattr("chainrule.runtime.executable._WORTH_A_BARRIER", 0)
    rng = np.random.default_rng(1)
    data = rng.standard_normal((40, widths[0])).astype("f4")
    targets = rng.standard_normal((40, widths[-1])).astype("f4")
    found = {}
    for workers in (1, 2, 3, 5):
        traced, state = training_step(widths)
        executable = Executable(traced, choose_target(), workers)
        losses = []
        for batch in (13, 1, 2, 4, 5, 8, 29):
            rows = np.arange(3, 3 + batch) % 40
            with executable._lock:
                inputs = executable._check((data, targets, rows.astype("i4")))
                sizes = executable._match(inputs)
                executable._bind(sizes)
                crew = executable._crew(workers)
                results = executable._place(crew, inputs, sizes)
                crew.set_steps(0, 1)
                crew.launch()
            losses.append(results[0].tobytes())
        found[workers] = [*losses, *(variable.numpy().tobytes() for variable in state)]
    assert all(bits == found[1] for bits in found.values())


def test_rows_keep_their_order_where_one_needs_the_other():
    traced, _ = training_step((4, 33, 40, 2))
    program = order_rows(compiled(traced), {"batch": 8})
    writers: dict[int, int] = {}
    for number, row in enumerate(program.rows):
        for operand, buffer in zip(program.kernels[row.kernel].operands, row.buffers, strict=True):
            role = program.buffers[buffer].role
            if not operand.written and role == "temporary":
                assert buffer in writers, "an array is read before it is written"
            if operand.written:
                writers[buffer] = number


def test_a_large_batch_needs_no_more_memory_than_in_the_graph_s_order():
    traced, _ = training_step((16,) * 12)
    program = compiled(traced)
    sizes = {"batch": 20_000}
    plans = [plan_memory(each, find_epochs(each, sizes), sizes).size for each in (program, order_rows(program, sizes))]
    assert plans[1] <= 1.05 * plans[0]


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_column_sums_are_made_whatever_the_rows_of_the_product(rows):
    a, dy = np.ones((5, rows), "float32"), np.ones((5, 20), "float32")
    product, sums = cr.jit(lambda a, dy: (a.T @ dy, cr.ops.sum(dy, axis=0)))(a, dy)
    assert product.shape == (rows, 20)
    np.testing.assert_array_equal(sums, np.full(20, 5, "float32"))


def test_portions_of_a_product_are_rows_of_the_batch():
    traced, _ = training_step((20, 64, 64, 1))
    program = compiled(traced)
    (forward, *_) = [
        k for k in program.kernels if isinstance(k.core, MatrixProduct) and isinstance(k.loops[0], OpenDim)
    ]
    portions = find_portions(forward)
    assert portions[forward.core.a].open_size == "batch"
    assert portions[forward.core.b] is None
