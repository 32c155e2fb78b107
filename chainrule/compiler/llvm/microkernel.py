"""The matrix product: register tiles over the result, panels of the right matrix, the epilogue between the products.

    for each panel of C columns (panels and blocks of rows divided over the workers):
        pack      the panel's columns of the right matrix side by side: turned before, if they lie along k, else
                  by the first block as it reads them
        for each block of R rows:
            R x C sums in registers over all of k; meanwhile, a row at a time,
                the epilogue of the block before (its sums lie in a scratch of R x C) and
                a prefetch of what this block's epilogue will read
            store the sums into the scratch

So divisions, square roots and memory of the epilogue, such as an optimizer's update, run while the multipliers work.
Rows and columns that fill no tile take smaller tiles, with the epilogue after them. Up to `_THIN` rows take a tile of
one or two rows and many columns, without packing. Of large matrices the left one is packed too:

    for each part of some hundred rows (rows divided over the workers):
        for the first panel, as above; its tiles keep copies of the rows that they read, k by k
        for each panel behind it, as above; its tiles read the copies

Each sum has one accumulator, to which the products are added for k = 0, 1, 2, ..., whatever the tile: so an element of
the result has the same bits alone or in a batch, and for any number of workers.
An element of the left matrix is read as a scalar and spread over the lanes, so it may lie at any stride.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chainrule.compiler.kernel import Kernel, MatrixProduct, Position
from chainrule.compiler.llvm.narrow import (
    PairPacker,
    emit_left_packing,
    emit_right_packing,
    multiply_pairs,
    pairs_in,
    row_of_pairs,
)
from chainrule.compiler.llvm.writer import CACHE_LINE, Reg, llvm_type
from chainrule.compiler.tiles import KEPT_WORDS, fewest_kept, powers_of_two

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


_THIN = 4  # rows up to which a product is bound by reading the right matrix once
_THIN_VECTORS = 8  # of a thin tile of one or two rows
_THIN_TILES = ((1, 16), (4, 4))  # rows and vectors: of a single row, longer runs; of four, all rows in one pass


def row_counts(rows: int) -> list[int]:
    """The heights of tiles for what is left below a full one: powers of two.

    Example:
        >>> row_counts(12)
        [8, 4, 2, 1]
    """
    power = 1
    while power * 2 < rows:
        power *= 2
    counts = []
    while power:
        counts.append(power)
        power //= 2
    return counts


def emit_matrix_product(w: KernelEmitter) -> None:
    """Write the kernel of a matrix product."""
    product = _Product(w)
    if product.batch:
        bounds = [w.worker_range(product.batch[0], 1), *((0, extent) for extent in product.batch[1:])]
        w.nest(bounds, 0, lambda indices: product.emit(indices, shared=False), {})
    else:
        product.emit({}, shared=True)


class _Product:
    """The names that all parts of one product's code share."""

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
        widest = max(self.rows * self.width, 2 * _THIN_VECTORS * self.lanes)
        self.scratch = w.alloca(f"[{widest} x {self.element}]")
        self.aside = w.alloca(f"[{self.rows * self.width} x {self.element}]")
        self.before_m, self.before_n = w.alloca("i64", 8), w.alloca("i64", 8)
        self.beside = kernel.beside
        self.columns = w.alloca(f"[{self.width} x {self.element}]") if self.beside else ""

    # -- the loops over panels and blocks -------------------------------------------------------------------------

    def emit(self, indices: dict[int, Number], shared: bool) -> None:
        """All tiles of one matrix, or this worker's share of them."""
        w = self.w
        if self.narrow:
            self.pack_left(indices)
        if isinstance(self.depth, str) and self.in_rows and not self.narrow and not self.batch:
            single, several, ended = w.label("single"), w.label("several"), w.label("ended")
            w.branch(w.compare_int("eq", self.depth, 1), single, several)
            w.place(single)
            self.emit_single(shared)
            w.jump(ended)
            w.place(several)
            self.emit_sums(indices, shared)
            w.jump(ended)
            w.place(ended)
            return
        self.emit_sums(indices, shared)

    def emit_single(self, shared: bool) -> None:
        """Of a batch of one row: sums of one product each, so the body goes along the rows, without tiles."""
        w, core = self.w, self.core
        bounds = w.worker_range(self.m, max(1, w.schedule.unit)) if shared else (0, self.m)
        if self.beside is not None:
            with w.when(w.compare_int("eq", "%worker", 0)):
                place = w.place_of(core.b_position.terms, {})
                self.call_beside(w.element(w.pointers[core.b], core.dtype, place), 0, self.n)
        with w.loop(*bounds) as m:
            here: dict[int, Number] = {self.m_loop: m, self.k_loop: 0}
            known = w.uniform_steps(self.kernel.body, self.n_loop, here, True)
            left = w.load_run(
                w.element(w.pointers[core.a], core.dtype, w.place_of(core.a_position.terms, here)), core.dtype, 1
            )

            def inside(lanes: Lanes) -> None:
                place = w.place_of(core.b_position.terms, {**here, self.n_loop: lanes.start})
                address = w.element(w.pointers[core.b], core.dtype, place)
                right = w.load_run(address, core.dtype, lanes.count, lanes.mask)
                spread = left if lanes.count == 1 else w.splat(left, lanes.count)
                total = w.fma(spread, right, w.const(0, core.dtype, lanes.count))
                w.emit_stores(w.emit_steps(self.kernel.body, lanes, here, known, total), lanes, here)

            w.along(self.n_loop, 0, self.n, inside)

    def emit_sums(self, indices: dict[int, Number], shared: bool) -> None:
        """The tiles."""
        w = self.w
        if self.narrow or not self.in_rows or self.beside or isinstance(self.m, int) and self.m > _THIN:
            self.emit_panels(indices, 0, shared)
            return
        thin, wide, done = w.label("thin"), w.label("wide"), w.label("done")
        w.branch(w.compare_int("sle", self.m, _THIN), thin, wide)
        w.place(thin)
        shared_columns = shared and not self.by_rows
        if shared and self.by_rows:  # so few rows are all one worker's
            mine = w.label("mine")
            w.branch(w.compare_int("slt", *w.worker_range(self.m, w.schedule.unit)), mine, done)
            w.place(mine)
        for rows, vectors in _THIN_TILES if w.target.registers >= 32 else ():
            if not isinstance(self.m, int) or self.m == rows:
                fits, else_ = w.label("fits"), w.label("else")
                w.branch(self.fits(rows, vectors, shared_columns), fits, else_)
                w.place(fits)
                self.emit_thin(indices, shared_columns, rows, vectors)
                w.jump(done)
                w.place(else_)
        self.emit_thin(indices, shared_columns, 2, _THIN_VECTORS)
        w.jump(done)
        w.place(wide)
        if not isinstance(self.m, int):
            self.emit_panels(indices, 0, shared)
        w.jump(done)
        w.place(done)

    def emit_panels(self, indices: dict[int, Number], begin: Number, shared: bool) -> None:
        """Tiles over the columns from `begin`."""
        w = self.w
        columns = w.int_op("sub", self.n, begin)
        panels = w.int_op("udiv", w.int_op("add", columns, self.width - 1), self.width)
        whole = w.int_op("udiv", columns, self.width)
        if not w.schedule.kept:
            self.emit_part(indices, begin, whole, *self.divide(panels, shared))
            return
        low, high = w.worker_range(self.m, w.schedule.unit) if shared else (0, self.m)
        together = w.int_op("mul", self.kept_blocks(), self.rows)
        with w.loop(low, high, together) as start:
            stop = w.minimum_int(w.int_op("add", start, together), high)
            self.emit_part(indices, begin, whole, 0, panels, lambda panel: (start, stop))

    def emit_part(
        self,
        indices: dict[int, Number],
        begin: Number,
        whole: Number,
        first: Number,
        last: Number,
        rows_of: Callable[[Number], tuple[Number, Number]],
    ) -> None:
        """The panels from the first to that before the last, the first `whole` of all being whole ones."""
        w = self.w
        kept = w.schedule.kept > 0
        if not isinstance(whole, int) or whole:
            w.line(f"store i64 -1, ptr {self.before_m}, align 8")
            if kept:
                self.emit_panel(indices, begin, rows_of(0), self.vectors, False, Kind(keeping=True))
                first = 1
            with w.loop(first, w.minimum_int(last, whole)) as panel:
                n0 = w.int_op("add", begin, w.int_op("mul", panel, self.width))
                self.emit_panel(indices, n0, rows_of(panel), self.vectors, False, Kind(kept=kept))
            self.flush(indices, self.vectors, edge=False)
        columns = w.int_op("sub", self.n, begin)
        if isinstance(columns, int) and columns % self.width == 0:
            return
        with w.when(w.compare_int("sgt", last, whole)):
            w.line(f"store i64 -1, ptr {self.before_m}, align 8")
            n0 = w.int_op("add", begin, w.int_op("mul", whole, self.width))
            vectors, edge = self.vectors, True
            if isinstance(columns, int):
                vectors = -(-(columns % self.width) // self.lanes)
                edge = columns % self.lanes != 0
            self.emit_panel(indices, n0, rows_of(whole), vectors, edge, Kind(kept=kept))
            if w.target.has_masks or not edge:
                self.flush(indices, vectors, edge)

    def divide(self, panels: Number, shared: bool) -> tuple[Number, Number, Callable[[Number], tuple[Number, Number]]]:
        """This worker's part: the first panel and that behind the last, and the range of rows of each panel.

        By rows, a worker has the same rows of all panels; by tiles, the blocks of all panels are counted through.
        """
        w = self.w
        if not shared:
            return 0, panels, lambda panel: (0, self.m)
        if self.by_rows:
            rows = w.worker_range(self.m, w.schedule.unit)
            some = w.fresh("panels")  # none without rows
            w.line(f"{some} = select i1 {w.compare_int('slt', *rows)}, i64 {panels}, i64 0")
            return 0, some, lambda panel: rows
        blocks = w.int_op("udiv", w.int_op("add", self.m, self.rows - 1), self.rows)
        start, stop = w.worker_range(w.int_op("mul", blocks, panels), 1)
        count = blocks if isinstance(blocks, int) else w.maximum_int(blocks, 1)  # no rows: nothing to divide
        first = w.int_op("udiv", start, count)
        last = w.int_op("udiv", w.int_op("sub", w.int_op("add", stop, count), 1), count)

        def rows_of(panel: Number) -> tuple[Number, Number]:
            skipped = w.int_op("mul", panel, blocks)
            low = w.maximum_int(w.int_op("sub", start, skipped), 0)
            high = w.minimum_int(w.int_op("sub", stop, skipped), blocks)
            return w.int_op("mul", low, self.rows), w.minimum_int(w.int_op("mul", high, self.rows), self.m)

        return first, last, rows_of

    def emit_panel(
        self, indices: dict[int, Number], n0: Number, rows: tuple[Number, Number], vectors: int, edge: bool, full: Kind
    ) -> None:
        """The tiles of one panel in a range of rows; what the full ones do with the left matrix is told."""
        w = self.w
        low, high = rows
        count = w.int_op("sub", high, low)
        units, share, following = self.plan_prefetch(indices, n0, vectors, count)
        stop = self.n if edge else w.int_op("add", n0, vectors * self.lanes)

        def sums(m: Number, rows: int, right: Right, kind: Kind) -> None:
            a = self.left(m, indices)
            if kind.overlapped:
                unit = w.int_op("mul", w.int_op("sub", m, low), share)
                copy = self.kept(w.int_op("sub", m, low)) if kind.keeping or kind.kept else a
                arguments = (copy if kind.kept else a, *right, m, n0, following, unit, share, units)
                self.call_tile(rows, vectors, kind, arguments, indices, copy)
                w.line(f"store i64 {m}, ptr {self.before_m}, align 8")
                w.line(f"store i64 {n0}, ptr {self.before_n}, align 8")
            else:
                self.call_plain(rows, vectors, kind, a, right, self.aside, n0)
                self.call_epilogue(self.aside, rows, vectors * self.lanes, m, n0, stop, indices)
            if kind.columns:
                with w.when(w.compare_int("eq", m, 0)):
                    self.call_beside(self.columns, n0, stop)

        def kind_of(rows: int, packing: bool) -> Kind:
            overlapped = rows == self.rows and (not edge or w.target.has_masks)
            return replace(full if overlapped else Kind(), edge=edge, overlapped=overlapped, packing=packing)

        def tile(m: Number, rows: int, right: Right, packing: bool = False) -> None:
            kind = kind_of(rows, packing)
            with_columns = replace(kind, columns=True)
            if self.beside is None or isinstance(m, int) and m:
                sums(m, rows, right, kind)
                return
            if packing or m == 0:
                sums(m, rows, right, with_columns)
                return
            begin, further, done = w.label("begin"), w.label("further"), w.label("done")
            w.branch(w.compare_int("eq", m, 0), begin, further)
            w.place(begin)
            sums(m, rows, right, with_columns)
            w.jump(done)
            w.place(further)
            sums(m, rows, right, kind)
            w.jump(done)
            w.place(done)

        right, first, packed = self.emit_right(indices, n0, (low, count), vectors, edge, tile)
        rest = w.remainder(count, self.rows)
        behind = w.int_op("sub", high, rest)
        if not isinstance(self.m, int) or self.m >= self.rows:
            with w.loop(first, behind, self.rows) as m:
                if packed:  # the first rows are done
                    sums(m, self.rows, right, replace(full, edge=edge, overlapped=True))
                else:
                    tile(m, self.rows, right)
        if not isinstance(self.m, int):
            self.emit_left_over(behind, high, row_counts(self.rows), lambda m, rows: tile(m, rows, right))
        elif self.by_rows:
            # What is left of whole units, if all of the rows are some, is a multiple of this.
            step = math.gcd(w.schedule.unit, self.rows) if self.m % w.schedule.unit == 0 else 1
            counts = [height for height in row_counts(self.rows) if height % step == 0]
            self.emit_left_over(behind, high, counts, lambda m, rows: tile(m, rows, right))
        elif self.m % self.rows:  # only the last tiles end within a block
            with w.when(w.compare_int("ne", rest, 0)):
                place = self.m - self.m % self.rows
                for height in powers_of_two(self.m % self.rows):
                    tile(place, height, right)
                    place += height

    def emit_right(
        self,
        indices: dict[int, Number],
        n0: Number,
        rows: tuple[Number, Number],
        vectors: int,
        edge: bool,
        tile: Callable[[Number, int, Right, bool], None],
    ) -> tuple[Right, Number, bool]:
        """The panel's columns of the right matrix, for so many rows from the first on, packed if that pays.

        Where they need only be copied, the first tile does it on its way. The row that comes next is told, and whether
        the first tile is done wherever there are rows for one, which it always is where it adds up the columns too.
        """
        w, core = self.w, self.core
        position = core.b_position
        start = w.element(w.pointers[core.b], core.dtype, w.place_of(position.terms, {**indices, self.n_loop: n0}))
        as_it_lies: Right = (start, w.stride(position, self.k_loop))
        packed: Right = (w.workspace, vectors * self.lanes)
        low, count = rows
        if self.narrow:
            packer = self.packer(core.b, position, self.n_loop, self.n, indices)
            emit_right_packing(w, packer, n0, vectors)
            return packed, low, False
        if not self.in_rows or edge and not w.target.has_masks:
            self.emit_packing(indices, n0, vectors, edge)
            return packed, low, False
        # Rows of a panel that is all columns lie side by side already.
        alone = self.one_panel and self.n == as_it_lies[1]
        if alone or isinstance(self.m, int) and self.m <= 2 * self.rows:
            return as_it_lies, low, False
        pack, direct, ready = w.label("pack"), w.label("direct"), w.label("ready")
        least = self.rows if self.beside else 2 * self.rows + 1
        w.branch(w.compare_int("sge", count, least), pack, direct)
        w.place(pack)
        tile(low, self.rows, as_it_lies, True)
        ended, following = w.label("packed"), w.int_op("add", low, self.rows)
        w.jump(ended)
        w.place(ended)
        w.jump(ready)
        w.place(direct)
        w.jump(ready)
        w.place(ready)

        def either(kind: str, there: Number, here: Number) -> str:
            name = w.fresh("right")
            w.line(f"{name} = phi {kind} [ {there}, %{ended} ], [ {here}, %{direct} ]")
            return name

        pointer, stride = either("ptr", packed[0], start), either("i64", packed[1], as_it_lies[1])
        return (pointer, stride), either("i64", following, low), self.beside is not None

    def left(self, m: Number, indices: dict[int, Number]) -> str:
        """Where the rows of the left matrix from m on begin."""
        w = self.w
        if self.narrow:
            return w.element(self.packed_left(), self.core.dtype, w.int_op("mul", m, row_of_pairs(w, self.depth)))
        place = w.place_of(self.core.a_position.terms, {**indices, self.m_loop: m})
        return w.element(w.pointers[self.core.a], self.core.dtype, place)

    def kept_blocks(self) -> Number:
        """Of how many blocks of rows of the left matrix copies are kept at a time."""
        w, most = self.w, self.w.schedule.kept
        fitting = w.int_op("udiv", KEPT_WORDS // self.rows, w.maximum_int(self.depth, 1))
        return w.minimum_int(w.maximum_int(fitting, fewest_kept(most)), most)

    def kept(self, row: Number) -> str:
        """Where the copy of the block that begins with this row lies: behind the panel, k by k."""
        words = self.w.int_op("mul", self.depth, self.w.int_op("add", row, self.width))
        return self.w.element(self.w.workspace, self.core.dtype, words)

    def packed_left(self) -> str:
        """Where the pairs of the left matrix lie: behind the panel."""
        words = self.w.int_op("mul", row_of_pairs(self.w, self.depth), self.width)
        return self.w.element(self.w.workspace, self.core.dtype, words)

    def packer(
        self, operand: int, position: Position, loop: int, extent: Number, indices: dict[int, Number]
    ) -> PairPacker:
        return PairPacker(self.w, position, self.w.pointers[operand], loop, self.k_loop, extent, self.depth, indices)

    def pack_left(self, indices: dict[int, Number]) -> None:
        """Pairs of the whole left matrix, for this worker."""
        packer = self.packer(self.core.a, self.core.a_position, self.m_loop, self.m, indices)
        emit_left_packing(self.w, packer, self.packed_left())

    def plan_prefetch(
        self, indices: dict[int, Number], n0: Number, vectors: int, rows: Number
    ) -> tuple[Number, Number, str]:
        """How the next panel is asked for while this one is multiplied in so many rows: units in all, units a row, its
        address.

        A unit is one row of the panel, or, where columns lie along k, a cache line of each column.
        """
        w, core = self.w, self.core
        after = w.int_op("add", n0, vectors * self.lanes)
        place = w.place_of(core.b_position.terms, {**indices, self.n_loop: after})
        following = w.element(w.pointers[core.b], core.dtype, place)
        units = self.depth
        if not self.in_rows:
            per_line = CACHE_LINE // core.dtype.bytes
            units = w.int_op("udiv", w.int_op("add", units, per_line - 1), per_line)
        some = w.maximum_int(w.int_op("sub", rows, w.remainder(rows, self.rows)), 1)
        share = w.int_op("udiv", w.int_op("sub", w.int_op("add", units, some), 1), some)
        # Nothing is asked for behind the last column.
        within = w.compare_int("sle", w.int_op("add", after, vectors * self.lanes), self.n)
        chosen = w.fresh("units")
        w.line(f"{chosen} = select i1 {within}, i64 {units}, i64 0")
        return chosen, share, following

    def emit_left_over(
        self, m: Number, stop: Number, counts: Sequence[int], tile: Callable[[Number, int], None]
    ) -> None:
        """The rows from m on, fewer than a full tile's: tiles of 8, 4, 2, 1 rows."""
        w = self.w
        for count in counts:
            before, then, ended, after = w.label("have"), w.label("tile"), w.label("ended"), w.label("after")
            w.jump(before)
            w.place(before)
            w.branch(w.compare_int("sge", w.int_op("sub", stop, m), count), then, after)
            w.place(then)
            tile(m, count)
            w.jump(ended)
            w.place(ended)
            advanced = w.int_op("add", m, count)
            w.jump(after)
            w.place(after)
            following = w.fresh("m")
            w.line(f"{following} = phi i64 [ {m}, %{before} ], [ {advanced}, %{ended} ]")
            m = following

    def fits(self, rows: int, vectors: int, shared: bool) -> Reg:
        """Whether there are so many rows, and tiles of so many vectors divide evenly over the workers."""
        w = self.w
        tiles = w.int_op("udiv", self.n, vectors * self.lanes)
        team = "%workers" if shared else 1
        uneven = w.int_op("sub", tiles, w.int_op("mul", w.int_op("udiv", tiles, team), team))
        # Where tiles do not divide, or there is none, the count is put beyond any number of rows.
        bad = w.int_op("mul", w.int_op("add", uneven, w.int_op("udiv", team, w.int_op("add", tiles, 1))), _THIN + 1)
        return w.compare_int("eq", w.int_op("add", self.m, bad), rows)

    def emit_thin(self, indices: dict[int, Number], shared: bool, rows: int, vectors: int) -> None:
        """Few rows: wide tiles that read the right matrix as it lies, then panels for the last columns."""
        w, core = self.w, self.core
        width = vectors * self.lanes
        panels = w.int_op("udiv", self.n, width)
        start, stop = w.worker_range(panels, 1) if shared else (0, panels)
        stride = w.stride(core.b_position, self.k_loop)
        with w.loop(start, stop) as panel:
            n0 = w.int_op("mul", panel, width)
            b = w.element(
                w.pointers[core.b], core.dtype, w.place_of(core.b_position.terms, {**indices, self.n_loop: n0})
            )

            def tile(m: Number, count: int) -> None:
                here = {**indices, self.m_loop: m}
                a = w.element(w.pointers[core.a], core.dtype, w.place_of(core.a_position.terms, here))
                self.call_plain(count, vectors, Kind(), a, (b, stride), self.scratch)
                self.call_epilogue(self.scratch, count, width, m, n0, w.int_op("add", n0, width), indices)

            if vectors != _THIN_VECTORS:
                tile(0, rows)
            else:
                self.emit_pairs(tile)
        if not isinstance(self.n, int) or self.n % width:
            self.emit_panels(indices, w.int_op("mul", panels, width), shared)

    def emit_pairs(self, tile: Callable[[Number, int], None]) -> None:
        """Tiles of two rows, then one for the last."""
        w = self.w
        pairs = w.int_op("udiv", self.m, 2)
        if pairs != 0:
            with w.loop(0, pairs) as pair:
                tile(w.int_op("mul", pair, 2), 2)
        if not isinstance(self.m, int) or self.m % 2:
            odd = w.int_op("mul", pairs, 2)
            with w.when(w.compare_int("slt", odd, self.m)):
                tile(odd, 1)

    def flush(self, indices: dict[int, Number], vectors: int, edge: bool) -> None:
        """The epilogue of the last tile, with nothing beside it."""
        w = self.w
        m, n0 = w.fresh("m"), w.fresh("n")
        w.line(f"{m} = load i64, ptr {self.before_m}, align 8")
        with w.when(w.compare_int("sge", m, 0)):
            w.line(f"{n0} = load i64, ptr {self.before_n}, align 8")
            width = vectors * self.lanes
            stop = self.n if edge else w.int_op("add", n0, width)
            self.call_epilogue(self.scratch, self.rows, width, m, n0, stop, indices)

    # -- packing --------------------------------------------------------------------------------------------------

    def emit_packing(self, indices: dict[int, Number], n0: Number, vectors: int, edge: bool) -> None:
        """``workspace[k, j] = b[k, n0 + j]``, turned; columns behind the last repeat it, and are never stored."""
        w, dtype, lanes = self.w, self.core.dtype, self.lanes
        position, pointer = self.core.b_position, w.pointers[self.core.b]
        width = vectors * lanes
        last = w.int_op("sub", self.n, 1)

        def source(k: Number, column: Number) -> str:
            n = w.int_op("add", n0, column)
            if edge:
                n = w.minimum_int(n, last)
            return w.element(pointer, dtype, w.place_of(position.terms, {**indices, self.n_loop: n, self.k_loop: k}))

        def target(k: Number, column: Number) -> str:
            return w.element(w.workspace, dtype, w.int_op("add", w.int_op("mul", k, width), column))

        def copy_row(k: Number) -> None:
            with w.loop(0, width) as column:
                w.store_run(target(k, column), w.load_run(source(k, column), dtype, 1))

        if not position.is_unit(self.k_loop) or lanes == 1:
            with w.loop(0, self.depth) as k:
                copy_row(k)
            return
        whole = w.int_op("sub", self.depth, w.remainder(self.depth, lanes))
        with w.loop(0, whole, lanes) as k:
            for place in range(vectors):
                block = [w.load_run(source(k, place * lanes + lane), dtype, lanes) for lane in range(lanes)]
                for lane, vector in enumerate(w.transpose_block(block)):
                    w.store_run(target(w.int_op("add", k, lane), place * lanes), vector)
        with w.loop(whole, self.depth) as k:
            copy_row(k)

    # -- calls of the functions below, each written at first use ---------------------------------------------------

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
        """Sums of one tile beside the epilogue of the one before."""
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
            f"{f', ptr {copy}' if kind.keeping else ''}{self.batch_arguments(indices)})"
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
