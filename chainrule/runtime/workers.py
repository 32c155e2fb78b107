"""Workers: threads that run a native function together, started once and waiting between calls.

The calling thread is worker 0. The others live in a native loop: they watch a ticket in shared memory for a while after
each job, then sleep on a lock until the next caller wakes them. Posting a job, waking, running and waiting are one
native call, so that no signal handler and no other Python code can come between and leave a worker waiting for its
team.

    mailbox   ticket (number of the job, and its team) | workers done | function, control, stride | state of each worker
    caller    fill in the job → new ticket → wake those asleep → run as worker 0 → wait until all are done
    worker    new ticket that names me? → run → count myself done → watch; after a while sleep
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from chainrule import settings
from chainrule.compiler.target import Target
from chainrule.runtime import cache, engine
from chainrule.runtime.launch import address_of

MOST = 256  # workers, at most
_LINE = 8  # words a cache line: what different workers write is kept apart
_TICKET, _DONE, _FUNCTION, _CONTROL, _STRIDE, _STATES = 0, _LINE, 2 * _LINE, 2 * _LINE + 1, 2 * _LINE + 2, 4 * _LINE
_SPINS = 2000
"""Looks at a value, with the processor's pause between, before other threads are let in."""
_YIELDS = 200
"""Times that other threads were let in before a worker without a job goes to sleep."""


class Seats(NamedTuple):
    """CPUs that workers keep to, each with its thread, and one that none does: for the caller."""

    taken: Mapping[int, int]
    free: int


class Pool:
    """The threads and the memory in which they find their jobs."""

    def __init__(self, target: Target):
        self.mailbox = np.zeros(_STATES + MOST * _LINE + _LINE, dtype=np.int64)
        skip = -self.mailbox.ctypes.data // 8 % _LINE
        self.address = self.mailbox.ctypes.data + 8 * skip
        self.states = self.mailbox[skip + _STATES :]
        api = ctypes.pythonapi
        addresses = (address_of(api.PyThread_acquire_lock), address_of(api.PyThread_release_lock), yield_address())
        self.mailbox[skip + _STATES - 3 : skip + _STATES] = addresses
        key = cache.make_key("pool", target.cpu, target.features, cache.compiler_version())
        (self.code,) = engine.functions_for([(key, lambda: pool_text(target, f"k_{key}"))], target)
        self._call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(self.code)
        self.ready = np.ones(1, dtype=np.int64)  # a team of so many may begin without Python's lock
        self.reset()

    def reset(self) -> None:
        """There are no workers yet."""
        self.lock = threading.RLock()  # a signal handler may call before or after the native call, in its thread
        self.started = 1
        self.proven = 1  # workers in their native loop: each has done a job
        self.jobs = 0  # under way, posted by those who gave that lock away
        self.ready[0] = 1
        self.seats = Seats({}, -1)
        self.seating = threading.RLock()

    def ensure(self, count: int) -> None:
        """Start the threads that are missing; each begins asleep."""
        api: Any = ctypes.pythonapi
        api.PyThread_allocate_lock.restype = ctypes.c_void_p
        while self.started < count:
            worker = self.started
            lock = api.PyThread_allocate_lock()
            api.PyThread_acquire_lock(ctypes.c_void_p(lock), 1)
            self.states[worker * _LINE] = 0  # asleep
            self.states[worker * _LINE + 1] = lock
            self.started += 1
            arguments = (self.address, 0, 0, 0, worker, 1)
            threading.Thread(target=self._serve, args=arguments, name=f"chainrule-{worker}", daemon=True).start()

    def _serve(self, *arguments: int) -> None:
        """The life of a worker."""
        self._keep_to_cpu(arguments[4])
        self._call(*arguments)

    def _keep_to_cpu(self, worker: int) -> None:
        """Give this thread a CPU of its own among those allowed, where the system lets threads choose.

        A worker that wakes up is else often put where the caller runs, who has just woken it and waits for it there; it
        takes the system several milliseconds to move one of the two. Where fewer workers than CPUs are wanted, other
        processes may want theirs too: then the choice is the system's.
        """
        if hasattr(os, "sched_setaffinity"):
            allowed = sorted(os.sched_getaffinity(0))
            if settings.count_workers() == len(allowed) and worker < len(allowed):
                os.sched_setaffinity(0, {allowed[worker]})
                with self.seating:
                    taken, free = self.seats
                    thread = threading.get_native_id()
                    self.seats = Seats({**taken, allowed[worker]: thread}, free if taken else allowed[0])

    def make_way(self) -> None:
        """Where the caller runs on the CPU that a worker keeps to, that worker changes to the one left free."""
        if self.seats.taken and (here := current_cpu()) in self.seats.taken:
            with self.seating, contextlib.suppress(OSError):  # that CPU may no longer be for this process
                taken, free = self.seats
                if here in taken:
                    os.sched_setaffinity(taken[here], {free})
                    others = {cpu: thread for cpu, thread in taken.items() if cpu != here}
                    self.seats = Seats({**others, free: taken[here]}, here)

    def run(self, function: int, control: int, stride: int, team: int) -> None:
        """Call ``function(control + worker * stride, worker)`` on `team` threads at once and wait for all."""
        if team == 1:  # nothing that is shared
            self._call(self.address, function, control, stride, team, 0)
            return
        with self.lock:
            if self.started < team:
                self.ensure(team)
            self.make_way()
            self.jobs += 1
            self.ready[0] = 1
            try:
                self._call(self.address, function, control, stride, team, 0)
                self.proven = max(self.proven, team)
            finally:
                self.jobs -= 1
                if not self.jobs:
                    self.ready[0] = self.proven


