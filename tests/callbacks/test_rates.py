import numpy as np
import pytest
from callbacks.driving import drive

import chainrule as cr
from chainrule.callbacks import LearningRateFinder, LearningRateScheduler
from chainrule.errors import ChainruleError


def network(optimizer="sgd"):
    cr.set_random_seed(0)
    layers = [cr.Input((3,)), cr.layers.Dense(8, "relu"), cr.layers.Dropout(0.1), cr.layers.Dense(1)]
    model = cr.Sequential(layers)
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def data(rows=256):
    x = np.random.default_rng(0).standard_normal((rows, 3)).astype("f")
    return x, x.sum(1)


def test_schedules_of_one_and_two_arguments():
    for schedule in (lambda epoch: 0.5**epoch, lambda epoch, rate: rate if epoch == 0 else rate * 0.5):
        _, rates = drive(LearningRateScheduler(schedule), [{}] * 3)
        assert rates == [1.0, 0.5, 0.25]
    x, y = data()
    history = network().fit(x, y, epochs=2, verbose=0, callbacks=[LearningRateScheduler(lambda epoch: 0.25)])
    assert history.history["learning_rate"] == [0.25, 0.25]


def test_bad_schedules_are_refused():
    with pytest.raises(ChainruleError, match="did not give a float"):
        drive(LearningRateScheduler(lambda epoch: None), [{}])
    with pytest.raises(ChainruleError, match="not a function"):
        LearningRateScheduler(0.1)
    x, y = data()
    model = network(cr.optimizers.SGD(cr.optimizers.schedules.CosineDecay(0.1, 10)))
    with pytest.raises(ChainruleError, match=r"LearningRateScheduler.*follows a schedule"):
        model.fit(x, y, verbose=0, callbacks=[LearningRateScheduler(lambda epoch: 0.25)])


def test_a_rate_is_found_and_everything_is_as_before():
    x, y = data()
    model = network("adam")
    model.fit(x, y, epochs=2, verbose=0)
    kept = [*model.weights, *model.optimizer.variables, *model.state]
    before = [variable.numpy() for variable in kept]
    finder = LearningRateFinder(1e-5, 1e3, steps=60)
    model.fit(x, y, epochs=1000, verbose=0, callbacks=[finder])
    assert 1e-4 < finder.suggestion < 10
    assert len(finder.losses) <= 60
    assert finder.rates[0] == pytest.approx(1e-5)
    np.testing.assert_allclose(np.diff(np.log(finder.rates)), np.log(1e8) / 59, rtol=1e-6)
    for variable, value in zip(kept, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_a_loss_that_is_no_number_ends_the_search():
    x, y = data()
    finder = LearningRateFinder(1e-3, 1e30, steps=40, stop_factor=None)
    model = network()
    model.fit(x, y, epochs=1000, verbose=0, callbacks=[finder])
    assert len(finder.losses) == len(finder.rates) < 40
    assert np.isfinite(finder.losses).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_bad_ranges_are_refused():
    with pytest.raises(ChainruleError, match="do not grow"):
        LearningRateFinder(1.0, 0.1)
    with pytest.raises(ChainruleError, match="steps"):
        LearningRateFinder(steps=1)
    with pytest.raises(ChainruleError, match="too few steps"):
        LearningRateFinder().suggestion
