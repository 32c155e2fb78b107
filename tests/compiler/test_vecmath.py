"""Functions on vectors against NumPy in float64, over wide ranges and at the special values."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.target import host_targets

RANGES = {
    "exp": (-100, 88), "expm1": (-20, 80), "log": (1e-30, 1e30), "log1p": (-0.999, 1e6), "tanh": (-12, 12),
    "sigmoid": (-80, 80), "erf": (-5, 5), "sin": (-1000, 1000), "cos": (-1000, 1000), "sqrt": (0, 1e20),
}  # fmt: skip
REFERENCE = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "erf": np.vectorize(math.erf)}


@pytest.mark.parametrize("target", host_targets())
@pytest.mark.parametrize("name", RANGES)
def test_float32_is_within_a_few_units_in_the_last_place(name, target):
    low, high = RANGES[name]
    even = np.linspace(low, high, 20_001)
    near = np.linspace(max(low, -1), min(high, 1), 5_001)
    x = np.concatenate([even, near]).astype("float32")
    found = cr.jit(getattr(cr.ops, name), target=target)(x)
    wanted = REFERENCE.get(name, getattr(np, name, None))(x.astype("float64"))
    wanted[np.abs(wanted) < np.finfo("float32").smallest_normal] = 0.0  # compiled code makes no smaller numbers
    unit = np.spacing(np.maximum(np.abs(wanted), 1e-38).astype("float32")).astype("float64")
    floor = 1e-7 if name in ("sin", "cos") else 0.0  # near their zeros the error is that of the reduced angle
    assert np.max(np.maximum(np.abs(found - wanted) - floor, 0) / unit) < 5


@pytest.mark.skipif(np.finfo("longdouble").nmant < 60, reason="nothing more precise than float64 to compare with")
@pytest.mark.parametrize("target", host_targets())
@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "tanh", "sigmoid"])
def test_float64_is_within_a_few_units_in_the_last_place(name, target):
    low, high = RANGES[name]
    x = np.concatenate([np.linspace(low, high, 20_001), np.linspace(max(low, -1), min(high, 1), 5_001)])
    found = cr.jit(getattr(cr.ops, name), target=target)(x)
    wanted = REFERENCE.get(name, getattr(np, name, None))(x.astype("longdouble"))
    assert np.max(np.abs(found - wanted) / np.spacing(np.abs(wanted).astype("float64"))) < 8


@pytest.mark.parametrize("target", host_targets())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(target, dtype):
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1000.0, -1000.0], dtype)
    for name in ("exp", "expm1", "log", "tanh", "sigmoid", "sqrt", "sin", "floor", "ceil", "round", "absolute"):
        found = cr.jit(getattr(cr.ops, name), target=target)(special)
        with np.errstate(all="ignore"):
            wanted = REFERENCE.get(name, getattr(np, name, None))(special)
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("target", host_targets())
@pytest.mark.parametrize(("name", "dtype"), [("tanh", "float32"), ("tanh", "float64"), ("erf", "float32")])
def test_odd_functions_are_odd_to_the_bit_and_stay_within_one(name, dtype, target):
    function = cr.jit(getattr(cr.ops, name), target=target)
    x = np.concatenate([np.linspace(0, 25, 100_001), np.logspace(-37, 38, 1001), [np.inf]]).astype(dtype)
    found = function(x)
    np.testing.assert_array_equal(np.copysign(1, function(-x)), -1)
    np.testing.assert_array_equal(function(-x), -found)
    assert found.max() == found[-1] == 1


@pytest.mark.parametrize("target", host_targets())
def test_numbers_below_the_smallest_normal_one_count_as_zero(target):
    smallest = np.finfo("float32").smallest_normal
    x = np.array([smallest, smallest / 2, -smallest / 4, 1e-45, 1.0], "float32")
    np.testing.assert_array_equal(cr.jit(lambda x: x * 0.5, target=target)(x), np.float32([0, 0, 0, 0, 0.5]))
    np.testing.assert_array_equal(cr.jit(lambda x: x + x, target=target)(x), np.float32([2 * smallest, 0, 0, 0, 2]))
    assert x[1] + x[1] == smallest  # NumPy, in the same thread, still sees them


@pytest.mark.parametrize("target", host_targets())
def test_powers(target):
    x = np.array([0.999, 2.0, -2.0, -2.0, 0.0, 0.0, 0.0, 5.0, -8.0, 1.0], "float32")
    y = np.array([1e4, 10.0, 3.0, 2.0, 2.0, 0.0, -1.0, 0.0, 1 / 3, np.nan], "float32")
    with np.errstate(all="ignore"):
        wanted = np.power(x.astype("float64"), y.astype("float64"))
    np.testing.assert_allclose(cr.jit(cr.ops.power, target=target)(x, y), wanted, rtol=1e-5, atol=0)
