"""Losses, by Keras's names, semantics and numbers; and a few of PyTorch's in the same manner.

Each is a function ``(y_true, y_pred) -> one number a sample``, and a class that holds its options, weighs samples and
reduces their numbers to one. Targets of shape (n,) and predictions of shape (n, 1) are lined up element by element.

Reading order: `loss`, what all have in common; then the families `regression`, `crossentropy`, `focal`, `divergence`,
`margin`, `overlap`, `similarity`, `likelihood`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from chainrule import registry
from chainrule.config import EPSILON
from chainrule.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from chainrule.losses.divergence import KLDivergence, Poisson, kl_divergence, poisson
from chainrule.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from chainrule.losses.likelihood import GaussianNLL, PoissonNLL, Quantile, gaussian_nll, poisson_nll, quantile
from chainrule.losses.loss import FunctionLoss, Loss, line_up
from chainrule.losses.margin import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from chainrule.losses.overlap import Dice, Tversky, dice, tversky
from chainrule.losses.regression import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    SmoothL1,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    smooth_l1,
)
from chainrule.losses.similarity import (
    Circle,
    CosineSimilarity,
    TripletMargin,
    circle,
    cosine_similarity,
    triplet_margin,
)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kl_divergence

FUNCTIONS: dict[Callable[..., Any], type[Loss]] = {
    binary_crossentropy: BinaryCrossentropy,
    binary_focal_crossentropy: BinaryFocalCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    categorical_focal_crossentropy: CategoricalFocalCrossentropy,
    categorical_generalized_cross_entropy: CategoricalGeneralizedCrossEntropy,
    categorical_hinge: CategoricalHinge,
    circle: Circle,
    cosine_similarity: CosineSimilarity,
    dice: Dice,
    gaussian_nll: GaussianNLL,
    hinge: Hinge,
    huber: Huber,
    kl_divergence: KLDivergence,
    log_cosh: LogCosh,
    mean_absolute_error: MeanAbsoluteError,
    mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_error: MeanSquaredError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError,
    poisson: Poisson,
    poisson_nll: PoissonNLL,
    quantile: Quantile,
    smooth_l1: SmoothL1,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    squared_hinge: SquaredHinge,
    triplet_margin: TripletMargin,
    tversky: Tversky,
}
"""Each function with the class that holds its options."""

_ALIASES: dict[str, type[Loss]] = {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
}

CLASSES: dict[str, type[Loss]] = (
    {kind.__name__: kind for kind in FUNCTIONS.values()}
    | {function.__name__: kind for function, kind in FUNCTIONS.items()}
    | _ALIASES
    | {alias.upper(): kind for alias, kind in _ALIASES.items()}
    | {"FunctionLoss": FunctionLoss}
)
"""Every loss by its class's name, its function's name, and the short ones."""


def get(identifier: Any) -> Loss:
    """The loss of this name, class, config or function; a function of your own ``(y_true, y_pred)`` becomes a loss.

    Example:
        >>> get("mse").name, get(huber).delta
        ('mean_squared_error', 1.0)
    """
    found = registry.resolve("loss", identifier, CLASSES)
    if isinstance(found, Loss):
        return found
    own = FUNCTIONS.get(found) if isinstance(found, FunctionType) else None
    return FunctionLoss(found) if own is None else own()


def serialize(loss: Any) -> Any:
    """What `deserialize` and `get` make the loss from again: its class and config, or a function's name."""
    return registry.describe(loss)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """The loss that `serialize` described; `custom_objects` are your own classes and functions by name."""
    with registry.custom_object_scope(custom_objects):
        return get(config)


__all__ = [
    "BCE",
    "EPSILON",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "FunctionLoss",
    "GaussianNLL",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "PoissonNLL",
    "Quantile",
    "SmoothL1",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "TripletMargin",
    "Tversky",
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "deserialize",
    "dice",
    "gaussian_nll",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "line_up",
    "log_cosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "poisson_nll",
    "quantile",
    "serialize",
    "smooth_l1",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "triplet_margin",
    "tversky",
]
