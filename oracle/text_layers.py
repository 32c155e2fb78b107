"""What Keras's lookups and hashes give: they need TensorFlow, which the oracle's environment does not have.

`SETUPS` lists layers and inputs. With TensorFlow and Keras installed, ``python oracle/text_layers.py`` computes them
with Keras and writes `text_layers.json`, which the cases are held against.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Setup:
    """A layer, what it adapts to, and what it is called on.

    Args:
        name: of the layer's class.
        arguments: of its constructor.
        inputs: what it is called on.
        data: for `adapt`; None where it needs none.
    """

    name: str
    arguments: dict[str, Any]
    inputs: Any
    data: Any = None
    columns: bool = field(default=False)  # whether `inputs` are several arrays

    def compute(self, layers: Any) -> tuple[Any, list[Any] | None]:
        """The result, and the vocabulary of a lookup."""
        layer = getattr(layers, self.name)(**self.arguments)
        if self.data is not None:
            layer.adapt(np.array(self.data))
        given = [np.array(part) for part in self.inputs] if self.columns else np.array(self.inputs)
        result = np.asarray(layer(given))
        if result.dtype.kind in "OS":
            texts = [text.decode() if isinstance(text, bytes) else str(text) for text in result.ravel().tolist()]
            result = np.array(texts).reshape(result.shape)
        vocabulary = layer.get_vocabulary() if hasattr(layer, "get_vocabulary") else None
        return result.tolist(), None if vocabulary is None else [_plain(token) for token in vocabulary]

    def __str__(self) -> str:
        return ", ".join(f"{key}={value!r}" for key, value in self.arguments.items())


def _plain(token: Any) -> Any:
    return int(token) if isinstance(token, int | np.integer) else str(token)


WORDS = [["sun", "moon", ""], ["star", "sun", "sun"], ["comet", "", "Erde"]]
NUMBERS = [[12, 1138, 42], [42, 1000, 36], [-7, 12, 12]]
LONG = ["a" * size + str(size) for size in (0, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 200)]
MODES = ("one_hot", "multi_hot", "count")
IDF = {"output_mode": "tf_idf", "vocabulary": ["sun", "moon"], "idf_weights": [0.25, 0.75]}
INTEGERS = [12, 36, 1138]

SETUPS: tuple[Setup, ...] = (
    Setup("Hashing", {"num_bins": 1000003}, LONG),
    Setup("Hashing", {"num_bins": 1000003, "salt": [133, 137]}, LONG),
    Setup("Hashing", {"num_bins": 1000003, "salt": 5}, WORDS),
    Setup("Hashing", {"num_bins": 1000003}, NUMBERS),
    Setup("Hashing", {"num_bins": 7, "mask_value": ""}, WORDS),
    Setup("Hashing", {"num_bins": 7, "mask_value": 42}, NUMBERS),
    Setup("Hashing", {"num_bins": 7}, [[1.9], [-2.5]]),
    *(Setup("Hashing", {"num_bins": 7, "output_mode": mode}, WORDS) for mode in MODES),
    Setup("Hashing", {"num_bins": 7, "output_mode": "one_hot"}, [["a"], ["b"]]),
    Setup("HashedCrossing", {"num_bins": 1000003}, [LONG, list(range(-5, 10))], columns=True),
    Setup("HashedCrossing", {"num_bins": 1000003}, [[["a"], ["b"]], [[1], [2]], [["x"], ["y"]]], columns=True),
    Setup("HashedCrossing", {"num_bins": 5}, ["a", 3], columns=True),
    Setup("HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, [["a", "b"], [1, 2]], columns=True),
    Setup("HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, [[["a"], ["b"]], [[1], [2]]], columns=True),
    Setup("StringLookup", {"vocabulary": ["sun", "moon"]}, WORDS),
    Setup("StringLookup", {"vocabulary": ["sun", "moon"], "mask_token": ""}, WORDS),
    Setup("StringLookup", {"vocabulary": ["", "[UNK]", "sun", "moon"], "mask_token": ""}, WORDS),
    Setup("StringLookup", {"vocabulary": ["sun", "moon"], "num_oov_indices": 3}, WORDS),
    Setup("StringLookup", {"vocabulary": ["sun", "moon"], "num_oov_indices": 3, "salt": [1, 2]}, WORDS),
    Setup("StringLookup", {"vocabulary": ["sun", "moon"], "num_oov_indices": 0}, [["sun", "moon"], ["moon", "moon"]]),
    Setup("StringLookup", {"vocabulary": ["sun", "moon"], "invert": True}, [[0, 1, 2], [2, 9, -1]]),
    Setup("StringLookup", {"vocabulary": ["sun"], "invert": True, "mask_token": "-"}, [[0, 1, 2], [2, 9, -1]]),
    *(
        Setup("StringLookup", {"vocabulary": ["sun", "moon"], "mask_token": "", "output_mode": mode}, WORDS)
        for mode in MODES
    ),
    Setup(
        "StringLookup",
        {"vocabulary": ["sun", "moon"], "output_mode": "count", "pad_to_max_tokens": True, "max_tokens": 6},
        WORDS,
    ),
    Setup("StringLookup", IDF, WORDS),
    Setup("StringLookup", {**IDF, "vocabulary": ["[UNK]", "sun"]}, WORDS),
    Setup("StringLookup", {**IDF, "pad_to_max_tokens": True, "max_tokens": 5}, WORDS),
    Setup("StringLookup", {}, WORDS, WORDS),
    Setup("StringLookup", {"mask_token": "", "max_tokens": 4}, WORDS, WORDS),
    Setup("StringLookup", {"output_mode": "tf_idf"}, WORDS, WORDS),
    Setup("StringLookup", {"output_mode": "tf_idf", "max_tokens": 3}, WORDS, ["sun", "sun", "moon", "star"]),
    Setup("IntegerLookup", {"vocabulary": INTEGERS}, NUMBERS),
    Setup("IntegerLookup", {"vocabulary": INTEGERS, "mask_token": 42}, NUMBERS),
    Setup("IntegerLookup", {"vocabulary": INTEGERS, "num_oov_indices": 3}, NUMBERS),
    Setup("IntegerLookup", {"vocabulary": INTEGERS, "num_oov_indices": 3, "oov_method": "farmhash"}, NUMBERS),
    Setup("IntegerLookup", {"vocabulary": INTEGERS, "invert": True}, [[0, 1, 2], [3, 9, -1]]),
    Setup("IntegerLookup", {"vocabulary": INTEGERS, "invert": True, "mask_token": 0}, [[0, 1, 2], [3, 9, -1]]),
    *(
        Setup("IntegerLookup", {"vocabulary": INTEGERS, "mask_token": 42, "output_mode": mode}, NUMBERS)
        for mode in MODES
    ),
    Setup("IntegerLookup", {}, NUMBERS, NUMBERS),
    Setup("IntegerLookup", {"output_mode": "tf_idf", "max_tokens": 4}, NUMBERS, NUMBERS),
)


def results() -> list[Any]:
    """What Keras gave for each of `SETUPS`."""
    found: list[Any] = json.loads(RESULTS.read_text("utf-8"))
    return found


def main() -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    computed = [setup.compute(keras.layers) for setup in SETUPS]
    RESULTS.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in computed) + "\n]\n", "utf-8")


if __name__ == "__main__":
    main()
