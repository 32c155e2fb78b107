"""Metrics, by Keras's names, arguments and numbers: sums held in Variables, updated inside the compiled step.

A metric takes batches in (`update_state`), says its value so far (`result`) and forgets (`reset_state`), in a training
step or by itself. Reading order: `metric`, then a family each: `accuracy`, `from_losses`, `regression`, `correlation`,
`confusion`, `curves`, `fscore`, `iou`.

Example:
    >>> import chainrule as cr
    >>> auc = cr.metrics.AUC(num_thresholds=3)
    >>> auc.update_state([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
    >>> float(auc.result())
    0.75
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import losses, registry
from chainrule.errors import ChainruleError
from chainrule.graph.shapes import Shape
from chainrule.losses import (
    BCE,
    KLD,
    MAE,
    MAPE,
    MSE,
    MSLE,
    bce,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    cosine_similarity,
    hinge,
    huber,
    kl_divergence,
    kld,
    log_cosh,
    mae,
    mape,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    mse,
    msle,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from chainrule.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from chainrule.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from chainrule.metrics.correlation import ConcordanceCorrelation, PearsonCorrelation
from chainrule.metrics.curves import (
    AUC,
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from chainrule.metrics.from_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from chainrule.metrics.fscore import F1Score, FBetaScore
from chainrule.metrics.functions import (
    binary_accuracy,
    categorical_accuracy,
    concordance_correlation,
    pearson_correlation,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from chainrule.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from chainrule.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum
from chainrule.metrics.regression import CosineSimilarity, R2Score, RootMeanSquaredError
from chainrule.naming import snake_case

_ALL: tuple[type[Metric], ...] = (
    AUC,
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    BinaryIoU,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    F1Score,
    FBetaScore,
    FalseNegatives,
    FalsePositives,
    Hinge,
    IoU,
    KLDivergence,
    LogCoshError,
    Mean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanIoU,
    MeanMetricWrapper,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    OneHotIoU,
    OneHotMeanIoU,
    PearsonCorrelation,
    Poisson,
    Precision,
    PrecisionAtRecall,
    R2Score,
    Recall,
    RecallAtPrecision,
    RootMeanSquaredError,
    SensitivityAtSpecificity,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SpecificityAtSensitivity,
    SquaredHinge,
    Sum,
    TopKCategoricalAccuracy,
    TrueNegatives,
    TruePositives,
)

CLASSES: dict[str, type[Metric]] = {
    **{cls.__name__: cls for cls in _ALL},
    **{snake_case(cls.__name__): cls for cls in _ALL},
    "bce": BinaryCrossentropy,
    "BCE": BinaryCrossentropy,
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "rmse": RootMeanSquaredError,
    "RMSE": RootMeanSquaredError,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "MAPE": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "MSLE": MeanSquaredLogarithmicError,
    "kld": KLDivergence,
    "KLD": KLDivergence,
    "cosine": CosineSimilarity,
    "logcosh": LogCoshError,
    "fbeta_score": FBetaScore,
}
"""Names to classes: Keras's class names, those in lower case, and the short ones."""

_ACCURACY = ("accuracy", "acc")
_CROSSENTROPY = ("crossentropy", "ce")


def get(identifier: Any) -> Metric:
    """The metric of this name, class or config; a function ``(y_true, y_pred)`` becomes the mean of its values.

    Example:
        >>> get("mse").name
        'mse'
    """
    table: dict[str, Any] = {**CLASSES, **dict.fromkeys(_ACCURACY, Accuracy)}
    try:
        if isinstance(identifier, str) and identifier in table:
            return table[identifier](name=identifier)  # type: ignore[no-any-return]
        found = registry.resolve("metric", identifier, table)
    except TypeError as error:
        raise ChainruleError(
            "the metric needs arguments", where=f"metric {identifier!r}", got=str(error), fix="pass the metric itself"
        ) from None
    return found if isinstance(found, Metric) else MeanMetricWrapper(found)


def resolve(identifier: Any, loss: losses.Loss | None, true_shape: Shape, pred_shape: Shape) -> Metric:
    """As `get`, but "accuracy" and "crossentropy" become those that fit the loss and the shapes, as in Keras.

    One number a sample is binary, targets with an axis less than predictions are numbers of classes. A crossentropy
    takes predictions for logits where the loss does.
    """
    name = identifier.lower() if isinstance(identifier, str) else ""
    if name not in (*_ACCURACY, *_CROSSENTROPY):
        return get(identifier)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        kind = 1
    elif pred_shape[-1] == 1 or isinstance(loss, losses.BinaryCrossentropy):
        kind = 0
    else:
        kind = 1 if len(true_shape) < len(pred_shape) or true_shape[-1] == 1 else 2
    if name in _ACCURACY:
        return (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy)[kind](identifier)
    fitting = (BinaryCrossentropy, SparseCategoricalCrossentropy, CategoricalCrossentropy)[kind]
    return fitting(identifier, from_logits=getattr(loss, "from_logits", False))


def serialize(metric: Any) -> Any:
    """What `deserialize` makes the metric from again: its class and config, or its name."""
    return registry.describe(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Metric:
    """The metric that `serialize` described; `custom_objects` are your own by name."""
    with registry.custom_object_scope(custom_objects):
        return get(config)


__all__ = [
    "AUC",
    "BCE",
    "CLASSES",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "bce",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "concordance_correlation",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "log_cosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "pearson_correlation",
    "poisson",
    "resolve",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]
