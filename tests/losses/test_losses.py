"""Every loss: compiled as interpreted, its gradients, its config; weights, masks, reductions, and what is refused."""

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.autodiff.check import check_gradients
from chainrule.errors import ChainruleError
from chainrule.graph.types import ArrayType, OpenDim, as_dtype
from chainrule.runtime.jit import compile_function

GENERATOR = np.random.Generator(np.random.Philox(key=3))
ROWS, CLASSES = 7, 4


def normal(*shape):
    return GENERATOR.normal(0, 1.5, shape).astype("float32")


def uniform(*shape):
    return GENERATOR.uniform(0.05, 0.95, shape).astype("float32")


def shares(*shape):
    raised = np.exp(normal(*shape))
    return raised / raised.sum(-1, keepdims=True)


LABELS = GENERATOR.integers(0, CLASSES, ROWS).astype("int32")
HOT = np.eye(CLASSES, dtype="float32")[LABELS]
BITS = GENERATOR.integers(0, 2, (ROWS, CLASSES)).astype("float32")
NUMBERS = normal(ROWS, CLASSES), normal(ROWS, CLASSES)
UNITS = NUMBERS[1] / np.linalg.norm(NUMBERS[1], axis=-1, keepdims=True)

# a row a loss, with options that are not the defaults
TABLE = [
    ("MeanSquaredError", {}, NUMBERS),
    ("MeanAbsoluteError", {}, NUMBERS),
    ("MeanAbsolutePercentageError", {}, NUMBERS),
    ("MeanSquaredLogarithmicError", {}, (uniform(ROWS, 3), uniform(ROWS, 3))),
    ("Huber", {"delta": 0.7}, NUMBERS),
    ("SmoothL1", {"beta": 0.7}, NUMBERS),
    ("LogCosh", {}, NUMBERS),
    ("Hinge", {}, (BITS, NUMBERS[1])),
    ("SquaredHinge", {}, (BITS * 2 - 1, NUMBERS[1])),
    ("CategoricalHinge", {}, (HOT, NUMBERS[1])),
    ("KLDivergence", {}, (shares(ROWS, 3), shares(ROWS, 3))),
    ("Poisson", {}, (BITS, uniform(ROWS, CLASSES))),
    ("PoissonNLL", {"full": True}, (BITS * 3, NUMBERS[1])),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, (BITS, uniform(ROWS, CLASSES))),
    ("BinaryCrossentropy", {"from_logits": True}, (BITS, NUMBERS[1])),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "gamma": 1.5}, (BITS, uniform(ROWS, CLASSES))),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, (HOT, shares(ROWS, CLASSES))),
    ("CategoricalCrossentropy", {"from_logits": True}, (HOT, NUMBERS[1])),
    ("CategoricalFocalCrossentropy", {"alpha": [0.1, 0.2, 0.3, 0.4]}, (HOT, shares(ROWS, CLASSES))),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, (LABELS, shares(ROWS, CLASSES))),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, (LABELS, shares(ROWS, CLASSES))),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, (LABELS, NUMBERS[1])),
    ("Dice", {"axis": 1}, (BITS, uniform(ROWS, CLASSES))),
    ("Tversky", {"alpha": 0.3, "beta": 0.8}, (BITS, uniform(ROWS, CLASSES))),
    ("CosineSimilarity", {}, NUMBERS),
    ("Circle", {"gamma": 4.0}, (LABELS, UNITS)),
    ("TripletMargin", {"p": 3.0, "swap": True}, (LABELS, normal(ROWS, 3, CLASSES))),
    ("GaussianNLL", {"log_variance": True, "full": True}, (NUMBERS[0][:, :2], NUMBERS[1])),
    ("Quantile", {"quantiles": [0.1, 0.4, 0.6, 0.9]}, (NUMBERS[0][:, 0], NUMBERS[1])),
]
WEIGHTS = uniform(ROWS)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_compiled_with_an_open_batch_is_interpreted(row):
    name, options, data = row
    loss = getattr(cr.losses, name)(**options)

    def both(true, pred, weight):
        return cr.value_and_grad(loss, argnums=1)(true, pred, weight)

    batch = OpenDim("batch")
    kinds = [ArrayType(as_dtype(part.dtype), (batch, *part.shape[1:])) for part in (*data, WEIGHTS)]
    run = compile_function(both, *kinds)
    value, slope = run(*data, WEIGHTS)
    wanted, wanted_slope = both(*data, WEIGHTS)
    np.testing.assert_allclose(value, wanted, rtol=1e-5)
    np.testing.assert_allclose(slope, wanted_slope, rtol=1e-4, atol=1e-6)
    assert np.isfinite(run(*(part[:1] for part in (*data, WEIGHTS)))[1]).all(), "a batch of one"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_gradients_are_slopes(row):
    name, options, (true, pred) = row
    loss = getattr(cr.losses, name)(reduction="sum", **options)
    check_gradients(lambda p: loss(true, p), [pred], order=1)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_config_makes_it_again(row):
    name, options, data = row
    loss = getattr(cr.losses, name)(reduction="sum", name="mine", dtype="float64", **options)
    config = json.loads(json.dumps(cr.losses.serialize(loss)))
    again = cr.losses.deserialize(config)
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    assert again(*data) == loss(*data) and np.asarray(again(*data)).dtype == np.float64


