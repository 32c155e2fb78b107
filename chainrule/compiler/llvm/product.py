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
from dataclasses import replace
from typing import TYPE_CHECKING

from chainrule.compiler.kernel import Position
from chainrule.compiler.llvm.microkernel import THIN_VECTORS, Kind, Right, Tiles
from chainrule.compiler.llvm.narrow import PairPacker, emit_left_packing, emit_right_packing, row_of_pairs
from chainrule.compiler.llvm.writer import CACHE_LINE, Reg
from chainrule.compiler.tiles import KEPT_WORDS, fewest_kept, powers_of_two

if TYPE_CHECKING:
    from chainrule.compiler.llvm.emit import KernelEmitter, Lanes, Number

_THIN = 4  # rows up to which a product is bound by reading the right matrix once
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


class _Product(Tiles):
    """Which tiles a product is made of, in which order, and where their factors lie."""

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
        self.emit_thin(indices, shared_columns, 2, THIN_VECTORS)
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
            if kind.overlapped:
                row = w.int_op("sub", m, low)
                a = self.kept(row) if kind.kept else self.left(m, indices)
                unit = w.int_op("mul", row, share)
                copy = self.kept(row) if kind.keeping else ""
                self.call_tile(rows, vectors, kind, (a, *right, m, n0, following, unit, share, units), indices, copy)
                w.line(f"store i64 {m}, ptr {self.before_m}, align 8")
                w.line(f"store i64 {n0}, ptr {self.before_n}, align 8")
            else:
                self.call_plain(rows, vectors, kind, self.left(m, indices), right, self.aside, n0)
                self.call_epilogue(self.aside, rows, vectors * self.lanes, m, n0, stop, indices)
            if kind.columns:
                with w.when(w.compare_int("eq", m, 0)):
                    self.call_beside(self.columns, n0, stop)

        def kind_of(rows: int, packing: bool = False) -> Kind:
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
                    sums(m, self.rows, right, kind_of(self.rows))
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

            if vectors != THIN_VECTORS:
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
