"""``chainrule evaluate`` and ``chainrule predict``: what a trained network makes of images."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.apps import inputs, runs

INK = " .:-=+*#%@"
BAR = 30
MOST_DRAWN = 3


def evaluate(options: argparse.Namespace) -> int:
    """Carry out the command ``evaluate``."""
    model = runs.load_network(options.run)
    x, y = inputs.labelled(options.data)
    result = model.evaluate(x, y, batch_size=1000, verbose=0, return_dict=True)
    if options.json:
        print(json.dumps({"rows": len(x), **{name: float(value) for name, value in result.items()}}))
    else:
        print(f"{options.data}: {len(x):,} rows")
        for name, value in result.items():
            print(f"  {name:<12} {value:.4f}")
    return 0


def predict(options: argparse.Namespace) -> int:
    """Carry out the command ``predict``."""
    model = runs.load_network(options.run)
    images = inputs.images(options.images, model.input_kinds()[0][0])
    probabilities = as_probabilities(np.asarray(model.predict(images, batch_size=1000, verbose=0)))
    classes = probabilities.argmax(axis=1)
    if options.json:
        rows: list[dict[str, Any]] = [
            {"class": int(best), "probabilities": [round(float(value), 6) for value in row]}
            for best, row in zip(classes, probabilities, strict=True)
        ]
        print(json.dumps({"predictions": rows}))
    elif len(images) <= MOST_DRAWN:
        for image, row in zip(images, probabilities, strict=True):
            if image.ndim == 2:
                print(draw(image))
            print(bars(row))
    else:
        print(f"{'image':>6}  class  probability")
        for number, (best, row) in enumerate(zip(classes, probabilities, strict=True)):
            print(f"{number:>6}  {best:>5}  {row[best]:>10.1%}")
    return 0


def as_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Rows that add up to one: as they are where they do, else the softmax of logits."""
    rows = outputs.reshape(len(outputs), -1).astype(np.float64)
    if np.all(rows >= 0) and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
        return rows
    result: np.ndarray = ops.softmax(rows)
    return result


def draw(image: np.ndarray) -> str:
    """A grey picture as characters; two rows make one line, since a character is twice as high as wide.

    Example:
        >>> print(draw(np.array([[0, 128, 255], [0, 128, 255]])))
        | +@|
    """
    grey = image.astype(np.float64)
    if len(grey) % 2:
        grey = np.vstack([grey, np.zeros_like(grey[:1])])
    lines = grey.reshape(len(grey) // 2, 2, -1).mean(axis=1)
    levels = np.clip(lines * len(INK) / 256, 0, len(INK) - 1).astype(int)
    return "\n".join("|" + "".join(INK[level] for level in line) + "|" for line in levels)


def bars(row: np.ndarray) -> str:
    """One line a class, its probability as a bar, the likeliest marked.

    Example:
        >>> print(bars(np.array([0.25, 0.75])))
          0   25.0%  ████████
        > 1   75.0%  ███████████████████████
    """
    best = int(row.argmax())
    return "\n".join(
        f"{'>' if number == best else ' '} {number:<2}{value:>7.1%}  {'█' * int(value * BAR + 0.5)}".rstrip()
        for number, value in enumerate(row)
    )