def test_the_table_of_names_is_whole():
    tested = {name for name, _, _ in TABLE}
    named = {name: kind for name, kind in cr.losses.CLASSES.items() if kind is not cr.losses.FunctionLoss}
    assert tested == {kind.__name__ for kind in named.values()}
    for name, kind in named.items():
        assert type(cr.losses.get(name)) is kind
        assert type(cr.losses.get({"class_name": name, "config": {}})) is kind
        if not name[0].isupper() or name.isupper():
            assert type(cr.losses.get(getattr(cr.losses, name))) is kind, "the function"


ZEROS_AND_ONES = np.array([[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 1], [1, 1, 1, 1]], "float32")
HUGE = np.array([[1e4, -1e4, 0, 1e4], [-1e4, -1e4, 1e4, 0], [90, -90, 200, -200], [0, 0, 0, 0]], "float32")
ONE_HOT = np.eye(4, dtype="float32")
NUMBER = np.array([0, 1, 2, 1], "int32")

# targets and predictions where a formula has a logarithm of 0, a division by 0, or an overflow
EDGES = [
    *[(name, {}, ZEROS_AND_ONES, HUGE) for name in ("MeanSquaredError", "MeanAbsoluteError", "Huber", "SmoothL1")],
    *[
        (name, {}, ZEROS_AND_ONES, HUGE)
        for name in ("LogCosh", "Hinge", "SquaredHinge", "Quantile", "CategoricalHinge")
    ],
    ("MeanAbsolutePercentageError", {}, ZEROS_AND_ONES, ZEROS_AND_ONES),
    ("MeanSquaredLogarithmicError", {}, ZEROS_AND_ONES, HUGE),
    ("CosineSimilarity", {}, ZEROS_AND_ONES, HUGE),
    ("CosineSimilarity", {}, ZEROS_AND_ONES, HUGE * 0),
    *[(name, {}, HUGE * 0, HUGE * 0) for name in ("CosineSimilarity", "Dice", "Tversky")],
    *[(name, {}, ZEROS_AND_ONES, 1 - ZEROS_AND_ONES) for name in ("KLDivergence", "Poisson", "BinaryCrossentropy")],
    ("BinaryCrossentropy", {}, ZEROS_AND_ONES, ZEROS_AND_ONES),
    ("BinaryCrossentropy", {"from_logits": True}, ZEROS_AND_ONES, HUGE),
    *[
        ("BinaryFocalCrossentropy", {"gamma": gamma, "from_logits": logits}, ZEROS_AND_ONES, pred)
        for gamma in (0.0, 0.5, 1.0, 2.0)
        for logits, pred in [(False, ZEROS_AND_ONES), (False, 1 - ZEROS_AND_ONES), (True, HUGE)]
    ],
    *[
        (name, {"from_logits": logits}, true, pred)
        for name, true in [
            ("CategoricalCrossentropy", ONE_HOT),
            ("CategoricalFocalCrossentropy", ONE_HOT),
            ("SparseCategoricalCrossentropy", NUMBER),
        ]
        for logits, pred in [(False, ONE_HOT), (False, ONE_HOT[::-1].copy()), (True, HUGE)]
    ],
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.1}, NUMBER, ONE_HOT),
    ("Circle", {}, NUMBER, ONE_HOT),
    ("Circle", {}, NUMBER * 0, ONE_HOT[[0, 0, 0, 0]]),
    *[
        ("TripletMargin", {"p": p, "epsilon": epsilon}, NUMBER, np.zeros((4, 3, 5), "float32"))
        for p in (1.0, 1.5, 2.0, 3.0, float("inf"))
        for epsilon in (0.0, 1e-6)
    ],
    ("PoissonNLL", {"full": True}, ZEROS_AND_ONES, np.maximum(HUGE, -1e4).clip(-1e4, 50)),
    ("PoissonNLL", {"log_input": False}, ZEROS_AND_ONES, 1 - ZEROS_AND_ONES),
    ("GaussianNLL", {}, ZEROS_AND_ONES[:, :2], ZEROS_AND_ONES * 0),
    ("GaussianNLL", {}, ZEROS_AND_ONES[:, :2], HUGE),
]


