import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.inspect import Observer, observe


def rows(count=12, features=5, classes=3):
    generator = np.random.default_rng(3)
    x = generator.standard_normal((count, features)).astype("f")
    return x, generator.integers(0, classes, count)


def classifier(**options):
    cr.set_random_seed(2)
    model = cr.Sequential(
        [cr.Input((5,)), cr.layers.Dense(7, "relu"), cr.layers.BatchNormalization(), cr.layers.Dropout(0.5),
         cr.layers.Dense(3)]
    )  # fmt: skip
    model.compile("adam", cr.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
    return model


def test_gradients_are_those_of_grad():
    model = classifier()
    x, y = rows()
    seen = observe(model, x, y)

    def loss(variables):
        return model.loss(y, model(x))

    expected = cr.grad(loss)(list(model.trainable_variables))
    for variable, gradient in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(seen.gradients[variable.name], gradient, rtol=1e-5, atol=1e-7)
    assert seen.loss == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)


def test_what_a_layer_gave_is_its_call_on_what_the_one_before_gave():
    model = classifier()
    x, y = rows()
    seen = observe(model, x, y)
    assert [layer.name for layer in seen.layers] == ["dense", "batch_normalization", "dropout", "dense_1"]
    value = x
    for layer in seen.layers:
        value = layer.layer(value)
        np.testing.assert_allclose(layer.output, value, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(seen.predictions, seen.layers[-1].output)


def test_the_gradient_of_an_output_is_the_slope_of_the_loss():
    model = classifier()
    x, y = rows()
    seen = observe(model, x, y)
    head = cr.Sequential([cr.Input((7,)), *model.layers[1:]])
    head.compile("adam", cr.losses.SparseCategoricalCrossentropy(from_logits=True))
    expected = cr.grad(lambda h: head.loss(y, head(h)))(seen.layers[0].output)
    np.testing.assert_allclose(seen.layers[0].gradient, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_changed(training):
    model = classifier()
    x, y = rows()
    before = [weight.numpy() for weight in model.weights]
    watcher = Observer(model, x, y, training=training)
    first, second = watcher(), watcher()
    np.testing.assert_array_equal(first.predictions, second.predictions)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_an_observer_sees_the_weights_of_the_moment():
    model = classifier()
    x, y = rows()
    watcher = Observer(model, x, y)
    before = watcher().loss
    model.fit(x, y, epochs=20, verbose=0)
    assert watcher().loss < before
    assert watcher().loss == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)


def test_inner_models_shared_layers_several_outputs():
    given = cr.Input((5,))
    shared = cr.layers.Dense(5, "tanh", name="shared")
    inner = cr.Sequential([cr.Input((5,)), cr.layers.Dense(4)], name="inner")
    hidden = inner(shared(shared(given)))
    model = cr.Model(given, {"a": cr.layers.Dense(1, name="a")(hidden), "b": cr.layers.Dense(2, name="b")(hidden)})
    model.compile("sgd", {"a": "mse", "b": "mse"})
    x, _ = rows()
    seen = observe(model, x, {"a": np.ones((12, 1), "f"), "b": np.ones((12, 2), "f")})
    assert [layer.name for layer in seen.layers] == ["shared", "shared_1", "inner/dense", "inner", "a", "b"]
    assert set(seen.predictions) == {"a", "b"}
    assert all(np.any(gradient) for gradient in seen.gradients.values())


def test_a_formula_of_ones_own_and_the_eager_mode():
    class Mine(cr.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = cr.layers.Dense(4, "relu"), cr.layers.Dense(3)

        def call(self, x):
            return self.second(self.first(x))

    x, y = rows()
    losses = []
    for eager in (False, True):
        cr.set_random_seed(0)
        model = Mine()
        model.compile("sgd", cr.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=eager)
        seen = observe(model, x, y)
        assert [layer.name for layer in seen.layers] == ["dense", "dense_1"]
        losses.append(seen.loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_weights_of_one_name_keep_what_is_theirs():
    class Block(cr.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = cr.layers.Dense(5, "tanh")

        def call(self, x):
            return self.inner(x)

    model = cr.Sequential([cr.Input((5,)), Block(), Block(), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, _ = rows()
    seen = Observer(model, x, np.ones((12, 1), "f"), eager=True)()
    assert len({variable.name for variable in model.trainable_variables}) < len(model.trainable_variables)
    for variable, value in zip(model.trainable_variables, seen.values.values(), strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_a_model_without_a_loss_is_refused():
    model = cr.Sequential([cr.Input((5,)), cr.layers.Dense(3)])
    with pytest.raises(ChainruleError, match="not compiled"):
        observe(model, *rows())
