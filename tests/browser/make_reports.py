"""Make the reports that the browser looks at: python make_reports.py FOLDER

digits, a table of numbers, two classes, several labels, several outputs; and `hostile`, in which every name is one of
the payloads.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import chainrule as cr

sys.path.insert(0, str(Path(__file__).resolve().parent))
from payloads import PAYLOADS

MOST_BYTES = 2_000_000


def train(model: cr.Model, x: object, y: object, loss: object, epochs: int = 5, **options: object) -> object:
    """The history of a short training."""
    model.compile(cr.optimizers.Adam(0.01), loss=loss, **options)
    return model.fit(x, y, epochs=epochs, batch_size=64, validation_split=0.2, verbose=0)


def digits() -> cr.inspect.Report:
    """Pictures in ten classes."""
    (x, y), (x_test, y_test) = cr.datasets.mnist.load_data()
    x, y = x[:10_000], y[:10_000]
    parts = [cr.layers.Rescaling(1 / 255), cr.layers.Flatten(), cr.layers.Dense(64, "relu"), cr.layers.Dense(10)]
    model = cr.Sequential([cr.Input((28, 28), dtype="uint8"), *parts])
    loss = cr.losses.SparseCategoricalCrossentropy(from_logits=True)
    history = train(model, x, y, loss, metrics=["accuracy"])
    return cr.inspect.make_report(
        model, x_test, y_test, history, "Which digit is it?", title="Digits", training_data=(x, y), config={"seed": 0}
    )


def regression() -> cr.inspect.Report:
    """A table of numbers, with a column that says nothing and one on a scale of its own."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.standard_normal((600, 7)), np.full((600, 1), 3.0), 1e4 * rng.random((600, 1))], axis=1)
    y = x[:, 0] * x[:, 1] + x[:, 2] + 0.2 * rng.standard_normal(600)
    model = cr.Sequential([cr.Input((9,)), cr.layers.Dense(32, "tanh"), cr.layers.Dense(1)])
    history = train(model, x[:400], y[:400], "mse", metrics=["mae"])
    names = ["length", "width", "height", "age", "weight", "speed", "heat", "always three", "price"]
    return cr.inspect.make_report(model, x[400:], y[400:], history, "How strong is it?", feature_names=names)


def binary() -> cr.inspect.Report:
    """Yes or no from four columns."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((500, 4))
    y = (x[:, 0] + 0.5 * rng.standard_normal(500) > 0).astype(int)
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(8, "relu"), cr.layers.Dense(1, "sigmoid")])
    history = train(model, x, y, "binary_crossentropy", metrics=["accuracy"])
    return cr.inspect.make_report(model, x, y, history, class_names=["healthy", "ill"])


def labels() -> cr.inspect.Report:
    """Three labels a row."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 6))
    y = (x[:, :3] > 0).astype(int)
    model = cr.Sequential([cr.Input((6,)), cr.layers.Dense(3)])
    train(model, x, y, cr.losses.BinaryCrossentropy(from_logits=True), epochs=2)
    return cr.inspect.make_report(model, x, y, class_names=["red", "green", "blue"])


def outputs() -> cr.inspect.Report:
    """A class and a number from two inputs."""
    rng = np.random.default_rng(4)
    x = {"left": rng.standard_normal((300, 3)), "right": rng.standard_normal((300, 2))}
    y = {"kind": rng.integers(0, 3, 300), "size": x["left"].sum(axis=1)}
    left, right = cr.Input((3,), name="left"), cr.Input((2,), name="right")
    both = cr.layers.Dense(16, "relu")(cr.layers.Concatenate()([left, right]))
    given = {
        "kind": cr.layers.Dense(3, "softmax", name="kind")(both),
        "size": cr.layers.Dense(1, name="size")(both),
    }
    model = cr.Model({"left": left, "right": right}, given)
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    history = train(model, x, y, losses, epochs=3)
    return cr.inspect.make_report(model, x, y, history, class_names={"kind": ["ant", "bee", "cat"]})


def hostile() -> cr.inspect.Report:
    """Every name is one that would run as code."""
    rng = np.random.default_rng(5)
    count = len(PAYLOADS)
    x = rng.standard_normal((10 * count, count))
    y = np.arange(10 * count) % count
    layers = [cr.layers.Dense(4, "relu", name=payload.replace("/", "|")) for payload in PAYLOADS[:6]]
    model = cr.Sequential([cr.Input((count,)), *layers, cr.layers.Dense(count, "softmax")], name=PAYLOADS[14])
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = {payload: [1.0, 0.5] for payload in PAYLOADS[:8]}
    return cr.inspect.make_report(
        model,
        x,
        y,
        history,
        question=" ".join(PAYLOADS),
        class_names=PAYLOADS,
        feature_names=PAYLOADS,
        config=dict.fromkeys(PAYLOADS, PAYLOADS[0]),
        title=PAYLOADS[0] + PAYLOADS[23],
        command=" ".join(PAYLOADS),
    )


REPORTS = (digits, regression, binary, labels, outputs, hostile)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for make in REPORTS:
        cr.utils.set_random_seed(0)
        report = make()
        assert len(report.html.encode()) < MOST_BYTES, f"{make.__name__}: {report}"
        report.write(folder / f"{make.__name__}.html")
        print(f"{make.__name__:<12}{len(report.html.encode()) / 1e3:>8,.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
