"""The same bits for any number of workers, from a cold and a warm cache, and for a row alone or in a batch."""

from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.target import host_targets
from chainrule.graph.tracing import trace
from chainrule.graph.tree import flatten
from chainrule.graph.types import ArrayType, OpenDim, float32
from chainrule.ops import relu, softmax
from chainrule.runtime.jit import build, compile_function

SIZES = (37, 130, 65, 10)


def network(weights):
    def forward(x):
        for kernel in weights[:-1]:
            x = relu(x @ kernel)
        return softmax(x @ weights[-1])

    return forward


@pytest.fixture
def weights():
    generator = np.random.default_rng(1)
    return [generator.standard_normal(shape).astype("f") for shape in pairwise(SIZES)]


@pytest.mark.parametrize("target", host_targets())
def test_a_row_has_the_same_bits_alone_and_in_a_batch(weights, target):
    executable = compile_function(network(weights), ArrayType(float32, (OpenDim("batch"), 37)), target=target)
    x = np.random.default_rng(2).standard_normal((301, 37)).astype("f")
    (together,) = executable(x)
    for rows in (slice(0, 1), slice(7, 8), slice(100, 113), slice(288, 301)):
        (apart,) = executable(x[rows])
        np.testing.assert_array_equal(apart, together[rows])


def train(workers, monkeypatch, cache="off"):
    monkeypatch.setenv("CHAINRULE_WORKERS", str(workers))
    monkeypatch.setenv("CHAINRULE_CACHE", str(cache))
    cr.set_random_seed(3)
    generator = np.random.default_rng(4)
    x, y = generator.standard_normal((500, 64)).astype("f"), generator.integers(0, 5, 500)
    model = cr.Sequential(
        [cr.Input((64,)), cr.layers.Dense(256, "relu"), cr.layers.Dropout(0.2), cr.layers.Dense(5, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=64, epochs=2, verbose=0).history
    return model.get_weights(), history


def test_training_has_the_same_bits_for_1_2_and_4_workers(monkeypatch, tmp_path):
    alone, history = train(1, monkeypatch)
    for workers, cache in ((2, tmp_path), (4, tmp_path), (1, tmp_path)):
        together, other = train(workers, monkeypatch, cache)
        assert other == history
        for first, second in zip(alone, together, strict=True):
            np.testing.assert_array_equal(first, second)


def test_a_damaged_cache_entry_is_compiled_again(monkeypatch, tmp_path):
    from chainrule.runtime import cache

    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    cache.store("ab12", b"code")
    assert cache.load("ab12") == b"code"
    (tmp_path / "ab" / "ab12").write_bytes(b"x" * 40)
    assert cache.load("ab12") is None


@pytest.mark.parametrize("target", host_targets())
@pytest.mark.parametrize("depth", [1, 3, 33])
@pytest.mark.parametrize("columns", [1, 10, 16, 45])
@pytest.mark.parametrize("rows", [0, 1, 5, 12, 25])
def test_products_of_every_edge(rows, columns, depth, target):
    types = (ArrayType(float32, (OpenDim("batch"), depth)), ArrayType(float32, (depth, columns)))
    leaves, tree = flatten(types)
    executable = build(trace(lambda a, b: a @ b, leaves, tree), target=target)
    generator = np.random.default_rng(5)
    a, b = generator.standard_normal((rows, depth)).astype("f"), generator.standard_normal((depth, columns)).astype("f")
    np.testing.assert_allclose(executable(a, b)[0], a @ b, rtol=1e-5, atol=1e-5)
