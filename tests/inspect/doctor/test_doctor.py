"""The doctor: each fault of the zoo is named, and the healthy are left alone."""

import re

import numpy as np
import pytest
from zoo.broken import BROKEN
from zoo.healthy import HEALTHY
from zoo.specimens import classes_of, compiled, deep, numbers_of, table, tabular

import chainrule as cr
from chainrule import layers, losses, optimizers
from chainrule.errors import ChainruleError
from chainrule.inspect.doctor.doctor import diagnose
from chainrule.inspect.doctor.examination import examine
from chainrule.inspect.doctor.findings import SEVERITIES, Diagnosis, Finding
from chainrule.inspect.doctor.rehearsal import Rehearsal, copy_optimizer
from chainrule.inspect.doctor.rules.beginning import find_stations
from chainrule.inspect.doctor.rules.refusals import RULES_OF_REFUSALS
from chainrule.inspect.doctor.structure import activation_at
from chainrule.training.prepare import prepare

BY_NAME = {specimen.name: specimen for specimen in BROKEN}


def named(diagnosis):
    return {(finding.rule, finding.where) for finding in diagnosis}


def rules(diagnosis):
    return [finding.rule for finding in diagnosis]


def severe(diagnosis):
    return [finding for finding in diagnosis if finding.severity != "note"]


# -- the zoo ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("specimen", BROKEN, ids=lambda specimen: specimen.name)
def test_a_fault_is_named_and_nothing_else(specimen):
    model, x, y = specimen.make()
    validation = specimen.validation(x, y) if specimen.validation else None
    found = diagnose(model, x, y, validation)
    assert (specimen.rule, specimen.where) in named(found)
    assert set(rules(found)) == {specimen.rule}
    for finding in found:
        assert finding.severity in SEVERITIES
        assert finding.problem and finding.evidence and finding.fix
    assert all(len(line) <= 80 for line in str(found).splitlines())


@pytest.mark.parametrize("specimen", HEALTHY, ids=lambda specimen: specimen.name)
def test_no_wolf_is_cried(specimen):
    model, x, y = specimen.make()
    found = diagnose(model, x, y)
    assert severe(found) == []
    assert tuple(rules(found)) == specimen.notes
    assert not found.unchecked


def test_the_zoo_is_large_enough():
    assert len(BROKEN) >= 15 and len(HEALTHY) >= 15
    assert len({specimen.name for specimen in (*BROKEN, *HEALTHY)}) == len(BROKEN) + len(HEALTHY)


@pytest.mark.parametrize("specimen", [one for one in HEALTHY if one.epochs], ids=lambda specimen: specimen.name)
def test_the_healthy_learn(specimen):
    model, x, y = specimen.make()
    y = np.asarray(y) if isinstance(y, list) else y
    history = model.fit(x, y, epochs=specimen.epochs, verbose=0).history["loss"]
    last = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    assert last < 0.98 * history[0]


# -- nothing is changed -------------------------------------------------------------------------------------------


def noisy():
    cr.set_random_seed(3)
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(16, "relu"), layers.BatchNormalization(), layers.Dropout(0.3),
         layers.Dense(1, "sigmoid")]
    )  # fmt: skip
    return compiled(model, "adam", "binary_crossentropy", metrics=["accuracy"])


