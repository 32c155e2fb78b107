"""Names to objects: the closed tables behind ``activation="relu"`` and ``{"class_name": "Dense", "config": {…}}``.

Nothing outside a table is ever looked up or imported: what a file names must be here, or passed in by the caller.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import Any

from chainrule.errors import ChainruleError, unknown_name

_custom: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("custom", default={})  # noqa: B039


@contextlib.contextmanager
def custom_object_scope(objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Within, names of files may mean these objects too.

    Example:
        >>> with custom_object_scope({"double": lambda x: 2 * x}):
        ...     resolve("activation", "double", {})(3)
        6
    """
    token = _custom.set({**_custom.get(), **(objects or {})})
    try:
        yield
    finally:
        _custom.reset(token)


def custom_names() -> Mapping[str, Any]:
    """The objects that the scopes around allow, by name."""
    return _custom.get()


def resolve(kind: str, identifier: Any, table: Mapping[str, Any], custom: Mapping[str, Any] | None = None) -> Any:
    """An object from its name, its class, its config, or itself.

    Args:
        kind: what is looked for, for messages.
        identifier: a name of `table`, ``{"class_name": name, "config": {…}}``, a class, or an object.
        table: names to classes or functions.
        custom: further names that the caller allows.
    """
    names = {**table, **_custom.get(), **(custom or {})}
    if isinstance(identifier, str):
        found = names.get(identifier)
        if found is None:
            raise unknown_name(kind, identifier, names)
        return found() if isinstance(found, type) else found
    if isinstance(identifier, Mapping):
        name = identifier.get("class_name")
        if not isinstance(name, str) or not isinstance(identifier.get("config"), Mapping):
            raise ChainruleError(
                f"not the description of a {kind}", expected='{"class_name": …, "config": {…}}', got=dict(identifier)
            )
        found = names.get(name)
        if found is None:
            raise unknown_name(kind, name, names)
        return found.from_config(dict(identifier["config"])) if hasattr(found, "from_config") else found
    if isinstance(identifier, type):
        return identifier()
    if callable(identifier) or isinstance(identifier, Configured):
        return identifier
    raise ChainruleError(f"not a {kind}", expected="a name or an object", got=repr(identifier))


def describe(value: Any) -> Any:
    """What `resolve` makes the object from again; None stays None."""
    if value is None:
        return None
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    return value.__name__


class Configured:
    """Something made again from `get_config`: subclasses list their constructor's arguments in it."""

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        try:
            return cls(**config)
        except TypeError as error:
            raise ChainruleError(f"the configuration does not fit {cls.__name__}", got=str(error)) from None


def require_number(where: str, name: str, value: Any, low: float, high: float, open_high: bool = False) -> float:
    """`value` as a float within [low, high], or [low, high) with `open_high`."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not low <= value <= high or (open_high and value == high):
        raise ChainruleError(
            f"{name} is out of range", where=where, expected=f"a number from {low:g} to {high:g}", got=repr(value)
        )
    return float(value)
