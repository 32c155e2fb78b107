"""Runs that are killed at a hundred random moments end with the bits of one that was never stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
@pytest.mark.parametrize(("kind", "kills"), [("batches", 40), ("generator", 30), ("epochs", 30)])
def test_killed_runs_end_with_the_same_bits(kind: str, kills: int, tmp_path: Path) -> None:
    script = Path(__file__).with_name("killed.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), str(tmp_path), str(kills), kind]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
