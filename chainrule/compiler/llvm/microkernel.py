"""The matrix product: register tiles over the result, a microkernel for each tile, the epilogue on the tile in L1.

    for each tile of R rows x C columns of the result (divided over the workers):
        accumulate  R x C sums in registers over all of k      (one function per tile size)
        store the tile into a scratch of R x C elements
        for each row of the tile: the kernel's body, reading the sum from the scratch, and its stores

Each sum has one accumulator, to which the products are added for k = 0, 1, 2, ..., whatever the tile: so an element of
the result has the same bits alone or in a batch, and for any number of workers.
An element of the left matrix is read as a scalar and spread over the lanes, so it may lie at any stride; rows of the
right matrix are read as vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.compiler.kernel import MatrixProduct
from chainrule.compiler.llvm.writer import Reg, llvm_type
from chainrule.graph.types import DType

if TYPE_CHECKING:
    from chainrule.compiler.llvm.emit import KernelEmitter, Lanes, Number


_CACHE_LINE = 64  # bytes


def row_counts(rows: int) -> list[int]:
    """The tile heights: the full one, then powers of two for what is left.

    Example:
        >>> row_counts(12)
        [12, 8, 4, 2, 1]
    """
    power = 1
    while power * 2 < rows:
        power *= 2
    counts = [rows]
    while power:
        counts.append(power)
        power //= 2
    return counts


def emit_matrix_product(w: KernelEmitter) -> None:
    kernel, core = w.kernel, w.kernel.core
    assert isinstance(core, MatrixProduct)
    rows, vectors = w.schedule.tile
    lanes = w.schedule.lanes
    width = vectors * lanes
    rank = kernel.rank
    m_loop, n_loop, k_loop = rank - 2, rank - 1, rank
    *batch, m_extent, n_extent = w.extents(kernel.loops)
    depth = w.extent(core.depth)
    scratch = w.alloca(f"[{rows * width} x {llvm_type(core.dtype)}]")
    strides = {
        "am": w.stride(core.a_position, m_loop),
        "ak": w.stride(core.a_position, k_loop),
        "bk": w.stride(core.b_position, k_loop),
    }

    def tile_columns(
        n0: Number, columns: list[int], masked: Number | None, stop: Number, m0: Number, indices: dict[int, Number]
    ) -> None:
        """One block of up to `rows` rows at m0: whole tiles, then smaller ones."""
        b_start = w.element(w.pointers[core.b], core.dtype, w.place_of(core.b_position.terms, {**indices, n_loop: n0}))

        def tile(count: int, m: Number) -> None:
            here = {**indices, m_loop: m}
            a_start = w.element(w.pointers[core.a], core.dtype, w.place_of(core.a_position.terms, here))
            emit_prefetch(w, count, n0, m, len(columns) * lanes, indices)
            call_microkernel(w, count, columns, masked, core.dtype, a_start, b_start, scratch, depth, strides, width)
            emit_epilogue(w, count, n0, stop, m, scratch, width, indices)

        left = w.int_op("sub", m_extent, m0)
        full, rest, done = w.label("full"), w.label("rest"), w.label("done")
        w.branch(w.compare_int("sge", left, rows), full, rest)
        w.place(full)
        tile(rows, m0)
        w.jump(done)
        w.place(rest)
        m: Number = m0
        for count in row_counts(rows)[1:]:
            bit = w.int_op("sub", m_extent, m)
            following = w.fresh("m")
            before, then, after = w.label("have"), w.label("tile"), w.label("after")
            w.jump(before)
            w.place(before)
            w.branch(w.compare_int("sge", bit, count), then, after)
            w.place(then)
            tile(count, m)
            ended = w.label("ended")
            w.jump(ended)
            w.place(ended)
            advanced = w.int_op("add", m, count)
            w.jump(after)
            w.place(after)
            w.line(f"{following} = phi i64 [ {m}, %{before} ], [ {advanced}, %{ended} ]")
            m = following
        w.jump(done)
        w.place(done)

    def tiles(indices: dict[int, Number], split: bool) -> None:
        blocks = w.int_op("udiv", w.int_op("add", m_extent, rows - 1), rows)
        panels = w.int_op("udiv", w.int_op("add", n_extent, width - 1), width)
        total = w.int_op("mul", blocks, panels)
        start, stop = w.worker_range(total, 1) if split else (0, total)
        with w.loop(start, stop) as number:
            panel = w.int_op("udiv", number, blocks)
            m0 = w.int_op("mul", w.int_op("sub", number, w.int_op("mul", panel, blocks)), rows)
            n0 = w.int_op("mul", panel, width)
            end = w.minimum_int(w.int_op("add", n0, width), n_extent)
            if isinstance(n_extent, int) and n_extent % width == 0:
                tile_columns(n0, [lanes] * vectors, None, w.int_op("add", n0, width), m0, indices)
                return
            whole, edge, done = w.label("whole"), w.label("edge"), w.label("done")
            w.branch(w.compare_int("sle", w.int_op("add", n0, width), n_extent), whole, edge)
            w.place(whole)
            if not isinstance(n_extent, int) or n_extent >= width:
                tile_columns(n0, [lanes] * vectors, None, w.int_op("add", n0, width), m0, indices)
            w.jump(done)
            w.place(edge)
            count = w.int_op("sub", end, n0)
            if isinstance(n_extent, int):
                left = n_extent % width
                columns, masked = edge_columns(left, lanes, w.target.has_masks)
                tile_columns(n0, columns, left if masked else None, end, m0, indices)
            else:
                tile_columns(n0, [lanes] * vectors, count, end, m0, indices)
            w.jump(done)
            w.place(done)

    if batch:
        bounds = [w.worker_range(batch[0], 1), *((0, extent) for extent in batch[1:])]
        w.nest(bounds, 0, lambda indices: tiles(indices, False), {})
    else:
        tiles({}, True)


def edge_columns(left: int, lanes: int, has_masks: bool) -> tuple[list[int], bool]:
    """Vectors for the last columns: with masks whole ones, the last partly used; without, scalars for the rest."""
    if has_masks:
        return [lanes] * -(-left // lanes), left % lanes != 0
    return [lanes] * (left // lanes) + [1] * (left % lanes), False


def call_microkernel(
    w: KernelEmitter,
    count: int,
    columns: Sequence[int],
    masked: Number | None,
    dtype: DType,
    a: str,
    b: str,
    scratch: str,
    depth: Number,
    strides: dict[str, Number],
    width: int,
) -> None:
    """Call the function for this tile size, written at first use. Strides known now are written into it."""
    shape = f"{count}x{'_'.join(map(str, columns))}{'m' if masked is not None else ''}"
    name = f"{w.name}.tile{shape}"
    open_strides = [key for key, value in strides.items() if not isinstance(value, int)]
    if not any(f"@{name}(" in function for function in w.functions):
        w.functions.append(microkernel(w, name, count, columns, masked is not None, dtype, strides, width))
    extra = "".join(f", i64 {strides[key]}" for key in open_strides)
    left = masked if masked is not None else 0
    w.line(f"call void @{name}(ptr {a}, ptr {b}, ptr {scratch}, i64 {depth}, i64 {left}{extra})")


def microkernel(
    outer: KernelEmitter,
    name: str,
    count: int,
    columns: Sequence[int],
    masked: bool,
    dtype: DType,
    strides: dict[str, Number],
    width: int,
) -> str:
    """The function ``scratch[r, c] = sum over k of a[r, k] * b[k, c]`` for `count` rows and these column vectors.

    The accumulators are phi nodes of the loop over k.
    """
    w = type(outer)(outer.kernel, outer.target, outer.name)
    strides = {key: value if isinstance(value, int) else f"%{key}" for key, value in strides.items()}
    element = llvm_type(dtype)
    masks: list[str | None] = [None] * len(columns)
    place = 0
    for number, lanes in enumerate(columns):
        if masked:
            masks[number] = w.mask(w.int_op("sub", "%left", place))
        place += lanes
    w.jump("start")
    w.place("start")
    w.jump("head")
    w.place("head")
    k, a, b = "%k", "%ak_now", "%bk_now"
    sums = [[Reg(f"%sum{r}_{c}", dtype, lanes) for c, lanes in enumerate(columns)] for r in range(count)]
    w.line(f"{k} = phi i64 [ 0, %start ], [ %k_next, %step ]")
    w.line(f"{a} = phi ptr [ %a, %start ], [ %a_next, %step ]")
    w.line(f"{b} = phi ptr [ %b, %start ], [ %b_next, %step ]")
    for row in range(count):
        for column, lanes in enumerate(columns):
            zero = "zeroinitializer" if lanes > 1 else "0.0"
            target = sums[row][column]
            w.line(f"{target} = phi {target.type} [ {zero}, %start ], [ {target}_next, %step ]")
    w.line(f"%more = icmp slt i64 {k}, %depth")
    w.line("br i1 %more, label %step, label %done")
    w.place("step")
    right = []
    place = 0
    for number, lanes in enumerate(columns):
        right.append(w.load_run(w.element(b, dtype, place), dtype, lanes, masks[number]))
        place += lanes
    for row in range(count):
        left = w.load_run(w.element(a, dtype, w.int_op("mul", strides["am"], row)), dtype, 1)
        for column, lanes in enumerate(columns):
            spread = left if lanes == 1 else w.splat(left, lanes)
            total = w.fma(spread, right[column], sums[row][column])
            w.line(f"{sums[row][column]}_next = {_copy(total)}")
    w.line(f"%a_next = getelementptr {element}, ptr {a}, i64 {strides['ak']}")
    w.line(f"%b_next = getelementptr {element}, ptr {b}, i64 {strides['bk']}")
    w.line("%k_next = add i64 %k, 1")
    w.jump("head")
    w.place("done")
    for row in range(count):
        place = 0
        for column, lanes in enumerate(columns):
            address = w.element("%scratch", dtype, row * width + place)
            w.line(f"store {llvm_type(dtype, lanes)} {sums[row][column]}, ptr {address}, align {dtype.bytes}")
            place += lanes
    outer.declarations |= w.declarations
    extra = "".join(f", i64 {value}" for value in strides.values() if not isinstance(value, int))
    head = f"define internal void @{name}(ptr %a, ptr %b, ptr %scratch, i64 %depth, i64 %left{extra}) noinline {{"
    return "\n".join([head, "entry:", *w.lines, "  ret void", "}"])


def _copy(value: Reg) -> str:
    """Give a value a second name; it costs nothing in the generated code."""
    return f"select i1 true, {value.type} {value}, {value.type} {value}"


def emit_prefetch(w: KernelEmitter, count: int, n0: Number, m: Number, width: int, indices: dict[int, Number]) -> None:
    """Ask for what the epilogue will read, such as weights and moments, while the microkernel computes."""
    m_loop, n_loop = w.kernel.rank - 2, w.kernel.rank - 1
    wanted = [
        step
        for step in w.kernel.body
        if step.op == "load"
        and not step.args
        and step.position is not None
        and step.position.depends_on(m_loop)
        and step.position.is_unit(n_loop)
    ]
    if not wanted:
        return
    w.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    with w.loop(0, count) as row:
        for step in wanted:
            assert step.position is not None
            place = w.place_of(step.position.terms, {**indices, m_loop: w.int_op("add", m, row), n_loop: n0})
            address = w.element(w.pointers[step.operand], step.dtype, place)
            for line in range(0, width * step.dtype.bytes, _CACHE_LINE):
                at = w.fresh("p")
                w.line(f"{at} = getelementptr i8, ptr {address}, i64 {line}")
                w.line(f"call void @llvm.prefetch.p0(ptr {at}, i32 1, i32 3, i32 1)")


def emit_epilogue(
    w: KernelEmitter,
    count: int,
    n0: Number,
    stop: Number,
    m: Number,
    scratch: str,
    width: int,
    indices: dict[int, Number],
) -> None:
    """The kernel's body on a tile of `count` rows: each row along the columns from n0 to stop."""
    kernel, core = w.kernel, w.kernel.core
    assert isinstance(core, MatrixProduct)
    m_loop, n_loop = kernel.rank - 2, kernel.rank - 1
    with w.loop(0, count) as row:
        here = {**indices, m_loop: w.int_op("add", m, row)}
        known = w.uniform_steps(kernel.body, n_loop, here, True)
        base = w.int_op("mul", row, width)

        def inside(lanes: Lanes) -> None:
            place = w.int_op("add", base, w.int_op("sub", lanes.start, n0))
            address = w.element(scratch, core.dtype, place)
            total = w.load_run(address, core.dtype, lanes.count)
            values = w.emit_steps(kernel.body, lanes, here, known, total)
            w.emit_stores(values, lanes, here)

        w.along(n_loop, n0, stop, inside)
