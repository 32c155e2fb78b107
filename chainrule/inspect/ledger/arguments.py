"""What a function and its arguments are called.

In: a function and the nests it is called with. Out: names for each positional argument and each array within it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def name_function(function: Callable[..., Any]) -> str:
    """What a function is called; ``f`` where it has no name."""
    name = getattr(function, "__name__", "f")
    return name if name.isidentifier() else "f"


def name_parameters(function: Callable[..., Any], count: int) -> list[str]:
    """What the positional arguments of a function are called."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built in functions do not tell
        return [f"x{place}" for place in range(count)]
    names = []
    for place in range(count):
        parameter = parameters[min(place, len(parameters) - 1)]
        several = parameter.kind is parameter.VAR_POSITIONAL
        names.append(f"{parameter.name}[{place - len(parameters) + 1}]" if several else parameter.name)
    return names


def name_leaves_of(arguments: tuple[Any, ...], names: list[str]) -> list[str]:
    """A name for each leaf of the arguments, in the order of `flatten`: ``x``, ``params[0]``, ``params.kernel``."""
    found: list[str] = []

    def visit(name: str, nest: Any) -> None:
        if nest is None:
            return
        if isinstance(nest, dict):
            for key in sorted(nest, key=lambda key: (type(key).__name__, key)):
                visit(f"{name}.{key}", nest[key])
        elif isinstance(nest, tuple) and hasattr(nest, "_fields"):
            for field, item in zip(nest._fields, nest, strict=True):
                visit(f"{name}.{field}", item)
        elif isinstance(nest, list | tuple):
            for place, item in enumerate(nest):
                visit(f"{name}[{place}]", item)
        else:
            found.append(name)

    for name, argument in zip(names, arguments, strict=True):
        visit(name, argument)
    return found
