"""The learning rate, tried: a few steps with the model's own optimizer on some rows, and with other rates where these
go wrong or nowhere.

A rate is too large where the loss has not fallen after many steps but shot up on the way, and falls with a smaller one.
It is too small where the loss hardly moves, and falls far faster with ten thousand times the rate. Where no rate helps,
the fault is another, and nothing is said.

Source: the trial of many rates is Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3.
That a loss may rise at first and fall after all is Lewkowycz et al., "The large learning rate phase of deep learning",
2020; so a rate is called too large only after `LONG` steps.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.data.arrays import spread_rows
from chainrule.errors import ChainruleError
from chainrule.graph.tree import flatten, map_leaves
from chainrule.inspect.doctor.examination import Examination, has_own_step, is_little_work
from chainrule.inspect.doctor.findings import Finding
from chainrule.inspect.doctor.rehearsal import Rehearsal, copy_optimizer
from chainrule.inspect.doctor.rules.refusals import as_finding
from chainrule.inspect.doctor.rules.rule import percent
from chainrule.training.prepare import Data

SHORT, LONG = 20, 100
"""Steps of a trial, and of the one that a large rate gets to come down again."""

ROWS = 512
"""Rows of a step: more than in most batches, so that the trial is kinder than training will be."""

WORK = 500_000_000
"""Rows times weights of a step; with more weights there are fewer rows."""

FEWEST_ROWS = 32

WILD = 1.5
"""Times the first loss that a loss has been on the way, where it counts as shot up. That of equal guesses is nearly
that of the beginning, so a loss that only wanders stays below."""

FALLS = 0.01
"""Part of the loss that must be gone for a rate to be called one that works."""

SLOW = 3_000
"""Steps for a tenth of the loss from which a rate is slow: six epochs of the digits for what takes a few steps."""

FAR_FROM_BEST = 10_000.0
"""Times the rate from which on the best one is of another order. In few steps the fastest is ten to a hundred times
what suits a whole training, and what is used for careful training lies a hundred times below that."""

TENFOLD = [10.0**power for power in range(1, 8)]
"""The other rates, as parts or multiples of the given one."""


def find_unfit_rate(examination: Examination) -> Iterator[Finding]:
    """A learning rate with which the loss shoots up, or stays where it is."""
    model = examination.model
    if has_own_step(model) or not model.trainable_variables:
        return
    data = take_rows(examination)
    rows = len(flatten(data)[0][0])
    try:
        optimizer = copy_optimizer(model.optimizer)
    except ChainruleError:  # one of the user's own, whose configuration is not all of it
        return
    try:
        trial = Rehearsal(model, optimizer, data, eager=model.run_eagerly or is_little_work(model, rows * SHORT))
    except ChainruleError as error:
        yield as_finding("refused", error.located("optimizer"))
        return
    losses = trial.run(SHORT)
    if not np.isfinite(losses[0]) or losses.min() <= 0:  # a loss without a lower end: parts of it mean nothing
        return
    if went_wild(losses):
        yield from judge_large(trial, rows)
    elif fall_of(losses) < 0.1 * SHORT / SLOW and trial.given.schedule is None:
        yield from judge_small(trial, losses, rows)


def take_rows(examination: Examination) -> Data:
    """Rows for the steps, spread evenly."""
    leaves = flatten(examination.sample)[0]
    weights = sum(weight.size for weight in examination.model.weights)
    count = min(len(leaves[0]), ROWS, max(WORK // max(weights, 1), FEWEST_ROWS))
    chosen = spread_rows(len(leaves[0]), count)
    rows: Data = map_leaves(lambda leaf: np.ascontiguousarray(leaf[chosen]), examination.sample)
    return rows


def went_wild(losses: np.ndarray) -> bool:
    """Whether the loss shot up, and did not come down again."""
    return not np.isfinite(losses[-1]) or (losses.max() > WILD * losses[0] and fall_of(losses) <= 0)


def fall_of(losses: np.ndarray, still: np.ndarray | None = None) -> float:
    """The part of the first loss that was gone in the last quarter of the steps.

    Args:
        still: the losses of the same steps with a rate of 0, where these differ by drawn numbers, as by Dropout's.
    """
    last = losses[-max(len(losses) // 4, 1) :]
    if not np.isfinite(last).all():
        return -np.inf
    before = losses[0] if still is None else still[-len(last) :].mean()
    return float((before - last.mean()) / losses[0])


def judge_large(trial: Rehearsal, rows: int) -> Iterator[Finding]:
    """The finding of a rate that is too large, if a smaller one does better."""
    losses = trial.run(LONG)
    if not went_wild(losses):
        return
    for part in TENFOLD:
        smaller = trial.run(SHORT, 1 / part)
        if not went_wild(smaller) and fall_of(smaller) >= FALLS:
            rate = trial.rate(0)
            yield Finding(
                rule="learning-rate-too-large",
                severity="error",
                where=f"optimizer '{trial.given.name}'",
                problem=f"with its learning rate {rate:g} the loss shoots up",
                evidence=f"in {len(losses)} steps on {rows:,} rows the loss goes from {losses[0]:.3g} to "
                f"{describe_loss(losses)}; with a rate of {rate / part:.1g} it falls by {percent(fall_of(smaller))} in "
                f"{SHORT} steps",
                fix=f"{'let the schedule begin with ' if trial.given.schedule else 'learning_rate='}"
                f"{rate / part / 10:.1g}, a tenth of the largest that worked",
            )
            return


def judge_small(trial: Rehearsal, losses: np.ndarray, rows: int) -> Iterator[Finding]:
    """The finding of a rate that is too small, if a far larger one does better."""
    still = trial.run(SHORT, 0.0)
    fall = fall_of(losses, still)
    if fall * SLOW > 0.1 * SHORT:
        return
    others = {times: trial.run(SHORT, times) for times in TENFOLD}
    if min(run.min() for run in others.values()) < 0:
        return
    falls = {times: -np.inf if went_wild(run) else fall_of(run, still) for times, run in others.items()}
    best = max(falls, key=lambda times: falls[times])
    rate = trial.rate(0)
    if best >= FAR_FROM_BEST and falls[best] >= FALLS and falls[best] > 10 * fall:
        yield Finding(
            rule="learning-rate-too-small",
            severity="warning",
            where=f"optimizer '{trial.given.name}'",
            problem=f"with its learning rate {rate:g} next to nothing is learned",
            evidence=f"in {SHORT} steps on {rows:,} rows the loss falls by {percent(max(fall, 0.0))}; with a rate "
            f"of {rate * best:.1g} it falls by {percent(falls[best])}",
            fix=f"learning_rate={rate * best / 10:.1g}, a tenth of the fastest that was tried",
        )


def describe_loss(losses: np.ndarray) -> str:
    """Where the loss went."""
    if np.isfinite(losses[-1]):
        return f"{losses[-1]:.3g}, and up to {losses.max():.3g} on the way"
    return "infinity" if np.isinf(losses[-1]) else "NaN"
