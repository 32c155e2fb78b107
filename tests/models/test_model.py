"""Models of any arrangement: graphs of layers, formulas, steps of one's own, batches from iterables."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError


def rows(count=64, features=6, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((count, features)).astype("f")
    return x, x.sum(1, keepdims=True), (x[:, 0] > 0).astype("int32")


def two_headed():
    """Two inputs, a shared layer, a residual, two outputs."""
    cr.set_random_seed(3)
    a, b = cr.Input((6,), name="a"), cr.Input((6,), name="b")
    shared = cr.layers.Dense(8, "tanh", name="shared")
    left, right = shared(a), shared(b)
    both = left * 0.5 + right
    both = both + cr.layers.Dense(8, "relu")(both)
    value = cr.layers.Dense(1, name="value")(both)
    kind = cr.layers.Dense(2, "softmax", name="kind")(both)
    return cr.Model([a, b], [value, kind], name="two_headed")


def by_hand(model, a, b):
    names = {weight.name: weight.numpy() for weight in model.weights}
    left, right = (np.tanh(x @ names["shared/kernel"] + names["shared/bias"]) for x in (a, b))
    both = left * 0.5 + right
    both = both + np.maximum(both @ names["dense/kernel"] + names["dense/bias"], 0)
    logits = both @ names["kind/kernel"] + names["kind/bias"]
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return both @ names["value/kernel"] + names["value/bias"], odds / odds.sum(-1, keepdims=True)


def test_a_graph_of_layers_is_its_formula():
    model = two_headed()
    (a, _, _), (b, _, _) = rows(), rows(seed=1)
    for x in ([a, b], {"a": a, "b": b}, (a, b)):
        value, kind = model.predict(x)
        expected = by_hand(model, a, b)
        np.testing.assert_allclose(value, expected[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(kind, expected[1], rtol=1e-5, atol=1e-6)
    assert model.count_params() == 6 * 8 + 8 + 8 * 8 + 8 + 9 + 18
    assert [layer.name for layer in model.layers] == ["a", "b", "shared", "dense", "value", "kind"]


def compile_two(model, **options):
    model.compile(
        cr.optimizers.Adam(0.01),
        loss={"value": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"value": 0.5, "kind": 2.0},
        metrics={"value": ["mae"], "kind": ["accuracy"]},
        **options,
    )


def test_several_outputs_are_trained_together():
    (a, y, labels), (b, _, _) = rows(200), rows(200, seed=1)
    model, eager = two_headed(), two_headed()
    compile_two(model)
    compile_two(eager, run_eagerly=True)
    histories = [
        which.fit({"a": a, "b": b}, {"value": y, "kind": labels}, batch_size=50, epochs=3, verbose=0, shuffle=False)
        for which in (model, eager)
    ]
    assert set(histories[0].history) == {"loss", "value_loss", "kind_loss", "value_mae", "kind_accuracy"}
    for name, values in histories[0].history.items():
        np.testing.assert_allclose(values, histories[1].history[name], rtol=1e-4)
    last = {name: values[-1] for name, values in histories[0].history.items()}
    assert last["loss"] == pytest.approx(0.5 * last["value_loss"] + 2 * last["kind_loss"], rel=1e-5)
    logs = model.evaluate([a, b], [y, labels], verbose=0, return_dict=True)
    value, kind = model.predict([a, b])
    assert logs["value_loss"] == pytest.approx(np.mean((value - y) ** 2), rel=1e-4)
    assert logs["kind_accuracy"] == pytest.approx(np.mean(kind.argmax(-1) == labels), rel=1e-5)


def test_weights_of_samples_and_classes_an_output():
    (a, y, labels), (b, _, _) = rows(100), rows(100, seed=1)
    model = two_headed()
    compile_two(model)
    weight = np.linspace(0, 2, 100).astype("f")
    logs = model.evaluate(
        [a, b], [y, labels], sample_weight=[weight, None], verbose=0, return_dict=True, batch_size=100
    )
    value, _ = model.predict([a, b])
    assert logs["value_loss"] == pytest.approx(np.mean((value - y)[:, 0] ** 2 * weight), rel=1e-4)
    model.fit([a, b], [y, labels], class_weight={"kind": {0: 1.0, 1: 3.0}}, verbose=0)
    with pytest.raises(DataError, match="class_weight"):
        model.fit([a, b], [y, labels], class_weight={0: 1.0, 1: 3.0}, verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (lambda a, b: [a], lambda y, k: [y, k], "another number of arrays"),
        (lambda a, b: a, lambda y, k: [y, k], "one array, where the model has several"),
        (lambda a, b: {"a": a, "c": b}, lambda y, k: [y, k], "an input is missing"),
        (lambda a, b: {"a": a}, lambda y, k: [y, k], "an input is missing"),
        (lambda a, b: [a, b[:, :3]], lambda y, k: [y, k], "layer 'shared'"),
        (lambda a, b: [a, b[:-1]], lambda y, k: [y, k], "differ in length"),
        (lambda a, b: [a, b], lambda y, k: [y], "another number of arrays"),
        (lambda a, b: [a, b], lambda y, k: {"value": y, "kinds": k}, "did you mean 'kind'"),
        (lambda a, b: [a, b], lambda y, k: [y, k + 5], "label is out of range"),
        (lambda a, b: [a, b], lambda y, k: [y[:, :0], k], "differ in shape"),
    ],
)
def test_data_that_do_not_fit_are_refused(x, y, message):
    (a, target, labels), (b, _, _) = rows(), rows(seed=1)
    model = two_headed()
    compile_two(model)
    before = model.get_weights()
    with pytest.raises(ChainruleError, match=message):
        model.fit(x(a, b), y(target, labels), verbose=0)
    assert all((old == new).all() for old, new in zip(before, model.get_weights(), strict=True))


def test_saved_cloned_and_nested(tmp_path):
    (a, _, _), (b, _, _) = rows(), rows(seed=1)
    inner = two_headed()
    compile_two(inner)
    inner.save(tmp_path / "model")
    again = cr.load_model(tmp_path / "model")
    for mine, other in zip(inner.predict([a, b]), again.predict([a, b]), strict=True):
        np.testing.assert_array_equal(mine, other)
    copy = cr.models.clone_model(inner)
    copy.set_weights(inner.get_weights())
    np.testing.assert_array_equal(copy.predict([a, b])[0], inner.predict([a, b])[0])
    x = cr.Input((6,))
    value, kind = inner([x, x * 2.0])
    outer = cr.Model(x, {"value": value, "sure": cr.ops.max(kind, axis=-1, keepdims=True)})
    result = outer.predict(a)
    np.testing.assert_allclose(result["value"], inner.predict([a, 2 * a])[0], rtol=1e-6)
    assert result["sure"].shape == (64, 1) and len(outer.weights) == len(inner.weights)
    outer.save(tmp_path / "outer")
    np.testing.assert_array_equal(cr.load_model(tmp_path / "outer").predict(a)["sure"], result["sure"])
    inner.save_weights(tmp_path / "weights")
    fresh = two_headed()
    fresh.load_weights(tmp_path / "weights")
    np.testing.assert_array_equal(fresh.predict([a, b])[1], inner.predict([a, b])[1])


def test_any_layer_can_be_read():
    model = two_headed()
    (a, _, _), (b, _, _) = rows(), rows(seed=1)
    middle = cr.Model(model.inputs, model.get_layer("value").output)
    np.testing.assert_array_equal(middle.predict([a, b]), model.predict([a, b])[0])


class Scaled(cr.layers.Layer):
    """A layer of one's own: ``x * factor``, and a penalty on the factor."""

    def __init__(self, start=1.0, **options):
        super().__init__(**options)
        self.start = start

    def build(self, input_shape):
        assert input_shape[0] is None
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", trainable=True, name="factor")

    def call(self, x):
        self.add_loss(0.1 * cr.ops.sum(self.factor**2))
        return x * self.factor * self.start

    def get_config(self):
        return {**super().get_config(), "start": self.start}


