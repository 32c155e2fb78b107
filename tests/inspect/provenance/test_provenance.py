"""Planted faults: each must be named to epoch, batch, sample, layer and operation."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import NonFiniteLossError
from chainrule.inspect.provenance import tracking
from chainrule.inspect.provenance.faults import Fault, Operand, describe_place
from chainrule.inspect.provenance.remedies import suggest
from chainrule.training import rewind

ROWS, BATCH = 48, 8


@pytest.fixture(autouse=True)
def one_copy(monkeypatch):
    """The only copy is that before the first step, however slow the machine is."""
    monkeypatch.setattr(rewind, "_LEAST_SECONDS", 3600.0)


class Formula(cr.layers.Layer):
    """A layer made of a function."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, x):
        return self.function(x)


def rows():
    generator = np.random.default_rng(5)
    x = generator.uniform(0.5, 2.0, (ROWS, 4)).astype("f")
    return x, x[:, :1].copy()


def sequential(*layers, optimizer="sgd", loss="mse", **options):
    cr.set_random_seed(1)
    model = cr.Sequential([cr.Input((4,)), *layers])
    model.compile(optimizer, loss, **options)
    return model


def fail(model, x, y, **options):
    """The Provenance of a training that fails; afterwards every weight is finite."""
    with pytest.raises(NonFiniteLossError, match="the loss became NaN or infinite") as caught:
        model.fit(x, y, batch_size=BATCH, **{"verbose": 0, "epochs": 3, **options})
    found = caught.value.provenance
    assert found is not None, caught.value.__cause__
    text = str(caught.value)
    assert max(map(len, text.splitlines())) <= 80, text
    assert found.fix.split()[0] in text and str(found) in text
    for variable in [*model.weights, *model.optimizer.variables]:
        assert np.isfinite(variable.numpy()).all(), variable.name
    return found


def found_at(found, epoch, layer, operation, part="forward"):
    assert (found.epoch, found.layer, found.operation, found.part) == (epoch, layer, operation, part), str(found)
    assert found.exact and not found.note


# -- planted faults -----------------------------------------------------------------------------------------------

