"""The version of the installed package."""

from __future__ import annotations

from importlib import metadata


def find_version() -> str:
    """What the installation says; ``0+unknown`` for a source tree that is not installed."""
    try:
        return metadata.version("chainrule")
    except metadata.PackageNotFoundError:
        return "0+unknown"


__version__ = find_version()
