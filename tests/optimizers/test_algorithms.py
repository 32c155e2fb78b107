"""What single optimizers promise: Muon's orthogonal steps, L-BFGS and its line search, averages."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops, optimizers
from chainrule.errors import ChainruleError
from chainrule.optimizers.line_search import Point, find_minimum, search_strong_wolfe


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
def test_muon_makes_steps_orthogonal(shape):
    matrix = np.random.Generator(np.random.Philox(key=1)).normal(size=shape).astype("float32")
    found = np.linalg.svd(optimizers.Muon(ns_steps=10).orthogonal(matrix), compute_uv=False)
    assert found.min() > 0.6 and found.max() < 1.3


def test_muon_leaves_vectors_and_embeddings_to_adam():
    names = {"dense/kernel": (3, 4), "dense/bias": (4,), "embedding/embeddings": (5, 2), "head/kernel": (4, 2)}
    muon = optimizers.Muon(exclude_layers=["^head/"])
    by_adam = {name for name, shape in names.items() if muon.uses_adam(cr.Variable(np.zeros(shape, "float32"), name))}
    assert by_adam == {"dense/bias", "embedding/embeddings", "head/kernel"}


def test_adafactor_keeps_rows_and_columns_only():
    weight = cr.Variable(np.ones((30, 20), "float32"))
    optimizer = optimizers.Adafactor()
    optimizer.build([weight])
    assert sum(slot.size for slot in optimizer.state[weight].values()) == 50


def rosenbrock(w):
    x, y = ops.split(w, 2)
    return ops.sum((1.0 - x) ** 2 + 100.0 * (y - x * x) ** 2)


def test_lbfgs_finds_the_end_of_a_curved_valley():
    weight = cr.Variable(np.array([-1.2, 1.0]))
    optimizer = optimizers.LBFGS(max_iter=20, line_search_fn="strong_wolfe")

    def loss():
        return rosenbrock(weight)

    losses = [float(optimizer.minimize(loss, [weight])) for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    np.testing.assert_allclose(weight.numpy(), [1.0, 1.0], atol=1e-4)
    assert int(optimizer.iterations.numpy()) == 4


def test_lbfgs_trains_a_model_on_all_data():
    generator = np.random.Generator(np.random.Philox(key=2))
    x = generator.normal(size=(50, 3)).astype("float32")
    y = x @ np.array([[1.0], [-2.0], [0.5]], "float32") + 0.3
    model = cr.Sequential([cr.Input((3,)), cr.layers.Dense(1)])
    optimizer = optimizers.LBFGS(line_search_fn="strong_wolfe")
    mse = cr.losses.MeanSquaredError()
    optimizer.minimize(lambda: mse(y, model(x, training=True)), model.trainable_variables)
    assert np.abs(model.predict(x, verbose=0) - y).max() < 1e-3
    model.compile(optimizer, "mse")
    with pytest.raises(ChainruleError, match="cannot be traced"):
        model.fit(x, y, verbose=0)


def test_the_search_stops_at_a_good_length():
    def along(t):  # a valley at 3, behind a hill of no use
        return (t - 3.0) ** 2 + 0.1 * np.sin(5 * t), np.array([2 * (t - 3.0) + 0.5 * np.cos(5 * t)])

    loss, gradient = along(0.0)
    start = Point(0.0, loss, gradient, float(gradient[0]))
    for first in (0.01, 0.3, 3.0, 50.0):
        found, count = search_strong_wolfe(along, start, np.ones(1), first, 25)
        assert found.loss <= start.loss + 1e-4 * found.t * start.slope
        assert abs(found.slope) <= 0.9 * abs(start.slope)
        assert 1 <= count <= 25


def test_the_search_comes_back_from_where_the_loss_is_not_finite():
    def along(t):
        return (t - 1.0) ** 2 if t < 2 else np.nan, np.array([2 * (t - 1.0)])

    found, _ = search_strong_wolfe(along, Point(0.0, 1.0, np.array([-2.0]), -2.0), np.ones(1), 40.0, 25)
    assert abs(found.t - 1.0) < 0.9


def test_the_minimum_of_a_cubic():
    def point(t):  # t**3 - 3 t has its minimum at 1
        return Point(t, t**3 - 3 * t, np.zeros(1), 3 * t**2 - 3)

    assert find_minimum(point(0.0), point(2.0), 0.0, 2.0) == pytest.approx(1.0)
    assert find_minimum(point(2.0), point(0.0), 1.5, 2.0) == 1.5


def test_lookahead_meets_every_period():
    weight = cr.Variable(np.float32(0))
    optimizer = optimizers.Lookahead(optimizers.SGD(1.0), sync_period=3, slow_step_size=0.5)
    seen = []
    for _ in range(6):
        optimizer.apply([np.float32(-1)], [weight])
        seen.append(float(weight.numpy()))
    assert seen == [1.0, 2.0, 1.5, 2.5, 3.5, 3.0]


def test_the_mean_of_weights_before_any_counts_is_the_weight():
    weight = cr.Variable(np.float32(0))
    optimizer = optimizers.StochasticWeightAverage(optimizers.SGD(1.0), start_step=10, period=5)
    for _ in range(12):
        optimizer.apply([np.float32(-1)], [weight])
    optimizer.finalize_variable_values([weight])
    assert float(weight.numpy()) == 12.0


def test_sam_looks_where_the_loss_is_worst():
    weight = cr.Variable(np.array([3.0, 4.0], "float32"))
    sam = optimizers.SAM(optimizers.SGD(0.1), rho=5.0)
    loss = sam.minimize(lambda: ops.sum(ops.multiply(weight, weight)), [weight])
    assert float(loss) == 25.0
    # g = 2 w, of norm 10; the worst is at w + 5 g / 10 = 2 w, with gradient 4 w.
    np.testing.assert_allclose(weight.numpy(), np.array([3.0, 4.0]) * (1 - 0.4), rtol=1e-6)


def test_prodigy_finds_a_rate():
    weight = cr.Variable(np.full(4, 5.0, "float32"))
    optimizer = optimizers.Prodigy()
    step = cr.jit(lambda: optimizer.minimize(lambda: ops.sum(ops.square(weight)), [weight]))
    for _ in range(300):
        step()
    assert float(optimizer.scalars["estim_lr"].numpy()) > 1e-3
    assert np.abs(weight.numpy()).max() < 1.0
