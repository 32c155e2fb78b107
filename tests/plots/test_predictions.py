"""Confusions, calibration, mistakes against scikit-learn, by hand, and with other arrays refused."""

import numpy as np
import pytest
from sklearn import metrics

from chainrule.errors import DataError
from chainrule.plots import calibration, confusion_matrix, find_mistakes
from chainrule.plots.predictions import as_labels, as_probabilities

RNG = np.random.default_rng(0)
TRUE = RNG.integers(0, 4, 300)
LOGITS = RNG.normal(size=(300, 4)) + 2 * np.eye(4)[TRUE]
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def test_confusions_are_those_of_scikit_learn():
    expected = metrics.confusion_matrix(TRUE, SHARES.argmax(axis=1))
    for true in (TRUE, TRUE.astype("float32"), TRUE[:, None], np.eye(4)[TRUE]):
        for predicted in (SHARES, SHARES.argmax(axis=1)):
            np.testing.assert_array_equal(confusion_matrix(true, predicted), expected)
    assert (confusion_matrix(SHARES.argmax(axis=1), TRUE) != expected).any()  # rows are the true classes


def test_two_classes_by_the_probability_of_the_second():
    assert confusion_matrix([0, 1, 1, 0], [0.4, 0.6, 0.2, 0.5]).tolist() == [[2, 0], [1, 1]]
    assert confusion_matrix([0, 0], [0, 0]).tolist() == [[2, 0], [0, 0]]
    assert confusion_matrix([True, False], [True, True], 3).tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_calibration_by_hand():
    # Two of confidence 0.8, one right; two of 0.6, both right: 0.5·|0.5 − 0.8| + 0.5·|1 − 0.6|.
    shares = [[0.8, 0.2], [0.8, 0.2], [0.4, 0.6], [0.4, 0.6]]
    found = calibration([0, 1, 1, 1], shares, bins=5)
    assert found.counts.tolist() == [0, 0, 2, 2, 0]  # (0.4, 0.6] and (0.6, 0.8]: the upper edge belongs to a bin
    assert found.accuracy.tolist() == [0, 0, 1, 0.5, 0]
    assert found.confidence == pytest.approx([0, 0, 0.6, 0.8, 0])
    assert found.error == pytest.approx(0.5 * 0.3 + 0.5 * 0.4)


def test_calibration_by_the_formula():
    confidence, right = SHARES.max(axis=1), SHARES.argmax(axis=1) == TRUE
    error = 0.0
    for m in range(1, 16):
        inside = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration(TRUE, SHARES, 15).error == pytest.approx(error)
    assert calibration(TRUE, SHARES, 15).counts.sum() == 300


def test_one_who_is_always_certain_and_right_is_calibrated():
    assert calibration([0, 1], [0.0, 1.0]).error == 0
    assert calibration([1, 0], [0.0, 1.0]).error == 1


def test_mistakes_come_by_certainty():
    found = find_mistakes(TRUE, SHARES)
    wrong = np.flatnonzero(SHARES.argmax(axis=1) != TRUE)
    assert sorted(one.row for one in found) == wrong.tolist()
    assert [one.confidence for one in found] == sorted((one.confidence for one in found), reverse=True)
    for one in found:
        assert one.true == TRUE[one.row] and one.predicted == SHARES[one.row].argmax()
        assert one.truth == SHARES[one.row, one.true] and one.confidence == SHARES[one.row].max()
    assert find_mistakes(TRUE, SHARES, 3) == found[:3]
    assert [one.row for one in find_mistakes([1, 1, 1], [0.2, 0.1, 0.2])] == [1, 0, 2]  # of equals the earlier
    assert find_mistakes([0, 1], [0.1, 0.9]) == ()


@pytest.mark.parametrize(
    "ask,says",
    [
        (lambda: as_labels("y", ["a", "b"]), "neither labels nor probabilities"),
        (lambda: as_labels("y", np.zeros((2, 2, 2))), "neither labels nor probabilities"),
        (lambda: as_labels("y", []), "neither labels nor probabilities"),
        (lambda: as_labels("y", [0.5, np.nan]), "not finite"),
        (lambda: as_labels("y", [0.5, 2.5]), "apply a sigmoid"),
        (lambda: as_labels("y", [0, -1]), "start at 0"),
        (lambda: as_probabilities("p", LOGITS), "apply a softmax"),
        (lambda: as_probabilities("p", [[0.5, 0.9]]), "add up to 1"),
        (lambda: as_probabilities("p", [[0.5, np.nan]]), "numbers from 0 to 1"),
        (lambda: as_probabilities("p", [["a"]]), "no probabilities"),
        (lambda: confusion_matrix([0, 1], [0]), "differ in rows"),
        (lambda: confusion_matrix([0, 5], [0, 1], 3), "expected: 0 to 2"),
        (lambda: confusion_matrix([0, 1], [0, 1], 0), "confusion_matrix: classes is not a count"),
        (lambda: calibration([0, 4], SHARES[:2]), "no probability for a label"),
        (lambda: calibration([0, 1], SHARES[:2], 0), "calibration: bins is not a count"),
        (lambda: find_mistakes([0], SHARES[:2]), "differ in rows"),
    ],
)
def test_other_arrays_are_refused(ask, says):
    with pytest.raises(DataError, match=says):
        ask()
