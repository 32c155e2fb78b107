"""Errors that tell the reader what to do.

Every message is built here, so that each has the same four parts: where it happened, what was expected,
what was given, and what to do about it.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable
from typing import Any

_MARGIN = 12
"""Letters before what was expected."""


class ChainruleError(ValueError):
    """A mistake that chainrule refused, with the reason and the remedy.

    Args:
        problem: one sentence that says what is wrong.
        where: the layer, argument, operation or file concerned.
        expected: what would have been accepted.
        got: what was given.
        fix: what to do.

    Example:
        >>> error = ChainruleError("the kernel does not fit", where="layer 'dense_1'", expected="(4, 3)", got="(5, 3)")
        >>> print(error)
        layer 'dense_1': the kernel does not fit
          expected: (4, 3)
          got:      (5, 3)
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | None = None,
        expected: object = None,
        got: object = None,
        fix: str | None = None,
    ):
        self.problem = problem
        self.where = where
        self.expected = expected
        self.got = got
        self.fix = fix
        lines = [f"{where}: {problem}" if where else problem]
        if expected is not None:
            lines.append(f"  expected: {expected}")
        if got is not None:
            lines.append(f"  got:      {got}")
        if fix is not None:
            lines.append(f"  fix:      {fix}")
        super().__init__("\n".join(lines))

    def located(self, where: str) -> ChainruleError:
        """The same error with an outer place put before its own, such as a layer's name."""
        inner = f"{where}: {self.where}" if self.where else where
        return type(self)(self.problem, where=inner, expected=self.expected, got=self.got, fix=self.fix)


class TracingError(ChainruleError):
    """A function did with a traced value what only a number can do."""


class DataError(ChainruleError):
    """Data that cannot be trained on: wrong shape, type, range, or not finite."""


class FileError(ChainruleError):
    """A file that is missing, damaged, truncated, or of another kind."""


class NonFiniteLossError(ChainruleError, RuntimeError):
    """The loss became NaN or infinite in training.

    Args:
        provenance: where the first number that is not finite came from, where that is known; the message ends with it.

    The others are those of `ChainruleError`.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | None = None,
        expected: object = None,
        got: object = None,
        fix: str | None = None,
        provenance: Any = None,
    ):
        super().__init__(problem, where=where, expected=expected, got=got, fix=fix)
        self.provenance = provenance
        if provenance is not None:
            self.args = (f"{self.args[0]}\n{provenance}",)


def unknown_name(kind: str, name: object, known: Iterable[str], *, where: str | None = None) -> ChainruleError:
    """The error for a name that is not among `known`, with the nearest one suggested.

    Example:
        >>> print(unknown_name("activation", "rellu", ["relu", "tanh"]))
        unknown activation 'rellu'
          expected: one of relu, tanh
          got:      'rellu'
          fix:      did you mean 'relu'?
    """
    options = sorted(known)
    # As it is written first, then without regard to capitals.
    near = difflib.get_close_matches(str(name), options, n=1, cutoff=0.5)
    near = near or difflib.get_close_matches(str(name).lower(), [option.lower() for option in options], n=1, cutoff=0.5)
    match = next((option for option in options if near and option.lower() == near[0].lower()), None)
    match = near[0] if near and near[0] in options else match
    return ChainruleError(
        f"unknown {kind} {name!r}",
        where=where,
        expected=f"\n{' ' * _MARGIN}".join(textwrap.wrap("one of " + ", ".join(options), 80 - _MARGIN)),
        got=repr(name),
        fix=f"did you mean {match!r}?" if match else f"pass a {kind} from the list, or an object of your own",
    )
