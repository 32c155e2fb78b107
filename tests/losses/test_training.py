"""Losses inside the compiled step: an epoch of training, compiled as interpreted; masks; models that are saved."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError

GENERATOR = np.random.Generator(np.random.Philox(key=5))
ROWS = 50
X = GENERATOR.normal(0, 1, (ROWS, 6)).astype("float32")
LABELS = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)
HOT = np.eye(3, dtype="float32")[LABELS]
NUMBER = X[:, 0] * X[:, 1]
COUNTS = np.floor(np.abs(X[:, 0]) * 3)
TRIPLES = GENERATOR.normal(0, 1, (ROWS, 3, 6)).astype("float32")
BITS = (X[:, :1] > 0).astype("float32")

# loss, units and activation of the last layer, inputs, targets
MODELS = [
    ("mse", 1, None, X, NUMBER),
    ("log_cosh", 1, None, X, NUMBER),
    (cr.losses.huber, 1, None, X, NUMBER),
    (cr.losses.SmoothL1(0.5), 1, None, X, NUMBER),
    ("squared_hinge", 1, "tanh", X, BITS),
    ("poisson", 1, "softplus", X, COUNTS),
    ("PoissonNLL", 1, None, X, COUNTS),
    ("binary_focal_crossentropy", 1, "sigmoid", X, BITS),
    ("categorical_focal_crossentropy", 3, "softmax", X, HOT),
    ("sparse_categorical_crossentropy", 3, "softmax", X, LABELS),
    (cr.losses.CategoricalGeneralizedCrossEntropy(0.7), 3, "softmax", X, LABELS),
    ("kld", 3, "softmax", X, HOT),
    ("tversky", 3, "sigmoid", X, HOT),
    ("cosine_similarity", 3, None, X, HOT),
    (cr.losses.Circle(gamma=4.0), 3, None, X, LABELS),
    (cr.losses.TripletMargin(), 3, None, TRIPLES, np.zeros(ROWS)),
    (cr.losses.GaussianNLL(log_variance=True), 2, None, X, NUMBER),
    (cr.losses.Quantile([0.1, 0.5, 0.9]), 3, None, X, NUMBER),
    (cr.losses.Quantile(0.9), 1, None, X, NUMBER),
]


def trained(row, eagerly, **options):
    loss, units, activation, x, y = row
    cr.set_random_seed(2)
    model = cr.Sequential([cr.Input(x.shape[1:]), cr.layers.Dense(8, "tanh"), cr.layers.Dense(units, activation)])
    model.compile("sgd", loss, run_eagerly=eagerly)
    history = model.fit(x, y, batch_size=16, epochs=1, verbose=0, shuffle=False, **options)
    return history.history["loss"], model.get_weights()


@pytest.mark.parametrize("row", MODELS, ids=lambda row: getattr(row[0], "name", getattr(row[0], "__name__", row[0])))
def test_an_epoch_compiled_is_one_interpreted(row):
    weights = GENERATOR.uniform(0, 2, ROWS)
    for options in ({}, {"sample_weight": weights}):
        compiled, interpreted = trained(row, False, **options), trained(row, True, **options)
        np.testing.assert_allclose(compiled[0], interpreted[0], rtol=1e-5)
        for a, b in zip(compiled[1], interpreted[1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_quantiles_lie_in_order_after_training():
    cr.set_random_seed(0)
    x, y = np.zeros((400, 1), "float32"), np.random.default_rng(0).uniform(0, 1, 400)
    model = cr.Sequential([cr.Input((1,)), cr.layers.Dense(3)])
    model.compile(cr.optimizers.Adam(0.02), cr.losses.Quantile([0.1, 0.5, 0.9]))
    model.fit(x, y, epochs=60, verbose=0)
    np.testing.assert_allclose(model.predict(x[:1])[0], np.quantile(y, [0.1, 0.5, 0.9]), atol=0.08)


def test_a_function_with_targets_of_another_shape():
    def negative_log(y_true, y_pred):
        hot = cr.ops.one_hot(y_true, 3)
        return -cr.ops.sum(hot * cr.ops.log_softmax(y_pred), axis=-1)

    own = trained((negative_log, 3, None, X, LABELS), False)
    ours = trained((cr.losses.SparseCategoricalCrossentropy(from_logits=True), 3, None, X, LABELS), False)
    np.testing.assert_allclose(own[0], ours[0], rtol=1e-5)


def test_shapes_that_do_not_fit_are_refused_before_training():
    for loss, units, y in [
        ("mse", 2, NUMBER),
        (cr.losses.GaussianNLL(), 3, NUMBER),
        (cr.losses.Quantile([0.1, 0.9]), 3, NUMBER),
        (cr.losses.TripletMargin(), 3, NUMBER),
        (cr.losses.Circle(), 3, HOT),
    ]:
        with pytest.raises(ChainruleError):
            trained((loss, units, None, X, y), False)


def test_a_mask_leaves_its_positions_out_of_the_mean():
    from chainrule.graph.tracing import current_trace

    loss = cr.losses.MeanSquaredError()
    true, pred = GENERATOR.normal(0, 1, (2, 4, 5, 3)).astype("float32")
    kept = np.array([[1, 1, 0, 0, 1]] * 2 + [[0, 0, 0, 0, 0]] * 2, bool)

    def masked(mask, weight=None):
        @cr.jit
        def run(t, p):
            current_trace().masks[p] = mask
            return loss(t, p, weight)

        return run(true, pred)

    np.testing.assert_allclose(masked(kept), np.square(true - pred).mean(-1)[kept].mean(), rtol=1e-6)
    assert masked(kept & False) == 0.0
    weights = GENERATOR.uniform(0, 1, 4).astype("float32")
    wanted = (np.square(true - pred).mean(-1) * weights[:, None])[kept].mean()
    np.testing.assert_allclose(masked(kept, weights), wanted, rtol=1e-6)


def test_a_saved_model_keeps_its_loss(tmp_path):
    for loss in (cr.losses.Quantile([0.1, 0.9]), cr.losses.huber, "mape", cr.losses.Tversky(axis=(1,))):
        units = 2 if isinstance(loss, cr.losses.Quantile) else 1
        model = cr.Sequential([cr.Input((6,)), cr.layers.Dense(units)])
        model.compile("sgd", loss)
        y = np.abs(NUMBER) + 1
        before = model.evaluate(X, y, verbose=0)
        model.save(tmp_path / "model.chainrule")
        again = cr.load_model(tmp_path / "model.chainrule")
        assert type(again.loss) is type(cr.losses.get(loss))
        assert again.evaluate(X, y, verbose=0) == pytest.approx(before, rel=1e-6)
