"""Without matplotlib every plot says what is missing and how to get it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["matplotlib"] = None
import numpy as np
import chainrule as cr

x, y = np.random.default_rng(0).random((40, 16)).astype("f"), np.arange(40) % 3
model = cr.Sequential([cr.Input((16,)), cr.layers.Dense(8, "relu"), cr.layers.Dense(3, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
branch = cr.Input((16,))
branched = cr.Model(branch, cr.layers.Dense(16)(branch) + branch)
history = model.fit(x, y, verbose=0)
seen, p = model.inspect(x, y), model.predict(x)
calls = {
    "plot_history": [history], "plot_functions": [cr.activations.relu, -1, 1], "plot_fit": [np.sin, x[:, 0], x[:, 1]],
    "plot_plane": [lambda x: x[:, 0], x[:, :2], x[:, 2]], "plot_descent": [x[:5, :2], lambda w, b: w * w + b * b],
    "plot_confusion": [y, p], "plot_calibration": [y, p], "plot_mistakes": [x.reshape(40, 4, 4), y, p],
    "plot_images": [x.reshape(40, 4, 4)], "plot_network": [model], "plot_neuron": [[1.0, 2.0], 0.5],
    "plot_distillation": [seen], "plot_projections": [seen], "plot_similarity": [seen], "plot_histograms": [seen],
    "plot_gradient_flow": [seen], "plot_predictions": [y, y], "plot_residuals": [y, y],
    "plot_filters": [model, 4, (4, 4)], "plot_activations": [model, x[0]],
}
known = {name for name in cr.plots.__all__ if name.startswith("plot_")}
assert known <= set(calls), known - set(calls)
for name, arguments in [*calls.items(), ("plot_network", [branched])]:
    try:
        getattr(cr.plots, name)(*arguments)
    except cr.ChainruleError as error:
        assert "pip install 'chainrule[plots]'" in str(error), (name, error)
    else:
        raise AssertionError(name)
print("all refused")
"""


def test_every_plot_names_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.stdout == "all refused\n", done.stderr
