"""Answers as what they are: classes, labels or numbers, by loss and targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError
from chainrule.inspect.judgement import Classes, Labels, Numbers, judge, judge_output

LOGITS = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def test_numbered_classes_from_logits() -> None:
    loss = cr.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = judge_output("out", loss, np.array([0, 2]), LOGITS, None)
    assert isinstance(found, Classes) and found.probable
    np.testing.assert_allclose(found.scores, SHARES)
    assert found.right.tolist() == [True, False] and found.names == ("0", "1", "2")


def test_numbered_classes_of_each_place_without_those_ignored() -> None:
    loss = cr.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    given = np.stack([SHARES, SHARES])
    found = judge_output("out", loss, np.array([[0, -1], [1, 1]]), given, ["a", "b", "c"])
    assert isinstance(found, Classes)
    assert found.truth.tolist() == [0, 1, 1] and found.rows.tolist() == [0, 1, 1]
    assert found.answers.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "loss",
    [cr.losses.CategoricalCrossentropy(from_logits=True), cr.losses.CategoricalFocalCrossentropy(from_logits=True)],
)
def test_one_hot_classes(loss: Any) -> None:
    found = judge_output("out", loss, np.eye(3)[[0, 2]], LOGITS, None)
    assert isinstance(found, Classes) and found.truth.tolist() == [0, 2]
    np.testing.assert_allclose(found.scores, SHARES)


def test_soft_targets_are_numbers() -> None:
    found = judge_output("out", cr.losses.CategoricalCrossentropy(), SHARES, SHARES, None)
    assert isinstance(found, Numbers) and found.names == ("out[0]", "out[1]", "out[2]")


@pytest.mark.parametrize("from_logits", [False, True])
def test_yes_or_no(from_logits: bool) -> None:
    given = np.array([[0.2], [0.9], [0.5]])
    logits = np.log(given / (1 - given)) if from_logits else given
    found = judge_output(
        "out", cr.losses.BinaryCrossentropy(from_logits), np.array([[0], [1], [0]]), logits, ["n", "y"]
    )
    assert isinstance(found, Classes)
    np.testing.assert_allclose(found.scores[:, 1], given[:, 0])
    assert found.answers.tolist() == [0, 1, 0]  # a half is no, as for Keras's accuracy


def test_labels() -> None:
    truth = np.array([[1, 0], [0, 1]])
    found = judge_output("out", cr.losses.BinaryCrossentropy(), truth, np.array([[0.9, 0.2], [0.6, 0.7]]), ["r", "g"])
    assert isinstance(found, Labels) and found.truth.dtype == bool and found.names == ("r", "g")


def test_pixels_of_yes_and_no_are_classes_and_grey_ones_numbers() -> None:
    given = np.full((2, 3, 3), 0.4)
    loss = cr.losses.BinaryCrossentropy()
    found = judge_output("out", loss, np.zeros((2, 3, 3)), given, None)
    assert isinstance(found, Classes) and found.rows.tolist() == [0] * 9 + [1] * 9
    assert isinstance(judge_output("out", loss, given, given, None), Numbers)


def test_margins_are_no_probabilities() -> None:
    found = judge_output("out", cr.losses.Hinge(), np.array([-1, 1]), np.array([[2.0], [3.0]]), None)
    assert isinstance(found, Classes) and not found.probable
    assert found.truth.tolist() == [0, 1] and found.right.tolist() == [False, True]
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


def test_regression_and_its_names() -> None:
    found = judge_output("out", cr.losses.get("mse"), np.zeros((4, 2)), np.ones((4, 2)), ["x", "y"])
    assert isinstance(found, Numbers) and found.names == ("x", "y")
    assert judge_output("out", cr.losses.get("mse"), np.zeros(4), np.ones((4, 1)), None).names == ("out",)


@pytest.mark.parametrize("names", [["a"], "abc", 3])
def test_names_that_do_not_fit_are_refused(names: Any) -> None:
    with pytest.raises(DataError, match="names do not fit"):
        judge_output("out", cr.losses.get("categorical_crossentropy"), np.eye(3), np.eye(3), names)


def test_a_model_with_two_outputs() -> None:
    x = cr.Input((2,))
    given = {"kind": cr.layers.Dense(3, "softmax", name="kind")(x), "size": cr.layers.Dense(1, name="size")(x)}
    model = cr.Model(x, given)
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    rows = np.random.default_rng(0).random((5, 2))
    found = judge(model, rows, {"kind": np.arange(5) % 3, "size": np.arange(5.0)}, {"kind": ["a", "b", "c"]})
    assert [(judgement.output, type(judgement)) for judgement in found] == [("kind", Classes), ("size", Numbers)]
    np.testing.assert_allclose(found[1].answers, model.predict(rows)["size"], rtol=1e-6)
