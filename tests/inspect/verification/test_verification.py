"""Models that are right pass; a wrong gradient, wrong machine code and wrong workers are caught, in the right layer."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph.evaluate import evaluate_nodes
from chainrule.graph.primitive import PRIMITIVES
from chainrule.graph.tracing import trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import OpenDim, type_of
from chainrule.inspect.verification import trial, verification
from chainrule.inspect.verification.differences import Slopes
from chainrule.inspect.verification.verification import VerifiedLayer, verify


def rows(count=40, features=6, classes=3):
    generator = np.random.default_rng(7)
    return generator.standard_normal((count, features)).astype("f"), generator.integers(0, classes, count)


def classes_of(*layers, optimizer="adam", **options):
    cr.set_random_seed(4)
    model = cr.Sequential([cr.Input((6,)), *layers, cr.layers.Dense(3, name="last")])
    model.compile(optimizer, cr.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
    return model


class Scale(cr.layers.Layer):
    """A layer of one's own: x * factor, with a penalty on it."""

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", regularizer="l2", name="factor")

    def call(self, x):
        self.add_loss(0.01 * ops.mean(ops.square(x)))
        return x * self.factor


class Mine(cr.Model):
    """A formula of one's own, with a weight outside of layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = cr.layers.Dense(8, "tanh"), cr.layers.Dense(3)

    def build(self, input_shape):
        super().build(input_shape)
        self.shift = self.add_weight((3,), "zeros", name="shift")

    def call(self, x):
        return self.second(self.first(x)) + self.shift


# -- models that are right ----------------------------------------------------------------------------------------


def mine():
    cr.set_random_seed(0)
    model = Mine()
    model.compile("sgd", cr.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


RIGHT = {
    "dense": lambda: classes_of(cr.layers.Dense(10, "relu"), cr.layers.Dense(8, "gelu")),
    "batch norm, dropout": lambda: classes_of(
        cr.layers.Dense(10, kernel_regularizer="l2"), cr.layers.BatchNormalization(), cr.layers.ReLU(),
        cr.layers.Dropout(0.4), metrics=["accuracy"],
    ),
    "own layer": lambda: classes_of(Scale(), cr.layers.LayerNormalization(), cr.layers.Dense(5, "softplus")),
    "own formula": mine,
    "inner model": lambda: classes_of(
        cr.Sequential([cr.Input((6,)), cr.layers.Dense(4, "tanh"), cr.layers.Dense(4)], name="inner"), optimizer="sgd"
    ),
    "bfloat16": lambda: classes_of(cr.layers.Dense(10, "tanh", dtype="mixed_bfloat16")),
}  # fmt: skip


def state_of(model):
    model.optimizer.build(model.trainable_variables)
    every = [*model.weights, *model.optimizer.variables, *model.metric_variables, *model.state]
    return [(variable, variable.numpy().tobytes()) for variable in every]


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes_and_stays_as_it_is(name):
    x, y = rows()
    model = RIGHT[name]()
    model.fit(x, y, epochs=2, verbose=0)
    before, code = state_of(model), dict(model.executables)
    found = verify(model, x, y)
    assert found.passed, str(found)
    assert all(value == variable.numpy().tobytes() for variable, value in before)
    assert model.executables == code
    assert found.rows[-1].name == "loss" and found.samples == 40
    assert found.compiled_loss == pytest.approx(found.loss, rel=1e-2 if name == "bfloat16" else 1e-5)
    for row in found.rows:
        assert row.verdict == "ok" and (row.output is None or row.output < 1e-6) and (row.weights or 0) < 1e-6
        assert row.compiled <= max(found.tolerance, 8 * row.interpreted)
    again = verify(model, x, y)
    assert [row.output for row in again.rows] == [row.output for row in found.rows]


def test_layers_are_named_and_the_table_fits():
    found = verify(RIGHT["inner model"](), *rows())
    assert [row.name for row in found.rows] == ["inner/dense", "inner/dense_1", "inner", "last", "loss"]
    assert max(map(len, str(found).splitlines())) <= 80
    assert "all is well" in str(found) and "<table>" in found._repr_html_()
    found = verify(RIGHT["own formula"](), *rows())
    assert [row.name for row in found.rows] == ["dense", "dense_1", "mine", "loss"]
    assert found.rows[2].weights < 1e-6 and found.rows[2].output is None


def test_several_inputs_and_outputs_words_and_weights_of_samples():
    cr.set_random_seed(1)
    words, numbers = cr.Input((4,), dtype="int32", name="words"), cr.Input((3,), name="numbers")
    hidden = cr.layers.Embedding(9, 5, name="table")(words)
    hidden = cr.layers.Concatenate()([cr.layers.Flatten()(hidden), numbers])
    model = cr.Model([words, numbers], [cr.layers.Dense(1, name="a")(hidden), cr.layers.Dense(2, name="b")(hidden)])
    model.compile("rmsprop", ["mse", "mae"], loss_weights=[1.0, 0.5])
    generator = np.random.default_rng(0)
    x = [generator.integers(0, 9, (30, 4)), generator.standard_normal((30, 3)).astype("f")]
    y = [generator.standard_normal((30, 1)).astype("f"), generator.standard_normal((30, 2)).astype("f")]
    found = verify(model, x, y, generator.uniform(0.5, 2, 30).astype("f"))
    assert found.passed, str(found)
    (table,) = [row for row in found.rows if row.name == "table"]
    assert table.weights < 1e-6 and table.same_bits


def test_at_a_kink_the_check_is_made_beside_it():
    """Of rows that are 0 every neuron stands at relu's kink, whose two slopes are 0 and 1."""
    model = classes_of(cr.layers.Dense(10, "relu", name="first"))
    found = verify(model, np.zeros((8, 6), "f"), np.arange(8) % 3)
    assert found.passed, str(found)
    assert "moved by a thousandth" in found.rows[0].note


