"""`docs/coverage.md` says what the code has."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_is_what_the_code_gives():
    done = subprocess.run([sys.executable, str(ROOT / "oracle" / "coverage.py"), "--check"], timeout=120)
    assert done.returncode == 0, "run `python oracle/coverage.py`"