FORMULAS = {
    "logarithm of zero": (lambda x: cr.ops.log(x), 0.0, "log", -np.inf, "maximum"),
    "division by zero": (lambda x: 1.0 / x, 0.0, "divide", np.inf, "divided by"),
    "square root below zero": (lambda x: cr.ops.sqrt(x), -1.0, "sqrt", np.nan, "sqrt"),
    "exp of a large number": (lambda x: cr.ops.exp(x), 100.0, "exp", np.inf, "88.7"),
    "zero times infinity": (lambda x: x * np.float32(np.inf) * 0.0, 0.0, "multiply", np.inf, "infinite constant"),
    "fractional power": (lambda x: cr.ops.power(x, 0.5), -2.0, "power", np.nan, "base"),
    "logarithm of 1 + x": (lambda x: cr.ops.log1p(x), -1.0, "log1p", -np.inf, "log1p"),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_number_that_an_operation_has_no_value_for(name):
    function, planted, operation, value, remedy = FORMULAS[name]
    x, y = rows()
    x[29, 2] = planted
    if name == "zero times infinity":  # all other rows go through unharmed
        function, value = (lambda x: cr.ops.where(x == 0.0, x * np.float32(np.inf), x)), np.nan
    model = sequential(Formula(function, name="planted"), cr.layers.Dense(1, name="last"))
    found = fail(model, x, y, shuffle=False)
    found_at(found, 1, "planted", operation)
    assert (found.batch, found.sample, found.row) == (29 // BATCH + 1, 29 % BATCH, 29)
    assert found.fault.index == (29 % BATCH, 2) and found.fault.bad == 1
    np.testing.assert_equal(found.fault.value, value)
    assert planted in [operand.value for operand in found.fault.operands]
    assert remedy in found.fix
    assert found.fault.samples == (29 % BATCH,)


def test_the_row_is_that_of_the_users_data_whatever_the_order():
    x, y = rows()
    x[29, 2] = 0.0
    model = sequential(Formula(lambda x: cr.ops.log(x), name="planted"), cr.layers.Dense(1))
    found = fail(model, x, y, validation_split=0.25)
    assert found.row == 29 and found.sample == found.fault.index[0]
    assert x[found.row, 2] == 0.0


def test_a_learning_rate_that_makes_weights_explode():
    x, y = rows()
    model = sequential(
        cr.layers.Dense(16, "relu", name="first"), cr.layers.Dense(1, name="last"), optimizer=cr.optimizers.SGD(100.0)
    )
    found = fail(model, x, y, epochs=50)
    assert found.operation in ("multiply", "matmul", "sum") and np.isinf(found.fault.value)
    assert "lower the learning rate (100 now)" in found.fix
    sizes = [step.largest for step in found.before]
    assert sizes == sorted(sizes) and sizes[-1] > 1e3 * sizes[0]
    assert {step.weight.split("/")[0] for step in found.before[1:]} <= {"first", "last"}
    assert not np.isfinite(found.before[-1].loss) or found.earlier


SLOPES = {
    "square root at zero": lambda x: cr.ops.sqrt(x * 0.0),
    "norm at zero": lambda x: cr.ops.norm(x * 0.0, axis=-1, keepdims=True),
    "a where around a logarithm": lambda x: cr.ops.where(x > 1e3, cr.ops.log(x * 0.0), x),
}


@pytest.mark.parametrize("name", SLOPES)
def test_a_slope_that_has_no_value_where_the_loss_has_one(name):
    x, y = rows()
    model = sequential(
        cr.layers.Dense(4, name="first"), Formula(SLOPES[name], name="planted"), cr.layers.Dense(1, name="last")
    )
    found = fail(model, x, y, shuffle=False)
    found_at(found, 1, "planted", "divide", "gradient")
    assert (found.batch, found.earlier, found.sample, found.row) == (1, 1, 0, 0)
    assert found.fault.operands[1].value == 0.0
    assert len(found.fault.samples) == BATCH
    assert ("square root" in found.fix) == (name != "a where around a logarithm")
    assert ("where" in found.fix) == (name == "a where around a logarithm")
    assert np.isfinite(found.before[-1].loss)


def test_what_a_where_hides_is_not_blamed():
    """log(0) = -inf in the first layer is never used; the fault is in the second."""
    x, y = rows()
    x[20, 0] = 0.0
    model = sequential(
        Formula(lambda x: cr.ops.where(x > 0.1, cr.ops.log(x), 0.0), name="hidden"),
        Formula(lambda x: cr.ops.where(x == 0.0, x / 0.0, x), name="planted"),
        cr.layers.Dense(1),
    )
    found = fail(model, x, y, shuffle=False)
    found_at(found, 1, "planted", "divide")
    assert found.row == 20


def test_a_loss_of_ones_own():
    def loss(y, p):
        return cr.ops.mean(cr.ops.log(y) * p, axis=-1)

    x, y = rows()
    y[33] = 0.0
    found = fail(sequential(cr.layers.Dense(1, name="last"), loss=loss), x, y, shuffle=False)
    found_at(found, 1, "loss", "log", "loss")
    assert (found.batch, found.sample, found.row) == (5, 1, 33)
    assert "from_logits" in found.fix


def test_an_update_that_is_too_large():
    """The gradient is finite, and its product with the learning rate is not."""
    x, y = rows()
    model = sequential(cr.layers.Dense(1, name="last"), optimizer=cr.optimizers.SGD(1e30), loss="mae")
    found = fail(model, x * 1e10, y * 0, epochs=1, shuffle=False)
    assert (found.part, found.layer, found.fault.weight) == ("update", "last", "last/kernel")
    assert found.operation == "multiply" and found.sample is None and found.row is None
    assert (found.epoch, found.batch, found.earlier) == (1, 1, 1)
    assert {operand.source for operand in found.fault.operands} >= {"learning_rate"}


class FailsAtStep(cr.layers.Layer):
    """The logarithm of its input; from a step on that of 0, where a feature is 9."""

    def __init__(self, step, **options):
        super().__init__(**options)
        self.step = step

    def build(self, input_shape):
        self.count = self.add_weight((), "zeros", "int32", trainable=False, name="count")

    def call(self, x):
        late = cr.ops.greater_equal(self.count, np.int32(self.step))
        self.count.assign(self.count + np.int32(1))
        return cr.ops.log(cr.ops.where(cr.ops.logical_and(late, x == 9.0), 0.0, x))


@pytest.mark.parametrize("shuffle", [False, True])
def test_epoch_two_batch_three(shuffle):
    x, y = rows()
    x[:, 1] = 9.0  # every row fails, from the ninth step on
    found = fail(sequential(FailsAtStep(6 + 2, name="planted"), cr.layers.Dense(1)), x, y, shuffle=shuffle)
    found_at(found, 2, "planted", "log")
    assert (found.batch, found.sample, found.fault.index) == (3, 0, (0, 1))
    assert shuffle or found.row == 2 * BATCH
    assert [(step.epoch, step.batch) for step in found.before] == [(1, 4), (1, 5), (1, 6), (2, 1), (2, 2), (2, 3)]
    assert found.fault.samples == tuple(range(BATCH))


def test_a_generator():
    x, y = rows()
    x[29, 2] = 0.0

    def batches():
        while True:
            for start in range(0, ROWS, BATCH):
                yield x[start : start + BATCH], y[start : start + BATCH]

    model = sequential(Formula(lambda x: cr.ops.log(x), name="planted"), cr.layers.Dense(1))
    with pytest.raises(NonFiniteLossError) as caught:
        model.fit(batches(), steps_per_epoch=3, epochs=4, verbose=0)
    found = caught.value.provenance
    found_at(found, 2, "planted", "log")
    assert (found.batch, found.sample, found.row) == (1, 5, None)
    assert len(found.before) == 4


def test_a_generator_that_fills_one_array_again_and_again():
    x, y = rows()
    x[29, 2] = 0.0
    kept_x, kept_y = np.empty((BATCH, 4), "f"), np.empty((BATCH, 1), "f")

    def batches():
        for start in range(0, ROWS, BATCH):
            kept_x[...], kept_y[...] = x[start : start + BATCH], y[start : start + BATCH]
            yield kept_x, kept_y

    model = sequential(Formula(lambda x: cr.ops.log(x), name="planted"), cr.layers.Dense(1))
    with pytest.raises(NonFiniteLossError) as caught:
        model.fit(batches(), verbose=0)
    found = caught.value.provenance
    found_at(found, 1, "planted", "log")
    assert (found.batch, found.sample) == (4, 5) and found.exact


def test_train_on_batch():
    x, y = rows()
    x[29, 2] = 0.0
    model = sequential(Formula(lambda x: cr.ops.log(x), name="planted"), cr.layers.Dense(1), optimizer="adam")
    before = None
    with pytest.raises(NonFiniteLossError, match="train_on_batch, step 2 since reset_metrics") as caught:
        for start in range(0, ROWS, BATCH):
            before = model.get_weights()
            if start == 2 * BATCH:
                model.reset_metrics()
                model.optimizer.learning_rate = 0.5
            model.train_on_batch(x[start : start + BATCH], y[start : start + BATCH])
    found = caught.value.provenance
    found_at(found, None, "planted", "log")
    assert (found.batch, found.sample, found.row) == (2, 5, None)
    for weight, value in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_layer_of_an_inner_model():
    x, y = rows()
    x[40, 0] = 0.0
    inner = cr.Sequential([cr.Input((4,)), Formula(lambda x: cr.ops.log(x), name="planted")], name="inner")
    found = fail(sequential(inner, cr.layers.Dense(1)), x, y, shuffle=False)
    found_at(found, 1, "inner/planted", "log")
    assert found.row == 40


def test_rows_behind_a_reshape_and_none_where_they_are_mixed():
    x, y = rows()
    x[11, 3] = 0.0

    def by_lines(x):
        return cr.ops.reshape(cr.ops.log(cr.ops.reshape(x, (-1, 1))), (-1, 4))

    def mixed(x):
        return x + cr.ops.mean(cr.ops.log(cr.ops.reshape(cr.ops.transpose(x), (-1, 1))))

    found = fail(sequential(Formula(by_lines, name="planted"), cr.layers.Dense(1)), x, y, shuffle=False)
    found_at(found, 1, "planted", "log")
    assert (found.sample, found.row) == (3, 11)
    found = fail(sequential(Formula(mixed, name="planted"), cr.layers.Dense(1)), x, y, shuffle=False)
    found_at(found, 1, "planted", "log")
    assert (found.batch, found.sample, found.row, found.fault.samples) == (2, None, None, ())


def test_a_number_that_has_no_vector():
    model = cr.Sequential([cr.layers.Embedding(6, 3, name="words"), cr.layers.Flatten(), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.tile(np.array([[1, 2]]), (16, 1))
    x[9, 1] = 6
    with pytest.raises(NonFiniteLossError) as caught:
        model.fit(x, np.zeros((16, 1)), batch_size=4, shuffle=False, verbose=0)
    found = caught.value.provenance
    assert (found.layer, found.batch, found.sample, found.row) == ("words", 3, 1, 9)
    assert "Embedding" in found.fix


# -- several outputs, own steps, eager, weights ----------------------------------------------------------------------


def test_several_outputs_and_sample_weights():
    x, y = rows()
    x[17, 1] = 0.0
    given = cr.Input((4,))
    logs = Formula(lambda x: cr.ops.log(x), name="planted")(given)
    model = cr.Model(given, {"a": cr.layers.Dense(1, name="a")(given), "b": cr.layers.Dense(1, name="b")(logs)})
    model.compile("adam", {"a": "mse", "b": "mae"})
    found = fail(model, x, {"a": y, "b": y}, sample_weight=np.full(ROWS, 0.5, "f"), shuffle=False)
    found_at(found, 1, "planted", "log")
    assert found.row == 17


@pytest.mark.parametrize("eager", [False, True])
def test_a_step_of_ones_own(eager):
    class Mine(cr.Model):
        def __init__(self):
            super().__init__()
            self.dense = cr.layers.Dense(1, name="last")
            self.seen = cr.metrics.Mean("loss")

        def call(self, x):
            return self.dense(cr.ops.log(x))

        def train_step(self, data):
            x, y = data
            loss = self.optimizer.minimize(
                lambda: cr.ops.mean(cr.ops.square(self(x, training=True) - y)), self.trainable_variables
            )
            self.seen.update_state(loss)
            return {"loss": self.seen.result()}

    x, y = rows()
    x[29, 2] = 0.0
    cr.set_random_seed(0)
    model = Mine()
    model.compile("adam", run_eagerly=eager)
    found = fail(model, x, y, shuffle=False)
    found_at(found, 1, "mine", "log")
    assert (found.batch, found.sample, found.row) == (4, 5, 29)
    assert all(np.isfinite(step.loss) for step in found.before[:-1])


# -- where Python has its hands in it -----------------------------------------------------------------------------


def test_a_callback_that_sets_the_rate_at_every_batch_is_repeated():
    x, y = rows()
    x[29, 2] = 0.0

    class Wave(cr.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.01 * (batch + 1)

        def on_train_batch_end(self, batch, logs=None):
            for weight in self.model.weights:
                weight.assign(np.clip(weight.numpy(), -0.5, 0.5))

    model = sequential(Formula(lambda x: cr.ops.log(x), name="planted"), cr.layers.Dense(1), optimizer="adam")
    found = fail(model, x, y, shuffle=False, callbacks=[Wave()])
    found_at(found, 1, "planted", "log")
    assert found.batch == 4 and len(found.before) == 4


def test_a_callback_that_spoils_a_weight_is_named():
    x, y = rows()

    class Spoil(cr.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                self.model.layers[0].kernel.assign(np.full((4, 1), np.nan))

    found = fail(sequential(cr.layers.Dense(1, name="last")), x, y, callbacks=[Spoil()])
    assert (found.operation, found.layer, found.fault.weight) == ("", "last", "last/kernel")
    assert (found.epoch, found.batch, found.earlier) == (1, 3, 1)
    assert "was given a value" in found.note and "callback" in found.fix
    assert found.step == "between epoch 1, batch 3 and batch 4" and found.step in str(found)


@pytest.mark.parametrize("hook, epoch", [("on_epoch_end", 1), ("on_epoch_begin", 2)])
def test_a_callback_that_spoils_a_weight_between_epochs(hook, epoch):
    x, y = rows()

    class Spoil(cr.callbacks.Callback):
        pass

    def spoil(self, at, logs=None):
        if at == epoch:
            self.model.layers[0].kernel.assign(np.full((4, 1), np.inf))

    setattr(Spoil, hook, spoil)
    found = fail(sequential(cr.layers.Dense(1, name="last")), x, y, callbacks=[Spoil()])
    assert (found.epoch, found.batch, found.until) == (2, 6, (3, 1))
    assert found.note.startswith("between epoch 2, batch 6 and epoch 3, batch 1, and by no step, 'last/kernel' was")
    assert "before the loss" not in str(found)


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_train_batch_begin"])
def test_a_callback_that_spoils_a_weight_before_the_first_step(hook):
    x, y = rows()

    class Spoil(cr.callbacks.Callback):
        pass

    setattr(Spoil, hook, lambda self, *given: self.model.layers[0].kernel.assign(np.full((4, 1), np.nan)))
    with pytest.raises(NonFiniteLossError) as caught:
        sequential(cr.layers.Dense(1, name="last")).fit(x, y, verbose=0, callbacks=[Spoil()])
    found = caught.value.provenance
    assert "before the first step of this training: a callback" in found.note


def test_what_was_spoilt_before_train_on_batch_is_not_said_to_be_before_a_training():
    x, y = rows()
    model = sequential(cr.layers.Dense(1, name="last"))
    model.layers[0].kernel.assign(np.full((4, 1), np.nan))
    with pytest.raises(NonFiniteLossError) as caught:
        model.train_on_batch(x, y)
    assert caught.value.provenance.note == "'last/kernel' was not finite already before the first step that is known"


def spoil_row(x, y, row):
    """The same with a 0 in a row."""
    x = x.copy()
    x[row, 1] = 0.0
    return x, y


@pytest.mark.parametrize("by_batches", [False, True])
@pytest.mark.parametrize("inner", ["fit", "train_on_batch", "a fit that fails"])
def test_a_training_within_a_training(inner, by_batches):
    """The outer one repeats its steps from where the inner one left the weights."""
    x, y = rows()
    turns = []

    class Inner(cr.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch != 0 or turns:
                return
            turns.append(epoch)
            if inner == "fit":
                self.model.fit(x, 2 * y, batch_size=16, verbose=0)
            elif inner == "train_on_batch":
                self.model.train_on_batch(x[:9], 2 * y[:9])
                self.model.train_on_batch(x[9:], 2 * y[9:])
            else:
                with pytest.raises(NonFiniteLossError):
                    self.model.fit(*spoil_row(x, y, 40), batch_size=16, shuffle=False, verbose=0)

    def batches():
        for _ in range(2):
            for start in range(0, ROWS, BATCH):
                yield x[start : start + BATCH].copy(), y[start : start + BATCH]
        yield spoil_row(x[:BATCH], y[:BATCH], 5)

    log = Formula(lambda x: cr.ops.log(x), name="planted")
    if not by_batches:
        log = FailsAtStep(11 + (3 if inner == "fit" else 2), name="planted")  # the steps of the inner one count too
    model = sequential(log, cr.layers.Dense(1), optimizer="adam")
    with pytest.raises(NonFiniteLossError) as caught:
        if by_batches:
            model.fit(batches(), steps_per_epoch=6, epochs=3, verbose=0, callbacks=[Inner()])
        else:
            x[:, 1] = 9.0
            model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0, callbacks=[Inner()])
    found = caught.value.provenance
    assert turns and found.exact and (found.layer, found.operation) == ("planted", "log"), str(caught.value)
    assert (found.epoch, found.batch) == ((3, 1) if by_batches else (2, 6))
    assert found.before[0].epoch == 2  # nothing from before the inner training


def test_weights_that_were_spoilt_before():
    x, y = rows()
    model = sequential(cr.layers.Dense(1, name="last"))
    model.layers[0].kernel.assign(np.full((4, 1), np.inf))
    with pytest.raises(NonFiniteLossError) as caught:
        model.fit(x, y, verbose=0)
    found = caught.value.provenance
    assert "'last/kernel' was not finite already" in found.note and found.fault.weight == "last/kernel"


def test_what_cannot_be_repeated_is_said():
    """Memory written to past `assign` is not seen, but what the steps then give is not what training gave."""
    x, y = rows()
    x[29, 2] = 0.0

    class Sneak(cr.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.layers[1].kernel.memory[...] *= 1.5

    model = sequential(Formula(lambda x: cr.ops.log(x), name="planted"), cr.layers.Dense(1), optimizer="adam")
    with pytest.raises(NonFiniteLossError) as caught:
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[Sneak()])
    found = caught.value.provenance
    assert not found.exact and "could not be repeated" in found.note
    assert (found.layer, found.operation, found.batch, found.row) == ("planted", "log", 4, 29)


def test_machine_code_that_overflows_alone(monkeypatch):
    """An interpreter that computes in wider numbers sees nothing: this is said, and not made up."""
    plain = tracking.evaluate_each
    monkeypatch.setattr(tracking, "evaluate_each", lambda graph, arrays: plain(graph, arrays, wide=True))
    x, y = rows()
    found = fail(sequential(cr.layers.Dense(1, name="last")), x * 1e15, y * 1e20)
    assert found.operation == "" and "rounds otherwise" in found.note and "in the loss" in found.note


def test_callbacks_that_deal_with_it_get_it_as_before(capsys):
    x, y = rows()
    x[29, 2] = 0.0
    model = sequential(Formula(lambda x: cr.ops.log(x)), cr.layers.Dense(1))
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[cr.callbacks.TerminateOnNaN()])
    assert "the loss is no number" in capsys.readouterr().out


# -- the pieces ---------------------------------------------------------------------------------------------------


def operand(value, source="x", operation=""):
    return Operand(source, operation, "f32[2]", value, 0.0, 1.0, 1.0)


def test_formulas():
    fault = Fault("subtract", "forward", "a", value=np.inf, operands=(operand(1.0), operand(-3e38)))
    assert fault.formula == "1 - (-3e+38) = inf"
    fault = Fault("matmul", "forward", "a", value=np.inf, operands=(operand(None), operand(None)))
    assert fault.formula == "matmul(f32[2], f32[2]) = inf"
    assert describe_place("update", "a", "a/kernel") == "the update of 'a/kernel'"
    assert describe_place("gradient", "loss") == "the gradient of the loss"


def test_remedies_of_overflows():
    fault = Fault("matmul", "forward", "a", value=np.inf, operands=(operand(None), operand(None)))
    assert "weights grow" in suggest(fault, True, 0.1, 1.0)
    assert "Normalization" in suggest(fault, False, 0.1, 1e9)
    assert "clipnorm" in suggest(fault, False, None, 1.0)
    assert "far from what is usual" in suggest(fault, False, 1e30, 1e9)
    gradient = Fault("multiply", "update", "a", "a/kernel", value=np.inf, operands=(operand(1e30), operand(1e30)))
    assert suggest(gradient, False, 0.1, 1.0).startswith("set clipnorm")
