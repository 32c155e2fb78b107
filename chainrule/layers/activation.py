"""Activations as layers: those with arguments, and those that learn or draw their slopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import activations, constraints, initializers, ops, registry, regularizers
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import format_shape
from chainrule.graph.types import bool_
from chainrule.graph.variable import Variable
from chainrule.layers.core import as_float
from chainrule.layers.layer import Layer
from chainrule.random import SeedGenerator

_FAR_BELOW = -1e9
"""What a logit that does not count is replaced with."""


class Elementwise(Layer):
    """Abstract: a layer whose results have the shape and the mask of its input."""

    supports_masking = True

    def __init__(self, name: str | None, trainable: bool, dtype: str | None):
        super().__init__(name, trainable, dtype=dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class ReLU(Elementwise):
    """``min(x, max_value)`` where x is above `threshold`, else ``negative_slope * (x - threshold)``.

    Args:
        max_value: the largest result; no limit by default.
        negative_slope: the slope below `threshold`.
        threshold: below it the unit is off.

    Example:
        >>> import numpy as np
        >>> ReLU(max_value=6)(np.array([-2.0, 3.0, 9.0], "float32"))
        array([0., 3., 6.], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype)
        if max_value is not None:
            max_value = registry.require_number("ReLU", "max_value", max_value, 0.0, 1e30)
        self.max_value = max_value
        self.negative_slope = registry.require_number("ReLU", "negative_slope", negative_slope, 0.0, 1e30)
        self.threshold = registry.require_number("ReLU", "threshold", threshold, 0.0, 1e30)

    def call(self, x: Any) -> Any:
        return activations.relu(as_float(x), self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        own = {"max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}
        return {**super().get_config(), **own}


class LeakyReLU(Elementwise):
    """x where it is positive, else ``negative_slope * x``."""

    def __init__(
        self,
        negative_slope: float = 0.3,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype)
        self.negative_slope = registry.require_number("LeakyReLU", "negative_slope", negative_slope, 0.0, 1e30)

    def call(self, x: Any) -> Any:
        return activations.leaky_relu(as_float(x), self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(Elementwise):
    """x where it is positive, else ``alpha * (exp(x) - 1)``.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2016.
    """

    def __init__(self, alpha: float = 1.0, name: str | None = None, trainable: bool = True, dtype: str | None = None):
        super().__init__(name, trainable, dtype)
        self.alpha = registry.require_number("ELU", "alpha", alpha, -1e30, 1e30)

    def call(self, x: Any) -> Any:
        return activations.elu(as_float(x), self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class PReLU(Elementwise):
    """x where it is positive, else ``alpha * x`` with a slope `alpha` that is learned, one for each place of a sample.

    Args:
        alpha_initializer: initial slopes.
        alpha_regularizer: a penalty on the slopes, added to the loss.
        alpha_constraint: what the slopes are projected to after each update.
        shared_axes: axes, counted from 1 behind the batch, along which all places share a slope.

    Source: He et al., "Delving deep into rectifiers", 2015.
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        shared = [shared_axes] if isinstance(shared_axes, int) else shared_axes
        self.shared_axes = None if shared is None else list(shared)
        if not all(isinstance(axis, int) and axis > 0 for axis in self.shared_axes or []):
            raise ChainruleError(
                "not axes of a sample", where="PReLU, shared_axes", expected="whole numbers from 1", got=shared_axes
            )

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or []
        if max(shared, default=0) >= len(input_shape):
            raise ChainruleError(
                "the input has no such axis", where="shared_axes", expected=f"below {len(input_shape)}", got=shared
            )
        self.alpha = self.add_weight(
            tuple(1 if axis in shared else int(size) for axis, size in enumerate(input_shape) if axis),
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )

    def call(self, x: Any) -> Any:
        given = as_float(x)
        return ops.subtract(ops.relu(given), ops.multiply(self.alpha, ops.relu(ops.negative(given))))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": registry.describe(self.alpha_initializer),
            "alpha_regularizer": registry.describe(self.alpha_regularizer),
            "alpha_constraint": registry.describe(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class RReLU(Elementwise):
    """x where it is positive, else ``slope * x``, the slope drawn between `lower` and `upper` in training.

    In inference the slope is their mean.

    Source: Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015.
    """

    def __init__(
        self,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype)
        self.lower = registry.require_number("RReLU", "lower", lower, 0.0, 1.0)
        self.upper = registry.require_number("RReLU", "upper", upper, self.lower, 1.0)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    @property
    def state(self) -> list[Variable]:
        return [self.seed_generator.state]

    def call(self, x: Any, training: bool = False) -> Any:
        return activations.rrelu(as_float(x), self.lower, self.upper, training, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lower": self.lower, "upper": self.upper, "seed": self.seed}


class Softmax(Elementwise):
    """``exp(x) / sum(exp(x))`` along an axis, or over several together.

    Args:
        axis: a whole number, or a list of them.

    Call arguments: x, and `mask`, which is True where x counts: there the results add up to 1, elsewhere they are 0.
    A mask broadcasts to x; one of the first axes of x holds for all that lies behind them.

    Example:
        >>> import numpy as np
        >>> Softmax()(np.zeros((1, 4), "float32"), mask=np.array([[True, True, False, False]]))
        array([[0.5, 0.5, 0. , 0. ]], dtype=float32)
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype)
        listed = [axis] if isinstance(axis, int) else list(axis)
        if not listed or not all(isinstance(at, int) and not isinstance(at, bool) for at in listed):
            raise ChainruleError(
                "not an axis", where="Softmax, axis", expected="a whole number, or a list of them", got=repr(axis)
            )
        self.axis = axis if isinstance(axis, int) else listed

    def call(self, x: Any, mask: Any = None) -> Any:
        logits = as_float(x)
        if mask is None:
            return self.normalize(logits)
        counts = spread_mask(mask, logits)
        return ops.where(counts, self.normalize(ops.where(counts, logits, _FAR_BELOW)), 0.0)

    def normalize(self, logits: Any) -> Any:
        """Softmax without a mask."""
        if isinstance(self.axis, int):
            return activations.softmax(logits, self.axis)
        return ops.exp(ops.subtract(logits, ops.logsumexp(logits, self.axis, keepdims=True)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def spread_mask(mask: Any, x: Any) -> Any:
    """A mask as an array of the shape of x: broadcast as NumPy does, or one of the first axes for all behind them."""
    shape, wanted = tuple(ops.shape(mask)), tuple(ops.shape(x))
    behind = wanted[len(wanted) - len(shape) :]
    counts = mask if mask.dtype == bool_ or mask.dtype == "bool" else ops.greater(mask, 0.5)
    if len(shape) <= len(wanted) and all(size in (1, other) for size, other in zip(shape, behind, strict=True)):
        return ops.broadcast_to(counts, wanted)
    if shape != wanted[: len(shape)]:
        raise ChainruleError(
            "the mask does not fit", where="mask", expected=format_shape(wanted), got=format_shape(shape)
        )
    return ops.broadcast_to(ops.reshape(counts, (*shape, *(1,) * (len(wanted) - len(shape)))), wanted)


activations.LAYERS.update({kind.__name__: kind for kind in (ELU, LeakyReLU, ReLU, Softmax)})
