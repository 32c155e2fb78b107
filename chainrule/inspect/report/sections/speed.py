"""Speed: where the time of a training step goes, kernel by kernel, and how near each comes to the machine's limits."""

from __future__ import annotations

from collections import defaultdict

from chainrule.inspect.markup import Markup, join
from chainrule.inspect.page import Section, bar, facts, paragraph, show_share, table, unfold
from chainrule.inspect.report.sections.subject import Subject
from chainrule.naming import keep_end
from chainrule.runtime.profile import Profile, RowProfile, format_seconds

_SHOWN = 10
_SCOPE = 26


def write_speed(subject: Subject) -> Section:
    """The section on a profiled training step."""
    found = subject.profile
    if isinstance(found, str):
        return Section("speed", "Speed", paragraph(f"The training step was not measured: {found}"))
    return Section("speed", "Speed", show_profile(found))


def show_profile(profile: Profile) -> Markup:
    """The step as a whole, then kernel by kernel, the slowest first."""
    machine = profile.machine
    kernels: dict[tuple[int, str, str], list[RowProfile]] = defaultdict(list)
    for row in profile.rows:
        kernels[row.kernel, row.family, row.scope].append(row)
    inside = sum(row.seconds for row in profile.rows) or 1.0
    rows = []
    for (number, family, scope), calls in kernels.items():
        seconds = sum(row.seconds for row in calls)
        rate = sum(row.operations for row in calls) / seconds / 1e9 if seconds else 0.0
        slowest = max(calls, key=lambda row: row.seconds)
        cells = [
            keep_end(scope, _SCOPE) or "the whole step",
            f"{family}\u00a0{number}",
            format_seconds(seconds),
            join(bar(seconds / inside), " ", show_share(seconds / inside)),
            show_share(rate / machine.peak_gflops, 0),
            f"{show_share(slowest.share, 0)} of {slowest.bound}",
        ]
        rows.append((seconds, cells))
    ordered = [cells for _, cells in sorted(rows, key=lambda pair: -pair[0])]
    head = ["part", "kernel", "time per step", "share of the step", "share of the peak", "share of its bound"]
    shown = table("The slowest kernels of a training step", head, ordered[:_SHOWN], texts=(0, 1))
    rest = ordered[_SHOWN:]
    crew = f"{profile.workers} worker{'s' if profile.workers > 1 else ''}"
    rate = profile.operations / profile.seconds / 1e9
    limits = (
        f"{machine.peak_gflops:.0f} GFLOP/s at most, {machine.bandwidth_gbs:.0f} GB/s from memory, "
        f"{machine.cache_gbs:.0f} GB/s from cache, measured just before"
    )
    return join(
        facts(
            [
                ("A training step", f"{format_seconds(profile.seconds)} with {crew}, mean of {profile.steps} steps"),
                ("Arithmetic", f"{rate:.0f} GFLOP/s, {show_share(profile.peak_share)} of the machine's peak"),
                ("The machine", f"{machine.processor}, {machine.target}: {limits}"),
            ]
        ),
        shown,
        unfold(f"{len(rest)} faster kernels", table("The other kernels", head, rest, texts=(0, 1))) if rest else None,
        paragraph(
            "A kernel is bounded by its arithmetic, by the bytes that it moves from memory or cache, or by the cost "
            "of a call; the last column says which, and how near to that bound it comes.",
            kind="aside",
        ),
    )


__all__ = ["write_speed"]
