"""Layers that make categories of numbers, and vectors of categories: bins and encodings."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.layers.core import as_float
from chainrule.layers.preprocessing import DataLayer, as_array, batches_of

OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count")


def check_mode(where: str, mode: Any, known: tuple[str, ...] = OUTPUT_MODES) -> str:
    """A known output mode."""
    if mode not in known:
        raise ChainruleError(
            "unknown output mode", where=f"{where}, output_mode", expected=" or ".join(known), got=repr(mode)
        )
    return str(mode)


def refuse_sparse(where: str, sparse: Any) -> None:
    if sparse:
        raise ChainruleError("there are no sparse arrays", where=f"{where}, sparse", expected=False, got=sparse)


def encode(numbers: Any, mode: str, depth: int, weights: Any = None) -> Any:
    """Category numbers as `mode` says.

    * ``one_hot``: 1 at the number's place along a new last axis; a last axis of size 1 makes room for it.
    * ``multi_hot``: 1 at the place of each number that the sample holds; samples are along axis 1.
    * ``count``: how often the sample holds each number, or the sum of their `weights`.

    Numbers outside of 0 to depth - 1 leave no mark.
    """
    if mode == "int":
        return numbers
    rank = len(numbers.shape)
    if rank == 0:
        numbers, rank = ops.reshape(numbers, (1,)), 1
    if mode == "one_hot":
        if rank > 1 and numbers.shape[-1] == 1:
            numbers = ops.squeeze(numbers, -1)
        return ops.one_hot(numbers, depth)
    hot = ops.one_hot(numbers, depth)
    axis = 1 if rank > 1 else 0
    if mode == "multi_hot":
        return ops.max(hot, axis)
    return ops.sum(hot if weights is None else ops.multiply(hot, ops.expand_dims(weights, -1)), axis)


def encoded_shape(input_shape: Any, mode: str, depth: int) -> tuple[Any, ...]:
    """The shape of what `encode` gives."""
    shape = tuple(input_shape)
    if mode == "int":
        return shape
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


class Discretization(DataLayer):
    """The number of the bin that each element lies in: how many boundaries are not above it.

    Args:
        bin_boundaries: the boundaries, rising; n of them make n + 1 bins.
        num_bins: into how many bins `adapt` divides the data, so that they hold equally many elements; in place of
            `bin_boundaries`.
        epsilon: how exactly `adapt` does so, as a part of the data: smaller is more exact and takes more memory.
        output_mode: ``int`` for the numbers (int32), or ``one_hot``, ``multi_hot``, ``count`` as in `encode`.

    Example:
        >>> Discretization([0.0, 1.0])(np.array([[-5.0, 0.0, 7.0]], "float32"))
        array([[0, 1, 2]], dtype=int32)
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: str | None = None,
        name: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(name, trainable, dtype=dtype)
        refuse_sparse("Discretization", sparse)
        if (bin_boundaries is None) == (num_bins is None):
            raise ChainruleError(
                "the bins are given in one of two ways",
                where="Discretization",
                expected="bin_boundaries, or num_bins",
                got=f"bin_boundaries={bin_boundaries!r}, num_bins={num_bins!r}",
            )
        if num_bins is not None and (not isinstance(num_bins, int) or isinstance(num_bins, bool) or num_bins < 1):
            raise ChainruleError(
                "not a number of bins", where="Discretization, num_bins", expected="1 or more", got=repr(num_bins)
            )
        self.bin_boundaries = None if bin_boundaries is None else check_boundaries(bin_boundaries)
        self.num_bins = num_bins
        self.epsilon = registry.require_number("Discretization", "epsilon", epsilon, 1e-9, 1.0)
        self.output_mode = check_mode("Discretization", output_mode)

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Choose boundaries so that the bins hold equally many elements.

        Args:
            data: an array, or an iterable of batches; of tuples their first part.
            steps: how many batches are taken, all by default.
        """
        if self.num_bins is None:
            raise ChainruleError("the boundaries were given", where=f"layer '{self.name}'", fix="make it with num_bins")
        summary = np.zeros((2, 0), np.float32)
        for place, batch in enumerate(batches_of(data)):
            if steps is not None and place >= steps:
                break
            joined = np.concatenate([summarize(batch, self.epsilon), summary], axis=1)
            summary = compress(joined[:, np.argsort(joined[0])], self.epsilon)
        self.bin_boundaries = [float(value) for value in compress(summary, 1.0 / self.num_bins)[0, :-1]]

    def call(self, x: Any) -> Any:
        if self.bin_boundaries is None:
            raise ChainruleError("the boundaries are not known yet", fix="call adapt with data, or give bin_boundaries")
        numbers = count_boundaries(as_float(x), np.asarray(self.bin_boundaries, np.float32))
        return encode(numbers, self.output_mode, len(self.bin_boundaries) + 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        bins = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded_shape(input_shape, self.output_mode, int(bins or 0))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        if config.get("num_bins") is None:
            return super().from_config(config)
        learned = config.get("bin_boundaries")
        layer = super().from_config({**config, "bin_boundaries": None})
        layer.bin_boundaries = None if learned is None else check_boundaries(learned)
        return layer


def check_boundaries(boundaries: Any) -> list[float]:
    """Rising numbers."""
    array = np.asarray(boundaries)
    if array.ndim != 1 or array.dtype.kind not in "iuf" or (np.diff(array) < 0).any() or np.isnan(array).any():
        raise ChainruleError(
            "not boundaries of bins",
            where="Discretization, bin_boundaries",
            expected="a list of rising numbers",
            got=repr(boundaries),
        )
    return [float(value) for value in array]


def count_boundaries(x: Any, boundaries: np.ndarray) -> Any:
    """How many boundaries are not above each element, as int32; all of them for NaN, as in NumPy and Keras."""
    if not isinstance(x, Node):
        # Equal to what follows, without an array of elements times boundaries.
        return np.searchsorted(boundaries, np.asarray(x, np.float32), side="right").astype(np.int32)
    below = ops.logical_not(ops.less(ops.expand_dims(ops.cast(x, "float32"), -1), boundaries))
    return ops.sum(ops.cast(below, "int32"), -1)


def summarize(values: np.ndarray, epsilon: float) -> np.ndarray:
    """Elements at equal distances in the sorted order, and how many each stands for: shape (2, about 1 / epsilon)."""
    ordered = np.sort(values.astype(np.float32).reshape(-1))
    step = max(ordered.size * epsilon, 1.0)
    kept = ordered[int(step - 1) :: int(step)]
    return np.stack([kept, np.full_like(kept, step)])


def compress(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary of about 1 / epsilon elements, interpolated at equal parts of the total count."""
    if summary.shape[1] * epsilon < 1:
        return summary
    parts = epsilon + np.arange(0.0, 1.0, epsilon)
    counts = summary[1].cumsum()
    values = np.interp(parts, counts / counts[-1], summary[0])
    reached = np.interp(parts, counts / counts[-1], counts)
    return np.stack([values, np.diff(reached, prepend=0.0)]).astype(np.float32)


