"""A training whose final weights are printed as a digest, for tests that disturb it.

python robust.py [CPU]      on this CPU alone, where one is named
"""

import hashlib
import os
import sys

import numpy as np

import chainrule as cr


def train() -> str:
    cr.utils.set_random_seed(3)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4096, 96)).astype("float32")
    y = rng.standard_normal((4096, 8)).astype("float32")
    model = cr.Sequential(
        [cr.Input((96,)), cr.layers.Dense(192, "relu"), cr.layers.Dense(192, "tanh"), cr.layers.Dense(8)]
    )
    model.compile("adam", "mse")
    model.fit(x, y, batch_size=128, epochs=20, verbose=0)
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    print("begun", flush=True)
    print(train())