class Formula(cr.Model):
    """A model that is a Python formula."""

    def __init__(self, width=5):
        super().__init__()
        self.scaled = Scaled(0.5)
        self.steps = [cr.layers.Dense(width, "relu"), cr.layers.Dropout(0.0)]
        self.last = cr.layers.Dense(1)

    def call(self, x, training=None):
        x = self.scaled(x)
        for layer in self.steps:
            x = layer(x)
        return self.last(x) if not training else self.last(x) * 1.0


def test_a_formula_of_layers():
    x, y, _ = rows(100)
    model = Formula()
    model.compile("sgd", "mse")
    loss = model.evaluate(x, y, verbose=0)
    expected = np.mean((model.predict(x) - y) ** 2) + 0.1 * 6
    assert loss == pytest.approx(expected, rel=1e-5)
    history = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert [weight.name.split("/")[-1] for weight in model.weights] == ["factor", "kernel", "bias", "kernel", "bias"]
    model.summary(print_fn=lambda text: None)
    assert model.get_config() == {"name": "formula", "trainable": True}


def test_custom_layers_are_saved_by_name_and_loaded_on_request(tmp_path):
    model = cr.Sequential([cr.Input((3,)), Scaled(2.0), cr.layers.Dense(1)])
    model.save(tmp_path / "model")
    with pytest.raises(ChainruleError, match="Scaled"):
        cr.load_model(tmp_path / "model")
    x = np.ones((2, 3), "f")
    again = cr.load_model(tmp_path / "model", custom_objects={"Scaled": Scaled})
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


