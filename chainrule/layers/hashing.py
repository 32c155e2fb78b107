"""Categories of any kind as numbers of a fixed range, by hashes: no vocabulary is needed.

Strings are no numbers of a graph, so these layers compute on NumPy arrays, in the preparation of data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.tree import flatten
from chainrule.layers.categories import check_mode, encode, encoded_shape, refuse_sparse
from chainrule.layers.fingerprints import cross, fingerprint, keyed_hash, to_texts
from chainrule.layers.layer import Layer
from chainrule.layers.preprocessing import DataLayer, as_array


def require_arrays(values: Any) -> None:
    """Refuse what is traced."""
    if any(isinstance(leaf, Node) for leaf in flatten(values)[0]):
        raise ChainruleError(
            "this layer computes on NumPy arrays alone",
            fix="apply it to the data before training, not as a layer of the model",
        )


def check_bins(where: str, num_bins: Any) -> int:
    if not isinstance(num_bins, int) or isinstance(num_bins, bool) or num_bins < 1:
        raise ChainruleError(
            "not a number of bins", where=f"{where}, num_bins", expected="1 or more", got=repr(num_bins)
        )
    return num_bins


def check_salt(where: str, salt: Any) -> list[int] | None:
    """A key of two words; one number stands for both."""
    if salt is None:
        return None
    words = [salt, salt] if isinstance(salt, int) else list(salt) if isinstance(salt, tuple | list) else []
    if len(words) != 2 or not all(isinstance(word, int) for word in words):
        raise ChainruleError("not a salt", where=f"{where}, salt", expected="one or two whole numbers", got=repr(salt))
    return words


def find_buckets(values: np.ndarray, count: int, salt: list[int] | None) -> np.ndarray:
    """The number of the bucket, below `count`, of each string or number."""
    texts = to_texts(values)
    hashes = fingerprint(texts) if salt is None else keyed_hash(texts, (salt[0], salt[1]))
    return (hashes % np.uint64(count)).astype(np.int64)


class Hashing(DataLayer):
    """The number of a bin for each string or number: its FarmHash fingerprint modulo `num_bins`.

    Args:
        num_bins: how many bins there are.
        mask_value: a value that gets bin 0 for itself; all others share the bins from 1 on.
        salt: one or two whole numbers; with them SipHash is used, with the salt as its key.
        output_mode: ``int`` for the numbers (int64), or ``one_hot``, ``multi_hot``, ``count`` as in `encode`.

    Example:
        >>> Hashing(3)(["A", "B", "C"])
        array([1, 0, 1])

    Raises:
        ChainruleError: within a model: it computes on arrays alone.
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        refuse_sparse("Hashing", sparse)
        self.num_bins, self.mask_value = check_bins("Hashing", num_bins), mask_value
        self.salt = check_salt("Hashing", salt)
        self.output_mode = check_mode("Hashing", output_mode)

    def call(self, x: Any) -> Any:
        require_arrays(x)
        values = np.asarray(x)
        if self.mask_value is None or self.num_bins == 1:
            numbers = find_buckets(values, self.num_bins, self.salt)
        else:
            numbers = find_buckets(values, self.num_bins - 1, self.salt) + 1
            numbers = np.where(values == self.mask_value, 0, numbers)
        return encode(numbers, self.output_mode, self.num_bins)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "mask_value": self.mask_value,
            "salt": self.salt,
            "output_mode": self.output_mode,
        }


class HashedCrossing(Layer):
    """The number of a bin for each combination of two or more features, such as city and profession.

    Args:
        num_bins: how many bins there are.
        output_mode: ``int`` for the numbers (int64), or ``one_hot``.

    It is called with a list of arrays of strings or whole numbers, all of one shape: (), (batch,) or (batch, 1).

    Example:
        >>> HashedCrossing(5)([np.array(["A", "B"]), np.array([101, 101])])
        array([1, 4])

    Raises:
        ChainruleError: within a model: it computes on arrays alone.
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(name, trainable, dtype=dtype)
        refuse_sparse("HashedCrossing", sparse)
        self.num_bins = check_bins("HashedCrossing", num_bins)
        self.output_mode = check_mode("HashedCrossing", output_mode, ("int", "one_hot"))

    def __call__(
        self, inputs: Any, *others: Any, training: bool | None = None, mask: Any = None, **options: Any
    ) -> Any:
        if not isinstance(inputs, tuple | list) or len(inputs) < 2:
            raise ChainruleError(
                "a crossing needs two features or more", where=f"layer '{self.name}'", expected="a list", got=inputs
            )
        arrays = [np.asarray(part) if np.isscalar(part) else as_array(part) for part in inputs]
        return super().__call__(arrays, *others, training=training, mask=mask, **options)

    def call(self, features: Any) -> Any:
        require_arrays(features)
        columns = [np.asarray(feature) for feature in features]
        shape = columns[0].shape
        fits = len(shape) < 2 or (len(shape) == 2 and shape[1] == 1)
        if not fits or any(column.shape != shape or column.dtype.kind not in "iuOSU" for column in columns):
            raise ChainruleError(
                "the features cannot be crossed",
                expected="strings or whole numbers, all of one shape: (), (batch,) or (batch, 1)",
                got=[f"{column.dtype} {column.shape}" for column in columns],
            )
        words = [
            column.astype(np.int64).astype(np.uint64) if column.dtype.kind in "iu" else fingerprint(column)
            for column in columns
        ]
        return encode((cross(words) % np.uint64(self.num_bins)).astype(np.int64), self.output_mode, self.num_bins)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape[0], self.output_mode, self.num_bins)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_bins": self.num_bins, "output_mode": self.output_mode}
