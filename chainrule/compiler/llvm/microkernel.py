"""The microkernel: one tile of a matrix product, and what runs beside its sums.

    tile       R x C sums in registers, in R pieces along k; behind each piece, one row of the epilogue of the tile
               before and the prefetches of what this tile's epilogue and the next panel will read
    epilogue   the kernel's body on a tile whose sums lie in a scratch, where no other tile runs beside it
    beside     the body of the sums of the right matrix's columns

Each is a function of its own, written when it is first called. Which tiles there are is for `product` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chainrule.compiler.kernel import Kernel, MatrixProduct, Position
from chainrule.compiler.llvm.narrow import multiply_pairs, pairs_in, row_of_pairs
from chainrule.compiler.llvm.writer import CACHE_LINE, Reg, llvm_type
from chainrule.compiler.tiles import powers_of_two

if TYPE_CHECKING:
    from chainrule.compiler.llvm.emit import KernelEmitter, Lanes, Number

Right = tuple[str, "Number"]  # where a panel of the right matrix begins, and the step from row to row


@dataclass(frozen=True)
class Kind:
    """What a tile does beside its sums.

    Args:
        edge: not all lanes of its last vector have a column.
        overlapped: the epilogue of the tile before runs beside it.
        packing: it copies the rows of the right matrix into the workspace as it reads them.
        columns: it adds up the columns of the right matrix too.
        keeping: it copies its rows of the left matrix into the workspace, k by k, as it reads them.
        kept: it reads them there.
    """

    edge: bool = False
    overlapped: bool = False
    packing: bool = False
    columns: bool = False
    keeping: bool = False
    kept: bool = False

    def __str__(self) -> str:
        names = [name for name, is_set in vars(self).items() if is_set]
        return "tile." + "".join(f"{name}." for name in names)


THIN_VECTORS = 8  # of a thin tile of one or two rows


class Tiles:
    """The tiles of a product, and the names that all parts of its code share."""

    def __init__(self, w: KernelEmitter):
        kernel, core = w.kernel, w.kernel.core
        assert isinstance(core, MatrixProduct)
        self.w, self.kernel, self.core = w, kernel, core
        self.rows, self.vectors = w.schedule.tile
        self.lanes = w.schedule.lanes
        self.width = self.vectors * self.lanes
        rank = kernel.rank
        self.m_loop, self.n_loop, self.k_loop = rank - 2, rank - 1, rank
        *self.batch, self.m, self.n = w.extents(kernel.loops)
        self.depth = w.extent(core.depth)
        self.element = llvm_type(core.dtype)
        self.one_panel = isinstance(self.n, int) and self.n <= self.width
        self.in_rows = core.b_position.is_unit(self.n_loop)
        self.narrow = core.narrow
        self.by_rows = w.schedule.unit > 0
        self.rest = self.n % self.lanes if isinstance(self.n, int) else 0  # columns of the last vector
        self.terms = pairs_in(w, self.depth) if core.narrow else self.depth  # of each sum
        widest = max(self.rows * self.width, 2 * THIN_VECTORS * self.lanes)
        self.scratch = w.alloca(f"[{widest} x {self.element}]")
        self.aside = w.alloca(f"[{self.rows * self.width} x {self.element}]")
        self.before_m, self.before_n = w.alloca("i64", 8), w.alloca("i64", 8)
        self.beside = kernel.beside
        self.columns = w.alloca(f"[{self.width} x {self.element}]") if self.beside else ""

    # -- calls of the functions, each written at first use ---------------------------------------------------

    def batch_arguments(self, indices: dict[int, Number]) -> str:
        return "".join(f", i64 {indices[loop]}" for loop in range(len(self.batch)))

    def define(self, name: str, write: Callable[[str], str]) -> None:
        if not any(f"@{name}(" in function for function in self.w.functions):
            self.w.functions.append(write(name))

    def call_tile(
        self,
        count: int,
        vectors: int,
        kind: Kind,
        arguments: tuple[str, str, Number, Number, Number, str, Number, Number, Number],
        indices: dict[int, Number],
        copy: str,
    ) -> None:
        """Sums of one tile beside the epilogue of the one before; where a copy of its left rows is kept, if one is."""
        w = self.w
        name = f"{w.name}.{kind}{count}x{vectors}"
        self.define(name, lambda name: self.tile_function(name, count, vectors, kind))
        a, b, stride, m, n0, following, unit, share, units = arguments
        before_m, before_n = w.fresh("m"), w.fresh("n")
        w.line(f"{before_m} = load i64, ptr {self.before_m}, align 8")
        w.line(f"{before_n} = load i64, ptr {self.before_n}, align 8")
        w.line(
            f"call void @{name}(ptr %buffers, ptr %arguments, ptr %sizes, ptr {a}, ptr {b}, i64 {stride}, "
            f"ptr {self.scratch}, i64 {self.terms}{self.column_argument(kind)}, i64 {m}, i64 {n0}, i64 {before_m}, "
            f"i64 {before_n}, ptr {following}, i64 {unit}, i64 {share}, i64 {units}"
            f"{f', ptr {copy}' if copy else ''}{self.batch_arguments(indices)})"
        )

    def call_plain(
        self, count: int, vectors: int, kind: Kind, a: str, right: Right, scratch: str, n0: Number = 0
    ) -> None:
        """Sums of one tile; of the columns from n0 on, where not all lanes have one."""
        name = f"{self.w.name}.{kind}{count}x{vectors}"
        self.define(name, lambda name: self.tile_function(name, count, vectors, kind))
        self.w.line(
            f"call void @{name}(ptr %buffers, ptr %arguments, ptr %sizes, ptr {a}, ptr {right[0]}, i64 {right[1]}, "
            f"ptr {scratch}, i64 {self.terms}{self.column_argument(kind)}{f', i64 {n0}' if kind.edge else ''})"
        )

    def column_argument(self, kind: Kind) -> str:
        return f", ptr {self.columns}" if kind.columns else ""

    def call_beside(self, columns: str, n0: Number, stop: Number) -> None:
        """Body and stores of the sums of the right matrix's columns from n0 to stop."""
        name = f"{self.w.name}.beside"
        self.define(name, self.beside_function)
        self.w.line(f"call void @{name}(ptr %buffers, ptr %arguments, ptr %sizes, ptr {columns}, i64 {n0}, i64 {stop})")

    def call_epilogue(
        self, scratch: str, count: int, width: int, m: Number, n0: Number, stop: Number, indices: dict[int, Number]
    ) -> None:
        """Body and stores for the tile whose sums lie in a scratch."""
        name = f"{self.w.name}.epilogue"
        self.define(name, self.epilogue_function)
        self.w.line(
            f"call void @{name}(ptr %buffers, ptr %arguments, ptr %sizes, ptr {scratch}, i64 {count}, i64 {width}, "
            f"i64 {m}, i64 {n0}, i64 {stop}{self.batch_arguments(indices)})"
        )

    # -- functions ------------------------------------------------------------------------------------------------

    def function(
        self,
        name: str,
        parameters: str,
        write: Callable[[KernelEmitter], None],
        batch: bool,
        kernel: Kernel | None = None,
    ) -> str:
        """An internal function that reads the kernel's tables as the kernel does."""
        w = type(self.w)(kernel or self.kernel, self.w.target, self.w.name)
        w.load_arguments()
        write(w)
        self.w.declarations |= w.declarations
        more = "".join(f", i64 %batch{loop}" for loop in range(len(self.batch))) if batch else ""
        head = f"define internal void @{name}(ptr %buffers, ptr %arguments, ptr %sizes, {parameters}{more}) noinline {{"
        return "\n".join([head, "entry:", *w.allocas, *w.lines, "  ret void", "}"])

    def batch_indices(self) -> dict[int, Number]:
        return {loop: f"%batch{loop}" for loop in range(len(self.batch))}

    def epilogue_function(self, name: str) -> str:
        """The kernel's body on a tile of `count` rows: each row along the columns from n0 to stop."""

        def write(w: KernelEmitter) -> None:
            with w.loop(0, "%count") as row:
                here = {**self.batch_indices(), self.m_loop: w.int_op("add", "%m", row)}
                known = w.uniform_steps(self.kernel.body, self.n_loop, here, True)
                base = w.int_op("mul", row, "%width")

                def inside(lanes: Lanes) -> None:
                    place = w.int_op("add", base, w.int_op("sub", lanes.start, "%n0"))
                    total = w.load_run(w.element("%scratch", self.core.dtype, place), self.core.dtype, lanes.count)
                    values = w.emit_steps(self.kernel.body, lanes, here, known, total)
                    w.emit_stores(values, lanes, here)

                w.along(self.n_loop, "%n0", "%stop", inside, self.rest)

        return self.function(name, "ptr %scratch, i64 %count, i64 %width, i64 %m, i64 %n0, i64 %stop", write, True)

    def beside_function(self, name: str) -> str:
        """The body of the column sums, along the columns from n0 to stop."""
        assert self.beside is not None
        kernel = replace(self.kernel, body=self.beside.body, stores=self.beside.stores)

        def write(w: KernelEmitter) -> None:
            known = w.uniform_steps(kernel.body, self.n_loop, {}, True)

            def inside(lanes: Lanes) -> None:
                place = w.int_op("sub", lanes.start, "%n0")
                address = w.element("%columns", self.core.dtype, place)
                total = w.load_run(address, self.core.dtype, lanes.count, lanes.mask)
                # Added to zero as the tiles do it.
                total = w.add(w.const(0, self.core.dtype, lanes.count), total)
                w.emit_stores(w.emit_steps(kernel.body, lanes, {}, known, total), lanes, {})

            w.along(self.n_loop, "%n0", "%stop", inside, self.rest)

        return self.function(name, "ptr %columns, i64 %n0, i64 %stop", write, False, kernel)

    def tile_function(self, name: str, count: int, vectors: int, kind: Kind) -> str:
        """``scratch[r, c] = sum over k of a[r, k] * b[k, c]``; overlapped with the tile before at (pm, pn)."""
        dtype, lanes = self.core.dtype, self.lanes
        width = vectors * lanes
        pieces = count if kind.overlapped else 1

        def write(w: KernelEmitter) -> None:
            row_stride = w.stride(self.core.a_position, self.m_loop)
            step = w.stride(self.core.a_position, self.k_loop)
            if self.narrow:
                row_stride, step = row_of_pairs(w, w.extent(self.core.depth)), 1
            elif kind.kept:
                row_stride, step = 1, count
            names = [[f"{r}_{c}" for c in range(vectors)] for r in range(count)]
            columns = [f"all_{c}" for c in range(vectors)] if kind.columns else []
            vector = llvm_type(dtype, lanes)
            sums = [name for row in names for name in row] + columns
            chunk = w.int_op("udiv", w.int_op("add", "%depth", pieces - 1), pieces)
            masks: list[str | None] = [None] * vectors
            if kind.edge and w.target.has_masks and not self.narrow:
                left_over = w.int_op("sub", w.extent(self.kernel.loops[self.n_loop]), "%n0")
                masks = [w.mask(w.int_op("sub", left_over, c * lanes)) for c in range(vectors)]
            w.jump("start")
            w.place("start")
            w.jump("piece")
            w.place("piece")
            w.line("%row = phi i64 [ 0, %start ], [ %row_next, %piece_end ]")
            w.line("%a_row = phi ptr [ %a, %start ], [ %a_now, %piece_end ]")
            w.line("%b_row = phi ptr [ %b, %start ], [ %b_now, %piece_end ]")
            zero = "zeroinitializer" if lanes > 1 else "0.0"
            for name in sums:
                w.line(f"%held{name} = phi {vector} [ {zero}, %start ], [ %sum{name}, %piece_end ]")
            here = w.int_op("mul", "%row", chunk)
            stop = w.minimum_int(w.int_op("add", here, chunk), "%depth")
            w.jump("enter")
            w.place("enter")
            w.jump("head")
            w.place("head")
            w.line(f"%k = phi i64 [ {here}, %enter ], [ %k_next, %step ]")
            w.line("%a_now = phi ptr [ %a_row, %enter ], [ %a_next, %step ]")
            w.line("%b_now = phi ptr [ %b_row, %enter ], [ %b_next, %step ]")
            for name in sums:
                w.line(f"%sum{name} = phi {vector} [ %held{name}, %enter ], [ %more{name}, %step ]")
            w.line(f"%going = icmp slt i64 %k, {stop}")
            w.line("br i1 %going, label %step, label %stepped")
            w.place("step")
            right = [
                w.load_run(w.element("%b_now", dtype, c * lanes), dtype, lanes, mask) for c, mask in enumerate(masks)
            ]
            if kind.packing:
                row = w.element(w.workspace, dtype, w.int_op("mul", "%k", width))
                for c, run in enumerate(right):
                    w.store_run(w.element(row, dtype, c * lanes), run)
            if row_stride == 1 and kind.overlapped and not kind.kept:
                # The next block of rows lies beside this one, but a cache line a step apart for the processor's own
                # prefetcher.
                w.prefetch("%a_now", (2 * count - 1) * dtype.bytes, level=2)
            for r in range(count):
                left = w.load_run(w.element("%a_now", dtype, w.int_op("mul", row_stride, r)), dtype, 1)
                spread = left if lanes == 1 else w.splat(left, lanes)
                for c in range(vectors):
                    held = Reg(f"%sum{names[r][c]}", dtype, lanes)
                    total = multiply_pairs(w, held, spread, right[c]) if self.narrow else w.fma(spread, right[c], held)
                    w.line(f"%more{names[r][c]} = {_copy(total)}")
            if kind.keeping:
                self.emit_keeping(w, count, row_stride)
            for name, run in zip(columns, right, strict=False):
                w.line(f"%more{name} = {_copy(w.add(Reg(f'%sum{name}', dtype, lanes), run))}")
            w.line(f"%a_next = getelementptr {self.element}, ptr %a_now, i64 {step}")
            w.line(f"%b_next = getelementptr {self.element}, ptr %b_now, i64 %bk")
            w.line("%k_next = add i64 %k, 1")
            w.jump("head")
            w.place("stepped")
            if kind.overlapped:
                self.emit_row_prefetch(w, width)
                if not self.one_panel:
                    self.emit_panel_prefetch(w, width)
                with w.when(w.compare_int("sge", "%pm", 0)):
                    self.emit_row_epilogue(w, vectors, kind.edge)
            w.jump("piece_end")
            w.place("piece_end")
            w.line("%row_next = add i64 %row, 1")
            w.line(f"%rows_left = icmp slt i64 %row_next, {pieces}")
            w.line("br i1 %rows_left, label %piece, label %finish")
            w.place("finish")
            for r in range(count):
                for c in range(vectors):
                    address = w.element("%scratch", dtype, r * width + c * lanes)
                    w.line(f"store {vector} %sum{names[r][c]}, ptr {address}, align {dtype.bytes}")
            for c, name in enumerate(columns):
                w.line(f"store {vector} %sum{name}, ptr {w.element('%columns', dtype, c * lanes)}, align {dtype.bytes}")

        parameters = "ptr %a, ptr %b, i64 %bk, ptr %scratch, i64 %depth" + (", ptr %columns" if kind.columns else "")
        if kind.edge and not kind.overlapped:
            parameters += ", i64 %n0"
        if kind.overlapped:
            parameters += ", i64 %m, i64 %n0, i64 %pm, i64 %pn, ptr %following, i64 %unit, i64 %share, i64 %units"
        if kind.keeping:
            parameters += ", ptr %copy"
        return self.function(name, parameters, write, kind.overlapped)

    def emit_keeping(self, w: KernelEmitter, count: int, row_stride: Number) -> None:
        """``copy[k, r] = a[r, k]`` for one k."""
        dtype = self.core.dtype
        row = w.element("%copy", dtype, w.int_op("mul", "%k", count))
        first = 0
        for piece in powers_of_two(count) if row_stride == 1 else [1] * count:
            source = w.element("%a_now", dtype, w.int_op("mul", row_stride, first))
            w.store_run(w.element(row, dtype, first), w.load_run(source, dtype, piece))
            first += piece

    def emit_row_epilogue(self, w: KernelEmitter, vectors: int, edge: bool) -> None:
        """Body and stores for row `%row` of the tile before."""
        from chainrule.compiler.llvm.emit import Lanes

        dtype, lanes = self.core.dtype, self.lanes
        here = {**self.batch_indices(), self.m_loop: w.int_op("add", "%pm", "%row")}
        known = w.uniform_steps(self.kernel.body, self.n_loop, here, True)
        base = w.int_op("mul", "%row", vectors * lanes)
        n_extent = w.extent(self.kernel.loops[self.n_loop])

        def one_vector(column: Number) -> None:
            start = w.int_op("add", "%pn", column)
            where = Lanes(self.n_loop, lanes, start)
            if edge:
                mask = w.mask(w.int_op("sub", n_extent, start))
                where = Lanes(self.n_loop, lanes, start, mask, w.int_op("sub", n_extent, 1), self.rest, vectors > 1)
            total = w.load_run(w.element("%scratch", dtype, w.int_op("add", base, column)), dtype, lanes)
            values = w.emit_steps(self.kernel.body, where, here, known, total)
            w.emit_stores(values, where, here)

        if vectors == 1:
            one_vector(0)
            return
        # A loop, not copies: constants that two copies share would be spilled beside the sums in the registers.
        with w.loop(0, vectors * lanes, lanes) as column:
            one_vector(column)

    def epilogue_reads(self) -> Sequence[tuple[int, int, Position]]:
        """Operand, bytes an element and position of the arrays that the epilogue reads once, along the columns."""
        return [
            (step.operand, step.dtype.bytes, step.position)
            for step in self.kernel.body
            if step.op == "load"
            and not step.args
            and step.position is not None
            and step.position.depends_on(self.m_loop)
            and step.position.is_unit(self.n_loop)
        ]

    def emit_row_prefetch(self, w: KernelEmitter, width: int) -> None:
        """Ask for what the epilogue of row `%row` of this tile will read, such as weights and moments."""
        here = {**self.batch_indices(), self.m_loop: w.int_op("add", "%m", "%row"), self.n_loop: "%n0"}
        # Of a single panel the rows lie one after the other, which the processor sees by itself.
        for operand, size, position in () if self.one_panel else self.epilogue_reads():
            place = w.int_op("mul", w.place_of(position.terms, here), size)
            address = w.fresh("p")
            w.line(f"{address} = getelementptr i8, ptr {w.pointers[operand]}, i64 {place}")
            for line in range(0, width * size, CACHE_LINE):
                w.prefetch(address, line, write=True)
        for address, dtype in w.gathered_rows(here, self.n_loop, "%n0"):
            for line in range(0, width * dtype.bytes, CACHE_LINE):
                w.prefetch(address, line)

    def emit_panel_prefetch(self, w: KernelEmitter, width: int) -> None:
        """Ask for this row's share of the next panel."""
        size = self.core.dtype.bytes
        if not self.in_rows and not self.core.b_position.is_unit(self.k_loop):
            return
        first = w.int_op("add", "%unit", w.int_op("mul", "%row", "%share"))
        last = w.minimum_int(w.int_op("add", first, "%share"), "%units")
        along = w.stride(self.core.b_position, self.k_loop if self.in_rows else self.n_loop)
        with w.loop(first, last) as unit:
            if self.in_rows:
                address = w.element("%following", self.core.dtype, w.int_op("mul", unit, along))
                for line in range(0, width * size, CACHE_LINE):
                    w.prefetch(address, line, level=2)
            else:
                address = w.element("%following", self.core.dtype, w.int_op("mul", unit, CACHE_LINE // size))
                for column in range(width):
                    place = w.element(address, self.core.dtype, w.int_op("mul", along, column))
                    w.prefetch(place, 0, level=2)


def _copy(value: Reg) -> str:
    """Give a value a second name; it costs nothing in the generated code."""
    return f"select i1 true, {value.type} {value}, {value.type} {value}"
