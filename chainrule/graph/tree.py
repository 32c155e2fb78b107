"""Nests of arrays: dicts, lists, tuples and None are structure, everything else is a leaf.

`flatten` takes a nest apart into leaves and a hashable structure, `unflatten` puts it together again.
Dict keys keep their order in the result and are visited in sorted order, so equal nests give equal leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ChainruleError


@dataclass(frozen=True)
class Tree:
    """The structure of a nest without its leaves: `kind` is leaf, none, tuple, list, dict or a namedtuple class."""

    kind: Any
    keys: tuple[Any, ...] = ()
    children: tuple[Tree, ...] = ()

    @property
    def leaves(self) -> int:
        return 1 if self.kind == "leaf" else sum(child.leaves for child in self.children)


LEAF = Tree("leaf")
NONE = Tree("none")


def flatten(nest: Any) -> tuple[list[Any], Tree]:
    """The leaves of a nest in order, and its structure.

    Example:
        >>> leaves, tree = flatten({"b": 1, "a": (2, [3])})
        >>> leaves
        [2, 3, 1]
        >>> unflatten(tree, [20, 30, 10])
        {'a': (20, [30]), 'b': 10}
    """
    leaves: list[Any] = []
    return leaves, _flatten(nest, leaves)


def _flatten(nest: Any, leaves: list[Any]) -> Tree:
    if nest is None:
        return NONE
    if isinstance(nest, dict):
        keys = tuple(sorted(nest, key=lambda key: (type(key).__name__, key)))
        return Tree("dict", keys, tuple(_flatten(nest[key], leaves) for key in keys))
    if isinstance(nest, tuple):
        kind = type(nest) if hasattr(nest, "_fields") else "tuple"
        return Tree(kind, (), tuple(_flatten(item, leaves) for item in nest))
    if isinstance(nest, list):
        return Tree("list", (), tuple(_flatten(item, leaves) for item in nest))
    leaves.append(nest)
    return LEAF


def unflatten(tree: Tree, leaves: Sequence[Any]) -> Any:
    """The nest with this structure and these leaves."""
    if len(leaves) != tree.leaves:
        raise ChainruleError("the number of leaves does not fit the nest", expected=tree.leaves, got=len(leaves))
    return _unflatten(tree, iter(leaves))


def _unflatten(tree: Tree, leaves: Any) -> Any:
    if tree.kind == "leaf":
        return next(leaves)
    if tree.kind == "none":
        return None
    children = [_unflatten(child, leaves) for child in tree.children]
    if tree.kind == "dict":
        return dict(zip(tree.keys, children, strict=True))
    if tree.kind == "list":
        return children
    if tree.kind == "tuple":
        return tuple(children)
    return tree.kind(*children)


def map_leaves(function: Callable[..., Any], nest: Any, *others: Any) -> Any:
    """The nest with `function` applied to each leaf, and to the leaves of `others` at the same place."""
    leaves, tree = flatten(nest)
    columns = [leaves]
    for other in others:
        other_leaves, other_tree = flatten(other)
        if other_tree != tree:
            raise ChainruleError("two nests differ in structure", expected=tree, got=other_tree)
        columns.append(other_leaves)
    return unflatten(tree, [function(*row) for row in zip(*columns, strict=True)])
