"""Profile: where the time of a program goes, row by row, against what the machine can do.

A step is timed by the clock; what part of it each row's kernel takes, with the processor's own counter, while the
program runs as it always does. Beside a row's time stand three lower limits: its arithmetic at the measured peak, its
bytes at the bandwidth of cache or memory, and the cost of a call. The largest is what bounds the row; how near the row
comes to it is its share.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from chainrule.compiler.cost import count_operations, count_traffic
from chainrule.graph.types import OpenDim
from chainrule.naming import keep_end
from chainrule.runtime.executable import Executable
from chainrule.runtime.machine import Machine, measure_machine

_CALL_SECONDS = 10e-9
"""About what calling a kernel costs that does nothing."""

_NEAR_BYTES = 4 << 20
"""Up to so many bytes a worker, what a kernel touches is taken to lie in a cache, where the row before left it."""

_SETTLING_SECONDS = 0.05
"""So long a program must have run for the choice of the number of workers to be settled."""

_MEASURED_SECONDS = 0.1
"""Runs are measured for so long; what disturbs some of them does not disturb the fastest."""

_WIDTH = 80  # columns of the table


@dataclass(frozen=True)
class RowProfile:
    """One row of a program, for one step.

    Args:
        seconds: in the kernel, of the slowest worker.
        waiting: seconds of the first worker at the barrier before it.
        operations, traffic: arithmetic operations and bytes.
        team: workers that share the row.
        bound: ``arithmetic``, ``memory``, ``cache`` or ``call``.
        share: the bounding limit over the time; of the arithmetic peak of the workers in the team.
    """

    row: int
    kernel: int
    family: str
    scope: str
    seconds: float
    waiting: float
    operations: int
    traffic: int
    team: int
    bound: str
    share: float


@dataclass(frozen=True)
class Profile:
    """A profiled program.

    Args:
        steps: steps a run; the fastest run with and the fastest without counters are what is shown.
        workers: threads that ran it.
        seconds: a whole step by the clock, without counters.
        paces: seconds a step for each number of workers that was tried.
    """

    name: str
    machine: Machine
    steps: int
    workers: int
    seconds: float
    paces: Mapping[int, float]
    rows: tuple[RowProfile, ...]

    @property
    def operations(self) -> int:
        return sum(row.operations for row in self.rows)

    @property
    def peak_share(self) -> float:
        """All operations over what the whole machine could have done in that time."""
        return self.operations / self.seconds / (self.machine.peak_gflops * 1e9)

    def __str__(self) -> str:
        return format_profile(self)


def profile_steps(
    executable: Executable,
    arrays: Sequence[Any],
    *,
    batch_size: int,
    steps: int,
    workers: int | None = None,
    machine: Machine | None = None,
) -> Profile:
    """Run `steps` steps a few times and measure each row of the program.

    Args:
        arrays: as for `Executable.run_steps`; the Variables change as in training.
        workers: threads; the number that runs fastest by default.
        machine: limits measured before; measured now by default.
    """
    limits = machine or measure_machine(executable.workers)
    program = executable.program
    run = partial(executable.run_steps, arrays, batch_size=batch_size, first=0, count=steps)
    run()
    while executable.pace.now < _SETTLING_SECONDS:
        run()
    crew = workers or executable.pace.best()
    step, times = _time_rows(executable, run, crew)
    # The first worker is in a kernel or at a barrier nearly all the time: that gives the length of a tick.
    ticks = times[0].sum()
    tick = step / ticks if ticks else 0.0
    sizes = dict(executable.capacity)
    sizes.update({dim.name: batch_size for dim in _order_dims(executable)})
    rows = []
    for number, row in enumerate(program.rows):
        kernel = program.kernels[row.kernel]
        team = executable.team(number, crew)
        seconds = float(times[:team, 0, number].max()) * tick
        operations, traffic = count_operations(kernel, sizes), count_traffic(kernel, sizes)
        part = 1e9 * team / limits.workers
        near = traffic <= _NEAR_BYTES * team
        least = {
            "arithmetic": operations / (limits.peak_gflops * part),
            "cache" if near else "memory": traffic / ((limits.cache_gbs if near else limits.bandwidth_gbs) * part),
            "call": _CALL_SECONDS,
        }
        bound = max(least, key=lambda name: least[name])
        rows.append(
            RowProfile(
                number,
                row.kernel,
                kernel.family,
                row.scope,
                seconds,
                float(times[0, 1, number]) * tick,
                operations,
                traffic,
                team,
                bound,
                least[bound] / seconds if seconds else 0.0,
            )
        )
    paces = {**executable.pace.seconds, crew: step}
    return Profile(program.name, limits, steps, crew, step, paces, tuple(rows))


def _time_rows(executable: Executable, run: Callable[..., None], crew: int) -> tuple[float, np.ndarray]:
    """Seconds a step of the fastest run with so many workers, and the ticks of the rows in the fastest counted one."""
    plain: list[float] = []
    counted: list[np.ndarray] = []
    began = time.perf_counter()
    while not plain or time.perf_counter() - began < _MEASURED_SECONDS:
        with executable.pace.hold(crew) as trial:
            run()
        plain.append(trial.seconds / trial.counted)
        times = np.zeros((crew, 2, len(executable.program.rows)), dtype=np.int64)
        run(times=times)
        counted.append(times)
    return min(plain), min(counted, key=lambda times: int(times[0].sum()))


def _order_dims(executable: Executable) -> list[OpenDim]:
    """The open dimension of the order of rows: the batch."""
    shape = executable.traced.graph.inputs[executable.traced.arguments - 1].shape
    return [dim for dim in shape if isinstance(dim, OpenDim)]


def format_share(share: float) -> str:
    """A share of a limit; the limits are measured themselves, and a kernel may come out a little faster.

    Example:
        >>> format_share(0.873), format_share(1.02)
        ('87%', 'limit')
    """
    return "limit" if share >= 1 else f"{share:.0%}"


def format_profile(profile: Profile) -> str:
    """The table that ``chainrule profile`` prints: 80 columns."""
    tried = _list_paces(profile.paces)
    steps = f"mean of {profile.steps} steps" if profile.steps > 1 else "one step"
    head = [
        profile.machine.describe(),
        f"{profile.name}: {format_seconds(profile.seconds)} a step, {profile.operations / profile.seconds / 1e9:.0f} "
        f"GFLOP/s, {profile.peak_share:.0%} of the peak ({steps})",
        f"workers: {profile.workers}" + (f" (a step with {tried})" if tried else ""),
    ]
    kernels = [f"{row.kernel} {row.family}" for row in profile.rows]
    number, width = max(3, len(str(len(kernels)))), max(map(len, ["kernel", *kernels]))
    room = _WIDTH - number - width - 49  # for the scope, beside columns of fixed width
    lines = [line for text in head for line in textwrap.wrap(text, _WIDTH, subsequent_indent="  ")]
    lines += ["", f"{'row':>{number}} {'kernel':<{width}} {'scope':<{room}}    time    wait GFLOP/s  GB/s share of"]
    for row, kernel in zip(profile.rows, kernels, strict=True):
        rate = row.operations / row.seconds / 1e9 if row.seconds else 0.0
        moved = row.traffic / row.seconds / 1e9 if row.seconds else 0.0
        lines.append(
            f"{row.row:>{number}} {kernel:<{width}} {keep_end(row.scope, room):<{room}}{format_seconds(row.seconds):>8}"
            f"{format_seconds(row.waiting):>8}{rate:>8.1f}{moved:>6.1f} {format_share(row.share):>5} {row.bound}"
        )
    inside, waiting = sum(row.seconds for row in profile.rows), sum(row.waiting for row in profile.rows)
    lines += ["", f"in kernels {format_seconds(inside)}, waiting at barriers {format_seconds(waiting)}"]
    return "\n".join(lines)


def _list_paces(paces: Mapping[int, float]) -> str:
    """The steps' times, if there is anything to compare."""
    return ", ".join(f"{size}: {format_seconds(paces[size])}" for size in sorted(paces)) if len(paces) > 1 else ""


def format_seconds(seconds: float) -> str:
    """A time with three figures.

    Example:
        >>> format_seconds(0.00104)
        '1.04 ms'
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            value = seconds / scale
            return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"
    return f"{seconds * 1e9:.0f} ns"
