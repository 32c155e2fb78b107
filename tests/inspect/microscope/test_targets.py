"""Which classes or numbers a probe is to read, from targets of every kind."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.inspect.microscope.targets import find_targets

RNG = np.random.default_rng(5)
X = RNG.standard_normal((30, 4)).astype("f")


def targets(units, loss, y, activation=None):
    cr.set_random_seed(1)
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(units, activation)])
    model.compile("sgd", loss)
    from chainrule.training.prepare import prepare

    data = prepare(model, X, y)
    predictions = model.predict(X)
    return find_targets(model, data[1], predictions), predictions


@pytest.mark.parametrize("kind", ["sparse", "one-hot", "one-hot, squares"])
def test_classes(kind):
    labels = RNG.integers(0, 3, 30)
    loss = {
        "sparse": cr.losses.SparseCategoricalCrossentropy(from_logits=True),
        "one-hot": cr.losses.CategoricalCrossentropy(from_logits=True),
    }.get(kind, "mse")
    found, predictions = targets(3, loss, labels if kind == "sparse" else np.eye(3, dtype="f")[labels])
    np.testing.assert_array_equal(found.labels, labels)
    assert found.numbers is None
    assert found.score == pytest.approx(np.mean(predictions.argmax(axis=1) == labels))


@pytest.mark.parametrize(
    ("loss", "activation", "low", "threshold"),
    [
        ("binary_crossentropy", "sigmoid", 0, 0.5),
        (cr.losses.BinaryCrossentropy(from_logits=True), None, 0, 0.0),
        ("hinge", None, -1, 0.0),
        ("mse", "sigmoid", 0, 0.5),
        ("mse", "tanh", -1, 0.0),
    ],
)
@pytest.mark.parametrize("shape", [(30,), (30, 1)])
def test_two_classes_in_one_column(loss, activation, low, threshold, shape):
    labels = RNG.integers(0, 2, 30)
    found, predictions = targets(1, loss, np.where(labels, 1, low).astype("f").reshape(shape), activation)
    np.testing.assert_array_equal(found.labels, labels)
    assert found.score == pytest.approx(np.mean((predictions[:, 0] > threshold) == labels))


def test_numbers():
    y = RNG.standard_normal((30, 2)).astype("f")
    found, predictions = targets(2, "mse", y)
    assert found.labels is None
    np.testing.assert_allclose(found.numbers, y)
    np.testing.assert_allclose(found.spread_over(30), y[:, 0])
    missed, spread = np.sum((y - predictions) ** 2), np.sum((y - y.mean(axis=0)) ** 2)
    assert found.score == pytest.approx(1 - missed / spread, rel=1e-5)


def test_several_labels_a_row_are_numbers():
    y = (RNG.random((30, 3)) < 0.5).astype("f")
    y[0] = 1
    found, _ = targets(3, "binary_crossentropy", y, "sigmoid")
    np.testing.assert_array_equal(found.numbers, y)


def test_rows_that_the_loss_ignores_have_no_label():
    labels = RNG.integers(0, 3, 30)
    labels[[3, 8]] = -1
    found, _ = targets(3, cr.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1), labels)
    assert len(found.rows) == 28 and 3 not in found.rows
    np.testing.assert_array_equal(found.spread_over(30), labels)


def test_labels_of_places_are_not_read_from_the_row():
    model = cr.Sequential([cr.Input((6,)), cr.layers.Embedding(9, 4), cr.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    seen = model.inspect(RNG.integers(0, 9, (20, 6)), RNG.integers(0, 3, (20, 6)))
    assert seen.measure == "none" and seen.probe_of_input is None and seen.labels is None
    assert seen["dense"].likeness_to_input is not None


def test_the_first_output_that_has_targets():
    given = cr.Input((4,))
    model = cr.Model(given, {"a": cr.layers.Dense(1, name="a")(given), "b": cr.layers.Dense(3, name="b")(given)})
    model.compile("sgd", {"b": cr.losses.SparseCategoricalCrossentropy(from_logits=True)})
    labels = RNG.integers(0, 3, 30)
    seen = model.inspect(X, {"b": labels})
    np.testing.assert_array_equal(seen.labels, labels)
    assert [layer.kind for layer in seen.layers] == ["output", "output"]
    assert seen["a"].gradient_share == 0 and seen["b"].gradient_share == pytest.approx(1)


def test_a_loss_of_ones_own():
    class Own(cr.Model):
        def __init__(self):
            super().__init__()
            self.first = cr.layers.Dense(3)

        def call(self, x):
            return self.first(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return cr.ops.mean(cr.ops.square(y_pred))

    model = Own()
    model.compile("sgd")
    labels = RNG.integers(0, 3, 30)
    seen = model.inspect(X, labels)
    np.testing.assert_array_equal(seen.labels, labels)
    assert seen.accuracy is None and seen.probe_of_input is not None
    assert model.inspect(X, X[:, :2]).measure == "R²"
    assert model.inspect(X, None).measure == "none"
