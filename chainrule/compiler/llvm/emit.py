"""From a scheduled kernel to LLVM text. It decides nothing: loops, lanes and tiles are in the kernel's value.

Every kernel becomes one function

    void NAME(ptr buffers, ptr arguments, ptr sizes, i64 worker, i64 workers)

`buffers` is the program's table of addresses, `arguments` this row's numbers of buffers and then of open sizes.
A vector loop is followed by one masked step for the rest where the target has masks, by a scalar loop where it has not;
both do the same operations on an element, so an element's bits do not depend on where it lies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from chainrule.compiler.kernel import (
    Accumulation,
    Instruction,
    Kernel,
    MatrixProduct,
    Position,
    Reduction,
    Store,
    Term,
)
from chainrule.compiler.llvm.arithmetic import Arithmetic
from chainrule.compiler.llvm.writer import CACHE_LINE, Reg, llvm_type, memory_type
from chainrule.compiler.target import Target
from chainrule.compiler.tiles import powers_of_two
from chainrule.graph.primitive import PRIMITIVES
from chainrule.graph.types import Dim, DType, OpenDim, bool_, int32, int64, uint32

_ABREAST = 8  # vectors of a sum that are added to in turn

_ROWS_AHEAD = 6  # rows of a data set that are asked for before they are copied

Number = int | str  # an i64: a known one, or a register's name


@dataclass(frozen=True)
class Lanes:
    """Which elements a step works on: `count` lanes from `start` along `loop`, all of them or those in `mask`.

    Of a mask, `last` is the last element's index, for reads that clamp, and `rest` the number of its lanes, if it is
    known (0: not); with `or_all` the mask may be of all lanes too.
    """

    loop: int
    count: int
    start: Number
    mask: str | None = None
    last: Number = 0
    rest: int = 0
    or_all: bool = False


class KernelEmitter(Arithmetic):
    """Writes one kernel as a module."""

    def __init__(self, kernel: Kernel, target: Target, name: str):
        super().__init__(target)
        assert kernel.schedule is not None
        self.kernel, self.schedule, self.name = kernel, kernel.schedule, name
        self.allocas: list[str] = []
        self.functions: list[str] = []
        self.sizes: dict[str, str] = {}
        self.pointers: list[str] = []
        self.workspace = ""

    # -- the module ---------------------------------------------------------------------------------------------

    def module(self) -> str:
        self.load_arguments()
        styles: dict[str, Callable[[], None]] = {
            "loops": self.emit_loops,
            "transpose": self.emit_transpose,
            "inner": self.emit_inner_reduction,
            "outer": self.emit_outer_reduction,
            "tiles": self.emit_matrix_product,
            "rows": self.emit_accumulation,
        }
        styles[self.schedule.style]()
        head = f"define void @{self.name}(ptr %buffers, ptr %arguments, ptr %sizes, i64 %worker, i64 %workers) {{"
        function = [head, "entry:", *self.allocas, *self.lines, "  ret void", "}"]
        parts = [f'target triple = "{self.target.triple}"', *sorted(self.declarations), *self.functions, *function]
        return "\n".join(parts) + "\n"

    def load_arguments(self) -> None:
        """Read the addresses and sizes that the kernel works on from the tables it is given."""
        count = len(self.kernel.operands)
        for number in range(count):
            slot = self.read_table("%arguments", number, "i64")
            self.pointers.append(self.read_table("%buffers", slot, "ptr"))
        for number, name in enumerate(self.kernel.size_names):
            slot = self.read_table("%arguments", count + number, "i64")
            self.sizes[name] = self.read_table("%sizes", slot, "i64")
        if isinstance(self.kernel.core, MatrixProduct):
            slot = self.read_table("%arguments", count + len(self.kernel.size_names), "i64")
            self.workspace = self.read_table("%buffers", slot, "ptr")

    def read_table(self, table: str, slot: Number, kind: str) -> str:
        place, value = self.fresh("slot"), self.fresh("in")
        self.line(f"{place} = getelementptr i64, ptr {table}, i64 {slot}")
        self.line(f"{value} = load {kind}, ptr {place}, align 8")
        return value

    # -- integers -----------------------------------------------------------------------------------------------

    def int_op(self, operation: str, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return {"add": a + b, "sub": a - b, "mul": a * b, "udiv": a // b if b else 0}[operation]
        if operation in ("add", "sub") and b == 0 or operation in ("mul", "udiv") and b == 1:
            return a
        if operation == "add" and a == 0 or operation == "mul" and a == 1:
            return b
        if operation == "mul" and (a == 0 or b == 0):
            return 0
        name = self.fresh("n")
        self.line(f"{name} = {operation} i64 {a}, {b}")
        return name

    def minimum_int(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        name = self.fresh("n")
        self.declare("declare i64 @llvm.smin.i64(i64, i64)")
        self.line(f"{name} = call i64 @llvm.smin.i64(i64 {a}, i64 {b})")
        return name

    def maximum_int(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        name = self.fresh("n")
        self.declare("declare i64 @llvm.smax.i64(i64, i64)")
        self.line(f"{name} = call i64 @llvm.smax.i64(i64 {a}, i64 {b})")
        return name

    def compare_int(self, condition: str, a: Number, b: Number) -> Reg:
        return self.op(f"icmp {condition} i64 {a}, {b}", bool_)

    def extent(self, dim: Dim) -> Number:
        return self.int_op("mul", self.sizes[dim.name], dim.scale) if isinstance(dim, OpenDim) else dim

    def extents(self, dims: Sequence[Dim]) -> list[Number]:
        return [self.extent(dim) for dim in dims]

    def term(self, coefficient: int, sizes: tuple[str, ...]) -> Number:
        value: Number = coefficient
        for name in sizes:
            value = self.int_op("mul", self.sizes[name], value)
        return value

    def stride(self, position: Position, loop: int) -> Number:
        total: Number = 0
        for coefficient, sizes in position.stride(loop):
            total = self.int_op("add", total, self.term(coefficient, sizes))
        return total

    def place_of(self, terms: Sequence[Term], indices: dict[int, Number]) -> Number:
        """The value of a position for these loop indices (a missing loop counts as zero)."""
        total: Number = 0
        for coefficient, loop, sizes in terms:
            part = self.term(coefficient, sizes)
            if loop >= 0:
                part = self.int_op("mul", indices.get(loop, 0), part)
            total = self.int_op("add", total, part)
        return total

    def worker_range(self, extent: Number, unit: int) -> tuple[Number, Number]:
        """This worker's part of ``0 .. extent``, in whole units; one worker alone is spared the divisions."""
        before, divide, done = self.label("whole"), self.label("divide"), self.label("range")
        self.jump(before)
        self.place(before)
        self.branch(self.compare_int("eq", "%workers", 1), done, divide)
        self.place(divide)
        units = self.int_op("udiv", self.int_op("add", extent, unit - 1), unit)
        parts = []
        for worker in ("%worker", self.int_op("add", "%worker", 1)):
            share = self.int_op("udiv", self.int_op("mul", worker, units), "%workers")
            parts.append(self.minimum_int(self.int_op("mul", share, unit), extent))
        self.jump(done)
        self.place(done)
        bounds = []
        for whole, part in zip((0, extent), parts, strict=True):
            bounds.append(self.fresh("bound"))
            self.line(f"{bounds[-1]} = phi i64 [ {whole}, %{before} ], [ {part}, %{divide} ]")
        return bounds[0], bounds[1]

    # -- control ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def loop(self, start: Number, stop: Number, step: Number = 1) -> Iterator[str]:
        """``for index in range(start, stop, step)``."""
        before, head, body, latch, done = (self.label(name) for name in ("pre", "head", "body", "latch", "done"))
        index, following = self.fresh("i"), self.fresh("next")
        self.jump(before)
        self.place(before)
        self.jump(head)
        self.place(head)
        self.line(f"{index} = phi i64 [ {start}, %{before} ], [ {following}, %{latch} ]")
        self.branch(self.compare_int("slt", index, stop), body, done)
        self.place(body)
        yield index
        self.jump(latch)
        self.place(latch)
        self.line(f"{following} = add i64 {index}, {step}")
        self.jump(head)
        self.place(done)

    @contextlib.contextmanager
    def when(self, condition: Reg) -> Iterator[None]:
        then, done = self.label("then"), self.label("done")
        self.branch(condition, then, done)
        self.place(then)
        yield
        self.jump(done)
        self.place(done)

    def alloca(self, kind: str, align: int = 64) -> str:
        name = self.fresh("mem")
        self.allocas.append(f"  {name} = alloca {kind}, align {align}")
        return name

    def nest(
        self,
        bounds: Sequence[tuple[Number, Number]],
        first: int,
        inside: Callable[[dict[int, Number]], None],
        indices: dict[int, Number],
    ) -> None:
        """Loops over `bounds`, numbered from `first`, around `inside`."""
        if not bounds:
            inside(indices)
            return
        (start, stop), rest = bounds[0], bounds[1:]
        if (start, stop) == (0, 1):
            self.nest(rest, first + 1, inside, {**indices, first: 0})
            return
        with self.loop(start, stop) as index:
            self.nest(rest, first + 1, inside, {**indices, first: index})

    def along(self, loop: int, start: Number, stop: Number, inside: Callable[[Lanes], None], rest: int = 0) -> None:
        """Call `inside` for each vector of ``start .. stop``, and for the rest, of so many elements if known."""
        width = self.schedule.lanes
        exact = isinstance(start, int) and isinstance(stop, int)
        length = stop - start if exact else None  # type: ignore[operator]
        full: Number = self.int_op("sub", stop, self.remainder(self.int_op("sub", stop, start), width))
        if length is None or length >= width:
            with self.loop(start, full, width) as index:
                inside(Lanes(loop, width, index))
        if length is not None and length % width == 0:
            return
        if width > 1 and self.target.has_masks:
            rest = length % width if length is not None else rest
            with self.when(self.compare_int("slt", full, stop)):
                mask = self.mask(self.int_op("sub", stop, full))
                inside(Lanes(loop, width, full, mask, self.int_op("sub", stop, 1), rest))
        elif width > 1:
            with self.loop(full, stop) as index:
                inside(Lanes(loop, 1, index))

    def remainder(self, value: Number, divisor: int) -> Number:
        """``value mod divisor`` of a count."""
        if isinstance(value, int):
            return value % divisor
        name = self.fresh("n")
        self.line(f"{name} = urem i64 {value}, {divisor}")
        return name

    def mask(self, count: Number) -> str:
        """One bit a lane: whether the lane is among the first `count`."""
        width = self.schedule.lanes
        lanes = ", ".join(f"i32 {lane}" for lane in range(width))
        narrow = self.fresh("n")
        self.line(f"{narrow} = trunc i64 {count} to i32")
        wide = self.splat(Reg(narrow, int32), width)
        return self.op(f"icmp slt <{width} x i32> <{lanes}>, {wide}", bool_, width).name

    # -- memory -------------------------------------------------------------------------------------------------

    def element(self, pointer: str, dtype: DType, place: Number) -> str:
        if place == 0:
            return pointer
        name = self.fresh("p")
        self.line(f"{name} = getelementptr {memory_type(dtype)}, ptr {pointer}, i64 {place}")
        return name

    def load_run(self, address: str, dtype: DType, lanes: int, mask: str | None = None) -> Reg:
        """Elements that lie side by side."""
        kind = memory_type(dtype, lanes)
        if mask is None:
            raw = self.fresh("x")
            self.line(f"{raw} = load {kind}, ptr {address}, align {dtype.bytes}")
        else:
            raw = self.fresh("x")
            suffix = f"v{lanes}{'f' if dtype.is_float else 'i'}{dtype.bits}"
            self.declare(f"declare {kind} @llvm.masked.load.{suffix}.p0(ptr, <{lanes} x i1>, {kind})")
            call = f"@llvm.masked.load.{suffix}.p0(ptr align {dtype.bytes} {address}, <{lanes} x i1> {mask}, "
            self.line(f"{raw} = call {kind} {call}{kind} zeroinitializer)")
        if dtype == bool_:
            return self.op(
                f"icmp ne {kind} {raw}, zeroinitializer" if lanes > 1 else f"icmp ne i8 {raw}, 0", bool_, lanes
            )
        return Reg(raw, dtype, lanes)

    def store_run(self, address: str, value: Reg, mask: str | None = None) -> None:
        dtype, lanes = value.dtype, value.lanes
        kind, text = memory_type(dtype, lanes), value.name
        if dtype == bool_:
            text = self.fresh("x")
            self.line(f"{text} = zext {value.type} {value} to {kind}")
        if mask is None:
            self.line(f"store {kind} {text}, ptr {address}, align {dtype.bytes}")
            return
        suffix = f"v{lanes}{'f' if dtype.is_float else 'i'}{dtype.bits}"
        self.declare(f"declare void @llvm.masked.store.{suffix}.p0({kind}, ptr, <{lanes} x i1>)")
        call = (
            f"@llvm.masked.store.{suffix}.p0({kind} {text}, ptr align {dtype.bytes} {address}, <{lanes} x i1> {mask})"
        )
        self.line(f"call void {call}")

    def store_first(self, address: str, value: Reg, count: int) -> None:
        """The first lanes of a vector, in pieces of powers of two.

        Behind a masked store, a load of what lies where the mask is not would wait until the store is through: the next
        row's first vector does.
        """
        begin = 0
        for size in powers_of_two(count):
            piece = self.shuffle(value, value, range(begin, begin + size)) if size > 1 else self.extract(value, begin)
            self.store_run(self.element(address, value.dtype, begin), piece)
            begin += size

    def gather(self, pointer: str, dtype: DType, lanes: Lanes, place_of_lane: Callable[[int], Number]) -> Reg:
        """Elements from anywhere, one load a lane."""
        values = []
        for lane in range(lanes.count):
            values.append(self.load_run(self.element(pointer, dtype, place_of_lane(lane)), dtype, 1))
        return self.pack(values)

    def pack(self, values: Sequence[Reg]) -> Reg:
        dtype, count = values[0].dtype, len(values)
        kind, current = llvm_type(dtype, count), "poison"
        for lane, value in enumerate(values):
            name = self.fresh("pack")
            self.line(f"{name} = insertelement {kind} {current}, {value.type} {value}, i64 {lane}")
            current = name
        return Reg(current, dtype, count)

    def lane_index(self, lanes: Lanes, lane: int) -> Number:
        """The index along the vector loop of one lane; a masked lane reads the last element instead."""
        index = self.int_op("add", lanes.start, lane)
        return self.minimum_int(index, lanes.last) if lanes.mask is not None else index

    # -- the body -----------------------------------------------------------------------------------------------

    def varying(self, steps: Sequence[Instruction], loop: int, core_varies: bool) -> list[bool]:
        """Which steps differ from lane to lane."""
        varies: list[bool] = []
        for step in steps:
            here = any(varies[arg] for arg in step.args)
            if step.position is not None:
                here = here or step.position.depends_on(loop)
            varies.append(here or step.op == "core" and core_varies)
        return varies

    def uniform_steps(
        self, steps: Sequence[Instruction], loop: int, indices: dict[int, Number], core_varies: bool
    ) -> dict[int, Reg]:
        """The steps that are equal for all lanes, computed once as scalars; put before the vector loop."""
        varies = self.varying(steps, loop, core_varies)
        known: dict[int, Reg] = {}
        scalar = Lanes(loop, 1, 0)
        for number, step in enumerate(steps):
            if not varies[number] and step.op != "core":
                known[number] = self.emit_step(step, [known[arg] for arg in step.args], scalar, indices)
        return known

    def emit_steps(
        self,
        steps: Sequence[Instruction],
        lanes: Lanes,
        indices: dict[int, Number],
        known: dict[int, Reg],
        core: Reg | None = None,
    ) -> list[Reg]:
        """All steps for these lanes; what is `known` is spread over them when a step needs it."""
        values: list[Reg] = []
        here = {**indices, lanes.loop: lanes.start}
        for number, step in enumerate(steps):
            if number in known:
                values.append(known[number])
                continue
            if step.op == "core":
                assert core is not None
                values.append(core)
                continue
            args = [values[arg] for arg in step.args]
            if step.op == "compute":
                args = [arg if arg.lanes == lanes.count else self.splat(arg, lanes.count) for arg in args]
            values.append(self.emit_step(step, args, lanes, here))
        return values

    def emit_step(self, step: Instruction, args: list[Reg], lanes: Lanes, indices: dict[int, Number]) -> Reg:
        if step.op == "literal":
            return self.const(step.value, step.dtype, 1)
        if step.op == "size":
            size = self.extent(step.dim)
            return Reg(str(size), int64)
        if step.op == "position":
            return self.emit_position(step, lanes, indices)
        if step.op == "load":
            return self.emit_load(step, args, lanes, indices)
        params = dict(step.params)
        if step.primitive == "random_bits":
            key0, key1, stream, draw, at = args
            low = self.cast(at, uint32)
            high = self.cast(self.lshr(at, self.const(32, int64, at.lanes)), uint32)
            return self.philox(key0, key1, stream, draw, low, high)
        if step.primitive == "cast":
            return self.cast(args[0], params["dtype"])
        formula = PRIMITIVES[step.primitive].formula
        assert formula is not None, step.primitive
        return formula(self, *args, **params)

    def gathered_rows(self, indices: dict[int, Number], loop: int, start: Number) -> Iterator[tuple[str, DType]]:
        """Where the rows begin that the body reads by number, for steps whose number is the same along `loop`."""
        body = self.kernel.body
        varies = self.varying(body, loop, True)
        steps = [
            step
            for step in body
            if step.op == "load"
            and step.args
            and not varies[step.args[0]]
            and step.position is not None
            and step.position.is_unit(loop)
        ]
        known = self.uniform_steps(body, loop, indices, True) if steps else {}
        for step in steps:
            assert step.position is not None
            row = self.row_place(known[step.args[0]], step.row_stride, step.row_count)
            place = self.int_op("add", row, self.place_of(step.position.terms, {**indices, loop: start}))
            yield self.element(self.pointers[step.operand], step.dtype, place), step.dtype

    def prefetch_gathered(self, indices: dict[int, Number], loop: int) -> None:
        """Ask for the rows of a data set that this point of the outer loops reads: they lie anywhere in memory."""
        outer, inner = self.extent(self.kernel.loops[0]), self.extent(self.kernel.loops[loop])
        inside = {**indices, 0: self.minimum_int(indices[0], self.int_op("sub", outer, 1))}
        for address, dtype in self.gathered_rows(inside, loop, 0):
            size = self.int_op("mul", inner, dtype.bytes)
            if isinstance(size, int) and size < CACHE_LINE:
                continue
            with self.loop(0, size, CACHE_LINE) as offset:
                self.prefetch(address, offset)

    def prefetch(self, address: str, offset: Number, write: bool = False, level: int = 3) -> None:
        """Ask for the cache line at ``address + offset`` bytes, into the first cache (3) or the second (2)."""
        self.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        at = self.fresh("p")
        self.line(f"{at} = getelementptr i8, ptr {address}, i64 {offset}")
        self.line(f"call void @llvm.prefetch.p0(ptr {at}, i32 {int(write)}, i32 {level}, i32 1)")

    def emit_position(self, step: Instruction, lanes: Lanes, indices: dict[int, Number]) -> Reg:
        assert step.position is not None
        start = self.place_of(step.position.terms, indices)
        base = Reg(str(start), int64)
        if lanes.count == 1 or not step.position.depends_on(lanes.loop):
            return base
        stride = self.splat(Reg(str(self.stride(step.position, lanes.loop)), int64), lanes.count)
        return self.add(self.splat(base, lanes.count), self.multiply(self.iota(int64, lanes.count), stride))

    def emit_load(self, step: Instruction, args: list[Reg], lanes: Lanes, indices: dict[int, Number]) -> Reg:
        assert step.position is not None
        pointer, dtype, position = self.pointers[step.operand], step.dtype, step.position
        varies = position.depends_on(lanes.loop)
        if args:
            row = args[0]
            if row.lanes > 1:
                return self.gather(
                    pointer,
                    dtype,
                    lanes,
                    lambda lane: self.int_op(
                        "add",
                        self.row_place(self.extract(row, lane), step.row_stride, step.row_count),
                        self.place_of(position.terms, {**indices, lanes.loop: self.lane_index(lanes, lane)}),
                    ),
                )
            pointer = self.element(pointer, dtype, self.row_place(row, step.row_stride, step.row_count))
        if lanes.count == 1 or not varies:
            return self.load_run(self.element(pointer, dtype, self.place_of(position.terms, indices)), dtype, 1)
        if position.is_unit(lanes.loop):
            address = self.element(pointer, dtype, self.place_of(position.terms, indices))
            return self.load_run(address, dtype, lanes.count, lanes.mask)
        return self.gather(
            pointer,
            dtype,
            lanes,
            lambda lane: self.place_of(position.terms, {**indices, lanes.loop: self.lane_index(lanes, lane)}),
        )

    def extract(self, vector: Reg, lane: int) -> Reg:
        return self.op(f"extractelement {vector.type} {vector}, i64 {lane}", vector.dtype)

    def row_place(self, row: Reg, stride: Sequence[Term], count: Dim) -> Number:
        """Where a row read by number begins; numbers outside are clipped, so that no read leaves the array."""
        wide = self.cast(row, int64)
        inside = self.minimum_int(wide.name, self.int_op("sub", self.extent(count), 1))
        return self.int_op("mul", self.maximum_int(inside, 0), self.place_of(stride, {}))

    def emit_stores(self, values: list[Reg], lanes: Lanes, indices: dict[int, Number]) -> None:
        if lanes.or_all and lanes.rest:
            part, full, done = self.label("part"), self.label("full"), self.label("stored")
            behind = self.int_op("add", lanes.start, lanes.count - 1)
            self.branch(self.compare_int("sle", behind, lanes.last), full, part)
            self.place(full)
            self.emit_stores(values, Lanes(lanes.loop, lanes.count, lanes.start), indices)
            self.jump(done)
            self.place(part)
            self.emit_stores(values, replace(lanes, or_all=False), indices)
            self.jump(done)
            self.place(done)
            return
        for store in self.kernel.stores:
            value = values[store.value]
            if value.lanes != lanes.count:
                value = self.splat(value, lanes.count)
            self.emit_store(store, value, lanes, {**indices, lanes.loop: lanes.start})

    def emit_store(self, store: Store, value: Reg, lanes: Lanes, indices: dict[int, Number]) -> None:
        pointer = self.pointers[store.operand]
        if lanes.count == 1 or store.position.is_unit(lanes.loop):
            address = self.element(pointer, value.dtype, self.place_of(store.position.terms, indices))
            if lanes.mask is not None and lanes.rest:
                self.store_first(address, value, lanes.rest)
            else:
                self.store_run(address, value, lanes.mask)
            return
        for lane in range(lanes.count):
            index = {**indices, lanes.loop: self.int_op("add", lanes.start, lane)}
            address = self.element(pointer, value.dtype, self.place_of(store.position.terms, index))
            if lanes.mask is None:
                self.store_run(address, self.extract(value, lane))
            else:
                with self.when(self.extract(Reg(lanes.mask, bool_, lanes.count), lane)):
                    self.store_run(address, self.extract(value, lane))

    def emit_row(self, loop: int, start: Number, stop: Number, indices: dict[int, Number]) -> None:
        """Body and stores along a vector loop, without a core."""
        known = self.uniform_steps(self.kernel.body, loop, indices, False)

        def inside(lanes: Lanes) -> None:
            values = self.emit_steps(self.kernel.body, lanes, indices, known)
            self.emit_stores(values, lanes, indices)

        self.along(loop, start, stop, inside)

    # -- styles -------------------------------------------------------------------------------------------------

    def emit_loops(self) -> None:
        loops = self.extents(self.kernel.loops)
        if not loops:
            with self.when(self.compare_int("eq", "%worker", 0)):
                lanes = Lanes(-2, 1, 0)
                self.emit_stores(self.emit_steps(self.kernel.body, lanes, {}, {}), lanes, {})
            return
        last = len(loops) - 1
        if last == 0:
            start, stop = self.worker_range(loops[0], self.schedule.unit)
            self.emit_row(0, start, stop, {})
            return
        bounds = [self.worker_range(loops[0], self.schedule.unit), *((0, extent) for extent in loops[1:-1])]

        def row(indices: dict[int, Number]) -> None:
            self.prefetch_gathered({**indices, 0: self.int_op("add", indices[0], _ROWS_AHEAD)}, last)
            self.emit_row(last, 0, loops[last], indices)

        self.nest(bounds, 0, row, {})

    def accumulate(
        self,
        core: Reduction,
        place: str,
        lanes: Lanes,
        indices: dict[int, Number],
        known: dict[int, Reg],
    ) -> None:
        """``place = combine(place, element)`` for one point of the reduced loops."""
        element = self.emit_steps(core.body, lanes, indices, known)[-1]
        if element.lanes != lanes.count:
            element = self.splat(element, lanes.count)
        if lanes.mask is not None:
            identity = self.identity_of(core, lanes.count)
            mask = Reg(lanes.mask, bool_, lanes.count)
            element = self.select(mask, element, identity)
        kind = llvm_type(core.dtype, lanes.count)
        before = self.op(f"load {kind}, ptr {place}, align 4", core.dtype, lanes.count)
        self.line(f"store {kind} {self.combine(core, before, element)}, ptr {place}, align 4")

    def combine(self, core: Reduction, first: Reg, second: Reg) -> Reg:
        formula = PRIMITIVES[core.primitive].formula
        assert formula is not None
        return formula(self, first, second)

    def identity_of(self, core: Reduction, lanes: int) -> Reg:
        identity = PRIMITIVES[core.primitive].identity
        assert identity is not None
        return self.const(identity(core.dtype), core.dtype, lanes)

    def emit_inner_reduction(self) -> None:
        """Lanes run along the innermost reduced loop; they are combined in a fixed tree at the end."""
        core = self.kernel.core
        assert isinstance(core, Reduction)
        rank = self.kernel.rank
        inner = rank + len(core.extents) - 1
        extents = self.extents(core.extents)
        width = self.schedule.lanes
        wide, narrow = llvm_type(core.dtype, width), llvm_type(core.dtype)

        def reduce_row(indices: dict[int, Number]) -> None:
            vector = self.alloca(wide)
            rest = self.alloca(narrow)
            self.line(f"store {wide} {self.identity_of(core, width)}, ptr {vector}, align 4")
            self.line(f"store {narrow} {self.identity_of(core, 1)}, ptr {rest}, align 4")

            def run(here: dict[int, Number]) -> None:
                known = self.uniform_steps(core.body, inner, here, False)

                def inside(lanes: Lanes) -> None:
                    place = vector if lanes.count == width else rest
                    self.accumulate(core, place, lanes, here, known)

                self.along(inner, 0, extents[-1], inside)

            self.nest([(0, extent) for extent in extents[:-1]], rank, run, indices)
            total = self.op(f"load {wide}, ptr {vector}, align 4", core.dtype, width)
            value = total if width == 1 else self.reduce_lanes(lambda w, a, b: self.combine(core, a, b), total)
            tail = self.op(f"load {narrow}, ptr {rest}, align 4", core.dtype)
            value = self.combine(core, value, tail)
            lanes = Lanes(-2, 1, 0)
            self.emit_stores(self.emit_steps(self.kernel.body, lanes, indices, {}, value), lanes, indices)

        self.over_kept(reduce_row)

    def over_kept(self, inside: Callable[[dict[int, Number]], None]) -> None:
        loops = self.extents(self.kernel.loops)
        if not loops:
            with self.when(self.compare_int("eq", "%worker", 0)):
                inside({})
            return
        self.nest(
            [self.worker_range(loops[0], self.schedule.unit), *((0, extent) for extent in loops[1:])], 0, inside, {}
        )

    def emit_outer_reduction(self) -> None:
        """Lanes run along the innermost kept loop; each lane adds its own terms in order."""
        core = self.kernel.core
        assert isinstance(core, Reduction)
        rank = self.kernel.rank
        last = rank - 1
        loops = self.extents(self.kernel.loops)
        extents = self.extents(core.extents)

        def columns(start: Number, stop: Number, indices: dict[int, Number]) -> None:
            known = self.uniform_steps(self.kernel.body, last, indices, True)

            def inside(group: Sequence[Lanes]) -> None:
                kind = llvm_type(core.dtype, group[0].count)
                places = [self.alloca(kind) for _ in group]
                for place in places:
                    self.line(f"store {kind} {self.identity_of(core, group[0].count)}, ptr {place}, align 4")

                def add(here: dict[int, Number]) -> None:
                    for lanes, place in zip(group, places, strict=True):
                        self.accumulate(core, place, lanes, here, {})

                self.nest([(0, extent) for extent in extents], rank, add, indices)
                for lanes, place in zip(group, places, strict=True):
                    total = self.op(f"load {kind}, ptr {place}, align 4", core.dtype, lanes.count)
                    values = self.emit_steps(self.kernel.body, lanes, indices, known, total)
                    self.emit_stores(values, lanes, indices)

            # Several vectors side by side: their sums do not wait for each other.
            width = self.schedule.lanes
            length = self.int_op("sub", stop, start)
            if not isinstance(length, int) or length >= _ABREAST * width:
                whole = self.int_op("sub", stop, self.remainder(length, _ABREAST * width))
                with self.loop(start, whole, _ABREAST * width) as index:
                    inside([Lanes(last, width, self.int_op("add", index, at * width)) for at in range(_ABREAST)])
                start = whole
            self.along(last, start, stop, lambda lanes: inside([lanes]))

        if rank == 1:
            start, stop = self.worker_range(loops[0], self.schedule.unit)
            columns(start, stop, {})
        else:
            bounds = [self.worker_range(loops[0], self.schedule.unit), *((0, extent) for extent in loops[1:-1])]
            self.nest(bounds, 0, lambda indices: columns(0, loops[last], indices), {})

    def emit_accumulation(self) -> None:
        """Rows are added one after the other; the workers share the columns."""
        core = self.kernel.core
        assert isinstance(core, Accumulation)
        rank = self.kernel.rank
        loops = self.extents(self.kernel.loops)
        rows = self.extent(core.rows)
        place, value = core.body[-1].args
        steps = core.body[:-1]
        pointer = self.pointers[core.operand]

        def add(lanes: Lanes, indices: dict[int, Number]) -> None:
            with self.loop(0, rows) as row:
                here = {**indices, rank: row}
                results = self.emit_steps(steps, lanes, here, {})
                target = results[place]
                term = (
                    results[value] if results[value].lanes == lanes.count else self.splat(results[value], lanes.count)
                )
                wide = self.cast(target, int64)
                inside = self.logical_and(
                    self.compare_int("sge", wide.name, 0),
                    self.compare_int("slt", wide.name, self.extent(core.row_count)),
                )
                with self.when(inside):
                    begin = self.int_op("mul", wide.name, self.place_of(core.row_stride, {}))
                    start = self.place_of(core.position.terms, {**here, lanes.loop: lanes.start})
                    address = self.element(pointer, core.dtype, self.int_op("add", begin, start))
                    before = self.load_run(address, core.dtype, lanes.count, lanes.mask)
                    self.store_run(address, self.add(before, term), lanes.mask)

        if not loops:
            with self.when(self.compare_int("eq", "%worker", 0)):
                add(Lanes(-2, 1, 0), {})
        elif rank == 1:
            start, stop = self.worker_range(loops[0], self.schedule.unit)
            self.along(0, start, stop, lambda lanes: add(lanes, {}))
        else:
            bounds = [self.worker_range(loops[0], self.schedule.unit), *((0, extent) for extent in loops[1:-1])]

            def columns(indices: dict[int, Number]) -> None:
                self.along(rank - 1, 0, loops[-1], lambda lanes: add(lanes, indices))

            self.nest(bounds, 0, columns, {})

    def emit_transpose(self) -> None:
        """Square blocks of lanes x lanes, turned in registers; the edges element by element."""
        width = self.schedule.lanes
        load, store = self.kernel.body[0], self.kernel.stores[0]
        assert load.position is not None
        source, target = load.position, store.position
        rows, columns = self.extents(self.kernel.loops)  # of the result
        dtype = load.dtype
        start, stop = self.worker_range(rows, self.schedule.unit)
        zero = Lanes(-2, 1, 0)

        def copy_one(i: Number, j: Number) -> None:
            indices = {0: i, 1: j}
            value = self.emit_load(load, [], zero, indices)
            self.emit_store(store, value, zero, indices)

        full_columns = self.int_op("sub", columns, self.remainder(columns, width))
        full_stop = self.int_op("sub", stop, self.remainder(self.int_op("sub", stop, start), width))
        with self.loop(start, full_stop, width) as i:
            with self.loop(0, full_columns, width) as j:
                vectors = []
                for lane in range(width):
                    place = self.place_of(source.terms, {0: i, 1: self.int_op("add", j, lane)})
                    vectors.append(self.load_run(self.element(self.pointers[load.operand], dtype, place), dtype, width))
                for lane, vector in enumerate(self.transpose_block(vectors)):
                    place = self.place_of(target.terms, {0: self.int_op("add", i, lane), 1: j})
                    self.store_run(self.element(self.pointers[store.operand], dtype, place), vector)
            with self.loop(i, self.int_op("add", i, width)) as row, self.loop(full_columns, columns) as column:
                copy_one(row, column)
        with self.loop(full_stop, stop) as row, self.loop(0, columns) as column:
            copy_one(row, column)

    def transpose_block(self, vectors: list[Reg]) -> list[Reg]:
        """A square block of vectors turned: log2(lanes) rounds that exchange halves of ever smaller blocks."""
        width = vectors[0].lanes
        span = width // 2
        while span:
            turned = list(vectors)
            for first in range(width):
                if first & span:
                    continue
                second = first + span
                low = [lane if not lane & span else width + lane - span for lane in range(width)]
                high = [lane + span if not lane & span else width + lane for lane in range(width)]
                a, b = vectors[first], vectors[second]
                turned[first], turned[second] = self.shuffle(a, b, low), self.shuffle(a, b, high)
            vectors = turned
            span //= 2
        return vectors

    def shuffle(self, a: Reg, b: Reg, order: Sequence[int]) -> Reg:
        picks = ", ".join(f"i32 {lane}" for lane in order)
        return self.op(f"shufflevector {a.type} {a}, {b.type} {b}, <{len(order)} x i32> <{picks}>", a.dtype, len(order))

    def emit_matrix_product(self) -> None:
        from chainrule.compiler.llvm.product import emit_matrix_product

        emit_matrix_product(self)


def emit_kernel(kernel: Kernel, target: Target, name: str) -> str:
    """The LLVM module of one scheduled kernel."""
    return KernelEmitter(kernel, target, name).module()
