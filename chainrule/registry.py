"""Names to objects: the closed tables behind ``activation="relu"`` and ``{"class_name": "Dense", "config": {…}}``.

Nothing outside a table is ever looked up or imported: what a file names must be here, or passed in by the caller.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, unknown_name

_custom: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("custom", default={})  # noqa: B039

_registered: dict[str, Any] = {}
"""What the program itself registered, for the whole process, by ``package>name``."""


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """A decorator: files may name this class or function from here on, as ``package>name``.

    Args:
        package: a word that tells your names from others'.
        name: the class's or the function's own by default.

    Example:
        >>> @register_keras_serializable("mine")
        ... def double(x):
        ...     return 2 * x
        >>> resolve("activation", "mine>double", {})(3), get_registered_name(double)
        (6, 'mine>double')
    """

    def register(value: Any) -> Any:
        if isinstance(value, type) and not hasattr(value, "get_config"):
            raise ChainruleError("a class without get_config cannot be saved", where=value.__name__)
        _registered[f"{package}>{name or value.__name__}"] = value
        return value

    return register


def get_custom_objects() -> dict[str, Any]:
    """The table of what the program registered; what is entered here may be named by files too."""
    return _registered


def get_registered_name(obj: Any) -> str:
    """``package>name`` of a registered class or function; its own name where it is not registered."""
    for name, value in _registered.items():
        if value is obj:
            return name
    return str(obj.__name__)


def get_registered_object(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The object of this name in a scope, in `custom_objects`, or registered; None where there is none."""
    return {**custom_names(), **(custom_objects or {})}.get(name)


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


CustomObjectScope = custom_object_scope


def custom_names() -> Mapping[str, Any]:
    """The objects that the program registered and those that the scopes around allow, by name."""
    return {**_registered, **_custom.get()}


class _Names:
    """Every name in reach: what is said nearer to the caller counts first, a registered class's own name last."""

    def __init__(self, table: Mapping[str, Any], custom: Mapping[str, Any] | None):
        own = {value.__name__: value for value in _registered.values() if hasattr(value, "__name__")}
        self.given = {**_custom.get(), **(custom or {})}
        self.all = {**own, **table, **_registered, **self.given}

    def find(self, kind: str, name: str) -> Any:
        """The class or function of this name; a file's ``package>name`` may be given as the name alone."""
        found = self.all.get(name)
        if found is None and ">" in name:
            found = self.given.get(name.rpartition(">")[2])
        if found is None:
            raise unknown_name(kind, name, self.all)
        return found


def resolve(kind: str, identifier: Any, table: Mapping[str, Any], custom: Mapping[str, Any] | None = None) -> Any:
    """An object from its name, its class, its config, or itself.

    Args:
        kind: what is looked for, for messages.
        identifier: a name of `table`, ``{"class_name": name, "config": {…}}``, a class, or an object.
        table: names to classes or functions.
        custom: further names that the caller allows.
    """
    names = _Names(table, custom)
    if isinstance(identifier, str):
        found = names.find(kind, identifier)
        return found() if isinstance(found, type) else found
    if isinstance(identifier, Mapping):
        name = identifier.get("class_name")
        if not isinstance(name, str) or not isinstance(identifier.get("config"), Mapping):
            raise ChainruleError(
                f"not the description of a {kind}", expected='{"class_name": …, "config": {…}}', got=dict(identifier)
            )
        found = names.find(kind, name)
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
        return {"class_name": get_registered_name(type(value)), "config": value.get_config()}
    return get_registered_name(value)


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
    good = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not good or not low <= value <= high or (open_high and value == high):
        raise ChainruleError(
            f"{name} is out of range", where=where, expected=f"a number from {low:g} to {high:g}", got=repr(value)
        )
    return float(value)
