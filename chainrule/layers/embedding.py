"""Vectors looked up by number: words, categories, users."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import constraints, initializers, ops, registry, regularizers
from chainrule.errors import ChainruleError, DataError
from chainrule.graph.types import as_dtype
from chainrule.layers.layer import Layer


class Embedding(Layer):
    """``embeddings[x]``: a learned vector for each whole number from 0 up to but not including `input_dim`.

    A number outside gives NaN in compiled code, so that training stops, and is refused where it can be seen.

    Args:
        input_dim: how many different numbers there are.
        output_dim: the length of a vector.
        embeddings_initializer: initial vectors.
        embeddings_regularizer: a penalty on the vectors, added to the loss.
        embeddings_constraint: what the vectors are projected to after each update.
        mask_zero: whether 0 means that nothing is there; layers that follow get a mask.
        weights: initial vectors as an array, in the place of an initializer.
        activity_regularizer: a penalty on the results, added to the loss.

    Shapes: x (batch, …) of whole numbers, embeddings (input_dim, output_dim), result (batch, …, output_dim).

    Example:
        >>> table = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]], "float32")
        >>> Embedding(3, 2, weights=table)(np.array([[2, 1]]))
        array([[[3., 4.],
                [1., 2.]]], dtype=float32)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        activity_regularizer: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, activity_regularizer, dtype)
        for label, size in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ChainruleError(
                    f"{label} is not a size", where=f"Embedding, {label}", expected="1 or more", got=repr(size)
                )
        self.input_dim, self.output_dim, self.mask_zero = input_dim, output_dim, bool(mask_zero)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.embeddings: Any = None
        if weights is not None:
            self.build(None)
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def build(self, input_shape: Any) -> None:
        if self.embeddings is None:
            self.embeddings = self.add_weight(
                (self.input_dim, self.output_dim),
                self.embeddings_initializer,
                regularizer=self.embeddings_regularizer,
                constraint=self.embeddings_constraint,
                name="embeddings",
            )

    def accepts(self, input_shape: Any) -> bool:
        return True

    def call(self, x: Any) -> Any:
        if isinstance(x, np.ndarray):
            self.check_range(x)
        numbers = whole(x)
        inside = ops.logical_and(ops.greater_equal(numbers, 0), ops.less(numbers, self.input_dim))
        # Added and not selected, so that the gradient goes to the rows as it comes.
        nothing = ops.expand_dims(ops.where(inside, 0.0, math.nan), -1)
        return ops.add(ops.take(self.embeddings, numbers, axis=0), nothing)

    def check_range(self, x: np.ndarray) -> None:
        """Refuse numbers without a vector."""
        if x.size and not (x.min() >= 0 and x.max() < self.input_dim):
            raise DataError(
                "a number has no vector",
                expected=f"whole numbers from 0 to {self.input_dim - 1}",
                got=f"numbers from {x.min()} to {x.max()}",
                fix="set input_dim to the largest number plus 1",
            )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": registry.describe(self.embeddings_initializer),
            "embeddings_regularizer": registry.describe(self.embeddings_regularizer),
            "embeddings_constraint": registry.describe(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "activity_regularizer": registry.describe(self.activity_regularizer),
        }


def whole(x: Any) -> Any:
    """Numbers as int32 or int64; fractions are cut off, as in Keras."""
    return x if as_dtype(x.dtype).kind == "int" else ops.cast(x, "int32")