def test_a_kink_that_moves_along_is_said_to_be_one():
    class Fold(cr.layers.Layer):
        def call(self, x):
            return ops.relu(x - ops.stop_gradient(x))

    found = verify(classes_of(cr.layers.Dense(4, name="first"), Fold(name="fold")), *rows())
    assert found.rows[0].verdict == "at a kink" and found.passed


def test_what_stop_gradient_holds_back_is_no_mistake():
    straight = cr.layers.Lambda(lambda x: x + ops.stop_gradient(ops.floor(x) - x), name="straight")
    found = verify(classes_of(cr.layers.Dense(4), straight), *rows())
    assert found.passed, str(found)


def separable(count=64):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((count, 4)).astype("f")
    y = (x[:, 0] + 0.5 * x[:, 1] > 0).astype(int)
    return x + (2 * y - 1)[:, None] * np.array([1, 0.5, 0, 0], "f"), y


@pytest.mark.parametrize("slope", [8.0, 16.0, 18.0, 20.0, 50.0, 200.0])
def test_probabilities_near_where_the_loss_clips_them(slope):
    x = np.linspace(-1, 1, 64, dtype="f").reshape(64, 1)
    dense = cr.layers.Dense(1, "sigmoid", kernel_initializer=cr.initializers.Constant(slope))
    model = cr.Sequential([cr.Input((1,)), dense])
    model.compile("sgd", "binary_crossentropy")
    found = verify(model, x, (x > 0).astype("f"))
    assert found.passed, str(found)


@pytest.mark.parametrize("epochs", [60, 400, 1500])
@pytest.mark.parametrize("last", ["softmax", "sigmoid", "logits"])
def test_well_trained_classifiers(last, epochs):
    x, y = separable()
    cr.set_random_seed(3)
    final = cr.layers.Dense(1 if last == "sigmoid" else 2, None if last == "logits" else last)
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(16, "relu"), final])
    loss = "binary_crossentropy" if last == "sigmoid" else cr.losses.SparseCategoricalCrossentropy(last == "logits")
    model.compile(cr.optimizers.Adam(0.05), loss)
    model.fit(x, y, epochs=epochs, verbose=0)
    found = verify(model, x, y)
    assert found.passed, str(found)


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("targets", [0.0, 1.0])
def test_inputs_so_small_that_every_relu_is_near_its_kink(size, targets):
    x, _ = separable()
    cr.set_random_seed(1)
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(8, "relu"), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    found = verify(model, x * np.float32(size), targets * x[:, :1])
    assert found.passed, str(found)


