"""The profile: counts by hand, rows that add up, weights left as they were."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.cost import count_operations, count_traffic
from chainrule.graph.types import ArrayType, OpenDim, float32, int32
from chainrule.runtime.jit import compile_function
from chainrule.runtime.machine import measure_machine


@pytest.fixture(scope="module")
def machine():
    return measure_machine(rounds=1)


def test_operations_and_bytes_of_a_dense_layer():
    executable = compile_function(
        lambda x, w, b: cr.ops.relu(x @ w + b),
        ArrayType(float32, (OpenDim("batch"), 30)),
        ArrayType(float32, (30, 20)),
        ArrayType(float32, (20,)),
    )
    (kernel,) = executable.kernels
    sizes = {"batch": 7}
    assert count_operations(kernel, sizes) == 7 * 20 * (2 * 30 + 2)
    assert count_traffic(kernel, sizes) == 4 * (7 * 30 + 30 * 20 + 20 + 7 * 20)


def test_bytes_of_gathered_rows():
    executable = compile_function(
        lambda x, rows: cr.ops.take(x, rows, axis=0),
        ArrayType(float32, (OpenDim("rows"), 30)),
        ArrayType(int32, (OpenDim("batch"),)),
    )
    (kernel,) = executable.kernels
    assert count_traffic(kernel, {"rows": 1000, "batch": 7}) == 4 * (7 + 2 * 7 * 30)


def test_the_machine_has_limits(machine):
    assert machine.peak_gflops > 0 and machine.bandwidth_gbs > 0 and machine.cache_gbs > 0
    assert "GFLOP/s" in machine.describe()


@pytest.mark.parametrize("workers", [None, 1, 2])
def test_a_models_profile_leaves_its_weights(workers, monkeypatch):
    monkeypatch.setenv("CHAINRULE_WORKERS", "2")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((256, 20)).astype("float32"), rng.integers(0, 3, 256)
    model = cr.Sequential([cr.Input((20,)), cr.layers.Dense(64, "relu"), cr.layers.Dense(3)])
    model.compile("adam", cr.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    profile = model.profile(x, y, batch_size=32, steps=8, workers=workers)
    for kept, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, now)
    assert profile.steps == 8 and profile.seconds > 0
    assert len(profile.rows) == len(model.train_executable().program.rows)
    products = 2 * 32 * (2 * 20 * 64 + 3 * 64 * 3)
    assert products < profile.operations < 3 * products
    assert all(row.bound in ("arithmetic", "memory", "cache", "call") for row in profile.rows)
    text = str(profile)
    assert "adam/dense/kernel" in text
    assert max(map(len, text.splitlines())) <= 80
    if profile.workers == 1:
        assert sum(row.seconds + row.waiting for row in profile.rows) == pytest.approx(profile.seconds)


def test_the_command_prints_rows(capsys):
    from chainrule.apps.cli import main

    assert main(["profile", "--steps", "2"]) == 0
    output = capsys.readouterr().out
    assert "GFLOP/s" in output and "adam/dense_1/kernel" in output
    assert main(["profile", "--steps", "2", "--workers", "1", "--json"]) == 0
    assert capsys.readouterr().out.startswith('{"machine": {"processor"')