def test_training_goes_as_if_nothing_had_been():
    x, y = table(), classes_of(table(), 2)
    before, target = x.copy(), y.copy()
    histories = []
    for look in (False, True):
        model = noisy()
        if look:
            weights = [weight.numpy() for weight in model.weights]
            diagnose(model, x, y, (x[:50] + 1, y[:50]))
            for weight, value in zip(model.weights, weights, strict=True):
                np.testing.assert_array_equal(weight.numpy(), value)
            assert model.optimizer.state == {} and int(model.optimizer.iterations) == 0
            assert model.logs()["loss"] == 0
        histories.append(model.fit(x, y, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(y, target)


def test_a_model_in_the_midst_of_training_keeps_its_moments():
    x, y = table(), classes_of(table(), 2)
    model = noisy()
    model.fit(x, y, epochs=1, verbose=0)
    before = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    diagnose(model, x, y)
    after = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_same_rows_give_the_same_words():
    made = BY_NAME["sgd_too_fast"].make
    assert str(diagnose(*made())) == str(diagnose(*made()))


# -- what fit refuses ---------------------------------------------------------------------------------------------


X, Y = table(40, 4), np.arange(40) % 3


def three_classes(end="softmax", loss="sparse_categorical_crossentropy"):
    cr.set_random_seed(0)
    return compiled(cr.Sequential([cr.Input((4,)), layers.Dense(3, end, name="last")]), "adam", loss)


REFUSED = {
    "NaN": (three_classes, np.where(X > 2, np.nan, X), Y, "not-finite"),
    "classes from 1": (three_classes, X, Y + 1, "labels-out-of-range"),
    "half a class": (three_classes, X, Y + 0.5, "labels-out-of-range"),
    "one hot": (three_classes, X, np.eye(3)[Y], "targets-do-not-fit"),
    "too narrow": (lambda: three_classes(None, "mse"), X, np.ones((40, 2)), "targets-do-not-fit"),
    "another width": (three_classes, X[:, :2], Y, "inputs-do-not-fit"),
    "logits": (
        lambda: three_classes(loss=losses.SparseCategoricalCrossentropy(from_logits=True)), X, Y, "double-softmax"
    ),
    "another length": (three_classes, X, Y[:7], "refused"),
    "no rows": (three_classes, X[:0], Y[:0], "refused"),
    "text": (three_classes, X.astype(str), Y, "refused"),
    "ragged": (three_classes, [[1.0], [1.0, 2.0]], Y[:2], "refused"),
    "nothing": (three_classes, None, Y, "refused"),
    "no targets": (three_classes, X, None, "refused"),
    "no loss": (lambda: three_classes(loss=None), X, Y, "refused"),
    "no layers": (lambda: compiled(cr.Sequential(), "adam", "mse"), X, Y, "refused"),
    "not compiled": (lambda: cr.Sequential([cr.Input((4,)), layers.Dense(3)]), X, Y, "refused"),
    "not this optimizer": (
        lambda: compiled(three_classes(), "lbfgs", "sparse_categorical_crossentropy"), X, Y, "refused"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_fit_refuses_is_told_in_its_words(name):
    make, x, y, rule = REFUSED[name]
    with pytest.raises(ChainruleError) as raised:
        make().fit(x, y, verbose=0)
    found = diagnose(make(), x, y)
    assert [finding.severity for finding in severe(found)] == ["error"]
    finding = severe(found)[0]
    assert (finding.rule, finding.problem) == (rule, raised.value.problem)
    for part in (raised.value.got, raised.value.expected):
        assert part is None or str(part) in finding.evidence


def test_every_rule_of_a_refusal_is_met():
    """Each text of the table is still one that is raised: those not among `REFUSED` are raised here."""
    assert len({rule for *_, rule in REFUSED.values()} - {"refused"}) == 5
    twice = cr.Sequential([cr.Input((4,)), layers.Dense(3, "softmax"), layers.Softmax()])
    lone = cr.Sequential([cr.Input((4,)), layers.Dense(1, "softmax")])
    loss = "categorical_crossentropy"
    patients = [(make(), x, y) for make, x, y, _ in REFUSED.values()]
    patients += [(compiled(twice, "adam", loss), X, np.eye(3)[Y]), (compiled(lone, "adam", loss), X, np.ones((40, 1)))]
    patients.append(BY_NAME["flatten_forgotten"].make())
    problems = {finding.problem for patient in patients for finding in diagnose(*patient)}
    assert [words for words in RULES_OF_REFUSALS if not any(words in problem for problem in problems)] == []


TOLD = {
    "flatten_forgotten": (
        "layer 'dense' gives (batch, 28, 10): the input still has two axes",
        "expected predictions of shape (batch, 10) for such targets; got targets of shape (600,)",
        "put cr.layers.Flatten() before the first Dense",
    ),
    "distances_of_class_numbers": (
        "targets and predictions differ in shape",
        "expected targets of shape (300, 3); got (300,)",
        "for class numbers use loss='sparse_categorical_crossentropy'",
    ),
    "rows_of_unequal_length": (
        "the arrays differ in length",
        "expected as many rows in each; got x has 300 rows, y has 299",
        "build both from the same rows",
    ),
    "one_column_short": (
        "the data do not fit the model",
        "expected ('batch', 8); got (300, 7)",
        "Input((8,)) is for samples of shape (8,): give x that shape, or write Input((7,))",
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_beginners_mistake_is_told_with_its_own_shapes_and_a_fix_that_helps(name):
    (finding,) = diagnose(*BY_NAME[name].make())
    assert (finding.problem, finding.evidence, finding.fix) == TOLD[name]


def test_numbers_that_are_no_classes_are_not_advised_to_be_classes():
    x = table()
    for y in (numbers_of(x)[:, 0], classes_of(x) + 1, classes_of(x) - 1):
        (finding,) = diagnose(compiled(tabular(x, outputs=3), "adam", "mse"), x, y)
        assert finding.rule == "targets-do-not-fit" and "crossentropy" not in finding.fix


def test_flatten_is_advised_only_where_an_axis_is_left():
    cr.set_random_seed(0)
    model = compiled(cr.Sequential([cr.Input((5, 4)), layers.Dense(3, "softmax")]), "adam", "categorical_crossentropy")
    x = table(40, 20).reshape(40, 5, 4)
    assert "Flatten" in diagnose(model, x, np.eye(3)[Y]).findings[0].fix
    each = np.eye(3)[np.arange(200).reshape(40, 5) % 3]
    assert severe(diagnose(model, x, each)) == []


@pytest.mark.parametrize(
    ("pair", "where"),
    [((X[:5], Y[:5] + 1), "validation y"), ((X[:5, :2], Y[:5]), "validation_data: x"), (5, "validation_data")],
)
def test_validation_data_that_fit_would_refuse(pair, where):
    found = severe(diagnose(three_classes(), X, Y, pair))
    assert len(found) == 1 and found[0].where.startswith(where)


def test_batches_are_not_used_up():
    batches = ((X[part], Y[part]) for part in (slice(0, 20), slice(20, 40)))
    with pytest.raises(ChainruleError, match="batches in place of arrays"):
        diagnose(three_classes(), batches, None)
    assert not severe(diagnose(three_classes(), *next(batches), validation_data=batches))
    assert len(next(batches)[0]) == 20


def test_an_error_of_the_users_own_code_passes_through():
    def mine(x):
        raise ZeroDivisionError("mine")

    model = cr.Sequential([layers.Lambda(mine, output_shape=(4,)), layers.Dense(3, "softmax")])
    with pytest.raises(ZeroDivisionError, match="mine"):
        diagnose(compiled(model, "adam", "sparse_categorical_crossentropy"), X, Y)


# -- three kinds of model -----------------------------------------------------------------------------------------


class Own(cr.Model):
    def __init__(self, hidden, last):
        super().__init__()
        self.hidden, self.last = hidden, last

    def call(self, x):
        return self.last(self.hidden(x))


def kinds(hidden, last):
    """The same two layers as a Sequential, as a graph, and as a class."""
    given = cr.Input((8,))
    yield lambda: cr.Sequential([cr.Input((8,)), hidden(), last()])
    yield lambda: cr.Model(given, last()(hidden()(given)))
    yield lambda: Own(hidden(), last())


@pytest.mark.parametrize(
    ("hidden", "last", "loss", "scale", "rule", "where"),
    [
        ("relu", {"units": 1}, "binary_crossentropy", 1, "loss-does-not-fit", "layer 'last'"),
        ("relu", {"units": 1, "activation": "softmax"}, "binary_crossentropy", 1, "softmax-of-one", "layer 'last'"),
        ("relu", {"units": 1, "activation": "sigmoid"}, losses.BinaryCrossentropy(from_logits=True), 1,
         "double-softmax", "layer 'last'"),
        (None, {"units": 1, "activation": "sigmoid"}, "binary_crossentropy", 1, "linear-pair", "layer 'last'"),
        ("relu", {"units": 1, "activation": "sigmoid"}, "binary_crossentropy", 90, "unscaled-inputs", "layer 'hidden'"),
    ],
)  # fmt: skip
def test_all_kinds_of_model_are_alike(hidden, last, loss, scale, rule, where):
    x, y = table() * scale, classes_of(table(), 2)
    for make in kinds(lambda: layers.Dense(8, hidden, name="hidden"), lambda: layers.Dense(**last, name="last")):
        cr.set_random_seed(0)
        found = diagnose(compiled(make(), "adam", loss), x, y)
        assert named(found) == {(rule, where)}


# -- the numbers, by other means ----------------------------------------------------------------------------------


def test_signal_and_gradient_of_each_layer_in_numpy():
    x, y = table(64), numbers_of(table(64))
    model = compiled(deep(x, 4, "relu", "he_normal", units=16), "sgd", "mse")
    passage = examine(model, x, y).passage
    stations = list(find_stations(passage).values())
    assert [station.name for station in stations] == [f"hidden_{place}" for place in range(4)]
    weights = [weight.numpy().astype(np.float64) for weight in model.weights]
    values = [x.astype(np.float64)]
    for kernel, bias in zip(weights[0:8:2], weights[1:8:2], strict=True):
        values.append(np.maximum(values[-1] @ kernel + bias, 0))
    slope = 2 * (values[-1] @ weights[8] + weights[9] - y) / len(x) @ weights[8].T
    for place in (3, 2, 1, 0):
        expected = np.sqrt((slope**2).sum(axis=1).mean())
        assert stations[place].gradient == pytest.approx(expected, rel=1e-4)
        assert stations[place].signal == pytest.approx(np.sqrt(values[place + 1].var(axis=0).mean()), rel=1e-4)
        assert stations[place].before == tuple(range(place))
        slope = (slope * (values[place + 1] > 0)) @ weights[2 * place].T


def test_the_gain_that_is_told_is_that_of_the_layers():
    """Weights that halve what comes, exactly: of 12 layers, 2**-11 of the first one's signal."""
    x = table()
    half = [layers.Dense(8, use_bias=False, kernel_initializer=lambda shape, dtype=None: np.eye(8, dtype="f") / 8)
            for _ in range(12)]  # fmt: skip
    model = compiled(cr.Sequential([cr.Input((8,)), *half, layers.Dense(1)]), "sgd", "mse")
    found = [finding for finding in diagnose(model, x, numbers_of(x)) if finding.rule == "vanishing-signal"]
    assert [finding.where for finding in found] == ["layer 'dense_5'"]  # 8**-5 is the first below 1e-4
    assert "3.1e-05 times" in found[0].evidence and "0.12 times per layer" in found[0].evidence


def test_a_rehearsal_is_what_training_does():
    x, y = table(64), numbers_of(table(64))
    model = compiled(tabular(x), optimizers.Adam(0.01), "mse")
    trial = Rehearsal(model, copy_optimizer(model.optimizer), prepare(model, x, y), eager=True)
    rehearsed, faster = trial.run(6), trial.run(6, 10.0)
    for factor, losses_seen in ((1, rehearsed), (10, faster)):
        other = compiled(tabular(x), optimizers.Adam(0.01 * factor), "mse")
        real = other.fit(x, y, batch_size=64, epochs=6, shuffle=False, verbose=0).history["loss"]
        np.testing.assert_allclose(losses_seen, real, rtol=1e-4)
    np.testing.assert_array_equal(trial.run(6), rehearsed)


def test_a_rehearsal_follows_the_schedule_and_the_wrapper():
    x, y = table(64), numbers_of(table(64))
    halving = optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model = compiled(tabular(x), optimizers.Lookahead(optimizers.SGD(halving)), "mse")
    trial = Rehearsal(model, copy_optimizer(model.optimizer), prepare(model, x, y), eager=True)
    assert [round(trial.rate(step), 4) for step in range(3)] == [0.1, 0.05, 0.025]
    other = compiled(tabular(x), optimizers.Lookahead(optimizers.SGD(halving)), "mse")
    real = other.fit(x, y, batch_size=64, epochs=8, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(trial.run(8), real, rtol=1e-4)


@pytest.mark.parametrize("name", ["sgd_too_fast", "adam_too_fast", "sgd_too_slow", "adam_too_slow"])
def test_the_rate_that_is_proposed_works_and_the_given_one_does_not(name):
    model, x, y = BY_NAME[name].make()
    (finding,) = diagnose(model, x, y)
    rate = float(re.search(r"learning_rate=([\de.+-]+)", finding.fix)[1])
    before = model.evaluate(x, y, verbose=0)
    after = {}
    for learning_rate in (None, rate):
        model, x, y = BY_NAME[name].make()
        if learning_rate is not None:
            model.optimizer.learning_rate = learning_rate
        try:
            model.fit(x, y, epochs=5, verbose=0)
            after[learning_rate] = model.evaluate(x, y, verbose=0)
        except ChainruleError:
            after[learning_rate] = np.inf
    assert after[rate] < 0.9 * before
    assert after[None] > 0.99 * before


# -- where the line is drawn --------------------------------------------------------------------------------------


def regression(x, y=None, **options):
    model = compiled(tabular(x, **options), "adam", "mse")
    return diagnose(model, x, numbers_of(table(len(x), x.shape[1])) if y is None else y)


@pytest.mark.parametrize(("factor", "count"), [(40, 0), (60, 1), (0.002, 0), (0.0005, 1)])
def test_scale_of_one_column(factor, count):
    x = table()
    x[:, 3] *= factor
    assert rules(regression(x)).count("unscaled-inputs") == count


def test_scale_is_measured_behind_the_layers_that_prepare():
    x, y = 100 * table() + 400, numbers_of(table())
    scaling = layers.Normalization()
    for prepared in (False, True):
        cr.set_random_seed(0)
        model = cr.Sequential([cr.Input((8,)), scaling, layers.Dense(8, "relu"), layers.Dense(1)])
        found = diagnose(compiled(model, "adam", "mse"), x, y)
        assert rules(found) == ([] if prepared else ["unscaled-inputs"])
        assert prepared or "adapt" in found.findings[0].fix
        scaling.adapt(x)
    normed = cr.Sequential([cr.Input((8,)), layers.BatchNormalization(), layers.Dense(8, "relu"), layers.Dense(1)])
    assert rules(diagnose(compiled(normed, "adam", "mse"), x, y)) == []


def test_numbers_beside_an_embedding_are_measured_too():
    cr.set_random_seed(0)
    amounts, word = 500 * table(), np.arange(300)[:, None] % 20
    a, b = cr.Input((8,), name="amounts"), cr.Input((1,), dtype="int32", name="word")
    joined = layers.Concatenate(name="joined")([a, layers.Flatten()(layers.Embedding(20, 4)(b))])
    model = cr.Model([a, b], layers.Dense(1)(layers.Dense(8, "relu")(joined)))
    found = diagnose(compiled(model, "adam", "mse"), {"amounts": amounts, "word": word}, numbers_of(table()))
    assert named(found) == {("unscaled-inputs", "layer 'joined'")}
    assert "x['amounts'], column" in found.findings[0].evidence


def test_constant_columns_of_images_are_their_border():
    (x, y), _ = cr.datasets.mnist.load_data()
    x, y = x[:300].reshape(300, 784) / np.float32(255), y[:300]
    assert (x.max(0) == x.min(0)).sum() > 100
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((784,)), layers.Dense(16, "relu"), layers.Dense(10, "softmax")])
    assert rules(diagnose(compiled(model, "adam", "sparse_categorical_crossentropy"), x, y)) == []


@pytest.mark.parametrize(("rows", "count"), [(9, 0), (10, 1)])
def test_columns_are_copies_only_where_they_differ_from_their_ground(rows, count):
    x = table()
    x[:, 2] = np.arange(300) < rows
    x[:, 5] = x[:, 2]
    assert rules(regression(x)).count("duplicate-columns") == count


@pytest.mark.parametrize(("noise", "count"), [(0.02, 1), (0.1, 0)])
def test_a_column_is_the_target_only_if_it_is_nearly_exact(noise, count):
    x = table()
    y = numbers_of(x)
    x[:, 1] = y[:, 0] + noise * x[:, 1]
    assert rules(regression(x, y)).count("target-leakage") == count


def test_neighbours_in_time_are_no_leak():
    walk = np.cumsum(np.random.default_rng(0).standard_normal(2003))
    walk = ((walk - walk.mean()) / walk.std()).astype("f")
    x = np.stack([walk[:-3], walk[1:-2], walk[2:-1]], axis=1)
    assert np.corrcoef(x[:, 2], walk[3:])[0, 1] > 0.998
    assert severe(regression(x, walk[3:, None])) == []


def test_a_threshold_is_worth_a_look_and_no_more():
    x = table()
    model = compiled(tabular(x, end="sigmoid"), "adam", "binary_crossentropy")
    (finding,) = diagnose(model, x, x[:, 2] > 0)
    assert (finding.rule, finding.severity, finding.where) == ("target-leakage", "note", "x, column 2")


@pytest.mark.parametrize(("shared", "count"), [(0, 0), (1, 0), (5, 1)])
def test_rows_shared_with_the_validation_data(shared, count):
    x, y = table(300), numbers_of(table(300))
    tested = np.concatenate([x[200 : 200 + shared], table(100 - shared) + 1])
    model = compiled(tabular(x), "adam", "mse")
    assert rules(diagnose(model, x, y, (tested, y[:100]))).count("shared-rows") == count


@pytest.mark.parametrize(("copies", "count"), [(70, 0), (80, 1)])
def test_more_than_a_fifth_of_the_rows_are_copies(copies, count):
    x = table()
    places = np.concatenate([np.arange(280), np.arange(copies)])
    found = regression(x[places], numbers_of(x)[places])
    assert rules(found).count("repeated-rows") == count
    other = numbers_of(x)[places] + 1e-3 * np.arange(len(places), dtype="f")[:, None]  # measured again: no copies
    assert "repeated-rows" not in rules(regression(x[places], other))


@pytest.mark.parametrize(("rate", "count"), [(0.85, 0), (0.95, 1)])
def test_a_rate_of_dropout_is_large_from_nine_tenths(rate, count):
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((8,)), layers.Dense(64, "relu"), layers.Dropout(rate), layers.Dense(1)])
    assert rules(diagnose(compiled(model, "adam", "mse"), table(), numbers_of(table()))).count("large-dropout") == count


@pytest.mark.parametrize(("units", "past", "count"), [(3, False, 1), (4, False, 0), (1, True, 0)])
def test_a_layer_is_narrow_below_the_bits_of_the_classes(units, past, count):
    cr.set_random_seed(0)
    x = table()
    given = cr.Input((8,))
    hidden = layers.Dense(16, "tanh")(given)
    code = layers.Dense(units, "tanh")(hidden)
    model = cr.Model(given, layers.Dense(10, "softmax")(layers.Concatenate()([code, hidden]) if past else code))
    found = diagnose(compiled(model, "adam", "sparse_categorical_crossentropy"), x, classes_of(x, 10))
    assert rules(found).count("narrow-layer") == count


def test_nine_tenths_of_one_class_matter_to_accuracy_alone():
    model, x, y = BY_NAME["accuracy_of_a_rare_class"].make()
    (finding,) = diagnose(model, x, y)
    assert finding.severity == "note" and finding.evidence == "always saying 0 is right for 95 % of the rows"
    model.compile("adam", "binary_crossentropy")
    assert not diagnose(model, x, y)


def test_a_relu_before_a_sigmoid_cuts_off_half_the_probabilities():
    cr.set_random_seed(0)
    ends = [layers.Dense(1, "relu", name="cut"), layers.Activation("sigmoid")]
    model = compiled(cr.Sequential([cr.Input((8,)), layers.Dense(16, "relu"), *ends]), "adam", "binary_crossentropy")
    found = diagnose(model, table(), classes_of(table(), 2))
    assert ("cut-off-logits", "layer 'cut'") in named(found)


def test_rows_of_few_numbers_repeat_of_themselves():
    x = (np.random.default_rng(0).random((400, 3)) > 0.5).astype("f")
    model = compiled(tabular(x), "adam", "mse")
    y = x @ np.array([1, -1, 0.5], "f") + 0.1 * table(400, 1)[:, 0]
    assert "shared-rows" not in rules(diagnose(model, x[:300], y[:300], (x[300:], y[300:])))


def test_a_bottleneck_and_a_sum_past_a_layer_are_meant():
    x = table()
    code = [cr.Input((8,)), layers.Dense(8, "relu"), layers.Dense(2), layers.Dense(8, "relu"), layers.Dense(1)]
    given = cr.Input((8,))
    hidden = layers.Dense(8)(given)
    past = cr.Model(given, layers.Dense(1)(hidden + layers.Dense(8, "relu")(hidden)))
    for model in (cr.Sequential(code), past):
        assert "linear-pair" not in rules(diagnose(compiled(model, "adam", "mse"), x, numbers_of(x)))
    straight = [cr.Input((8,)), layers.Dense(8), layers.Dropout(0.1), layers.BatchNormalization(), layers.Dense(1)]
    found = diagnose(compiled(cr.Sequential(straight), "adam", "mse"), x, numbers_of(x))
    assert rules(found) == ["linear-pair"]


def test_a_trained_model_is_no_patient():
    x, y = table(), classes_of(table())
    model = compiled(tabular(x, end="softmax", outputs=3), optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=60, verbose=0)
    assert severe(diagnose(model, x, y)) == []


def test_a_step_of_the_users_own_is_left_alone():
    class Stepping(cr.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            raise AssertionError("diagnose takes no steps of the user's")

    x = table()
    found = diagnose(compiled(Stepping(), optimizers.SGD(100.0), None), x, numbers_of(x))
    assert not found and "no loss of compile's" in found.unchecked[0]


# -- how it reads -------------------------------------------------------------------------------------------------


def test_what_caused_it_comes_first_and_what_follows_is_not_told():
    x = 1000 * table()
    found = diagnose(compiled(tabular(x, hidden="tanh"), optimizers.SGD(10.0), "mse"), x, numbers_of(table()))
    assert rules(found) == ["unscaled-inputs"]
    assert "the learning rate, until unscaled-inputs is fixed" in found.unchecked
    assert "further checks wait until this is fixed (diagnosis.unchecked lists" in str(found)


def test_the_worst_comes_first_and_the_headline_counts():
    x = table()
    y = numbers_of(x)
    x[:, 4], x[:, 6] = 7, x[:, 1]
    model = compiled(tabular(x, end="relu"), "adam", "mse")
    found = diagnose(model, x, y)
    assert found.headline == "1 error, 2 warnings" and len(found) == 3 and bool(found)
    assert [finding.severity for finding in found] == ["error", "warning", "warning"]
    assert str(found).startswith("1 error, 2 warnings\n\nerror: layer 'last': its activation 'relu'")


def test_nothing_found_says_what_was_looked_at():
    found = regression(table())
    text = str(found)
    assert not found and len(found) == 0 and list(found) == []
    assert text == (
        "nothing found\n  300 of 300 rows passed through the network\n"
        f"  {len(found.checked)} kinds of mistakes were looked for (diagnosis.checked lists them)"
    )
    assert len(found.checked) > 25 and "the learning rate" in found.checked and found.unchecked == ()
    assert "<details><summary>looked for:" in found._repr_html_()
    assert all(len(line) <= 80 for line in text.splitlines())


def test_large_data_are_sampled_evenly():
    x = table(5000)
    found = regression(x)
    assert (found.rows, found.sampled) == (5000, 2000)
    x[4999, 2] = np.inf  # outside of any sample but the whole
    assert rules(regression(x)) == ["not-finite"]


def test_html_is_escaped():
    evil = "<script>alert(1)</script>"
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((8,)), layers.Dense(8, "relu"), layers.Dense(1, name=evil)])
    found = diagnose(compiled(model, "adam", "binary_crossentropy"), table(), classes_of(table(), 2))
    html = found._repr_html_()
    assert evil in str(found) and evil not in html and "&lt;script&gt;" in html
    every = Finding(*[f"<b>{place}</b>" for place in range(6)])
    html = Diagnosis((every,), 1, 1, ("<i>",), ("<i>",))._repr_html_()
    assert "<b>" not in html and "<i>" not in html


# -- activations in the graph -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sigmoid", "tanh", "relu", "exponential"])
def test_an_activation_is_known_by_its_formula(name):
    function = getattr(cr.activations, name)
    given = cr.Input((5, 3))
    assert activation_at(function(given)) == name
    assert activation_at(cr.ops.reshape(function(given), (-1, 15))) == name
    assert activation_at(function(given) * 2.0) is None


def test_a_weighted_sum_is_known_and_what_only_looks_like_a_softmax_is_not():
    given = cr.Input((3,))
    raised = cr.ops.exp(given)
    assert activation_at(raised / cr.ops.sum(cr.ops.exp(given * 2.0), -1, keepdims=True)) is None
    assert activation_at(given - cr.ops.max(given, -1, keepdims=True)) is None
    x = table()
    passage = examine(compiled(tabular(x), "adam", "mse"), x, numbers_of(x)).passage
    assert passage.activation_of(passage.predictions[0]) == "linear"
