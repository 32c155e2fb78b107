"""The native loop that runs a program's table: steps over batches, rows of the table, barriers between them.

Its memory is a table of 64-bit words a worker (`Control`); it calls each row's kernel and never returns to Python
between steps. Every worker keeps its own copy of buffer addresses and sizes, because the batch's place and size change
from step to step.
"""

from __future__ import annotations

from enum import IntEnum

from chainrule.compiler.target import Target
from chainrule.runtime.workers import pause_call


class Control(IntEnum):
    """Words of the control block."""

    ROWS = 0  # number of rows
    TABLE = 1  # address of the rows
    BUFFERS = 2  # address of this worker's buffer addresses
    SIZES = 3  # address of this worker's open sizes
    FIRST = 4  # first step
    STOP = 5  # step after the last
    BATCH_SIZE = 6  # index of the open size "batch" (-1: no batches)
    BATCH = 7  # rows a batch
    TOTAL = 8  # rows in all
    ORDER_SLOT = 9  # buffer that moves along the order of rows
    ORDER = 10  # its address at step 0
    ORDER_BYTES = 11  # bytes an entry
    WORKERS = 12
    BARRIER = 13  # address of the counter
    YIELD = 14  # address of the system's yield
    TIMES = 15  # address of this worker's ticks: one word a row in its kernel, one a row waiting (0: not measured)
    WORDS = 16


class RowWord(IntEnum):
    """Words of one row of the table."""

    FUNCTION = 0
    ARGUMENTS = 1
    WORKERS = 2  # how many take part
    BARRIER = 3  # whether all wait before it
    WORDS = 4


_SPINS = 2000


def runner_text(target: Target, name: str) -> str:
    """The LLVM module of ``void NAME(ptr control, i64 worker)``."""
    lines: list[str] = []

    def word(register: str, field: Control, kind: str = "i64") -> None:
        lines.append(f"  {register}.at = getelementptr i64, ptr %control, i64 {int(field)}")
        lines.append(f"  {register} = load {kind}, ptr {register}.at, align 8")

    for register, field, kind in (
        ("%rows", Control.ROWS, "i64"),
        ("%table", Control.TABLE, "ptr"),
        ("%buffers", Control.BUFFERS, "ptr"),
        ("%sizes", Control.SIZES, "ptr"),
        ("%first", Control.FIRST, "i64"),
        ("%stop", Control.STOP, "i64"),
        ("%batchsize", Control.BATCH_SIZE, "i64"),
        ("%batch", Control.BATCH, "i64"),
        ("%total", Control.TOTAL, "i64"),
        ("%orderslot", Control.ORDER_SLOT, "i64"),
        ("%order", Control.ORDER, "ptr"),
        ("%orderbytes", Control.ORDER_BYTES, "i64"),
        ("%workers", Control.WORKERS, "i64"),
        ("%counter", Control.BARRIER, "ptr"),
        ("%yield", Control.YIELD, "ptr"),
        ("%times", Control.TIMES, "ptr"),
    ):
        word(register, field, kind)
    row = [
        ("%function", RowWord.FUNCTION, "ptr"),
        ("%arguments", RowWord.ARGUMENTS, "ptr"),
        ("%team", RowWord.WORKERS, "i64"),
        ("%wait", RowWord.BARRIER, "i64"),
    ]
    read_row = "\n".join(
        f"  {register}.at = getelementptr i64, ptr %row, i64 {int(field)}\n"
        f"  {register} = load {kind}, ptr {register}.at, align 8"
        for register, field, kind in row
    )
    ticks = _ticks(target)
    pause, pause_declaration = pause_call(target)
    flush, restore, flush_declarations = _flush_calls(target)
    body = f"""
{flush}
  %timed = icmp ne ptr %times, null
  br label %steps
steps:
  %step = phi i64 [ %first, %entry ], [ %step.next, %stepdone ]
  %t0 = phi i64 [ 0, %entry ], [ %t.end, %stepdone ]
  %more = icmp slt i64 %step, %stop
  br i1 %more, label %prepare, label %finish
prepare:
  %batched = icmp sge i64 %batchsize, 0
  br i1 %batched, label %place, label %rowhead0
place:
  %begin = mul i64 %step, %batch
  %left = sub i64 %total, %begin
  %few = icmp slt i64 %left, %batch
  %now = select i1 %few, i64 %left, i64 %batch
  %size.at = getelementptr i64, ptr %sizes, i64 %batchsize
  store i64 %now, ptr %size.at, align 8
  %skip = mul i64 %begin, %orderbytes
  %slice = getelementptr i8, ptr %order, i64 %skip
  %slot.at = getelementptr i64, ptr %buffers, i64 %orderslot
  store ptr %slice, ptr %slot.at, align 8
  br label %rowhead0
rowhead0:
  br label %rowhead
rowhead:
  %number = phi i64 [ 0, %rowhead0 ], [ %number.next, %rowdone ]
  %t1 = phi i64 [ %t0, %rowhead0 ], [ %t3, %rowdone ]
  %again = icmp slt i64 %number, %rows
  br i1 %again, label %rowbody, label %stepend
rowbody:
  %row.offset = mul i64 %number, {int(RowWord.WORDS)}
  %row = getelementptr i64, ptr %table, i64 %row.offset
{read_row}
  %mustwait = icmp ne i64 %wait, 0
  %several = icmp sgt i64 %workers, 1
  %both = and i1 %mustwait, %several
  br i1 %both, label %meet, label %work
meet:
  %t2 = add i64 %t1, 1
  br i1 %timed, label %meettimed, label %meetplain
meetplain:
  call void @{name}.barrier(ptr %counter, i64 %t2, i64 %workers, ptr %yield)
  br label %work
meettimed:
  %wait.row = add i64 %number, %rows
  %idle.at = getelementptr i64, ptr %times, i64 %wait.row
  %wait.begin = call i64 @{ticks}()
  call void @{name}.barrier(ptr %counter, i64 %t2, i64 %workers, ptr %yield)
  %wait.end = call i64 @{ticks}()
  call void @{name}.charge(ptr %idle.at, i64 %wait.begin, i64 %wait.end)
  br label %work
work:
  %t3 = phi i64 [ %t1, %rowbody ], [ %t2, %meetplain ], [ %t2, %meettimed ]
  %mine = icmp slt i64 %worker, %team
  br i1 %mine, label %invoke, label %rowdone
invoke:
  br i1 %timed, label %invoketimed, label %invokeplain
invokeplain:
  call void %function(ptr %buffers, ptr %arguments, ptr %sizes, i64 %worker, i64 %team)
  br label %rowdone
invoketimed:
  %row.at = getelementptr i64, ptr %times, i64 %number
  %row.begin = call i64 @{ticks}()
  call void %function(ptr %buffers, ptr %arguments, ptr %sizes, i64 %worker, i64 %team)
  %row.end = call i64 @{ticks}()
  call void @{name}.charge(ptr %row.at, i64 %row.begin, i64 %row.end)
  br label %rowdone
rowdone:
  %number.next = add i64 %number, 1
  br label %rowhead
stepend:
  %shared = icmp sgt i64 %workers, 1
  br i1 %shared, label %gather, label %stepdone
gather:
  %t4 = add i64 %t1, 1
  call void @{name}.barrier(ptr %counter, i64 %t4, i64 %workers, ptr %yield)
  br label %stepdone
stepdone:
  %t.end = phi i64 [ %t1, %stepend ], [ %t4, %gather ]
  %step.next = add i64 %step, 1
  br label %steps
finish:
{restore}
  ret void
}}

define internal void @{name}.charge(ptr %place, i64 %begin, i64 %end) {{
entry:
  %before = load i64, ptr %place, align 8
  %spent = sub i64 %end, %begin
  %after = add i64 %before, %spent
  store i64 %after, ptr %place, align 8
  ret void
}}

define internal void @{name}.barrier(ptr %counter, i64 %ticket, i64 %workers, ptr %yield) noinline {{
entry:
  %old = atomicrmw add ptr %counter, i64 1 acq_rel
  %goal = mul i64 %ticket, %workers
  br label %look
look:
  %spins = phi i64 [ 0, %entry ], [ %spins.next, %pause ]
  %value = load atomic i64, ptr %counter acquire, align 8
  %ready = icmp sge i64 %value, %goal
  br i1 %ready, label %done, label %spin
spin:
  %spins.next = add i64 %spins, 1
  %long = icmp sgt i64 %spins, {_SPINS}
  br i1 %long, label %give, label %rest
give:
  %result = call i32 %yield()
  br label %pause
rest:
  {pause}
  br label %pause
pause:
  br label %look
done:
  ret void
}}
"""
    triple = "\n".join(
        [f'target triple = "{target.triple}"', pause_declaration, flush_declarations, f"declare i64 @{ticks}()"]
    )
    head = f"{triple}\ndefine void @{name}(ptr %control, i64 %worker) {{\nentry:"
    return "\n".join([head, *lines]) + body


