"""Packages whose names are imported when they are first asked for, so that a program pays for what it uses."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def importer(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package: modules to the names, in one text, that are taken from each.

    A module of the package itself is named under the package.
    """
    found = {name: place for place, names in places.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in found:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        if found[name] == package:
            value: Any = importlib.import_module(f"{package}.{name}")
        else:
            value = getattr(importlib.import_module(found[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