@pytest.mark.parametrize("size", [1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("seed", range(3))
def test_weights_so_small_that_every_relu_is_near_its_kink(size, seed):
    x, _ = separable()
    cr.set_random_seed(seed)
    small = cr.initializers.RandomNormal(stddev=size)
    layers = [cr.layers.Dense(8, "relu", kernel_initializer=small), cr.layers.Dense(8, "relu"), cr.layers.Dense(1)]
    model = cr.Sequential([cr.Input((4,)), *layers])
    model.compile("sgd", "mse")
    found = verify(model, x, x[:, :1])
    assert found.passed, str(found)


def test_rows_without_a_finite_loss():
    model = classes_of(cr.layers.Dense(4))
    model.layers[0].kernel.assign(np.full((6, 4), np.nan))
    with pytest.raises(ChainruleError, match="no finite number"):
        verify(model, *rows())


# -- what is wrong is caught --------------------------------------------------------------------------------------


@pytest.fixture
def change_tanh():
    """Gives the derivative of tanh another formula for a while."""
    primitive, right = PRIMITIVES["tanh"], PRIMITIVES["tanh"].vjp

    def change(rule):
        object.__setattr__(primitive, "vjp", rule)

    yield change
    object.__setattr__(primitive, "vjp", right)


@pytest.mark.parametrize("amount", [0.0, 1.0, 1.0001])
def test_a_wrong_derivative_is_found_in_its_layer(change_tanh, amount):
    change_tanh(lambda g, result, x: (g * (amount - result * result),))
    model = classes_of(
        cr.layers.Dense(8, "relu", name="before"), cr.layers.Dense(7, "tanh", name="wrong"),
        cr.layers.Dense(5, "relu", name="after"),
    )  # fmt: skip
    found = verify(model, *rows())
    verdicts = {row.name: row.verdict for row in found.rows}
    if amount == 1.0:
        assert found.passed
        return
    assert verdicts == {"before": "wrong after it", "wrong": "wrong here", "after": "ok", "last": "ok", "loss": "ok"}
    assert not found.passed and found.summary.endswith("wrong: 'wrong'")
    assert all(row.compiled < found.tolerance for row in found.rows)  # the same mistake, computed rightly


def test_a_wrong_derivative_in_a_layer_without_weights(change_tanh):
    change_tanh(lambda g, result, x: (g,))
    found = verify(classes_of(cr.layers.Dense(8), cr.layers.Activation("tanh", name="wrong")), *rows())
    assert [row.verdict for row in found.rows] == ["wrong after it", "wrong here", "ok", "ok"]


def test_a_wrong_derivative_in_the_loss(change_tanh):
    change_tanh(lambda g, result, x: (g,))
    model = classes_of()
    model.compile("sgd", lambda y, p: ops.mean(ops.tanh(p), axis=-1))
    found = verify(model, *rows())
    assert [row.verdict for row in found.rows] == ["wrong after it", "wrong here"]
    assert found.rows[-1].name == "loss"


def test_a_wrong_derivative_between_layers(change_tanh):
    change_tanh(lambda g, result, x: (g,))

    class Between(cr.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = cr.layers.Dense(5, name="first"), cr.layers.Dense(3, name="last")

        def call(self, x):
            return self.second(ops.tanh(self.first(x)))

    model = Between()
    model.compile("sgd", cr.losses.SparseCategoricalCrossentropy(from_logits=True))
    found = verify(model, *rows())
    assert [(row.name, row.verdict) for row in found.rows] == [("first", "wrong here"), ("last", "ok"), ("loss", "ok")]
    assert "between this layer and the next" in str(found)


def test_wrong_machine_code_is_found(monkeypatch):
    plain = trial.build

    def build(traced, **options):
        executable = plain(traced, **options)

        class Wrong:
            def __call__(self, *arrays):
                found = executable(*arrays)
                for result in found:
                    if result.shape == (6, 8):  # the gradient of the first kernel
                        result[3, 4] += 1e-3 * np.abs(result).max()
                return found

        return Wrong()

    monkeypatch.setattr(trial, "build", build)
    found = verify(classes_of(cr.layers.Dense(8, "tanh", name="first")), *rows())
    assert [row.verdict for row in found.rows] == ["machine code", "ok", "ok"]
    assert found.rows[0].compiled > found.tolerance > found.rows[0].interpreted


def test_machine_code_that_is_wrong_for_open_batches_alone(monkeypatch):
    """As training is compiled with the number of rows left open, so is what is looked at."""
    plain = trial.build

    def build(traced, **options):
        executable = plain(traced, **options)
        is_open = all(isinstance(node.shape[0], OpenDim) for node in traced.graph.inputs[: traced.arguments])

        class Wrong:
            def __call__(self, *arrays):
                found = executable(*arrays)
                if is_open and len(arrays[-1]) >= 25:
                    found[-1][...] *= 1.001  # the gradient of the last bias
                return found

        return Wrong()

    monkeypatch.setattr(trial, "build", build)
    model = classes_of(cr.layers.Dense(8, "tanh", name="first"))
    assert [row.verdict for row in verify(model, *rows()).rows] == ["ok", "machine code", "ok"]
    assert verify(model, *rows(20)).passed


@pytest.mark.parametrize("name, at", [("last/bias", 1), ("last/kernel/velocity", 1), ("iterations", 2)])
def test_workers_that_differ_by_one_bit(monkeypatch, name, at):
    plain = verification.build

    def build(traced, **options):
        executable = plain(traced, **options)
        if options.get("workers", 1) > 1:
            (variable,) = [variable for variable in traced.assigned if variable.name == name]
            right = executable.run_steps

            def run_steps(*given, **named):
                right(*given, **named)
                variable.memory.reshape(-1).view(np.uint8)[0] ^= 1

            executable.run_steps = run_steps
        return executable

    monkeypatch.setattr(verification, "build", build)
    found = verify(classes_of(cr.layers.Dense(8, "tanh", name="first")), *rows())
    assert [row.verdict for row in found.rows] == ["workers" if place == at else "ok" for place in range(3)]
    assert name in found.rows[at].note and found.rows[at].same_bits is False


# -- differences --------------------------------------------------------------------------------------------------


def slopes_of(function, *arrays):
    leaves, tree = flatten(tuple(np.asarray(array, "f") for array in arrays))
    traced = trace(function, [type_of(leaf) for leaf in leaves], tree)
    return Slopes(traced.graph.outputs[0], evaluate_nodes(traced.graph, leaves, wide=True), {}), traced.graph.inputs


def test_differences_agree_with_slopes_known_by_hand():
    x = np.linspace(-1.5, 2, 12).reshape(3, 4)
    slopes, (node,) = slopes_of(lambda x: ops.sum(ops.exp(x) * x), x)
    exact = np.exp(x.astype("f").astype(float)) * (1 + x.astype("f").astype(float))
    assert slopes.compare(node, exact).agrees
    wrong = exact.copy()
    wrong[1, 2] *= 1.0001
    comparison = slopes.compare(node, wrong)
    assert not comparison.agrees and not comparison.is_kink


def test_a_gradient_that_is_no_number_is_a_mistake_even_at_a_kink():
    slopes, (node,) = slopes_of(lambda x: ops.sum(ops.relu(x)), np.zeros(5))
    comparison = slopes.compare(node, np.full(5, np.nan))
    assert not comparison.agrees and not comparison.is_kink


def test_a_kink_is_told_from_a_mistake():
    slopes, (node,) = slopes_of(lambda x: ops.sum(ops.relu(x)), np.zeros(5))
    comparison = slopes.compare(node, np.zeros(5))
    assert not comparison.agrees and comparison.is_kink
    near, (node,) = slopes_of(lambda x: ops.sum(ops.relu(x)), np.full(5, 1e-6))
    assert near.compare(node, np.ones(5)).agrees  # a smaller step passes it by
    assert not near.compare(node, np.zeros(5)).agrees


def test_a_mistake_is_told_where_the_slope_is_steep_within_a_small_range():
    """The slope of log near 0 is known only to steps much smaller than the argument."""
    x = np.array([1e-7, 1e-6, 0.3, 0.7], "f")
    slopes, (node,) = slopes_of(lambda x: -ops.sum(ops.log(x)), x)
    exact = -1 / x.astype(float)
    assert slopes.compare(node, exact).agrees
    for place, factor in ((0, 1.001), (1, 1.01)):
        wrong = exact.copy()
        wrong[place] *= factor
        comparison = slopes.compare(node, wrong)
        assert not comparison.agrees and not comparison.is_kink


def test_a_loss_that_is_the_rest_of_large_numbers_is_known_less_well():
    x = np.array([0.25, 0.5], "f")
    slopes, (node,) = slopes_of(lambda x: ops.sum(1e6 + 1e-4 * x) - 2e6, x)
    assert slopes.rounding > 1e-11 > 64 * 2.0**-52 * slopes.loss
    assert slopes.compare(node, np.full(2, 1e-4)).agrees


def test_verdicts():
    row = VerifiedLayer("a", "Dense", 1e-9, None, 1e-7, 1e-7, True)
    assert row.passed and not VerifiedLayer("a", "Dense", 1, 1, 1, 1, True, "machine code").passed
