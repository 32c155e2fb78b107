"""What must not leak: between steps, epochs, training and testing, models, and a file and what it was written from."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError

L = cr.layers
GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((32, 6)).astype("f")
Y = GENERATOR.standard_normal((32, 1)).astype("f")


class OwnTrainStep(cr.Sequential):
    def train_step(self, data):
        x, y = data
        loss = self.optimizer.minimize(
            lambda: cr.ops.mean(cr.ops.square(self(x, training=True) - y)), self.trainable_variables
        )
        return {"loss": loss, "only_train": loss}


def test_logs_of_an_own_step_are_not_those_of_testing():
    model = OwnTrainStep([cr.Input((6,)), L.Dense(1)])
    model.compile(cr.optimizers.SGD(0.0), "mse")
    history = model.fit(X, Y, validation_data=(X, Y * 100), verbose=0, batch_size=32).history
    error = model.predict(X)
    assert history["loss"] == [pytest.approx(np.mean((error - Y) ** 2), rel=1e-5)]
    assert history["val_loss"] == [pytest.approx(np.mean((error - 100 * Y) ** 2), rel=1e-5)]
    assert set(history) == {"loss", "only_train", "val_loss"}
    assert model.evaluate(X, Y * 100, verbose=0) == pytest.approx(history["val_loss"][0], rel=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def test_data_become_the_dtype_of_the_input(dtype):
    data = np.array([[200, 100, 3]], dtype)
    x = cr.Input((3,))
    for model in (cr.Model(x, L.Add()([x, x])), cr.Sequential([cr.Input((3,)), L.Lambda(lambda z: z + z)])):
        np.testing.assert_array_equal(model.predict(data), [[400, 200, 6]])
        np.testing.assert_array_equal(model(data), [[400, 200, 6]])
    np.testing.assert_allclose(cr.Model(x, x * 0.5).predict(data), [[100, 50, 1.5]])


def test_moments_go_to_their_weights_when_a_part_is_frozen(tmp_path):
    inner = cr.Sequential([cr.Input((6,)), L.Dense(6)])
    x = cr.Input((6,))
    model = cr.Model(x, L.Dense(6)(inner(x)))
    model.compile(cr.optimizers.Adam(0.1), "mse")
    model.fit(X, X, epochs=2, verbose=0)
    inner.trainable = False
    model.save(tmp_path / "model")
    again = cr.load_model(tmp_path / "model")
    model.fit(X, X, epochs=1, verbose=0, shuffle=False)
    again.layers[1].trainable = False
    again.fit(X, X, epochs=1, verbose=0, shuffle=False)
    for mine, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def classifier(*shape):
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input(shape), L.Dense(2, "softmax")])
    model.compile(cr.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    return model


def test_class_weights_are_not_for_validation():
    labels = (Y[:, 0] > 0).astype(int)
    split = classifier(6).fit(X, labels, class_weight={0: 1, 1: 5}, validation_split=0.25, verbose=0).history
    apart = classifier(6).fit(
        X[:24], labels[:24], class_weight={0: 1, 1: 5}, validation_data=(X[24:], labels[24:]), verbose=0
    )
    assert split["val_loss"] == apart.history["val_loss"] and split["loss"] == apart.history["loss"]


def test_class_weights_of_several_labels_a_sample():
    x = GENERATOR.standard_normal((8, 5, 3)).astype("f")
    labels = GENERATOR.integers(0, 2, (8, 5))
    model = classifier(5, 3)
    loss = model.fit(x, labels, class_weight={0: 1.0, 1: 10.0}, verbose=0, batch_size=8).history["loss"][0]
    odds = np.take_along_axis(model.predict(x), labels[..., None], -1)[..., 0]
    assert loss == pytest.approx(np.mean(-np.log(odds) * np.where(labels, 10.0, 1.0)), rel=1e-5)


def test_nothing_is_no_loss_of_zero():
    model = cr.Sequential([cr.Input((6,)), L.Dense(1)])
    model.compile("sgd", "mse")
    for attempt in (
        lambda: model.fit(iter([(X, Y)]), epochs=2, verbose=0),
        lambda: model.fit(X, Y, epochs=2, validation_data=iter([(X, Y)]), verbose=0),
        lambda: model.evaluate(iter([]), verbose=0),
    ):
        with pytest.raises(DataError, match="there was no batch"):
            attempt()
    for options in ({"validation_batch_size": -3}, {"validation_freq": 0}, {"initial_epoch": -1}):
        with pytest.raises(DataError, match="not a count"):
            model.fit(X, Y, validation_data=(X, Y), verbose=0, **options)


def test_a_mask_given_to_a_graph_of_layers_counts():
    x = np.random.default_rng(1).standard_normal((4, 4, 3)).astype("f")
    mask = np.array([[1, 1, 0, 0]] * 4, bool)
    moved = []
    given = cr.Input((4, 3))
    for inner in (
        cr.Model(given, L.BatchNormalization(momentum=0.0)(given)),
        cr.Sequential([cr.Input((4, 3)), L.BatchNormalization(momentum=0.0)]),
    ):
        a, m = cr.Input((4, 3)), cr.Input((4,), dtype="bool")
        model = cr.Model([a, m], inner(a, mask=m))
        model.compile(cr.optimizers.SGD(0.0), "mse")
        model.fit([x, mask], x, verbose=0, batch_size=4)
        moved.append(inner.non_trainable_weights[0].numpy())
    np.testing.assert_allclose(moved[0], x[:, :2].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(moved[0], moved[1], rtol=1e-6)


def test_masks_count_in_eager_calls_too():
    x = np.random.default_rng(1).standard_normal((2, 4, 3)).astype("f")
    x[:, 2:] = 0
    given = cr.Input((4, 3))
    for model in (
        cr.Model(given, L.Softmax(axis=1)(L.Masking()(given))),
        cr.Sequential([given, L.Masking(), L.Softmax(axis=1)]),
    ):
        np.testing.assert_allclose(model(x), model.predict(x), rtol=1e-6, atol=1e-7)


def test_labels_beside_the_ignored_class_are_checked():
    model = cr.Sequential([cr.Input((6,)), L.Dense(3, "softmax")])
    model.compile("sgd", cr.losses.SparseCategoricalCrossentropy(ignore_class=-1))
    assert model.evaluate(X, np.full(32, -1), verbose=0) == 0.0
    with pytest.raises(DataError, match="out of range"):
        model.evaluate(X, np.full(32, 7), verbose=0)


def test_freezing_is_seen_where_no_weight_is_trained():
    normal = L.BatchNormalization(center=False, scale=False)
    model = cr.Sequential([cr.Input((6,)), normal, L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    before = normal.moving_mean.numpy()
    normal.trainable = False
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(normal.moving_mean.numpy(), before)


def test_an_output_with_a_loss_needs_targets_and_names_fit_values():
    x = cr.Input((6,))
    model = cr.Model(x, {"a": L.Dense(1)(x), "b": L.Dense(1)(x)})
    model.compile("sgd", "mse", metrics={"a": ["mae"], "b": ["mae"]})
    with pytest.raises(DataError, match="no targets"):
        model.fit(X, {"a": Y}, verbose=0)
    values = model.evaluate(X, {"a": Y, "b": Y}, verbose=0)
    named = model.evaluate(X, {"a": Y, "b": Y}, verbose=0, return_dict=True)
    assert dict(zip(model.metrics_names, values, strict=True)) == named


def test_another_last_layer_is_met_anew():
    model = cr.Sequential([cr.Input((6,)), L.Dense(1, "sigmoid")])
    model.compile("sgd", "mse", metrics=["accuracy"])
    model.fit(X, (Y > 0).astype("f"), verbose=0)
    model.pop()
    model.add(L.Dense(3, "softmax"))
    targets = np.eye(3, dtype="f")[np.arange(32) % 3]
    accuracy = model.evaluate(X, targets, verbose=0)[1]
    assert accuracy == pytest.approx(np.mean(model.predict(X).argmax(-1) == targets.argmax(-1)))


def test_no_step_no_average():
    model = cr.Sequential([cr.Input((6,)), L.Dense(1)])
    model.compile(cr.optimizers.SGD(0.1, use_ema=True), "mse")
    model.fit(X, Y, verbose=0)
    model.set_weights([weight * 0 + 5 for weight in model.get_weights()])
    model.fit(X, Y, epochs=2, initial_epoch=2, verbose=0)
    assert (model.get_weights()[1] == 5).all()


def test_an_infinite_loss_of_testing_does_not_stop_training():
    model = cr.Sequential([cr.Input((1,)), L.Dense(1)])
    model.compile("sgd", "mse")
    ones = np.ones((4, 1), "f")
    assert model.evaluate(ones, np.full((4, 1), 3e38, "f"), verbose=0) == np.inf
    model.fit(ones, ones, verbose=0)


def test_a_second_model_leaves_the_names_of_the_first(tmp_path):
    a, b = L.Dense(3), L.Dense(3)
    first = cr.Sequential([cr.Input((3,)), a, b])
    x = cr.Input((3,))
    second = cr.Model(x, a(L.Dense(3)(x)))
    assert [layer.name for layer in first.layers] == ["dense", "dense_1"]
    assert len({layer.name for layer in second.layers}) == 3
    first.save(tmp_path / "model")
    cr.load_model(tmp_path / "model")


def test_weights_that_do_not_decay_are_saved(tmp_path):
    model = cr.Sequential([cr.Input((6,)), L.Dense(1)])
    optimizer = cr.optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0, shuffle=False)
    model.save(tmp_path / "model")
    again = cr.load_model(tmp_path / "model")
    for which in (model, again):
        which.fit(X, Y, verbose=0, shuffle=False)
    for mine, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_numbers_of_numpy_are_numbers(tmp_path):
    model = cr.Sequential([cr.Input((6,)), L.Dense(1, kernel_regularizer=cr.regularizers.L2(np.float32(0.1)))])
    model.compile("sgd", "mse", loss_weights=[np.float32(0.5)])
    model.save(tmp_path / "model")
    assert cr.load_model(tmp_path / "model").layers[0].kernel_regularizer.l2 == pytest.approx(0.1)
    with pytest.raises(ChainruleError, match="out of range"):
        cr.regularizers.L2(np.float32(-1))
