"""The ledger's numbers are those of `cr.grad`, to the bit; its names lead from a layer to an operation and back."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.graph.tree import flatten
from chainrule.inspect import Entry, observe
from chainrule.optimizers import SAM, SGD, Lookahead

ops = cr.ops


def sample(*shape, seed=0, low=None):
    values = np.random.default_rng(seed).normal(size=shape).astype("float32")
    return values if low is None else np.abs(values) + np.float32(low)


def two_layers(params, x, y):
    hidden = ops.tanh(x @ params["first"][0] + params["first"][1])
    logits = hidden @ params["second"]
    return -ops.mean(ops.sum(y * ops.log(ops.softmax(logits)), axis=-1))


FUNCTIONS = {
    "a value used twice": (lambda x: x * x + x, (3.0,)),
    "powers and quotients": (lambda x, y: x**y / (x + y), (np.float32(2.0), np.float32(1.5))),
    "functions of numbers": (lambda x: ops.sum(ops.sin(x) * ops.exp(-x) + ops.sqrt(x)), (sample(7, low=0.1),)),
    "broadcasting": (lambda x, b: ops.mean((x + b) ** 2), (sample(4, 3), sample(3, seed=1))),
    "a number for every element": (lambda x, s: ops.sum(ops.sigmoid(x * s)), (sample(4, 3), np.float32(0.7))),
    "reductions": (lambda x: ops.sum(ops.max(x, axis=1) * ops.prod(x, axis=1)) + ops.min(x), (sample(5, 3),)),
    "products of matrices": (lambda a, b: ops.sum((a @ b) * (a @ b)), (sample(3, 4), sample(4, 2, seed=1))),
    "choices": (lambda x, y: ops.sum(ops.where(x > y, x * y, ops.maximum(x, -y))), (sample(9), sample(9, seed=1))),
    "movements": (
        lambda x: ops.sum(ops.concatenate([x[1:, ::2], x[:-1, ::2]], 0) * ops.transpose(ops.reshape(x, (3, 4)))[:, :2]
                          .reshape((4, 2))[:, :1]),
        (sample(3, 4),),
    ),
    "rows by number": (lambda x, rows: ops.sum(ops.take(x, rows, axis=0) ** 2), (sample(5, 2), np.array([0, 3, 3]))),
    "a network": (
        two_layers,
        (
            {"first": [sample(4, 5), np.zeros(5, "float32")], "second": sample(5, 3, seed=1)},
            sample(6, 4, seed=2),
            np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]],
        ),
    ),
    "doubles": (lambda x: ops.mean(ops.log(1 + ops.exp(x))), (sample(6).astype("float64"),)),
    "a gradient within": (lambda x: cr.grad(lambda t: t * t * t)(x) * x, (2.0,)),
}  # fmt: skip


def floats(arguments):
    """Which arguments hold floats alone."""
    return [
        place
        for place, argument in enumerate(arguments)
        if all(np.asarray(leaf).dtype.kind == "f" for leaf in flatten(argument)[0])
    ]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_numbers_are_those_of_grad_to_the_bit(name):
    function, arguments = FUNCTIONS[name]
    ledger = cr.explain(function)(*arguments)
    value, gradients = cr.value_and_grad(function, argnums=floats(arguments))(*arguments)
    assert np.asarray(ledger.result).tobytes() == np.asarray(value).tobytes()
    found, expected = list(ledger.gradients.values()), flatten(gradients)[0]
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_part_comes_from_somewhere_and_the_parts_add_up(name):
    function, arguments = FUNCTIONS[name]
    ledger = cr.explain(function)(*arguments)
    for entry in ledger:
        if entry.gradient is None:
            assert not entry.incoming
            continue
        total = entry.incoming[0].value
        for part in entry.incoming[1:]:
            total = total + part.value
        assert total.tobytes() == entry.gradient.tobytes()
        assert (len(entry.meets) > 1) == (len(entry.incoming) > 1)
        for part in entry.incoming:
            assert part.operand == entry.name
            if part.operation:
                giver = ledger[part.operation]
                assert part in giver.outgoing and giver.operands[part.place] == entry.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_local_derivatives_times_the_gradient_are_what_is_handed_back(name):
    function, arguments = FUNCTIONS[name]
    for entry in cr.explain(function)(*arguments):
        for part in entry.outgoing:
            if part.slope_value is not None:
                expected = entry.gradient * part.slope_value
                expected = expected.sum() if part.value.ndim == 0 else expected
                np.testing.assert_allclose(part.value, expected, rtol=2e-5, atol=1e-7)


def test_local_derivatives_are_those_of_differences():
    x, y = np.array([0.3, 1.2, 2.5]), np.array([1.1, 0.4, 1.7])
    cases = {
        "v1": (lambda x, y: x * y, [y, x]),
        "tanh": (lambda x, y: ops.tanh(x), [1 - np.tanh(x) ** 2]),
        "divide": (lambda x, y: x / y, [1 / y, -x / y**2]),
        "power": (lambda x, y: x**y, [y * x ** (y - 1), x**y * np.log(x)]),
        "sigmoid": (lambda x, y: ops.sigmoid(x), [np.exp(-x) / (1 + np.exp(-x)) ** 2]),
    }
    for function, expected in cases.values():
        entry = cr.explain(function)(x, y)["v1"]
        assert len(entry.outgoing) == len(expected)
        for part, slope in zip(entry.outgoing, expected, strict=True):
            np.testing.assert_allclose(part.slope_value, slope, rtol=1e-12)


def test_a_wrong_number_would_be_seen():
    function, arguments = FUNCTIONS["a value used twice"]
    entry = cr.explain(function)(*arguments)["x"]
    assert [part.operation for part in entry.meets] == ["v2", "v1", "v1"]
    assert float(entry.gradient) == 7 and float(entry.gradient) != float(sum(part.value for part in entry.meets[1:]))


def test_names_are_those_of_the_function():
    def loss(params, *rest):
        return ops.sum(params["w"] * rest[0]) + params["b"][0] * rest[1]

    ledger = cr.explain(loss)({"w": sample(2), "b": [1.0]}, sample(2), 2.0)
    assert ledger.title == "loss(params, rest[0], rest[1])"
    assert list(ledger.gradients) == ["params.b[0]", "params.w", "rest[0]", "rest[1]"]
    clash = cr.explain(lambda v1, c1: v1 * np.ones(3, "f") + c1)(sample(3), sample(3))
    assert [entry.name for entry in clash] == ["v1", "c1", "c2", "v2", "v3"]
    assert [entry.kind for entry in clash] == ["input", "input", "constant", "operation", "operation"]


def test_results_that_are_no_single_number_are_explained_by_their_sum():
    x = sample(4)
    ledger = cr.explain(lambda x: {"a": x * x, "b": [ops.sin(x), ops.argmax(x)]})(x)
    assert set(ledger.result) == {"a", "b"}
    np.testing.assert_array_equal(ledger.result["a"], x * x)
    np.testing.assert_allclose(ledger.gradients["x"], 2 * x + np.cos(x), rtol=1e-6)
    whole = cr.explain(lambda n: n + 1)(3)
    assert int(whole.result) == 4 and not whole.gradients and whole["v1"].gradient is None


def test_what_does_not_matter_has_a_gradient_of_zero():
    ledger = cr.explain(lambda x, y: x * 2)(1.0, 5.0)
    assert float(ledger.gradients["y"]) == 0 and ledger["y"].gradient is None
    stopped = cr.explain(lambda x: x * cr.stop_gradient(x))(3.0)
    assert float(stopped.gradients["x"]) == 3 and stopped["v1"].gradient is None


def test_variables_are_explained_and_stay_as_they_are():
    weight = cr.Variable(np.array([1.0, 2.0], "float32"), name="weight")
    count = cr.Variable(np.int32(3), name="count", trainable=False)

    def f(x):
        count.assign_add(1)
        return ops.sum(weight * x)

    ledger = cr.explain(f)(np.array([3.0, 4.0], "float32"))
    np.testing.assert_array_equal(ledger.gradients["weight"], [3, 4])
    assert int(ledger.updates["count"]) == 4 and int(count.numpy()) == 3
    assert ledger["weight"].kind == "weight" and ledger["count"].kind == "state"
    given = cr.explain(lambda w: ops.sum(w * w))(weight)
    np.testing.assert_array_equal(given.gradients["weight"], [2, 4])


def test_the_arrays_given_may_change_afterwards():
    x = sample(3)
    ledger = cr.explain(lambda x: ops.sum(x * x))(x)
    x[:] = 0
    assert ledger["x"].value.any()


# -- a step of training -------------------------------------------------------------------------------------------


def classifier(optimizer="adam", **options):
    cr.set_random_seed(0)
    model = cr.Sequential(
        [cr.Input((4,)), cr.layers.Dense(5, "relu"), cr.layers.BatchNormalization(), cr.layers.Dense(3, "softmax")]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


def batch():
    return sample(6, 4), np.array([0, 1, 2, 0, 1, 2])


def test_a_step_has_the_gradients_of_grad_to_the_bit():
    model = classifier()
    x, y = batch()
    ledger = model.explain(x, y)

    def loss(variables):
        return model.forward(x, y.astype("int32"), None, training=True)[1]

    value, gradients = cr.value_and_grad(loss)(list(model.trainable_variables))
    assert ledger.result.tobytes() == np.asarray(value).tobytes()
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert ledger.gradients[variable.name].tobytes() == gradient.tobytes()


def test_a_step_has_the_gradients_that_are_observed():
    model = classifier()
    x, y = batch()
    ledger, seen = model.explain(x, y), observe(model, x, y, training=True)
    assert float(ledger.result) == pytest.approx(seen.loss, rel=1e-5)
    for name, gradient in seen.gradients.items():
        np.testing.assert_allclose(ledger.gradients[name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: SGD(0.1, momentum=0.9),
        lambda: cr.optimizers.Adam(cr.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), clipnorm=0.1),
        lambda: cr.optimizers.AdamW(0.01, gradient_accumulation_steps=2, use_ema=True, loss_scale_factor=4.0),
        lambda: Lookahead(SGD(0.1)),
    ],
)
def test_the_new_weights_are_those_of_training(optimizer):
    model = classifier(optimizer(), run_eagerly=True)
    x, y = batch()
    before = [weight.numpy() for weight in model.weights]
    ledger = model.explain(x, y)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    model.train_on_batch(x, y)
    for weight in model.weights:
        assert ledger.updates[weight.name].tobytes() == weight.numpy().tobytes(), weight.name
        assert ledger[ledger_name(ledger, weight.name)].becomes == weight.name


def ledger_name(ledger, variable):
    """The entry that is a Variable's new value."""
    return next(entry.name for entry in ledger if entry.becomes == variable)


