"""Values against formulas written another way, at the edges, and metrics in training against the same by themselves."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import metrics

R = np.random.default_rng(2)


def test_sums_are_exact_over_millions():
    metric = metrics.MeanAbsoluteError()
    ones = np.full((1_000_000, 1), 0.1, "float32")
    for _ in range(5):
        metric.update_state(np.zeros_like(ones), ones)
    assert abs(metric.result() - float(np.float32(0.1))) < 1e-12


def test_roc_auc_is_the_chance_that_a_positive_has_the_larger_score():
    score = R.integers(1, 21, 500) / 20
    hit = R.random(500) < score
    above = score[hit][:, None] - score[~hit][None, :]
    chance = np.mean((above > 0) + 0.5 * (above == 0))
    assert metrics.AUC(num_thresholds=21)(hit, score) == pytest.approx(chance)


def test_thresholds_count_what_is_above():
    y, p = R.random(300) < 0.5, R.integers(0, 11, 300) / 10
    thresholds = [0.75, 0.15, 0.45]
    found = metrics.FalsePositives(thresholds=thresholds)(y, p)
    assert found.tolist() == [np.sum(~y & (p > threshold)) for threshold in thresholds]
    assert metrics.TrueNegatives(thresholds=0.45)(y, p) == np.sum(~y & (p <= 0.45))


def test_r2_of_batches_with_a_large_mean():
    y = 1000 + R.normal(size=(90, 2))
    p = y + 0.5 * R.normal(size=y.shape)
    metric = metrics.R2Score(class_aggregation=None, dtype="float64")
    for rows in np.split(np.arange(90), [40, 80]):
        metric.update_state(y[rows], p[rows])
    expected = 1 - ((y - p) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-8)


def test_pearson_is_the_correlation_coefficient():
    y, p = R.normal(size=(1, 40)), R.normal(size=(1, 40))
    found = metrics.PearsonCorrelation(dtype="float64")(y, p)
    assert found == pytest.approx(np.corrcoef(y[0], p[0])[0, 1])


def test_equal_scores_are_all_in_the_top_k_but_only_k_are_chosen():
    scores = np.array([[0.5, 0.5, 0.5, 0.1]])
    assert [float(metrics.SparseTopKCategoricalAccuracy(k=1)([label], scores)) for label in range(4)] == [1, 1, 1, 0]
    counted = metrics.TruePositives()
    chosen = metrics.Precision(top_k=2)
    chosen.update_state([[1, 1, 1, 1]], scores)
    assert float(chosen.true_positives[0]) == 2 and counted.result() == 0


@pytest.mark.parametrize("k", [4, 9])
def test_top_k_of_no_more_classes_than_that_is_all(k):
    scores = R.random((5, 4))
    assert metrics.Recall(top_k=k)(np.eye(4)[[0, 1, 2, 3, 0]], scores) == 1
    assert metrics.SparseTopKCategoricalAccuracy(k=k)([0, 1, 2, 3, 0], scores) == 1


def test_labels_that_are_no_class_are_not_among_the_best():
    assert metrics.SparseTopKCategoricalAccuracy(k=2)([7, -1], R.random((2, 3))) == 0
    nan = np.array([[np.nan, 1.0, 0.5]])
    assert metrics.SparseTopKCategoricalAccuracy(k=2)([0], nan) == 0


def test_iou_along_another_axis_and_outside_the_classes():
    labels = R.integers(0, 3, (6, 2, 2))
    scores = R.random((6, 2, 2, 3)).astype("float32")
    last = metrics.MeanIoU(3, sparse_y_pred=False)(labels, scores)
    first = metrics.MeanIoU(3, sparse_y_pred=False, axis=1)(labels, scores.transpose(0, 3, 1, 2))
    assert last == first
    assert metrics.MeanIoU(2)([0, 1, 5, -1], [0, 1, 0, 1]) == pytest.approx(1, abs=1e-6)


def test_iou_weights_are_cut_only_if_asked():
    data, weights = ([0, 0, 1, 1], [0, 1, 0, 1]), [1.5, 1.0, 1.0, 1.0]
    whole = metrics.IoU(2, [0], dtype="int32")(*data, sample_weight=weights)
    exact = metrics.IoU(2, [0])(*data, sample_weight=weights)
    assert whole == pytest.approx(1 / 3, abs=1e-6) and exact == pytest.approx(1.5 / 3.5, abs=1e-6)


def test_an_ignored_class_does_not_count_where_there_are_weights():
    p = np.full((3, 2), 0.5, "float32")
    plain, weighted = (metrics.SparseCategoricalCrossentropy(ignore_class=1) for _ in range(2))
    assert plain([0, 0, 1], p) == pytest.approx(2 / 3 * np.log(2))
    assert weighted([0, 0, 1], p, sample_weight=[1.0, 2.0, 3.0]) == pytest.approx(np.log(2))


# -- in training --------------------------------------------------------------------------------------------------


def rows(count=90):
    x = R.normal(size=(count, 4)).astype("float32")
    return x, (x[:, :1] + 0.5 * R.normal(size=(count, 1)) > 0).astype("float32")


def make(given, weighted=None, **options):
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=given, weighted_metrics=weighted, **options)
    return model


def some():
    return [
        metrics.AUC(),
        metrics.AUC(multi_label=True, name="each"),
        metrics.F1Score(threshold=0.5),
        metrics.R2Score(),
        metrics.Recall(thresholds=[0.3, 0.6]),
        metrics.BinaryIoU(),
        metrics.MeanIoU(2),
        metrics.RecallAtPrecision(0.7),
    ]


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_evaluate_gives_what_they_give_by_themselves(run_eagerly):
    """Before any training as well: the Variables whose shapes depend on the data are made by then."""
    x, y = rows()
    model = make(some(), some(), run_eagerly=run_eagerly)
    weights = R.random(len(x)).astype("float32")
    logs = model.evaluate(x, y, batch_size=40, verbose=0, sample_weight=weights, return_dict=True)
    p = model.predict(x)
    for metric in some():
        np.testing.assert_allclose(logs[metric.name], np.squeeze(metric(y, p)), rtol=1e-5)
    for metric in some():
        found = logs[f"weighted_{metric.name}"]
        np.testing.assert_allclose(found, np.squeeze(metric(y, p, sample_weight=weights)), rtol=1e-5)


def test_several_values_are_a_list_in_the_logs(capsys):
    x, y = rows()
    history = make([metrics.Recall(thresholds=[0.3, 0.6])]).fit(x, y, verbose=2, validation_data=(x, y)).history
    assert len(history["recall"][0]) == 2 and all(isinstance(part, float) for part in history["val_recall"][0])
    assert "recall: [" in capsys.readouterr().out


def test_no_two_have_one_name():
    x, y = rows()
    model = make(["accuracy", metrics.Precision(), metrics.Precision(thresholds=0.2)], ["accuracy"])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(logs) == ["accuracy", "precision", "precision_1", "weighted_accuracy", "loss"]


def test_evaluating_leaves_the_running_ones_as_they_are():
    x, y = rows()
    model = make([metrics.F1Score(), "accuracy"])
    model.fit(x, y, verbose=0)
    before = [variable.numpy() for variable in model.metric_variables]
    model.evaluate(x[:30], y[:30], verbose=0)
    for now, then in zip(model.metric_variables, before, strict=True):
        np.testing.assert_array_equal(now.numpy(), then)


def test_masked_positions_do_not_count():
    from chainrule.layers import symbolic

    values = np.array([[1.0, 5.0], [1.0, 1.0]], "float32")
    metric = metrics.MeanMetricWrapper(lambda y_true, y_pred: y_pred)

    def step(y):
        y = y * 1.0
        symbolic.set_mask(y, cr.ops.less(y, 3.0))
        metric.update_state(y, y)
        return metric.result()

    assert float(cr.jit(step)(values)) == 1.0
    metric.update_state(values, values)
    assert float(metric.count.numpy()) == pytest.approx(1.5 + 2)


class OwnStep(cr.Model):
    """Says its metrics' results itself."""

    def __init__(self):
        super().__init__()
        self.dense = cr.layers.Dense(1, "sigmoid")
        self.hits, self.area = metrics.BinaryAccuracy(), metrics.AUC(curve="PR")

    def call(self, x):
        return self.dense(x)

    def test_step(self, data):
        x, y = data
        p = self(x)
        self.hits.update_state(y, p)
        self.area.update_state(y, p)
        return {"hits": self.hits.result(), "area": self.area.result()}


def test_results_within_a_step_of_ones_own():
    x, y = rows()
    model = OwnStep()
    model.compile("sgd", "mse")
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    p = model.predict(x)
    assert logs["hits"] == pytest.approx(float(metrics.BinaryAccuracy()(y, p)))
    assert logs["area"] == pytest.approx(float(metrics.AUC(curve="PR")(y, p)))


def test_saved_with_the_model(tmp_path):
    x, y = rows()
    model = make([*some(), "accuracy", metrics.MeanMetricWrapper(cr.losses.Hinge())])
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model")
    again = cr.load_model(tmp_path / "model")
    assert again.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(x, y, verbose=0, return_dict=True)
