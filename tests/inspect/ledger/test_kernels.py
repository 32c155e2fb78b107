"""From an operation down to the kernel that computes it, and up again."""

import numpy as np
import pytest
from llvmlite import binding

import chainrule as cr


@pytest.fixture(scope="module")
def ledger():
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(5, "relu"), cr.layers.Dense(3, "softmax")])
    model.compile(cr.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    return model.explain(x, np.array([0, 1, 2, 0, 1, 2]))


def test_a_dense_layer_is_one_kernel_forwards(ledger):
    first, *_ = ledger.kernels("v4")
    assert ledger["v4"].formula.text == "v4 = relu(v3)"
    assert first.family == "matmul" and set(first.computes) == {"v1", "v2", "v3", "v4"} and not first.pulls_back
    assert first.nest.startswith("matmul(") and first.schedule.startswith("schedule ")
    assert f"kernel_{first.number}" in first.llvm and str(first).endswith(first.nest)
    binding.parse_assembly(first.llvm).verify()


def test_backwards_too_and_up_again(ledger):
    kernels = ledger.kernels("dense")
    assert any("v1" in kernel.pulls_back for kernel in kernels)
    for kernel in kernels:
        assert any(ledger[name].scope == "dense" for name in (*kernel.computes, *kernel.pulls_back))


def test_the_update_is_behind_the_product_that_makes_the_gradient(ledger):
    new = next(entry for entry in ledger if entry.becomes == "dense/kernel")
    (kernel,) = ledger.kernels(new.name)
    assert kernel.family == "matmul" and "v1" in kernel.pulls_back


def test_every_operation_of_the_step_is_found_or_needs_no_code(ledger):
    found = {name for entry in ledger if entry.kind == "operation" for kernel in ledger.kernels(entry.name)
             for name in kernel.computes}  # fmt: skip
    missing = [entry.formula.text for entry in ledger if entry.kind == "operation" and entry.name not in found]
    assert all(text.split(" = ")[1].split("(")[0] in ("reshape", "spread", "stop_gradient") for text in missing)


def test_a_function():
    ledger = cr.explain(lambda x: cr.ops.sum(cr.ops.tanh(x * 3)))(np.ones(5, "f"))
    kernels = ledger.kernels("v3")
    assert [kernel.family for kernel in kernels if "v3" in kernel.computes] == ["reduce"]
    assert ledger.kernels("x") == ()
    (back,) = (kernel for kernel in ledger.kernels("v1") if "v1" in kernel.pulls_back)
    assert {"v2", "v1"} <= set(back.pulls_back)
    assert "compute" not in repr(back).split(":")[0] and "pulls back through" in repr(back)


def test_kernels_print_a_line_or_two_each():
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(5, "relu"), cr.layers.Dense(3)])
    model.compile("adam", "mse")
    kernels = model.explain(np.ones((8, 4), "f"), np.ones((8, 3), "f")).kernels("dense")
    lines = repr(kernels).splitlines()
    assert len(kernels) > 2 and lines[0].startswith("kernel ") and max(map(len, lines)) <= 80
    assert lines[-1] == "print one, or its .nest; its LLVM text is .llvm"
