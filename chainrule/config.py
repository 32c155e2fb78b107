"""How layers compute where nothing is said: the dtype policy, with Keras's names.

``float32`` computes in float32. ``mixed_bfloat16`` keeps weights, activations and sums in float32 and rounds the
factors of matrix products to bfloat16, in the gradients too: nearly twice as fast where the processor has the
instructions.
"""

from __future__ import annotations

from chainrule.errors import ChainruleError, unknown_name

POLICIES = ("float32", "mixed_bfloat16")

EPSILON = 1e-7
"""Losses and metrics keep probabilities this far from 0 and 1, and divisors from 0."""


def epsilon() -> float:
    """What keeps divisors and logarithms' arguments off zero: 1e-7."""
    return EPSILON


def floatx() -> str:
    """The element type of weights and activations: ``"float32"``."""
    return "float32"


def set_floatx(value: str) -> None:
    """Accept ``"float32"``.

    Raises:
        ChainruleError: for any other: weights are float32; what may be narrower is said by the dtype policy.
    """
    if value != "float32":
        raise ChainruleError(
            "weights and activations are float32",
            where="set_floatx",
            expected="'float32'",
            got=repr(value),
            fix="for narrower factors of matrix products, set_dtype_policy('mixed_bfloat16')",
        )


def backend() -> str:
    """What computes: ``"chainrule"``."""
    return "chainrule"


class _Default:
    """The policy of layers that are given none."""

    policy = "float32"


def check_dtype_policy(name: object, where: str) -> str:
    """The policy of this name.

    Raises:
        ChainruleError: for a name that is none.
    """
    if not isinstance(name, str):
        raise ChainruleError("not a dtype policy", where=where, expected=" or ".join(POLICIES), got=repr(name))
    if name not in POLICIES:
        raise unknown_name("dtype policy", name, POLICIES, where=where)
    return name


def dtype_policy() -> str:
    """The policy of layers that are given none."""
    return _Default.policy


def set_dtype_policy(dtype_policy: str) -> None:
    """Choose the policy of the layers made from here on.

    Example:
        >>> set_dtype_policy("mixed_bfloat16")
        >>> set_dtype_policy("float32")
    """
    _Default.policy = check_dtype_policy(dtype_policy, "set_dtype_policy")