def test_a_step_leaves_no_trace_in_the_model():
    for optimizer in (SGD(0.1, momentum=0.9), Lookahead(SGD(0.1, momentum=0.9))):
        model = classifier(optimizer)
        states = [dict(one.state) for one in (optimizer, getattr(optimizer, "optimizer", optimizer))]
        model.explain(*batch())
        assert [one.state for one in (optimizer, getattr(optimizer, "optimizer", optimizer))] == states
        optimizer.exclude_from_weight_decay(var_names=["bias"])  # is refused once there is state
        model.fit(*batch(), epochs=1, verbose=0)
        assert model.explain(*batch()).updates


def test_gradients_are_told_apart_where_an_update_reads_several():
    ledger = classifier(SGD(0.1, global_clipnorm=1.0)).explain(*batch())
    texts = [entry.formula.text for entry in ledger]
    assert any("∇dense.kernel ⊙ ∇dense.kernel" in text for text in texts)
    assert any("∇dense_1.kernel ⊙ ∇dense_1.kernel" in text for text in texts)
    entry = next(entry for entry in ledger if "∇dense.kernel" in entry.formula.text)
    assert set(entry.operands) == {"∇dense/kernel"}
    plain = classifier(SGD(0.1)).explain(*batch())
    update = [entry.formula.text for entry in plain if entry.scope == "sgd/dense/kernel"]
    assert any("∇kernel" in text for text in update) and not any("∇dense" in text for text in update)


