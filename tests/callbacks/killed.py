"""A training that is killed again and again: a program of its own, which `test_killed_runs` starts.

python killed.py FOLDER KILLS KIND

A run that is never stopped comes first. Then the same run is started, killed at a random moment, started again, and so
on until it ends; and the whole anew, until there were so many kills. This process starts no threads, so that it may
fork: each start is a child that finds everything imported, and then does what a script would do.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.callbacks import (
    BackupAndRestore,
    CSVLogger,
    EarlyStopping,
    JSONLinesLogger,
    ReduceLROnPlateau,
    TensorBoard,
)

EPOCHS = 25


def make_data() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((120, 5)).astype("f")
    return x, x.sum(1) + np.random.default_rng(1).standard_normal(120).astype("f")


def batches(x: np.ndarray, y: np.ndarray):
    """Batches for ever, as a generator of one's own."""
    place = 0
    while True:
        rows = np.arange(place, place + 8) % len(x)
        yield x[rows], y[rows]
        place += 8


def train(folder: Path, kind: str) -> None:
    """The user's script."""
    cr.set_random_seed(3)
    x, y = make_data()
    model = cr.Sequential([cr.Input((5,)), cr.layers.Dense(8, "tanh"), cr.layers.Dropout(0.3), cr.layers.Dense(1)])
    model.compile(cr.optimizers.Adam(0.05), "mse", metrics=["mae"])
    callbacks = [
        EarlyStopping("val_loss", patience=9, restore_best_weights=True),
        ReduceLROnPlateau("val_loss", patience=2, factor=0.5),
        CSVLogger(folder / "log.csv"),
        JSONLinesLogger(folder / "log.jsonl"),
        TensorBoard(folder / "events", update_freq=5),
        BackupAndRestore(folder / "backup", save_freq=7 if kind != "epochs" else "epoch", double_checkpoint=True),
    ]
    options = {"epochs": EPOCHS, "verbose": 0, "callbacks": callbacks, "validation_data": (x[:20], y[:20])}
    if kind == "generator":
        history = model.fit(batches(x, y), steps_per_epoch=13, **options)
    else:
        history = model.fit(x, y, batch_size=8, **options)
    seed = np.array([cr.seeds.next_seed() % 2**32])
    logs = [np.array(values) for _, values in sorted(history.history.items())]
    final = [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables), seed, *logs]
    np.savez(folder / "new.npz", *final)
    (folder / "new.npz").replace(folder / "final.npz")


def start(folder: Path, kind: str) -> int:
    """A child that trains."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            train(folder, kind)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def contents(folder: Path) -> tuple[list[np.ndarray], bytes, bytes, int]:
    """What a run that has ended leaves."""
    with np.load(folder / "final.npz") as final:
        arrays = [final[name] for name in final.files]
    # A start that was killed before its first backup leaves a file of its own.
    events = max(path.stat().st_size for path in (folder / "events" / "train").iterdir())
    return arrays, (folder / "log.csv").read_bytes(), (folder / "log.jsonl").read_bytes(), events


def wait(child: int, seconds: float) -> int | None:
    """The status with which a child ended, or None where it has not after so long."""
    until = time.perf_counter() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.perf_counter() >= until:
            return None
        time.sleep(0.0005)


def run_whole(folder: Path, kind: str) -> float:
    """A run that is not stopped, and its seconds."""
    folder.mkdir()
    began = time.perf_counter()
    assert wait(start(folder, kind), 120) == 0
    assert not (folder / "backup").exists()
    return time.perf_counter() - began


def main(root: Path, kills: int, kind: str) -> None:
    run_whole(root / "first", kind)  # which compiles
    seconds = run_whole(root / "whole", kind)
    wanted = contents(root / "whole")
    moments = random.Random(0)
    done = runs = 0
    while done < kills:
        runs += 1
        folder = root / f"run{runs}"
        folder.mkdir()
        while True:
            child = start(folder, kind)
            status = wait(child, moments.uniform(0, 0.6 * seconds) if done < kills else 120)
            if status is not None:
                assert status == 0
                break
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            done += 1
        found = contents(folder)
        for mine, other in zip(found[0], wanted[0], strict=True):
            assert mine.tobytes() == other.tobytes(), (mine, other)
        for mine, other in zip(found[1:], wanted[1:], strict=True):
            assert mine == other, (mine, other)
        assert not (folder / "backup").exists()
        shutil.rmtree(folder)
    print(f"{done} kills, {runs} runs, {seconds:.2f} s a run")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
