"""Names that are made: of classes, and numbers behind those that are taken."""

from __future__ import annotations

import re
from collections.abc import Container


def snake_case(name: str) -> str:
    """A class's name as Keras names its objects.

    Example:
        >>> snake_case("PReLU"), snake_case("F1Score"), snake_case("RMSNormalization"), snake_case("BinaryIoU")
        ('p_re_lu', 'f1_score', 'rms_normalization', 'binary_io_u')
    """
    words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def free_name(name: str, taken: Container[str], base: str | None = None) -> str:
    """The name, or where it is taken the first of ``base_1``, ``base_2``, … that is not; the base is the name itself.

    Example:
        >>> free_name("dense", {"dense", "dense_1"})
        'dense_2'
    """
    base = name if base is None else base
    number = 0
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def keep_end(name: str, width: int) -> str:
    """A name of at most this width: the end of a longer one, where layers within layers differ.

    Example:
        >>> keep_end("encoder/dense", 8), keep_end("dense", 8)
        ('…r/dense', 'dense')
    """
    return name if len(name) <= width else f"…{name[1 - width :]}"
