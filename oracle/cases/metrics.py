"""Metrics against Keras: three batches, the last one smaller, with and without weights, eagerly and compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from case import Case

import chainrule as cr

SIZES = (16, 16, 7)

Batch = tuple[np.ndarray, np.ndarray]

# -- data ---------------------------------------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-x))).astype("float32")


def softmax(x: np.ndarray) -> np.ndarray:
    return (np.exp(x) / np.exp(x).sum(-1, keepdims=True)).astype("float32")


def binary(shape: tuple[int, ...]) -> Callable[[Any, int], Batch]:
    """Targets of 0 and 1, and probabilities."""

    def draw(r: Any, n: int) -> Batch:
        score = r.normal(size=(n, *shape))
        return (score + r.normal(size=score.shape) > 0).astype("float32"), sigmoid(score)

    return draw


def binary_logits(r: Any, n: int) -> Batch:
    score = r.normal(size=(n, 1))
    return (score + r.normal(size=score.shape) > 0).astype("float32"), score.astype("float32")


def rounded(r: Any, n: int) -> Batch:
    """Probabilities that lie on thresholds, with 0 and 1 among them."""
    return r.integers(0, 2, (n, 1)).astype("float32"), (r.integers(0, 11, (n, 1)) / 10).astype("float32")


def sparse(column: bool = False, logits: bool = False) -> Callable[[Any, int], Batch]:
    """Numbers of one of six classes, and a probability a class."""

    def draw(r: Any, n: int) -> Batch:
        score = r.normal(size=(n, 6))
        labels = (score + r.normal(size=score.shape)).argmax(-1).astype("int32")
        return labels[:, None] if column else labels, score.astype("float32") if logits else softmax(score)

    return draw


def one_hot(logits: bool = False) -> Callable[[Any, int], Batch]:
    """One of six classes as a row with a single 1, and a probability a class."""

    def draw(r: Any, n: int) -> Batch:
        labels, p = sparse(logits=logits)(r, n)
        return np.eye(6, dtype="float32")[labels], p

    return draw


def distributions(r: Any, n: int) -> Batch:
    return softmax(r.normal(size=(n, 5))), softmax(r.normal(size=(n, 5)))


def signs(r: Any, n: int) -> Batch:
    return np.sign(r.normal(size=(n, 3))).astype("float32"), r.normal(size=(n, 3)).astype("float32")


def real(columns: int = 3) -> Callable[[Any, int], Batch]:
    """Numbers, and predictions near enough that no score is the difference of two that are nearly equal."""

    def draw(r: Any, n: int) -> Batch:
        y = r.normal(size=(n, columns))
        return y.astype("float32"), (y + 0.2 * r.normal(size=y.shape)).astype("float32")

    return draw


def positive(r: Any, n: int) -> Batch:
    return r.uniform(0.1, 3, (n, 3)).astype("float32"), r.uniform(0.1, 3, (n, 3)).astype("float32")


def labels(shape: tuple[int, ...] = (), low: int = 0, high: int = 4) -> Callable[[Any, int], Batch]:
    """Numbers of classes, predicted as well."""

    def draw(r: Any, n: int) -> Batch:
        y = r.integers(low, high, (n, *shape))
        p = np.where(r.random(y.shape) < 0.6, y, r.integers(low, high, y.shape))
        return y.astype("int32"), p.astype("int32")

    return draw


def scored_labels(r: Any, n: int) -> Batch:
    """Numbers of classes of a small image, and a probability a class."""
    return r.integers(0, 3, (n, 2, 2)).astype("int32"), softmax(r.normal(size=(n, 2, 2, 3)))


def sorted_ids(r: Any, n: int) -> Batch:
    return r.integers(0, 6, n).astype("int32"), np.stack([r.permutation(6) for _ in range(n)]).astype("int32")


# -- weights ------------------------------------------------------------------------------------------------------


def a_sample(r: Any, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return r.uniform(0, 2, len(y)).astype("float32")


def a_column(r: Any, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return r.uniform(0, 2, (len(y), 1)).astype("float32")


def a_value(r: Any, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return r.uniform(0, 2, y.shape).astype("float32")


def whole(r: Any, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return r.integers(0, 3, len(y)).astype("int32")


# -- cases --------------------------------------------------------------------------------------------------------


def batches_of(draw: Callable[[Any, int], Batch], weigh: Any) -> list[tuple[Any, ...]]:
    r = np.random.default_rng(7)
    found = []
    for size in SIZES:
        y, p = draw(r, size)
        found.append((y, p) if weigh is None else (y, p, weigh(r, y, p)))
    return found


def results_of(metric: Any, update: Callable[..., Any], batches: Sequence[tuple[Any, ...]]) -> list[np.ndarray]:
    """The result after each batch, and after one more that a reset came before."""
    found = []
    for batch in batches:
        update(*batch)
        found.append(np.asarray(metric.result()))
    metric.reset_state()
    update(*batches[-1])
    return [*found, np.asarray(metric.result())]


def make(name: str, draw: Any, weigh: Any, named: dict[str, Any]) -> list[Case]:
    batches = batches_of(draw, weigh)

    def eager() -> Any:
        metric = getattr(cr.metrics, name)(**named)
        return results_of(metric, metric.update_state, batches)

    def compiled() -> Any:
        metric = getattr(cr.metrics, name)(**named)

        def update(*batch: Any) -> Any:
            metric.update_state(*batch)
            return metric.result()

        return results_of(metric, cr.jit(update), batches)

    def theirs() -> Any:
        metric = getattr(keras.metrics, name)(**named)
        return results_of(metric, metric.update_state, batches)

    options = ", ".join([f"{key}={value}" for key, value in named.items()] + ([weigh.__name__] if weigh else []))
    return [Case(name, eager, theirs, f"eager {options}"), Case(name, compiled, theirs, f"compiled {options}")]


CASES: list[Case] = []


def add(name: str, draw: Any, *options: dict[str, Any], weights: Sequence[Any] = (None, a_sample)) -> None:
    """Cases for each of the options, with each kind of weights."""
    for named in options or ({},):
        for weigh in weights:
            CASES.extend(make(name, draw, weigh, named))


EACH = (None, a_sample, a_column, a_value)

for error in ("MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "LogCoshError"):
    add(error, real())
add("MeanSquaredError", real(1), weights=(None, a_sample, a_column))
add("RootMeanSquaredError", real(), weights=(a_column, a_value))
add("MeanAbsolutePercentageError", positive)
add("MeanSquaredLogarithmicError", positive)
add("CosineSimilarity", real(), {}, {"axis": 1})
add("CosineSimilarity", real(), {"axis": 0}, weights=(None,))
add("R2Score", real(1), weights=(None, a_sample, a_column))
add("R2Score", real(), {}, {"class_aggregation": None}, {"class_aggregation": "variance_weighted_average"})
add("R2Score", real(), {"num_regressors": 2}, {"num_regressors": 200}, {"class_aggregation": None, "num_regressors": 3})
add("PearsonCorrelation", real(5), {}, {"axis": 1})
add("PearsonCorrelation", real(5), {"axis": 0}, weights=(None,))
add("ConcordanceCorrelation", real(5), {}, {"axis": 1})
add("ConcordanceCorrelation", real(5), {"axis": 0}, weights=(None,))
add("Hinge", signs)
add("Hinge", binary((3,)))
add("SquaredHinge", signs)
add("CategoricalHinge", one_hot())
add("KLDivergence", distributions)
add("Poisson", positive)

add("BinaryCrossentropy", binary((1,)), {}, {"label_smoothing": 0.2}, weights=(None, a_sample, a_column))
add("BinaryCrossentropy", binary_logits, {"from_logits": True})
add("BinaryCrossentropy", binary((4,)))
add("CategoricalCrossentropy", one_hot(), {}, {"label_smoothing": 0.1})
add("CategoricalCrossentropy", one_hot(logits=True), {"from_logits": True})
add("SparseCategoricalCrossentropy", sparse(), {}, {"ignore_class": 2})
add("SparseCategoricalCrossentropy", sparse(column=True))
add(
    "SparseCategoricalCrossentropy",
    sparse(logits=True),
    {"from_logits": True},
    {"from_logits": True, "ignore_class": 0},
)

add("Accuracy", labels((1,)), weights=(None, a_sample, a_column))
add("Accuracy", labels((3,)), weights=EACH)
add("BinaryAccuracy", binary((1,)), {}, {"threshold": 0.3}, weights=(None, a_sample, a_column))
add("BinaryAccuracy", binary((4,)), weights=EACH)
add("CategoricalAccuracy", one_hot())
add("SparseCategoricalAccuracy", sparse())
add("SparseCategoricalAccuracy", sparse(column=True), weights=(None, a_sample, a_column))
add("TopKCategoricalAccuracy", one_hot(), {}, {"k": 2})
add("SparseTopKCategoricalAccuracy", sparse(), {}, {"k": 3})
add("SparseTopKCategoricalAccuracy", sorted_ids, {"k": 2, "from_sorted_ids": True})

for count in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"):
    add(count, binary((1,)), weights=(None, a_sample))
    add(count, binary((4,)), weights=EACH)
    add(count, rounded, {"thresholds": [0.7, 0.2, 0.5]}, {"thresholds": [0.0, 0.5, 1.0]}, {"thresholds": 0.4})
for share in ("Precision", "Recall"):
    add(share, binary((1,)), {}, {"thresholds": 0.3})
    add(share, rounded, {"thresholds": [0.7, 0.2, 0.5]}, {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]})
    add(share, binary((4,)), {"class_id": 1}, weights=EACH[:2])
    add(share, one_hot(), {"top_k": 2}, {"top_k": 6}, {"top_k": 2, "class_id": 3}, {"top_k": 3, "thresholds": 0.2})
for best, value in (
    ("SensitivityAtSpecificity", "specificity"),
    ("SpecificityAtSensitivity", "sensitivity"),
    ("PrecisionAtRecall", "recall"),
    ("RecallAtPrecision", "precision"),
):
    add(best, binary((1,)), {value: 0.5}, {value: 0.8}, {value: 0.6, "num_thresholds": 1})
    add(best, rounded, {value: 0.5, "num_thresholds": 11}, {value: 1.0}, {value: 0.4, "num_thresholds": 2})
    add(best, binary((4,)), {value: 0.5, "class_id": 2})

for curve in ("ROC", "PR", "PRGAIN"):
    for method in ("interpolation", "majoring", "minoring"):
        add("AUC", binary((1,)), {"curve": curve, "summation_method": method, "num_thresholds": 40})
    add("AUC", rounded, {"curve": curve})
    add("AUC", binary((4,)), {"curve": curve, "multi_label": True, "num_labels": 4})
add("AUC", binary((1,)), {}, {"num_thresholds": 2}, {"thresholds": [0.2, 0.9, 0.4]}, {"thresholds": [0.25, 0.5, 0.75]})
add("AUC", rounded, {"thresholds": [0.0, 0.1, 0.6, 1.0]})
add("AUC", binary_logits, {"from_logits": True})
add("AUC", binary((4,)), weights=EACH)
add("AUC", binary((4,)), {"label_weights": [0.1, 1.0, 2.0, 0.5]}, {"multi_label": True})
add(
    "AUC",
    binary((4,)),
    {"multi_label": True, "label_weights": [0.1, 1.0, 2.0, 0.5]},
    {"multi_label": True, "label_weights": [0.1, 1.0, 2.0, 0.5], "curve": "PR"},
    {"multi_label": True, "thresholds": [0.25, 0.4, 0.8]},
)

for average in (None, "micro", "macro", "weighted"):
    add("F1Score", one_hot(), {"average": average}, {"average": average, "threshold": 0.3})
    add(
        "FBetaScore",
        binary((4,)),
        {"average": average, "beta": 2.0, "threshold": 0.5},
        {"average": average, "beta": 0.5},
    )

add("IoU", labels(), {"num_classes": 4, "target_class_ids": [0, 2]}, weights=(None, whole))
add("IoU", labels(), {"num_classes": 4, "target_class_ids": [1], "dtype": "float32"}, weights=(a_sample,))
add(
    "IoU",
    one_hot(),
    {"num_classes": 6, "target_class_ids": [1, 2], "sparse_y_true": False, "sparse_y_pred": False},
    weights=(None, whole),
)
add("IoU", scored_labels, {"num_classes": 3, "target_class_ids": [0, 1], "sparse_y_pred": False}, weights=(None,))
add("BinaryIoU", binary(()), {}, {"target_class_ids": [1], "threshold": 0.3}, weights=(None, whole))
add("BinaryIoU", binary((1,)), {"dtype": "float32"})
add(
    "MeanIoU",
    labels(),
    {"num_classes": 4},
    {"num_classes": 9},
    {"num_classes": 4, "ignore_class": 1},
    weights=(None, whole),
)
add(
    "MeanIoU", labels(low=-1, high=5), {"num_classes": 4}, {"num_classes": 4, "ignore_class": -1}, weights=(None, whole)
)
add("MeanIoU", labels((3,)), {"num_classes": 4, "dtype": "float32"}, weights=(None, a_value))
add("OneHotIoU", one_hot(), {"num_classes": 6, "target_class_ids": [0, 5]}, weights=(None, whole))
add("OneHotMeanIoU", one_hot(), {"num_classes": 6}, {"num_classes": 6, "ignore_class": 2}, weights=(None, whole))

# -- those of values alone, and of a function ---------------------------------------------------------------------


def values_case(name: str, shape: tuple[int, ...], weight_shape: tuple[int, ...] | None) -> Case:
    r = np.random.default_rng(3)
    drawn = [(r.uniform(0, 3, (n, *shape)).astype("float32"),) for n in SIZES]
    if weight_shape is not None:
        drawn = [(*batch, r.uniform(0, 2, (len(batch[0]), *weight_shape)).astype("float32")) for batch in drawn]

    def ours() -> Any:
        metric = getattr(cr.metrics, name)()

        def update(*batch: Any) -> Any:
            metric.update_state(*batch)
            return metric.result()

        return results_of(metric, cr.jit(update), drawn)

    def theirs() -> Any:
        metric = getattr(keras.metrics, name)()
        return results_of(metric, metric.update_state, drawn)

    return Case(name, ours, theirs, f"{shape}, weights {weight_shape}")


for of_values in ("Mean", "Sum"):
    CASES += [
        values_case(of_values, shape, weight)
        for shape, weight in (((), None), ((), ()), ((), (1,)), ((3,), None), ((3,), ()), ((3, 2), (3,)), ((3,), (3,)))
    ]


def wrapped(package: Any, ops: Any, **arguments: Any) -> Callable[[], Any]:
    def distance(y_true: Any, y_pred: Any, power: float = 1.0) -> Any:
        return ops.mean(ops.power(ops.absolute(y_true - y_pred), power), axis=-1)

    def run() -> Any:
        metric = package.metrics.MeanMetricWrapper(distance, name="distance", **arguments)
        return results_of(metric, metric.update_state, batches_of(real(), a_sample))

    return run


CASES += [
    Case("MeanMetricWrapper", wrapped(cr, cr.ops), wrapped(keras, keras.ops)),
    Case("MeanMetricWrapper", wrapped(cr, cr.ops, power=3.0), wrapped(keras, keras.ops, power=3.0), "power=3"),
]