def test_an_optimizer_that_takes_the_loss_as_a_function_is_told_of():
    model = classifier(SAM(SGD(0.1)))
    ledger = model.explain(*batch())
    assert "no update is shown" in str(ledger)[:200].replace("\n", " ") and "dense/kernel" not in ledger.updates
    assert set(ledger.gradients) == {variable.name for variable in model.trainable_variables} | {"x"}


def test_a_scaled_loss_is_told_of():
    plain, scaled = classifier(SGD(0.1)), classifier(SGD(0.1, loss_scale_factor=4.0))
    one, four = plain.explain(*batch()), scaled.explain(*batch())
    assert "loss_scale_factor" in str(four) and "loss_scale_factor" not in str(one)
    assert one.result == four.result
    np.testing.assert_allclose(four.gradients["x"], 4 * one.gradients["x"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(four.updates["dense/kernel"], one.updates["dense/kernel"], rtol=1e-6)


def test_layers_are_found_by_name_and_lead_on():
    model = classifier()
    ledger = model.explain(*batch())
    assert ledger.layers[:4] == ("dense", "batch_normalization", "dense_1", "loss")
    layer = ledger["dense"]
    assert [entry.formula.text for entry in layer] == [
        "dense/kernel",
        "v1 = x·kernel",
        "dense/bias",
        "v2 = spread(bias, (6, 5))",
        "v3 = v1 + v2",
        "v4 = relu(v3)",
    ]
    assert layer["dense_1"].entries == ledger["dense_1"].entries  # up again
    entry = layer["v4"]
    assert isinstance(entry, Entry) and entry.scope == "dense" and entry is ledger["v4"]
    np.testing.assert_array_equal(entry.value, np.maximum(ledger["v3"].value, 0))
    with pytest.raises(ChainruleError, match="did you mean 'dense"):
        ledger["dens"]


def test_inner_models_and_shared_layers():
    given = cr.Input((4,))
    inner = cr.Sequential([cr.Input((4,)), cr.layers.Dense(4, "tanh")], name="inner")
    shared = cr.layers.Dense(4, name="shared")
    model = cr.Model(given, cr.layers.Dense(1, name="head")(shared(shared(inner(given)))))
    model.compile("sgd", "mse")
    ledger = model.explain(sample(3, 4), np.ones((3, 1), "f"))
    assert ledger.layers[:3] == ("inner/dense", "shared", "head")
    assert ledger["inner"].entries == ledger["inner/dense"].entries
    assert len(ledger["shared/kernel"].meets) == 2
    assert ledger.neuron("inner/dense", 0).layer == "inner/dense"


def test_regularizers_dropout_whole_numbers_several_outputs():
    cr.set_random_seed(0)
    given = cr.Input((3,), dtype="int32")
    hidden = cr.layers.Flatten()(cr.layers.Embedding(7, 2)(given))
    hidden = cr.layers.Dropout(0.5)(cr.layers.Dense(4, "gelu", kernel_regularizer="l2")(hidden))
    model = cr.Model(given, {"a": cr.layers.Dense(1, name="a")(hidden), "b": cr.layers.Dense(2, name="b")(hidden)})
    model.compile("rmsprop", {"a": "mse", "b": "mae"}, run_eagerly=True)
    x = np.array([[0, 1, 2], [3, 4, 5]])
    y = {"a": np.ones((2, 1), "f"), "b": np.ones((2, 2), "f")}
    weight = np.array([1.0, 3.0], "f")
    ledger = model.explain(x, y, sample_weight=weight)
    model.train_on_batch(x, y, sample_weight=weight)
    for variable in model.trainable_variables:
        np.testing.assert_array_equal(ledger.updates[variable.name], variable.numpy())
    assert np.any(ledger.gradients["embedding/embeddings"])


def test_a_model_without_a_loss_is_refused():
    with pytest.raises(ChainruleError, match="not compiled"):
        cr.Sequential([cr.Input((4,)), cr.layers.Dense(3)]).explain(*batch())
