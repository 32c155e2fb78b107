"""What holds for every optimizer: compiled equals interpreted, configs, saved state, and the options that all share."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops, optimizers
from chainrule.errors import ChainruleError
from chainrule.optimizers import schedules

CLASSES = sorted({found.__name__: found for found in optimizers.CLASSES.values()}.items())
TRACED = [name for name, _ in CLASSES if name != "LBFGS"]


def make_weights():
    generator = np.random.Generator(np.random.Philox(key=3))
    return [
        cr.Variable(generator.uniform(-1, 1, (3, 4)).astype("float32"), "kernel"),
        cr.Variable(generator.uniform(-1, 1, (4,)).astype("float32"), "bias"),
    ]


def make_parts(count=6):
    generator = np.random.Generator(np.random.Philox(key=4))
    return [[generator.normal(0, 1, shape).astype("float32") for shape in ((3, 4), (4,))] for _ in range(count)]


def stepper(optimizer, weights):
    """A step for the loss ``sum(w**2 / 4 + part * w)``, whose gradient is ``w / 2 + part``."""

    def step(parts):
        def loss():
            kernel, bias = (
                ops.sum(ops.multiply(w, w) * 0.25 + part * w) for w, part in zip(weights, parts, strict=True)
            )
            return kernel + bias

        return optimizer.minimize(loss, weights)

    return step


def run(optimizer, weights, parts, compiled=False):
    step = stepper(optimizer, weights)
    step = cr.jit(step) if compiled else step
    for now in parts:
        step(now)
    return [weight.numpy() for weight in weights]


def assert_close(found, wanted, tolerance=2e-5):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


# -- every optimizer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRACED)
def test_compiled_equals_interpreted(name):
    found, wanted = (
        run(optimizers.get(name), make_weights(), make_parts(), compiled) for compiled in (True, False)
    )  # fmt: skip
    assert_close(found, wanted)
    assert not np.array_equal(wanted[0], make_weights()[0].numpy())


@pytest.mark.parametrize("name", sorted(optimizers.CLASSES))
def test_config_makes_an_equal_optimizer(name):
    optimizer = optimizers.get(name)
    description = json.loads(json.dumps(optimizers.serialize(optimizer)))
    again = optimizers.deserialize(description)
    assert type(again) is type(optimizer)
    assert json.loads(json.dumps(optimizers.serialize(again))) == description


@pytest.mark.parametrize("name", TRACED)
def test_state_goes_on_where_it_was(name):
    parts = make_parts()
    weights = make_weights()
    wanted = run(optimizers.get(name), weights, parts)
    weights = make_weights()
    first = optimizers.get(name)
    run(first, weights, parts[:3])
    second = optimizers.get(name)
    second.build(weights)
    assert len(first.variables) == len(second.variables)
    for there, here in zip(first.variables, second.variables, strict=True):
        here.assign(there.numpy())
    assert_close(run(second, weights, parts[3:]), wanted, 0)


@pytest.mark.parametrize("name", [name for name in TRACED if name not in ("Rprop", "SAM")])
def test_accumulated_gradients_are_one_step_of_their_mean(name):
    options = {"gradient_accumulation_steps": 3}
    made = optimizers.get(name)
    if hasattr(made, "optimizer"):
        made = type(made)(type(made.optimizer)(**options))
    else:
        made = type(made)(**options)
    parts = make_parts()
    means = [[np.mean(group, axis=0) for group in zip(*parts[at : at + 3], strict=True)] for at in (0, 3)]
    wanted = run(optimizers.get(name), make_weights(), means)
    weights = make_weights()
    assert_close(run(made, weights, parts, compiled=True), wanted)
    run(made, weights, parts[:2], compiled=True)
    assert_close([weight.numpy() for weight in weights], wanted)
    assert int(np.asarray(made.iterations)) == 2


NESTED = {
    "schedule": lambda: optimizers.Adam(schedules.WarmUp(schedules.CosineDecay(0.1, 50, alpha=0.1), 10, 0.01)),
    "wrapped": lambda: optimizers.Lookahead(optimizers.SAM(optimizers.SGD(0.1, momentum=0.5), rho=0.2), 3, 0.7),
    "options": lambda: optimizers.SGD(
        0.3, 0.9, True, 0.1, None, 0.5, None, True, 0.8, 5, 16.0, 4, "mine"
    ),
    "rprop": lambda: optimizers.Rprop(0.1, (0.3, 1.4), (1e-4, 1.0)),
    "muon": lambda: optimizers.Muon(exclude_layers=["head"], rms_rate=None, weight_decay=None, ns_steps=3),
    "lbfgs": lambda: optimizers.LBFGS(0.5, 5, 9, line_search_fn="strong_wolfe"),
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
def test_nested_configs(name):
    description = json.loads(json.dumps(optimizers.serialize(NESTED[name]())))
    again = optimizers.deserialize(description)
    assert json.loads(json.dumps(optimizers.serialize(again))) == description


REFUSED = {
    "rate": (lambda: optimizers.Adam(-1.0), "learning_rate is out of range"),
    "rate's name": (lambda: optimizers.SGD("cosine"), "unknown schedule 'cosine'"),
    "limits": (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0), "only one limit"),
    "decay": (lambda: optimizers.SGD(weight_decay=-0.1), "weight_decay is out of range"),
    "no decay": (lambda: optimizers.AdamW(weight_decay=None), "AdamW decays weights"),
    "ema": (lambda: optimizers.Adam(use_ema=True, ema_momentum=1.5), "ema_momentum is out of range"),
    "ema period": (lambda: optimizers.Adam(ema_overwrite_frequency=0), "ema_overwrite_frequency is out of range"),
    "accumulation": (lambda: optimizers.Adam(gradient_accumulation_steps=1), "at least 2"),
    "scale": (lambda: optimizers.Adam(loss_scale_factor=0.0), "loss_scale_factor is out of range"),
    "beta": (lambda: optimizers.Adam(beta_1=1.0), "beta_1 is out of range"),
    "momentum": (lambda: optimizers.SGD(momentum=2.0), "momentum is out of range"),
    "lion": (lambda: optimizers.Lion(beta_1=0.0), "beta_1 is out of range"),
    "ftrl": (lambda: optimizers.Ftrl(learning_rate_power=0.5), "learning_rate_power is out of range"),
    "etas": (lambda: optimizers.Rprop(etas=(1.2, 0.5)), "the factors do not fit"),
    "radam": (lambda: optimizers.RAdam(beta_2=0.5), "beta_2 is out of range"),
    "period": (lambda: optimizers.Lookahead("sgd", sync_period=0), "sync_period is out of range"),
    "search": (lambda: optimizers.LBFGS(line_search_fn="wolf"), "unknown line_search_fn 'wolf'"),
    "name": (lambda: optimizers.get("adamm"), "did you mean 'adam'"),
    "no optimizer": (lambda: optimizers.get(lambda: 1), "not an optimizer"),
    "gradients": (lambda: optimizers.SGD().apply([np.float32(1)], make_weights()), "each weight has one gradient"),
    "no variables": (lambda: optimizers.SGD().apply([np.float32(1)]), "pass the variables"),
    "sam": (lambda: optimizers.SAM().apply(make_parts()[0], make_weights()), "needed as a function"),
    "lbfgs": (lambda: optimizers.LBFGS().apply(make_parts()[0], make_weights()), "needed as a function"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ChainruleError, match=message):
        make()


# -- options that all share -------------------------------------------------------------------------------------------


def test_the_rate_can_be_set_and_read():
    weights = make_weights()
    optimizer = optimizers.SGD(0.5)
    step = cr.jit(stepper(optimizer, weights))
    step(make_parts()[0])
    before = [weight.numpy() for weight in weights]
    optimizer.learning_rate = optimizer.learning_rate * 0.0
    step(make_parts()[0])
    assert_close([weight.numpy() for weight in weights], before, 0)
    assert float(optimizer.learning_rate.numpy()) == 0.0
    with pytest.raises(ChainruleError, match="compiled with the learning rate as it was"):
        optimizer.learning_rate = schedules.CosineDecay(0.1, 10)


def test_the_rate_can_follow_a_schedule_or_a_function():
    optimizer = optimizers.SGD(0.5)
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([0], [1.0, 0.25])
    weight = cr.Variable(np.float32(0))
    step = cr.jit(lambda gradient: optimizer.apply([gradient], [weight]))
    for wanted in (-1.0, -1.25, -1.5):
        step(np.float32(1))
        assert float(weight.numpy()) == wanted
    assert float(optimizer.learning_rate) == 0.25
    with pytest.raises(ChainruleError, match="follows a schedule"):
        optimizer.learning_rate = 0.1

    rate = cr.Variable(np.float32(2))
    optimizer = optimizers.SGD(lambda: ops.multiply(rate, 0.5))
    step = cr.jit(lambda gradient: optimizer.apply([gradient], [weight]))
    step(np.float32(-1))
    assert float(weight.numpy()) == -0.5
    rate.assign(1.0)
    step(np.float32(-1))
    assert float(weight.numpy()) == 0.0


def test_some_weights_do_not_decay():
    weights = make_weights()
    optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    first = [weight.numpy() for weight in weights]
    optimizer.apply([np.zeros_like(value) for value in first], weights)
    assert_close([weight.numpy() for weight in weights], [first[0] * 0.95, first[1]], 1e-6)
    with pytest.raises(ChainruleError, match="before the first step"):
        optimizer.exclude_from_weight_decay(var_list=weights)
    by_variable = optimizers.Lookahead(optimizers.AdamW(0.1, weight_decay=0.5))
    weights = make_weights()
    by_variable.exclude_from_weight_decay(var_list=weights[:1])
    by_variable.apply([np.zeros_like(value) for value in first], weights)
    assert_close([weight.numpy() for weight in weights], [first[0], first[1] * 0.95], 1e-6)


@pytest.mark.parametrize("around", [False, True])
def test_constraints_hold_after_every_step(around):
    weight = cr.Variable(np.array([1.0, -1.0], "float32"))
    weight.constraint = cr.constraints.NonNeg()
    optimizer = optimizers.SGD(1.0)
    optimizer = optimizers.Lookahead(optimizer, 1, 0.5) if around else optimizer
    cr.jit(lambda gradient: optimizer.apply([gradient], [weight]))(np.array([5.0, -3.0], "float32"))
    np.testing.assert_array_equal(weight.numpy(), [0.5, 0.5] if around else [0.0, 2.0])


def test_averages_take_the_weights_places_at_the_end():
    weight = cr.Variable(np.float32(0))
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(3):
        optimizer.apply([np.float32(-1)], [weight])
    assert float(weight.numpy()) == 3.0
    optimizer.finalize_variable_values([weight])
    assert float(weight.numpy()) == 0.5 * (0.5 * 1 + 0.5 * 2) + 0.5 * 3


def test_a_scaled_loss_makes_the_same_step():
    scaled, plain = (
        run(optimizers.SGD(0.1, loss_scale_factor=scale), make_weights(), make_parts()) for scale in (64.0, None)
    )  # fmt: skip
    assert_close(scaled, plain, 1e-6)


def test_pairs_as_in_keras():
    weights = make_weights()
    optimizer = optimizers.SGD(0.5)
    first = [weight.numpy() for weight in weights]
    optimizer.apply_gradients(zip(make_parts()[0], weights, strict=True))
    wanted = [value - 0.5 * part for value, part in zip(first, make_parts()[0], strict=True)]
    assert_close([weight.numpy() for weight in weights], wanted, 1e-6)
    assert int(optimizer.iterations.numpy()) == 1


def count_kernels(optimizer):
    model = cr.Sequential([cr.Input((64,)), cr.layers.Dense(32, "relu"), cr.layers.Dense(10)])
    model.compile(optimizer, "mse")
    return len(model.train_executable().program.kernels)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Nadam", "RAdam", "Lion", "RMSprop", "Adan", "Ftrl", "Rprop"])
def test_updates_are_parts_of_the_gradients_kernels(name):
    """Beside those of plain descent there are a few for the scalars that all weights share, and none a weight."""
    assert count_kernels(optimizers.get(name)) <= count_kernels("sgd") + 2


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.Adam(0.01, gradient_accumulation_steps=4),
        lambda: optimizers.Adam(0.01, use_ema=True),
        lambda: optimizers.Lookahead(optimizers.Adam(0.01)),
        lambda: optimizers.ScheduleFree(optimizers.SGD(0.01)),
    ],
)
def test_options_and_wrappers_add_no_kernel_a_weight(optimizer):
    assert count_kernels(optimizer()) <= count_kernels("sgd") + 3


@pytest.mark.parametrize(
    "make", [lambda: optimizers.SAM(optimizers.Adam(0.1)), lambda: optimizers.ScheduleFree(optimizers.SGD(0.3))]
)
def test_models_are_fitted_with_optimizers_around_others(make):
    generator = np.random.Generator(np.random.Philox(key=5))
    x = generator.normal(size=(64, 3)).astype("float32")
    y = x @ np.array([[1.0], [-2.0], [0.5]], "float32")
    model = cr.Sequential([cr.Input((3,)), cr.layers.Dense(1)])
    model.compile(make(), "mse")
    history = model.fit(x, y, epochs=20, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 0.6 * history[0]
