"""Where a report comes from, so that it can be made again: versions, machine, seed, options, sums of the data."""

from __future__ import annotations

import hashlib
import json
import platform
from typing import Any

import llvmlite
import numpy as np

from chainrule import seeds
from chainrule.compiler.target import choose_target
from chainrule.inspect.markup import element, join
from chainrule.inspect.page import Section, facts, paragraph, shorten, table, unfold
from chainrule.inspect.report.sections.subject import Subject, describe_row_shape, name_arrays
from chainrule.runtime.machine import processor_name
from chainrule.version import __version__

_LONGEST_CONFIG = 20_000


def write_origin(subject: Subject) -> Section:
    """The section on how to make the report again."""
    model = subject.model
    outputs = model.output_names if model.gives_outputs else []
    rows = [
        [
            f"{kind} {shorten(name)}",
            f"{len(array):,}",
            describe_row_shape(array),
            array.dtype.name,
            element("code", sum_of(array)),
        ]
        for kind, (x, y) in {"judged": (subject.x, subject.y), "sample": subject.sample}.items()
        for name, array in (name_arrays(model, x, "x", model.input_names) | name_arrays(model, y, "y", outputs)).items()
    ]
    seed = (subject.config or {}).get("seed")
    versions = {
        "chainrule": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "llvmlite": llvmlite.__version__,
    }
    target = choose_target()
    pairs: list[tuple[str, Any]] = [
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("Processor", f"{processor_name()}, {target.name}, {target.vector_bits} bits wide"),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("Seed", f"{seeds.get_state()[0]}, of the process that wrote this report" if seed is None else str(seed)),
    ]
    config = None
    if subject.config:
        text = json.dumps(subject.config, indent=2, default=str, ensure_ascii=False)
        config = unfold("The options of the run", element("pre", text[:_LONGEST_CONFIG]))
    return Section(
        "origin",
        "How to reproduce it",
        join(
            [paragraph("Run:"), element("pre", subject.command)] if subject.command else None,
            facts(pairs),
            config,
            table(
                "The arrays and their SHA-256",
                ["array", "rows", "shape of a row", "type", "SHA-256"],
                rows,
                texts=(0, 2, 3, 4),
            ),
            unfold("The network as JSON", element("pre", describe_network(model))),
        ),
    )


def sum_of(array: np.ndarray) -> str:
    """The SHA-256 of the array's bytes in C order."""
    contiguous = np.ascontiguousarray(array)
    return hashlib.sha256(contiguous.reshape(-1).view(np.uint8).data).hexdigest()


def describe_network(model: Any) -> str:
    """The network's own description, as far as it has one."""
    try:
        text = str(model.to_json())
    except (TypeError, ValueError, NotImplementedError) as error:
        return f"The network cannot be described: {error}"
    return text if len(text) <= _LONGEST_CONFIG else text[:_LONGEST_CONFIG] + "\n…"


__all__ = ["write_origin"]
