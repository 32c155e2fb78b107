"""What a model takes and gives, by name: one array, a list of them, or a dict.

`Output` describes a model's output; `split` puts a nest of arrays into the order of names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ChainruleError, unknown_name
from chainrule.graph.types import DType


@dataclass(frozen=True)
class Output:
    """One array that a model gives.

    Args:
        name: for logs and dicts: of the last layer, or the key.
        shape: without the batch.
        layer: what computes it, for messages.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    layer: str


def split(what: str, nest: Any, names: Sequence[str]) -> list[Any]:
    """The parts of a nest in the order of `names`; None for what a dict leaves out.

    Raises:
        ChainruleError: for a list of another length, or a key that is no name.

    Example:
        >>> split("y", {"b": 2, "a": 1}, ["a", "b", "c"])
        [1, 2, None]
    """
    if nest is None:
        return [None] * len(names)
    if isinstance(nest, dict):
        for key in nest:
            if key not in names:
                raise unknown_name("name", key, list(names), where=what)
        return [nest.get(name) for name in names]
    if isinstance(nest, list | tuple) and (len(names) > 1 or is_list_of_arrays(nest)):
        if len(nest) != len(names):
            raise ChainruleError(
                "another number of arrays than the model has",
                where=what,
                expected=f"{len(names)}: {', '.join(names)}",
                got=len(nest),
            )
        return list(nest)
    if len(names) != 1:
        raise ChainruleError(
            "one array, where the model has several",
            where=what,
            expected=f"a list or dict of {', '.join(names)}",
            got=type(nest).__name__,
        )
    return [nest]


def is_list_of_arrays(value: Any) -> bool:
    """Whether this is a list of arrays, not an array written as a list of numbers."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(hasattr(item, "shape") and len(item.shape) > 0 or isinstance(item, dict) for item in value)
    )


def map_arrays(function: Callable[[str, Any], Any], name: str, nest: Any) -> Any:
    """A function of name and array on every array of a nest; lists of numbers are arrays."""
    if isinstance(nest, dict):
        return {key: map_arrays(function, f"{name}[{key!r}]", value) for key, value in nest.items()}
    if is_list_of_arrays(nest):
        parts = [map_arrays(function, f"{name}[{place}]", value) for place, value in enumerate(nest)]
        return tuple(parts) if isinstance(nest, tuple) else parts
    return function(name, nest)