@pytest.mark.parametrize("row", EDGES, ids=lambda row: row[0])
def test_gradients_are_finite_at_the_edges(row):
    name, options, true, pred = row
    both = cr.value_and_grad(getattr(cr.losses, name)(**options), argnums=1)
    for value, slope in (both(true, pred), cr.jit(both)(true, pred)):
        assert np.isfinite(value) and np.isfinite(slope).all(), (value, slope)


def test_small_errors_keep_their_digits():
    error = np.array([[1e-3]], "float32")
    np.testing.assert_allclose(cr.losses.log_cosh(error * 0, error), [5e-7], rtol=1e-3)


def test_a_variance_below_the_least_is_led_back():
    loss, one = cr.losses.GaussianNLL(), np.ones((1, 1), "float32")
    value, slope = cr.value_and_grad(loss, argnums=1)(one, np.array([[1.0, -1e30]], "float32"))
    np.testing.assert_allclose(value, 0.5 * np.log(1e-6), rtol=1e-6)
    assert slope[0, 1] == pytest.approx(0.5e6, rel=1e-4), "smaller is better where the mean is right"
    value, slope = cr.value_and_grad(loss, argnums=1)(one, np.array([[1.1, -0.5]], "float32"))
    assert slope[0, 1] < 0, "else it is to grow"


def test_reductions_and_weights():
    true, pred = [[0.0], [0.0], [0.0]], [[1.0], [2.0], [3.0]]
    weight = [2.0, 0.0, 1.0]

    def of(how, *weights):
        return np.asarray(cr.losses.MeanSquaredError(how)(true, pred, *weights)).tolist()

    assert of("none") == of(None) == [1.0, 4.0, 9.0] and of("none", weight) == [2.0, 0.0, 9.0]
    assert of("sum") == 14.0 and of("sum", weight) == 11.0
    assert of("mean") == of("sum_over_batch_size") == of("mean_with_sample_weight") == pytest.approx(14 / 3)
    assert of("mean", weight) == of("sum_over_batch_size", weight) == pytest.approx(11 / 3)
    assert of("mean_with_sample_weight", weight) == pytest.approx(11 / 3)
    assert of("mean_with_sample_weight", [0.0, 0.0, 0.0]) == 0.0
    assert of("sum", [[2.0], [0.0], [1.0]]) == 11.0


def test_one_number_a_sample_in_one_dimension_is_weighed_like_a_column():
    true, pred = NUMBERS[0][:, 0], NUMBERS[1][:, 0]
    for how in ("sum", "mean", "none"):
        loss = cr.losses.MeanSquaredError(how)
        np.testing.assert_array_equal(loss(true, pred, WEIGHTS), loss(true, pred[:, None], WEIGHTS))
    assert cr.losses.mean_squared_error(true, pred).shape == ()


def test_what_is_ignored_does_not_count_in_means():
    logits = NUMBERS[1]
    loss = cr.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=int(LABELS[0]))
    kept = np.not_equal(LABELS, LABELS[0])
    plain = cr.losses.SparseCategoricalCrossentropy(from_logits=True)
    np.testing.assert_allclose(loss(LABELS, logits), plain(LABELS[kept], logits[kept]), rtol=1e-6)
    nothing = cr.value_and_grad(loss, argnums=1)(np.full(ROWS, LABELS[0]), logits)
    assert nothing[0] == 0.0 and not nothing[1].any()


def test_circle_counts_those_with_a_partner_alone():
    loss = cr.losses.Circle()
    three = np.array([0, 0, 1], "int32")
    both = cr.losses.circle(three, UNITS[:3])
    assert both[2] == 0.0
    np.testing.assert_allclose(loss(three, UNITS[:3]), both[:2].mean(), rtol=1e-6)


def test_axes_of_classes_may_be_any():
    true, pred = LABELS[: 2 * 3].reshape(2, 3), shares(2, 3, CLASSES)
    last = cr.losses.sparse_categorical_crossentropy(true, pred)
    first = cr.losses.sparse_categorical_crossentropy(true, np.moveaxis(pred, -1, 1), axis=1)
    np.testing.assert_array_equal(last, first)
    hot = np.eye(CLASSES, dtype="float32")[true]
    spread = cr.losses.categorical_crossentropy(
        np.moveaxis(hot, -1, 1), np.moveaxis(pred, -1, 1), label_smoothing=0.2, axis=1
    )
    np.testing.assert_allclose(spread, cr.losses.categorical_crossentropy(hot, pred, label_smoothing=0.2), rtol=1e-6)