class CategoryEncoding(DataLayer):
    """Whole numbers below `num_tokens` as vectors.

    Args:
        num_tokens: how many categories there are.
        output_mode: ``multi_hot``, ``one_hot`` or ``count``, as in `encode`.

    The call takes `count_weights`, of the input's shape, in the mode ``count``: what each number counts for. Numbers
    that are no category leave no mark.

    Example:
        >>> CategoryEncoding(3, "count")([[0, 2, 2], [1, 1, 1]])
        array([[1., 0., 2.],
               [0., 3., 0.]], dtype=float32)
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        refuse_sparse("CategoryEncoding", sparse)
        if not isinstance(num_tokens, int) or isinstance(num_tokens, bool) or num_tokens < 1:
            raise ChainruleError(
                "not a number of categories",
                where="CategoryEncoding, num_tokens",
                expected="1 or more",
                got=repr(num_tokens),
            )
        self.num_tokens = num_tokens
        mode = "multi_hot" if output_mode == "binary" else output_mode
        self.output_mode = check_mode("CategoryEncoding", mode, ("multi_hot", "one_hot", "count"))

    def call(self, x: Any, count_weights: Any = None) -> Any:
        if count_weights is not None and self.output_mode != "count":
            raise ChainruleError(
                "count_weights are for the mode 'count'", expected="output_mode='count'", got=self.output_mode
            )
        weights = None if count_weights is None else as_float(as_array(count_weights))
        return encode(ops.cast(x, "int32"), self.output_mode, self.num_tokens, weights)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}
