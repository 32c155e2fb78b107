"""No kernel reads or writes outside its buffers, at any size near a constant of the microkernel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule
from chainrule.compiler.target import host_targets


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("how", [["end"], ["start"], ["end", "kept"]], ids="-".join)
@pytest.mark.parametrize("target", host_targets())
def test_products_stay_within_their_buffers(target, how):
    script = Path(__file__).with_name("guarded.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(chainrule.__file__).parent.parent)}
    command = [sys.executable, str(script), target, *how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "2778 products\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
def test_a_touch_outside_is_noticed():
    script = Path(__file__).with_name("guarded.py")
    touch = "import sys; sys.argv = ['guarded.py', '', 'end']; import runpy; "
    touch += f"names = runpy.run_path({str(script)!r}); array = names['guarded_empty']((3,), 'float32'); "
    touch += "import ctypes; ctypes.memset(array.ctypes.data + 12, 0, 1)"
    assert subprocess.run([sys.executable, "-c", touch], capture_output=True).returncode < 0