_pools: dict[Target, Pool] = {}
_making = threading.RLock()


def pool_for(target: Target) -> Pool:
    """The process's workers; those of different targets differ in a pause instruction only."""
    with _making:
        if target not in _pools:
            _pools[target] = Pool(target)
        return _pools[target]


def _forget() -> None:
    """A forked child has none of its parent's threads; it starts its own when it needs them."""
    global _making
    _making = threading.RLock()
    for pool in _pools.values():
        pool.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def yield_address() -> int:
    """The address of the system's "let another thread run", which waiting workers call."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread  # type: ignore[attr-defined]
    else:
        function = ctypes.CDLL(None).sched_yield
    return address_of(function)


def _find_current_cpu() -> Callable[[], int]:
    """What tells the CPU that a thread runs on; -1 where the system does not say."""
    function = getattr(ctypes.PyDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None
    return (lambda: -1) if function is None else function


current_cpu = _find_current_cpu()


def pause_call(target: Target) -> tuple[str, str]:
    """The processor's hint that a loop is waiting: the call, and its declaration."""
    if target.name == "neon":
        return "call void @llvm.aarch64.hint(i32 1)", "declare void @llvm.aarch64.hint(i32)"
    return "call void @llvm.x86.sse2.pause()", "declare void @llvm.x86.sse2.pause()"


