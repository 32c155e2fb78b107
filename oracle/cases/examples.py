"""The example scripts with `import keras as cr` in the first line: from equal weights, equal numbers."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import numpy as np
from case import STEPS, Case

FOLDER = Path(__file__).resolve().parent.parent.parent / "examples"
EPOCHS = 3


def load(path: Path, package: str) -> Any:
    """The script as a module, with another package in the place of chainrule."""
    source = path.read_text("utf-8").replace("import chainrule as cr", f"import {package} as cr")
    module = types.ModuleType(f"{path.stem}_{package}")
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


def numbers(history: Any) -> list[np.ndarray]:
    """What training recorded, in the order of its names."""
    if isinstance(history, list):
        return [np.asarray(history)]
    return [np.asarray(history.history[name]) for name in sorted(history.history)]


def make_case(path: Path) -> Case:
    """One script, trained by both from the weights that chainrule drew."""
    start: list[Any] = []

    def trained(package: str) -> list[np.ndarray]:
        script = load(path, package)
        x, y = script.make_data()
        model = script.make_model()
        if package == "chainrule":
            start[:] = model.get_weights()
        else:
            model.set_weights(start)
        return numbers(script.train(model, x, y, epochs=EPOCHS))

    return Case(path.stem, lambda: trained("chainrule"), lambda: trained("keras"), limit=STEPS)


CASES = [make_case(path) for path in sorted(FOLDER.glob("*.py"))]