def test_a_loss_of_ones_own():
    class Scaled(cr.losses.Loss):
        def __init__(self, factor=1.0, **base):
            super().__init__(**base)
            self.factor = factor

        def call(self, y_true, y_pred):
            return cr.ops.mean(cr.ops.absolute(y_true - y_pred), axis=-1) * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    loss = Scaled(2.0, reduction="sum")
    assert loss([1.0, 2.0], [[1.5], [1.0]]) == 3.0
    again = cr.losses.deserialize(cr.losses.serialize(loss), {"Scaled": Scaled})
    assert again.factor == 2.0 and again.reduction == "sum"

    def worst(y_true, y_pred):
        return cr.ops.max(cr.ops.absolute(y_true - y_pred), axis=-1)

    named = cr.losses.get(worst)
    assert named.name == "worst" and named([1, 2], [[1.5], [1.0]]) == 0.75
    config = json.loads(json.dumps(cr.losses.serialize(named)))
    assert cr.losses.deserialize(config, {"worst": worst}).function is worst
    with pytest.raises(ChainruleError, match="unknown loss function 'worst'"):
        cr.losses.deserialize(config)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.losses.Huber(delta=-1.0), "delta is out of range"),
        (lambda: cr.losses.Huber(delta=float("inf")), "delta is out of range"),
        (lambda: cr.losses.SmoothL1(beta="1"), "beta is out of range"),
        (lambda: cr.losses.MeanSquaredError("average"), "unknown reduction"),
        (lambda: cr.losses.MeanSquaredError(dtype="int32"), "not whole numbers"),
        (lambda: cr.losses.BinaryCrossentropy("sum"), "from_logits is not a yes or no"),
        (lambda: cr.losses.BinaryCrossentropy(label_smoothing=1.5), "label_smoothing is out of range"),
        (lambda: cr.losses.CategoricalCrossentropy(axis=True), "not an axis"),
        (lambda: cr.losses.BinaryFocalCrossentropy(alpha=2.0), "alpha is out of range"),
        (lambda: cr.losses.CategoricalFocalCrossentropy(gamma=-1), "gamma is out of range"),
        (lambda: cr.losses.SparseCategoricalCrossentropy(ignore_class=0.5), "not a label"),
        (lambda: cr.losses.CategoricalGeneralizedCrossEntropy(q=0.0), "q is out of range"),
        (lambda: cr.losses.Tversky(alpha=-0.1), "alpha is out of range"),
        (lambda: cr.losses.Dice(axis="all"), "not axes"),
        (lambda: cr.losses.Circle(margin=3.0), "margin is out of range"),
        (lambda: cr.losses.TripletMargin(p=0.5), "p is out of range"),
        (lambda: cr.losses.GaussianNLL(epsilon=0.0), "epsilon is out of range"),
        (lambda: cr.losses.Quantile(1.0), "quantiles are parts"),
        (lambda: cr.losses.Quantile([]), "quantiles are parts"),
        (lambda: cr.losses.get("cross_entropy"), "did you mean"),
        (lambda: cr.losses.get(3), "not a loss"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ChainruleError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cr.losses.mse(np.zeros((4, 2)), np.zeros((4, 1))), "differ in shape"),
        (lambda: cr.losses.MeanSquaredError()(np.zeros(3), np.zeros((4, 1))), "differ in shape"),
        (lambda: cr.losses.MeanSquaredError()(np.zeros((4, 1)), np.zeros((4, 1)), np.ones(3)), "weights do not fit"),
        (lambda: cr.losses.MeanSquaredError()(["a"], [[1.0]]), "not an array of numbers"),
        (lambda: cr.losses.CategoricalCrossentropy()(np.ones((4, 1)), np.ones((4, 1))), "one class only"),
        (lambda: cr.losses.CategoricalFocalCrossentropy([0.5, 0.5])(HOT, HOT), "alpha does not fit"),
        (lambda: cr.losses.SparseCategoricalCrossentropy()(HOT, HOT), "labels do not fit"),
        (lambda: cr.losses.SparseCategoricalCrossentropy()(LABELS[:2], HOT), "labels do not fit"),
        (lambda: cr.losses.Circle()(HOT, HOT), "labels and embeddings do not fit"),
        (lambda: cr.losses.TripletMargin()(LABELS, HOT), "no triplets"),
        (lambda: cr.losses.GaussianNLL()(np.zeros((4, 1)), np.zeros((4, 3))), "not pairs of means and variances"),
        (lambda: cr.losses.GaussianNLL()(np.zeros((4, 2)), np.zeros((4, 2))), "differ in shape"),
        (lambda: cr.losses.Quantile([0.1, 0.9])(np.zeros((4, 1)), np.zeros((4, 3))), "not quantiles of the targets"),
        (lambda: cr.losses.Quantile([0.1, 0.9])(np.zeros((4, 2)), np.zeros((4, 2))), "not quantiles of the targets"),
        (lambda: cr.losses.BinaryCrossentropy(axis=4)(BITS, BITS), "axis 4 is out of range"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ChainruleError, match=message):
        call()