class Sized(cr.Model):
    """A formula that can be saved: its configuration is what its constructor takes."""

    def __init__(self, width, **options):
        super().__init__(**options)
        self.width = width
        self.hidden, self.last = cr.layers.Dense(width, "relu"), cr.layers.Dense(1)

    def call(self, x):
        return self.last(self.hidden(x["a"] if isinstance(x, dict) else x))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@pytest.mark.parametrize("named", [False, True])
def test_a_formula_is_saved_with_what_it_was_built_for(tmp_path, named):
    x, y, _ = rows()
    data = {"a": x} if named else x
    model = Sized(7)
    model.compile("adam", "mse")
    model.fit(data, y, verbose=0)
    model.save(tmp_path / "model")
    again = cr.load_model(tmp_path / "model", custom_objects={"Sized": Sized})
    np.testing.assert_array_equal(again.predict(data), model.predict(data))


def test_a_column_may_be_flat_and_other_columns_are_left_out():
    x, y, _ = rows()
    a, b = cr.Input((1,), name="a"), cr.Input((), name="b")
    both = cr.layers.Concatenate()([a, cr.layers.Reshape((1,))(b)])
    model = cr.Model({"a": a, "b": b}, cr.layers.Dense(1)(both))
    model.compile("sgd", "mse")
    flat = {"a": x[:, 0], "b": x[:, 1], "unused": x}
    deep = {"a": x[:, :1], "b": x[:, 1:2]}
    assert model.evaluate(flat, y, verbose=0) == model.evaluate(deep, y, verbose=0)
    np.testing.assert_array_equal(model.predict(flat), model.predict(deep))
    line = cr.Sequential([cr.Input((1,)), cr.layers.Dense(1)])
    assert line.predict(x[:, 0]).shape == (64, 1)


def test_a_sequential_has_symbolic_arrays():
    model = cr.Sequential([cr.Input((6,)), cr.layers.Dense(4, "relu", name="features"), cr.layers.Dense(1)])
    middle = cr.Model(model.inputs, model.get_layer("features").output)
    x, _, _ = rows()
    assert middle.predict(x).shape == (64, 4)
    np.testing.assert_array_equal(cr.Model(model.input, model.output).predict(x), model.predict(x))
    assert model.output_shape == (None, 1) and model.input_shape == (None, 6)


