"""What computes, by the names of `keras.backend`: there is one backend, and it has no state to clear."""

from __future__ import annotations

from chainrule.config import backend, epsilon, floatx, set_floatx


def clear_session(free_memory: bool = True) -> None:
    """Nothing: there is no graph and no counter of names behind the models, and unused arrays are freed at once."""


__all__ = ["backend", "clear_session", "epsilon", "floatx", "set_floatx"]
