"""Schedules: compiled equals eager, configs, where cycles begin, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import optimizers
from chainrule.errors import ChainruleError
from chainrule.optimizers import schedules

SAMPLES = {
    "ExponentialDecay": lambda: schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True),
    "InverseTimeDecay": lambda: schedules.InverseTimeDecay(0.1, 10, 0.5),
    "PiecewiseConstantDecay": lambda: schedules.PiecewiseConstantDecay([5, 9], [0.1, 0.2, 0.3]),
    "PolynomialDecay": lambda: schedules.PolynomialDecay(0.1, 10, 0.01, 2.0, True),
    "CosineDecay": lambda: schedules.CosineDecay(0.1, 20, 0.1, "mine", 0.2, 5),
    "CosineDecayRestarts": lambda: schedules.CosineDecayRestarts(0.1, 4, 2.0, 0.8, 0.1),
    "CosineWarmRestarts": lambda: schedules.CosineWarmRestarts(0.1, 4, 3, 0.01),
    "CosLog4": lambda: schedules.CosLog4(0.1, 30),
    "FlatCos": lambda: schedules.FlatCos(0.1, 30),
    "OneCycle": lambda: schedules.OneCycle(0.1, 30, 0.4, "linear", 10.0, 100.0, True),
    "Cyclic": lambda: schedules.Cyclic(0.01, 0.1, 4, 8, "exp_range", 0.9),
    "WarmUp": lambda: schedules.WarmUp(schedules.WarmUp(schedules.FlatCos(0.1, 20), 5), 3, 0.02),
}


def test_every_schedule_has_a_sample():
    assert set(SAMPLES) == {found.__name__ for found in schedules.CLASSES.values()}


@pytest.mark.parametrize("name", SAMPLES)
def test_compiled_equals_eager(name):
    schedule = SAMPLES[name]()
    compiled = cr.jit(schedule.__call__)
    found = [float(compiled(np.int32(step))) for step in range(40)]
    np.testing.assert_allclose(found, [float(schedule(step)) for step in range(40)], rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", SAMPLES)
def test_config_makes_an_equal_schedule(name):
    description = json.loads(json.dumps(schedules.serialize(SAMPLES[name]())))
    again = schedules.deserialize(description)
    assert json.loads(json.dumps(schedules.serialize(again))) == description
    assert float(again(7)) == float(SAMPLES[name]()(7))


@pytest.mark.parametrize("length", [1, 3, 1000, 12345])
@pytest.mark.parametrize("growth", [1, 2, 3])
def test_cycles_begin_at_their_first_step(length, growth):
    """Where logarithms round, the step before is still the end of a cycle, and the step itself a beginning."""
    schedule = schedules.CosineDecayRestarts(1.0, length, t_mul=float(growth))
    begin, cycle = 0, length
    while begin + cycle < 2**20:
        begin, cycle = begin + cycle, cycle * growth
        if begin > 50 * length and growth == 1:
            break
        assert float(schedule(begin)) == pytest.approx(1.0, abs=1e-5)
        if length > 3:
            assert float(schedule(begin - 1)) < 1e-5


def test_a_schedule_counts_batches_not_changes():
    optimizer = optimizers.SGD(schedules.PiecewiseConstantDecay([1], [1.0, 0.5]), gradient_accumulation_steps=2)
    weight = cr.Variable(np.float32(0))
    for _ in range(4):
        optimizer.apply([np.float32(-1)], [weight])
    assert float(weight.numpy()) == 1.5


def test_a_schedule_of_the_user():
    class Halving(schedules.LearningRateSchedule):
        def __call__(self, step):
            return cr.ops.power(0.5, cr.ops.cast(step, "float32"))

    optimizer = optimizers.SGD(Halving())
    description = optimizers.serialize(optimizer)
    with pytest.raises(ChainruleError, match="unknown schedule 'Halving'"):
        optimizers.deserialize(description)
    again = optimizers.deserialize(description, {"Halving": Halving})
    assert float(again.learning_rate) == 1.0


REFUSED = {
    "steps": (lambda: schedules.CosineDecay(0.1, 0), "decay_steps is not positive"),
    "rate": (lambda: schedules.ExponentialDecay(-0.1, 10, 0.5), "initial_learning_rate is out of range"),
    "boundaries": (lambda: schedules.PiecewiseConstantDecay([3, 2], [1, 2, 3]), "do not fit"),
    "strategy": (lambda: schedules.OneCycle(0.1, 10, anneal_strategy="cosine"), "did you mean 'cos'"),
    "mode": (lambda: schedules.Cyclic(0.1, 0.2, mode="triangle"), "did you mean 'triangular'"),
    "growth": (lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5), "t_mul is out of range"),
    "inner": (lambda: schedules.WarmUp(lambda step: 0.1, 10), "not a schedule"),
    "name": (lambda: schedules.get("flatcos"), "unknown schedule"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ChainruleError, match=message):
        make()