class Duel(cr.Model):
    """Two networks and a step of its own; there is no formula from inputs to outputs."""

    def __init__(self):
        super().__init__()
        self.one, self.two = cr.layers.Dense(3), cr.layers.Dense(6)

    def train_step(self, data):
        def loss_of(weights):
            return cr.ops.mean((self.two(self.one(data)) - data) ** 2)

        loss, gradients = cr.value_and_grad(loss_of)(self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


def test_a_step_without_a_formula():
    x, _, _ = rows(200)
    model = Duel()
    model.one(x[:1]), model.two(x[:1, :3])
    model.compile(cr.optimizers.Adam(0.02))
    losses = model.fit(x, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


class OnlyPenalty(cr.layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight((), "ones", name="w")

    def call(self, x):
        self.add_loss((self.w - 3.0) ** 2)
        return x


def test_losses_of_layers_are_enough():
    x, _, _ = rows()
    model = cr.Sequential([cr.Input((6,)), OnlyPenalty()])
    model.compile(cr.optimizers.SGD(0.1))
    model.fit(x, epochs=30, verbose=0)
    assert model.layers[0].w.numpy() == pytest.approx(3.0, abs=1e-3)
    plain = cr.Sequential([cr.Input((6,)), cr.layers.Dense(1)])
    plain.compile("sgd")
    with pytest.raises(ChainruleError, match="nothing to make small"):
        plain.fit(x, verbose=0)


class OwnStep(cr.Model):
    """A training step of one's own."""

    def __init__(self):
        super().__init__()
        self.dense = cr.layers.Dense(1)
        self.running = cr.metrics.Mean("running")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data

        def loss_of(weights):
            return cr.ops.mean((self(x, training=True) - y) ** 2)

        loss, gradients = cr.value_and_grad(loss_of)(self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss, "size": cr.ops.size_of(x, 0)}


def test_a_training_step_of_ones_own():
    x, y, _ = rows(100)
    model = OwnStep()
    model.compile(cr.optimizers.SGD(0.05))
    history = model.fit(x, y, batch_size=50, epochs=40, verbose=0).history
    assert history["loss"][-1] < 0.1 * history["loss"][0] and history["size"][0] == 50


class OwnMetric(OwnStep):
    """As above, with a metric in an attribute."""

    def train_step(self, data):
        x, y = data
        super().train_step(data)
        self.running.update_state(y)
        return {"loss": cr.ops.mean(y), "running": self.running.result(), "two": cr.ops.mean(x, axis=0)[:2]}


def test_metrics_in_attributes_begin_anew_each_epoch():
    x, y, _ = rows(100)
    model = OwnMetric()
    model.compile(cr.optimizers.SGD(0.05))
    history = model.fit(x, y, batch_size=50, epochs=2, verbose=0, shuffle=False).history
    assert history["running"] == pytest.approx([y.mean()] * 2, rel=1e-5)
    assert np.shape(history["two"]) == (2, 2)


def test_freezing_a_model_freezes_what_is_in_it():
    inner = cr.Sequential([cr.Input((6,)), cr.layers.Dense(3), cr.layers.BatchNormalization()])
    outer = cr.Sequential([cr.Input((6,)), inner, cr.layers.Dense(1)])
    inner.trainable = False
    assert not inner.layers[1].trainable and len(outer.trainable_weights) == 2
    outer.compile("sgd", "mse")
    before = inner.get_weights()
    x, y, _ = rows()
    outer.fit(x, y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, inner.get_weights(), strict=True))


def test_frozen_layers_stay():
    x, y, _ = rows()
    model = cr.Sequential([cr.Input((6,)), cr.layers.Dense(4, "relu"), cr.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    model.layers[0].trainable = False
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    after = model.get_weights()
    assert (before[0] == after[0]).all() and not (before[2] == after[2]).all()
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 2


def test_regularizers_and_constraints():
    x, y, _ = rows(100)
    kernel = cr.layers.Dense(
        4, kernel_regularizer="l2", bias_regularizer=cr.regularizers.L1(0.1), kernel_constraint="non_neg",
        activity_regularizer=cr.regularizers.L2(0.5), bias_initializer="ones",
    )  # fmt: skip
    model = cr.Sequential([cr.Input((6,)), kernel, cr.layers.Dense(1)])
    model.compile("adam", "mse")
    hidden = x @ kernel.kernel.numpy() + 1
    expected = np.mean((model.predict(x) - y) ** 2) + 0.01 * np.sum(kernel.kernel.numpy() ** 2) + 0.4
    expected += 0.5 * np.sum(hidden**2) / 100
    assert model.evaluate(x, y, verbose=0, batch_size=100) == pytest.approx(expected, rel=1e-5)
    model.fit(x, y, epochs=2, verbose=0)
    assert (kernel.kernel.numpy() >= 0).all()


def batches(x, y, size=16):
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


class Batches:
    """Reached by number, as `PyDataset`s are."""

    def __init__(self, x, y):
        self.parts = list(batches(x, y))

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, place):
        return self.parts[place]


def test_batches_from_iterables_train_as_arrays_do():
    x, y, _ = rows(70)

    def trained(data, **options):
        cr.set_random_seed(0)
        model = cr.Sequential([cr.Input((6,)), cr.layers.Dense(4, "tanh"), cr.layers.Dense(1)])
        model.compile("adam", "mse")
        history = model.fit(*data, epochs=2, verbose=0, shuffle=False, **options).history
        return history, model

    whole, by_array = trained((x, y), batch_size=16)
    endless = (part for _ in range(2) for part in batches(x, y))
    for data, options in ((Batches(x, y), {}), (list_of(x, y), {}), (endless, {"steps_per_epoch": 5})):
        found, model = trained((data,), **options)
        np.testing.assert_allclose(found["loss"], whole["loss"], rtol=1e-6)
        for mine, other in zip(model.get_weights(), by_array.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, other)
    assert by_array.evaluate(Batches(x, y), verbose=0) == pytest.approx(by_array.evaluate(x, y, verbose=0), rel=1e-5)
    np.testing.assert_array_equal(by_array.predict(Batches(x, y)), by_array.predict(x))


def list_of(x, y):
    class Loader:
        def __iter__(self):
            return batches(x, y)

    return Loader()


def test_a_bad_batch_keeps_what_was_trained():
    x, y, _ = rows(64)
    model = cr.Sequential([cr.Input((6,)), cr.layers.Dense(1)])
    model.compile("sgd", "mse")

    def with_a_bad_one():
        yield x[:16], y[:16]
        yield x[:16, :4], y[:16]

    with pytest.raises(ChainruleError, match="do not fit"):
        model.fit(with_a_bad_one(), verbose=0)
    assert model.optimizer.iterations.numpy() == 1
    with pytest.raises(DataError, match="ended early"):
        model.fit(batches(x, y), steps_per_epoch=10, verbose=0)
    assert model.optimizer.iterations.numpy() == 5


def test_memory_mapped_rows(tmp_path):
    x, y, _ = rows(500)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((6,)), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.fit(mapped, y, verbose=0).history["loss"][0] > 0


def test_symbolic_arrays_tell_what_is_wrong():
    x = cr.Input((4,))
    with pytest.raises(ChainruleError, match="does not have"):
        cr.Model(cr.Input((3,)), cr.layers.Dense(1)(x))
    with pytest.raises(ChainruleError, match="belong together"):
        cr.Model(x)
    with pytest.raises(ChainruleError, match="one name"):
        cr.Model(x, cr.layers.Dense(2, name="d")(cr.layers.Dense(2, name="d")(x)))
    dense = cr.layers.Dense(2)
    dense(x)
    with pytest.raises(ChainruleError, match="another shape"):
        dense(cr.Input((5,)))


def test_layers_want_their_base():
    class Forgetful(cr.layers.Layer):
        def __init__(self):
            self.size = 3

        def call(self, x):
            return x

    with pytest.raises(ChainruleError, match="super"):
        Forgetful()(np.ones((2, 2), "f"))
