"""Every metric: compiled as computed at once, made again from its configuration, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics, ops
from chainrule.errors import ChainruleError
from chainrule.graph.types import ArrayType, OpenDim, float32
from chainrule.runtime.jit import compile_function

R = np.random.default_rng(5)
ROWS = 11
SCORES = R.normal(size=(ROWS, 4)).astype("float32")
PROBABILITIES = (np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)).astype("float32")
LABELS = R.integers(0, 4, (ROWS, 1)).astype("float32")
ONE_HOT = np.eye(4, dtype="float32")[LABELS[:, 0].astype(int)]
BITS = R.integers(0, 2, (ROWS, 1)).astype("float32")
CHANCES = R.random((ROWS, 1)).astype("float32")
CLASSES = R.integers(0, 4, (ROWS, 1)).astype("float32")

REAL, CHOICE, SPARSE, BINARY, FOUND = (
    (ONE_HOT + 0.3 * SCORES, ONE_HOT),
    (ONE_HOT, PROBABILITIES),
    (LABELS, PROBABILITIES),
    (BITS, CHANCES),
    (LABELS, CLASSES),
)

TABLE = [
    (metrics.MeanSquaredError, {}, REAL),
    (metrics.RootMeanSquaredError, {}, REAL),
    (metrics.MeanAbsoluteError, {}, REAL),
    (metrics.MeanAbsolutePercentageError, {}, (PROBABILITIES, ONE_HOT)),
    (metrics.MeanSquaredLogarithmicError, {}, CHOICE),
    (metrics.CosineSimilarity, {"axis": 1}, REAL),
    (metrics.LogCoshError, {}, REAL),
    (metrics.R2Score, {"class_aggregation": None, "num_regressors": 2}, REAL),
    (metrics.PearsonCorrelation, {"axis": 1}, REAL),
    (metrics.ConcordanceCorrelation, {"axis": 1}, REAL),
    (metrics.Hinge, {}, CHOICE),
    (metrics.SquaredHinge, {}, CHOICE),
    (metrics.CategoricalHinge, {}, CHOICE),
    (metrics.KLDivergence, {}, CHOICE),
    (metrics.Poisson, {}, CHOICE),
    (metrics.BinaryCrossentropy, {"label_smoothing": 0.1}, BINARY),
    (metrics.CategoricalCrossentropy, {"label_smoothing": 0.1, "from_logits": True}, CHOICE),
    (metrics.SparseCategoricalCrossentropy, {"ignore_class": 1}, SPARSE),
    (metrics.Accuracy, {}, FOUND),
    (metrics.BinaryAccuracy, {"threshold": 0.4}, BINARY),
    (metrics.CategoricalAccuracy, {}, CHOICE),
    (metrics.SparseCategoricalAccuracy, {}, SPARSE),
    (metrics.TopKCategoricalAccuracy, {"k": 2}, CHOICE),
    (metrics.SparseTopKCategoricalAccuracy, {"k": 2}, SPARSE),
    (metrics.TruePositives, {"thresholds": [0.2, 0.7]}, BINARY),
    (metrics.TrueNegatives, {"thresholds": 0.3}, BINARY),
    (metrics.FalsePositives, {}, BINARY),
    (metrics.FalseNegatives, {"thresholds": [0.9, 0.1, 0.5]}, BINARY),
    (metrics.Precision, {"top_k": 2, "class_id": 1}, CHOICE),
    (metrics.Recall, {"thresholds": [0.0, 0.5, 1.0]}, CHOICE),
    (metrics.SensitivityAtSpecificity, {"specificity": 0.4, "num_thresholds": 7}, BINARY),
    (metrics.SpecificityAtSensitivity, {"sensitivity": 0.4, "class_id": 2}, CHOICE),
    (metrics.PrecisionAtRecall, {"recall": 0.4}, BINARY),
    (metrics.RecallAtPrecision, {"precision": 0.4}, BINARY),
    (metrics.AUC, {"thresholds": [0.1, 0.6], "curve": "PR"}, BINARY),
    (metrics.AUC, {"multi_label": True, "label_weights": [1.0, 2.0, 0.0, 1.0], "curve": "PRGAIN"}, CHOICE),
    (metrics.F1Score, {"average": "weighted"}, CHOICE),
    (metrics.FBetaScore, {"beta": 2.0, "threshold": 0.3}, CHOICE),
    (metrics.IoU, {"num_classes": 4, "target_class_ids": [1, 2]}, FOUND),
    (metrics.BinaryIoU, {"threshold": 0.3, "target_class_ids": [1]}, BINARY),
    (metrics.MeanIoU, {"num_classes": 4, "ignore_class": 0, "sparse_y_pred": False}, SPARSE),
    (metrics.OneHotIoU, {"num_classes": 4, "target_class_ids": [0]}, CHOICE),
    (metrics.OneHotMeanIoU, {"num_classes": 4, "sparse_y_pred": False}, CHOICE),
    (metrics.MeanMetricWrapper, {"fn": cr.losses.MeanAbsoluteError()}, REAL),
]
EACH = pytest.mark.parametrize(("kind", "arguments", "data"), TABLE, ids=[row[0].__name__ for row in TABLE])


def open_type(array: np.ndarray) -> ArrayType:
    return ArrayType(float32, (OpenDim("batch"), *array.shape[1:]))


@EACH
def test_compiled_as_at_once(kind, arguments, data):
    """Also with a smaller batch at the end, with weights, and with the result within the compiled function."""
    metric, other = kind(**arguments), kind(**arguments)
    weights = R.random(ROWS).astype("float32")

    def step(y_true, y_pred, sample_weight):
        metric.update_state(y_true, y_pred, sample_weight)
        return metric.result()

    types = (*map(open_type, data), ArrayType(float32, (OpenDim("batch"),)))
    compiled = compile_function(step, *types)
    metric.reset_state()
    for rows in (slice(0, 8), slice(8, ROWS)):
        batch = (*(array[rows] for array in data), weights[rows])
        (within,) = compiled(*(np.ascontiguousarray(part) for part in batch))
        other.update_state(*batch)
        np.testing.assert_allclose(within, other.result(), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(metric.result(), other.result(), rtol=1e-6, atol=1e-9)
    assert np.isfinite(other.result()).all()


@EACH
def test_batches_add_up(kind, arguments, data):
    """Rows in two batches are the same rows in one, but for what is relative to the batch; a reset forgets."""
    whole, parts = kind(**arguments), kind(**arguments)
    whole.update_state(*data)
    parts.update_state(*data)
    parts.reset_state()
    for rows in (slice(0, 8), slice(8, ROWS)):
        parts.update_state(*(array[rows] for array in data))
    np.testing.assert_allclose(whole.result(), parts.result(), rtol=1e-6)


@EACH
def test_weights_are_like_repeated_rows(kind, arguments, data):
    if kind is metrics.R2Score:
        arguments = {**arguments, "num_regressors": 0}  # the number of samples is not weighted
    counts = R.integers(1, 4, ROWS)
    weighted, repeated = kind(**arguments), kind(**arguments)
    weighted.update_state(*data, counts.astype("float32"))
    rows = np.repeat(np.arange(ROWS), counts)
    repeated.update_state(*(array[rows] for array in data), np.ones(len(rows), "float32"))
    np.testing.assert_allclose(weighted.result(), repeated.result(), rtol=1e-6)


@EACH
def test_configuration(kind, arguments, data):
    metric = kind(**arguments, name="mine")
    config = metric.get_config()
    json.dumps(config)
    again = kind.from_config(config)
    assert again.get_config() == config and again.name == "mine"
    assert metrics.get({"class_name": kind.__name__, "config": config}).get_config() == config
    assert set(arguments) <= set(config)
    metric.update_state(*data)
    again.update_state(*data)
    np.testing.assert_array_equal(metric.result(), again.result())


def test_the_table_is_whole():
    tried = {row[0] for row in TABLE} | {metrics.Mean, metrics.Sum}
    assert tried == set(metrics.CLASSES.values())
    assert all(kind.__name__ in metrics.__all__ for kind in tried)
    assert {"f1_score", "binary_io_u", "auc", "mse", "MAPE", "kl_divergence"} <= set(metrics.CLASSES)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (metrics.Precision, {"thresholds": 1.5}, "from 0 to 1"),
        (metrics.Recall, {"thresholds": [0.5, None]}, "from 0 to 1"),
        (metrics.Precision, {"top_k": 0}, "1 or more"),
        (metrics.AUC, {"num_thresholds": 1}, "2 or more"),
        (metrics.AUC, {"curve": "RCO"}, "did you mean 'ROC'"),
        (metrics.AUC, {"summation_method": "sum"}, "unknown summation_method"),
        (metrics.AUC, {"num_labels": 3}, "multi_label=True"),
        (metrics.SensitivityAtSpecificity, {"specificity": 1.2}, "specificity is out of range"),
        (metrics.PrecisionAtRecall, {"recall": 0.5, "num_thresholds": 0}, "no thresholds"),
        (metrics.F1Score, {"average": "mean"}, "unknown average"),
        (metrics.F1Score, {"threshold": 0.0}, "out of range"),
        (metrics.FBetaScore, {"beta": 0.0}, "above 0"),
        (metrics.R2Score, {"class_aggregation": "mean"}, "uniform_average"),
        (metrics.R2Score, {"num_regressors": -1}, "0 or more"),
        (metrics.IoU, {"num_classes": 3, "target_class_ids": [3]}, "0 to 2"),
        (metrics.TopKCategoricalAccuracy, {"k": 1.5}, "1 or more"),
        (metrics.Mean, {"dtype": "float99"}, "unknown dtype"),
        (metrics.MeanMetricWrapper, {"fn": 3}, "metric"),
    ],
)
def test_refused_arguments(kind, arguments, message):
    with pytest.raises((ChainruleError), match=message):
        kind(**arguments)


@pytest.mark.parametrize(
    ("metric", "data", "message"),
    [
        (metrics.BinaryAccuracy(), (ONE_HOT, CHANCES), "differ in shape"),
        (metrics.SparseCategoricalAccuracy(), CHOICE, "without 'sparse'"),
        (metrics.Precision(class_id=7), CHOICE, "no such class"),
        (metrics.F1Score(), (BITS[:, 0], CHANCES[:, 0]), "a column a class"),
        (metrics.R2Score(), (np.zeros((2, 3, 4)), np.zeros((2, 3, 4))), "one row a sample"),
        (metrics.AUC(multi_label=True, num_labels=3), CHOICE, "a column a label"),
        (metrics.BinaryAccuracy(), (*BINARY, np.ones(ROWS + 1)), "weights do not fit"),
    ],
)
def test_refused_data(metric, data, message):
    with pytest.raises(ChainruleError, match=message):
        metric.update_state(*data)


def test_no_result_of_nothing():
    with pytest.raises(ChainruleError, match="no batch"):
        metrics.F1Score().result()
    assert metrics.Mean().result() == 0 and metrics.AUC().result() == 0 and metrics.Precision().result() == 0


@pytest.mark.parametrize(
    ("identifier", "loss", "true", "pred", "kind"),
    [
        ("accuracy", None, (2, 1), (2, 1), metrics.BinaryAccuracy),
        ("acc", None, (2,), (2, 3), metrics.SparseCategoricalAccuracy),
        ("Accuracy", None, (2, 1), (2, 3), metrics.SparseCategoricalAccuracy),
        ("accuracy", None, (2, 3), (2, 3), metrics.CategoricalAccuracy),
        ("accuracy", cr.losses.BinaryCrossentropy(), (2, 3), (2, 3), metrics.BinaryAccuracy),
        ("crossentropy", None, (2, 1), (2, 1), metrics.BinaryCrossentropy),
        ("ce", None, (2,), (2, 3), metrics.SparseCategoricalCrossentropy),
        ("ce", None, (2, 3), (2, 3), metrics.CategoricalCrossentropy),
        ("rmse", None, (2, 3), (2, 3), metrics.RootMeanSquaredError),
    ],
)
def test_resolve(identifier, loss, true, pred, kind):
    found = metrics.resolve(identifier, loss, true, pred)
    assert type(found) is kind and found.name == identifier


def test_a_crossentropy_takes_logits_where_the_loss_does():
    loss = cr.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert metrics.resolve("crossentropy", loss, (2,), (2, 3)).from_logits


def test_get():
    assert isinstance(metrics.get("AUC"), metrics.AUC) and metrics.get("AUC").name == "AUC"
    assert metrics.AUC().name == "auc" and metrics.LogCoshError().name == "logcosh"
    assert isinstance(metrics.get(metrics.Recall), metrics.Recall)
    with pytest.raises(ChainruleError, match="needs arguments"):
        metrics.get("MeanIoU")
    with pytest.raises(ChainruleError, match="did you mean 'Precision'"):
        metrics.get("Precisoin")


def test_a_function_of_ones_own():
    def worst(y_true, y_pred):
        return ops.max(ops.absolute(y_true - y_pred), axis=-1)

    metric = metrics.get(worst)
    assert metric.name == "worst"
    assert float(metric(np.zeros((2, 2)), np.array([[1.0, 3.0], [2.0, 1.0]]))) == 2.5


class Spread(metrics.Metric):
    """Written as for Keras."""

    def __init__(self, name="spread", **options):
        super().__init__(name=name, **options)
        self.low = self.add_weight(shape=(), initializer="zeros", name="low")
        self.high = self.add_variable(shape=(), initializer="zeros", name="high")
        self.inner = metrics.Mean()

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = ops.subtract(y_pred, y_true)
        self.low.assign(ops.minimum(self.low, ops.min(error)))
        self.high.assign(ops.maximum(self.high, ops.max(error)))
        self.inner.update_state(error)

    def result(self):
        return {"low": self.low, "high": self.high + 0.0, "mean": self.inner.result()}


def test_a_class_of_ones_own():
    metric = Spread()
    assert [variable.name for variable in metric.variables] == ["spread/low", "spread/high", "mean/total", "mean/count"]
    found = metric([0.0, 0.0], [-1.0, 2.0])
    assert float(found["low"]) == -1 and found["high"] == 2 and found["mean"] == 0.5
    metric.reset_state()
    assert all(variable.numpy() == 0 for variable in metric.variables)


def test_assign_add_and_sub():
    count = cr.Variable(np.zeros(2, "int32"))
    total = cr.Variable(np.float32(1.0))

    def step(x):
        count.assign_add(np.ones(2))
        total.assign_sub(ops.sum(ops.cast(x, "float64")))
        return ops.sum(x)

    step(np.ones(3, "float32"))
    cr.jit(step)(np.ones(3, "float32"))
    assert count.numpy().tolist() == [2, 2] and float(total) == -5
    assert str(count.dtype) == "i32" and str(total.dtype) == "f32"