def pool_text(target: Target, name: str) -> str:
    """``NAME(mailbox, function, control, stride, team or worker, serving)``.

    With serving = 0 it posts a job and takes part; else it is a worker's endless loop. A ticket is
    ``job * 65536 + team``. A worker says that it sleeps, then looks at the ticket once more; the caller changes the
    ticket, then looks who sleeps; both in sequentially consistent order, so that one of them sees the other.
    """
    pause, declaration = pause_call(target)
    # Addresses of this process's functions are no part of the cached code: they are read from the mailbox.
    slots = {"acquire": _STATES - 3, "release": _STATES - 2, "yield": _STATES - 1}

    def word(register: str, index: int, kind: str = "i64") -> str:
        return (
            f"  {register}.at = getelementptr i64, ptr %mailbox, i64 {index}\n"
            f"  {register} = load {kind}, ptr {register}.at, align 8"
        )

    return f"""target triple = "{target.triple}"
{declaration}
define void @{name}(ptr %mailbox, ptr %job, ptr %control, i64 %stride, i64 %number, i64 %serving) {{
entry:
{word("%acquire", slots["acquire"], "ptr")}
{word("%release", slots["release"], "ptr")}
{word("%yield", slots["yield"], "ptr")}
  %ticket.at = getelementptr i64, ptr %mailbox, i64 {_TICKET}
  %done.at = getelementptr i64, ptr %mailbox, i64 {_DONE}
  %function.at = getelementptr i64, ptr %mailbox, i64 {_FUNCTION}
  %control.at = getelementptr i64, ptr %mailbox, i64 {_CONTROL}
  %stride.at = getelementptr i64, ptr %mailbox, i64 {_STRIDE}
  %states = getelementptr i64, ptr %mailbox, i64 {_STATES}
  %serves = icmp ne i64 %serving, 0
  br i1 %serves, label %begin, label %post

post:
  %others = sub i64 %number, 1
  %alone = icmp eq i64 %others, 0
  br i1 %alone, label %own, label %fill
fill:
  store ptr %job, ptr %function.at, align 8
  store ptr %control, ptr %control.at, align 8
  store i64 %stride, ptr %stride.at, align 8
  store atomic i64 0, ptr %done.at monotonic, align 8
  %old = load atomic i64, ptr %ticket.at monotonic, align 8
  %old.job = lshr i64 %old, 16
  %new.job = add i64 %old.job, 1
  %new.high = shl i64 %new.job, 16
  %new = or i64 %new.high, %number
  %swapped = atomicrmw xchg ptr %ticket.at, i64 %new seq_cst
  br label %wake
wake:
  %w = phi i64 [ 1, %fill ], [ %w.next, %woken ]
  %w.more = icmp slt i64 %w, %number
  br i1 %w.more, label %ask, label %own
ask:
  %w.place = mul i64 %w, {_LINE}
  %w.state = getelementptr i64, ptr %states, i64 %w.place
  %was = atomicrmw xchg ptr %w.state, i64 1 seq_cst
  %asleep = icmp eq i64 %was, 0
  br i1 %asleep, label %rouse, label %woken
rouse:
  %w.lock.at = getelementptr i64, ptr %w.state, i64 1
  %w.lock = load ptr, ptr %w.lock.at, align 8
  call void %release(ptr %w.lock)
  br label %woken
woken:
  %w.next = add i64 %w, 1
  br label %wake
own:
  call void %job(ptr %control, i64 0)
  br label %look
look:
  %look.spins = phi i64 [ 0, %own ], [ %look.next, %look.rest ]
  %finished = load atomic i64, ptr %done.at acquire, align 8
  %all = icmp sge i64 %finished, %others
  %over = or i1 %all, %alone
  br i1 %over, label %end, label %look.wait
look.wait:
  %look.next = add i64 %look.spins, 1
  %look.long = icmp sgt i64 %look.spins, {_SPINS}
  br i1 %look.long, label %look.yield, label %look.pause
look.yield:
  %y1 = call i32 %yield()
  br label %look.rest
look.pause:
  {pause}
  br label %look.rest
look.rest:
  br label %look
end:
  ret void

begin:
  %my.place = mul i64 %number, {_LINE}
  %my.state = getelementptr i64, ptr %states, i64 %my.place
  %my.lock.at = getelementptr i64, ptr %my.state, i64 1
  %my.lock = load ptr, ptr %my.lock.at, align 8
  br label %sleep
watch:
  %seen = phi i64 [ %seen1, %idle ], [ %seen.now, %worked ]
  %spins = phi i64 [ %spins.next, %idle ], [ 0, %worked ]
  %ticket = load atomic i64, ptr %ticket.at seq_cst, align 8
  %same = icmp eq i64 %ticket, %seen
  br i1 %same, label %nothing, label %found
found:
  %found.ticket = phi i64 [ %ticket, %watch ], [ %late, %rise ], [ %ticket.woken, %sleep ]
  %team = and i64 %found.ticket, 65535
  %mine = icmp slt i64 %number, %team
  br i1 %mine, label %work, label %worked
work:
  %work.function = load ptr, ptr %function.at, align 8
  %work.control = load ptr, ptr %control.at, align 8
  %work.stride = load i64, ptr %stride.at, align 8
  %skip = mul i64 %number, %work.stride
  %part = getelementptr i8, ptr %work.control, i64 %skip
  call void %work.function(ptr %part, i64 %number)
  %count = atomicrmw add ptr %done.at, i64 1 acq_rel
  br label %worked
worked:
  %seen.now = phi i64 [ %found.ticket, %found ], [ %found.ticket, %work ]
  br label %watch
nothing:
  %spins.next = add i64 %spins, 1
  %long = icmp sgt i64 %spins, {_SPINS}
  br i1 %long, label %patient, label %pause
pause:
  {pause}
  br label %idle
patient:
  %enough = icmp sgt i64 %spins, {_SPINS + _YIELDS}
  br i1 %enough, label %doze, label %let
let:
  %y2 = call i32 %yield()
  br label %idle
idle:
  %seen1 = phi i64 [ %seen, %pause ], [ %seen, %let ]
  br label %watch
doze:
  %mark = atomicrmw xchg ptr %my.state, i64 0 seq_cst
  %late = load atomic i64, ptr %ticket.at seq_cst, align 8
  %still = icmp eq i64 %late, %seen
  br i1 %still, label %sleep, label %changed
changed:
  ; A new ticket came. Whoever sets the state to 1 first decides: if the caller did, its wake-up must be taken.
  %back = atomicrmw xchg ptr %my.state, i64 1 seq_cst
  %roused = icmp eq i64 %back, 1
  br i1 %roused, label %take, label %rise
take:
  %got1 = call i32 %acquire(ptr %my.lock, i32 1)
  br label %rise
rise:
  br label %found
sleep:
  %got2 = call i32 %acquire(ptr %my.lock, i32 1)
  %ticket.woken = load atomic i64, ptr %ticket.at seq_cst, align 8
  br label %found
}}
"""
