"""How long a prediction takes: one row, and 10,000 rows at once, of the digits' network.

784-512-512-10 with its initial weights, float32 in and out as NumPy arrays, logits. All outputs must agree. A round is
half a second of calls for one row, each timed, and a second's for the batch; its figure is the median call.

    python benchmarks/predict.py [--frameworks ours,onnxruntime] [--rounds 7] [--json FILE]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from common import Child, print_table, spreads, take_turns, tell, write_json
from workloads import WORKLOADS, initial_weights

DIGITS = WORKLOADS["digits"]
ROWS = 10_000
CHECKED = 16
AGREEMENT = 1e-4
SECONDS = {1: 0.5, ROWS: 1.0}
"""How long a round is, by the number of rows; else a quarter of a second."""

Predict = Callable[[np.ndarray], np.ndarray]


def make_ours() -> Predict:
    """chainrule's `predict`."""
    from frameworks.ours import make_model

    model = make_model(dataclasses.replace(DIGITS, data="teacher"))  # float32 in, as in the others
    return lambda x: model.predict(x, batch_size=len(x))


def make_onnxruntime() -> Predict:
    """A session on the network as an ONNX graph, with the default options."""
    import onnxruntime  # type: ignore[import-untyped]
    from onnx import TensorProto, helper, numpy_helper

    weights = initial_weights(DIGITS)
    nodes, constants, value = [], [], "x"
    for at in range(0, len(weights), 2):
        constants += [
            numpy_helper.from_array(weights[at], f"w{at}"),
            numpy_helper.from_array(weights[at + 1], f"b{at}"),
        ]
        nodes.append(helper.make_node("Gemm", [value, f"w{at}", f"b{at}"], [f"z{at}"]))
        value = f"z{at}"
        if at < len(weights) - 2:
            nodes.append(helper.make_node("Relu", [value], [f"a{at}"]))
            value = f"a{at}"
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", DIGITS.sizes[0]])
    result = helper.make_tensor_value_info(value, TensorProto.FLOAT, ["rows", DIGITS.sizes[-1]])
    graph = helper.make_graph(nodes, "digits", [given], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda x: session.run([value], {"x": x})[0]


def make_torch() -> Predict:
    """Eager PyTorch in inference mode."""
    import torch
    from frameworks.torch_eager import make_model

    model = make_model(DIGITS).eval()

    def predict(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            outputs: np.ndarray = model(torch.from_numpy(x)).numpy()
        return outputs

    return predict


def make_jax() -> Predict:
    """A compiled function."""
    import jax
    from frameworks.jax_network import initial_state, make_forward

    weights = initial_state(DIGITS)[0]
    forward = jax.jit(make_forward(DIGITS))
    return lambda x: np.asarray(forward(weights, x))


def make_keras() -> Predict:
    """Keras's `predict` on JAX."""
    from frameworks.keras_jax import make_model

    model = make_model(DIGITS)

    def predict(x: np.ndarray) -> np.ndarray:
        outputs: np.ndarray = model.predict(x, batch_size=len(x), verbose=0)
        return outputs

    return predict


def make_numpy() -> Predict:
    """The formula, a call an operation."""
    weights = initial_weights(DIGITS)

    def predict(x: np.ndarray) -> np.ndarray:
        for at in range(0, len(weights) - 2, 2):
            x = np.maximum(x @ weights[at] + weights[at + 1], 0)
        outputs: np.ndarray = x @ weights[-2] + weights[-1]
        return outputs

    return predict


MAKERS: Mapping[str, Callable[[], Predict]] = {
    "ours": make_ours,
    "onnxruntime": make_onnxruntime,
    "torch": make_torch,
    "jax": make_jax,
    "keras": make_keras,
    "numpy": make_numpy,
}


def make_rows() -> np.ndarray:
    """As many rows as there are test images, the same in every process."""
    return np.random.default_rng(2).random((ROWS, DIGITS.sizes[0]), dtype=np.float32)


def serve(name: str) -> None:
    """A process: for each line, a number of rows, the outputs' beginning and the median seconds a call."""
    predict = MAKERS[name]()
    rows = make_rows()
    for line in sys.stdin:
        x = rows[: int(line)]
        outputs = predict(x)
        seconds: list[float] = []
        end = time.perf_counter() + SECONDS.get(len(x), 0.25)
        while time.perf_counter() < end or len(seconds) < 3:
            started = time.perf_counter()
            predict(x)
            seconds.append(time.perf_counter() - started)
        tell(seconds=statistics.median(seconds), outputs=outputs[:CHECKED].tolist(), shape=outputs.shape)


def check_outputs(count: int, outputs: Mapping[str, Any]) -> None:
    """Refuse outputs that differ from NumPy's formula."""
    expected = make_numpy()(make_rows()[: min(count, CHECKED)])
    for name, values in outputs.items():
        error = float(np.abs(np.asarray(values) - expected).max())
        if not error <= AGREEMENT:
            raise SystemExit(f"{name} predicts something else: an output is {error:.3g} off")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frameworks", default=",".join(MAKERS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", choices=MAKERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        os.environ.setdefault("KERAS_BACKEND", "jax")
        serve(options.child)
        return

    children = {name: Child(__file__, name) for name in options.frameworks.split(",")}
    report: dict[str, Any] = {}
    for count, title, scale, unit in ((1, "one row", 1e6, "µs"), (ROWS, f"{ROWS:,} rows", 1e3, "ms")):
        measured: dict[str, list[float]] = {name: [] for name in children}
        outputs: dict[str, Any] = {}
        for turn in range(options.rounds + 1):
            for name, child in take_turns(children, turn):
                answer = child.ask(str(count))
                outputs[name] = answer["outputs"]
                if tuple(answer["shape"]) != (count, DIGITS.sizes[-1]):
                    raise SystemExit(f"{name} predicts an array of shape {answer['shape']}")
                if turn:
                    measured[name].append(answer["seconds"] * scale)
        check_outputs(count, outputs)
        rates = {name: f"{count / statistics.median(values) * scale:,.0f}" for name, values in measured.items()}
        print_table(f"predicting {title}: 784-512-512-10", measured, "ours", unit, {"rows/s": rates})
        rows = spreads(measured, "ours")
        report[title] = {
            name: {**row, "unit": unit, "rows_a_second": count / row["median"] * scale} for name, row in rows.items()
        }
    for child in children.values():
        child.close()
    write_json(options.json, {"predict": report})


if __name__ == "__main__":
    main()