def _flush_calls(target: Target) -> tuple[str, str, str]:
    """Numbers below the smallest normal one count as zero from here on; the state before, again; the declarations.

    Moments of weights that learn nothing decay into such numbers, with which processors compute many times as slowly.
    """
    if target.name == "neon":
        return (
            "  %state = call i64 @llvm.aarch64.get.fpcr()\n"
            "  %flushed = or i64 %state, 16777216\n"
            "  call void @llvm.aarch64.set.fpcr(i64 %flushed)",
            "  call void @llvm.aarch64.set.fpcr(i64 %state)",
            "declare i64 @llvm.aarch64.get.fpcr()\ndeclare void @llvm.aarch64.set.fpcr(i64)",
        )
    return (
        "  %state.at = alloca i32, align 4\n"
        "  %flushed.at = alloca i32, align 4\n"
        "  call void @llvm.x86.sse.stmxcsr(ptr %state.at)\n"
        "  %state = load i32, ptr %state.at, align 4\n"
        "  %flushed = or i32 %state, 32832\n"  # results to zero (bit 15), operands as zero (bit 6)
        "  store i32 %flushed, ptr %flushed.at, align 4\n"
        "  call void @llvm.x86.sse.ldmxcsr(ptr %flushed.at)",
        "  call void @llvm.x86.sse.ldmxcsr(ptr %state.at)",
        "declare void @llvm.x86.sse.stmxcsr(ptr)\ndeclare void @llvm.x86.sse.ldmxcsr(ptr)",
    )


def _ticks(target: Target) -> str:
    """The intrinsic that reads a steady counter of the processor; on arm64 only the steady one is open to programs."""
    return "llvm.readsteadycounter" if target.name == "neon" else "llvm.readcyclecounter"
