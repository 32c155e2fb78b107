"""Lookups: tokens of a vocabulary, strings or whole numbers, as their numbers in it, and back.

Strings are no numbers of a graph, so `StringLookup` computes on NumPy arrays; `IntegerLookup` may also be a part of a
model. What they share is in `vocabulary`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ChainruleError, DataError
from chainrule.graph.ir import Node
from chainrule.layers.categories import check_mode
from chainrule.layers.fingerprints import as_strings
from chainrule.layers.hashing import require_arrays
from chainrule.layers.vocabulary import NOWHERE, Lookup


class StringLookup(Lookup):
    """The number of each string in a vocabulary, or with `invert` the string of each number.

    Args:
        max_tokens, num_oov_indices, …: as in `Lookup`.
        encoding: of strings that are given as bytes.

    Example:
        >>> layer = StringLookup(vocabulary=["red", "green"])
        >>> layer([["green", "blue"]])
        array([[2, 0]])
        >>> layer.get_vocabulary()
        ['[UNK]', 'red', 'green']

    Raises:
        ChainruleError: within a model: it computes on arrays alone.
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, salt, name, trainable, dtype,
        )  # fmt: skip

    def as_tokens(self, values: Any) -> np.ndarray:
        array = np.asarray(values)
        if array.dtype.kind not in "OSU":
            raise DataError("not strings", where=f"layer '{self.name}'", expected="strings", got=array.dtype.name)
        return as_strings(array, self.encoding)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "encoding": self.encoding}


class IntegerLookup(Lookup):
    """The number of each whole number in a vocabulary, or with `invert` the other way round.

    Args:
        max_tokens, num_oov_indices, …: as in `Lookup`.
        oov_method: which of several numbers an unknown token gets: ``floormod``, the token modulo `num_oov_indices`,
            or ``farmhash``, which spreads regular tokens evenly.

    As a part of a model it compares every element with every token, and gives unknown ones -1 where
    `num_oov_indices` is 0.

    Example:
        >>> IntegerLookup(vocabulary=[12, 36, 1138])([[36, 7]])
        array([[2, 0]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        check_mode("IntegerLookup, vocabulary_dtype", vocabulary_dtype, ("int64",))
        self.oov_method = check_mode("IntegerLookup, oov_method", oov_method, ("floormod", "farmhash"))
        if salt is not None and oov_method != "farmhash":
            raise ChainruleError(
                "a salt is for the hash", where="IntegerLookup, salt", expected="oov_method='farmhash'", got=oov_method
            )
        super().__init__(
            max_tokens, num_oov_indices, None if mask_token is None else int(mask_token), int(oov_token), vocabulary,
            idf_weights, invert, output_mode, sparse, pad_to_max_tokens, salt, name, trainable, dtype,
        )  # fmt: skip

    def as_tokens(self, values: Any) -> np.ndarray:
        array = np.asarray(values)
        if array.dtype.kind not in "iufU" or (array.dtype.kind == "U" and array.ndim != 1):
            raise DataError("not numbers", where=f"layer '{self.name}'", expected="int64", got=array.dtype.name)
        return array.astype(np.int64)

    def divide_unknown(self, values: np.ndarray) -> Any:
        if self.oov_method == "farmhash":
            return super().divide_unknown(values)
        return np.mod(values, self.num_oov_indices)

    def find_numbers(self, x: Any) -> Any:
        if not isinstance(x, Node):
            return super().find_numbers(x)
        assert self.tokens is not None
        values = ops.cast(x, "int64")
        own = np.arange(self.first_token, self.vocabulary_size())
        hits = ops.equal(ops.expand_dims(values, -1), self.tokens)
        numbers = ops.max(ops.where(hits, own, NOWHERE), -1)
        numbers = ops.where(ops.less(numbers, 0), self.number_unknown_traced(values), numbers)
        if self.mask_token is None:
            return numbers
        return ops.where(ops.equal(values, self.mask_token), 0 if self.output_mode == "int" else NOWHERE, numbers)

    def number_unknown_traced(self, values: Node) -> Any:
        """The same as `number_unknown`, of traced values."""
        if self.num_oov_indices < 2:
            return self.first_unknown if self.num_oov_indices else NOWHERE
        if self.oov_method == "farmhash":
            require_arrays(values)
        return ops.add(ops.mod(values, self.num_oov_indices), self.first_unknown)

    def find_tokens(self, x: Any) -> Any:
        if not isinstance(x, Node):
            return super().find_tokens(x)
        assert self.tokens is not None
        numbers = ops.subtract(ops.cast(x, "int64"), self.first_token)
        inside = ops.logical_and(ops.greater_equal(numbers, 0), ops.less(numbers, len(self.tokens)))
        found = ops.where(inside, ops.take(self.tokens, numbers, axis=0), self.oov_token)
        if self.mask_token is None:
            return found
        return ops.where(ops.equal(numbers, -self.first_token), self.mask_token, found)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "oov_method": self.oov_method}
