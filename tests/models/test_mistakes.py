"""Mistakes that Keras would train are refused before the first step."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError

X = np.random.default_rng(0).standard_normal((32, 4)).astype("f")
LABELS = np.arange(32) % 3


@pytest.mark.parametrize(
    ("layers", "loss", "message"),
    [
        (["softmax"], cr.losses.SparseCategoricalCrossentropy(from_logits=True), "softmax or sigmoid of what is one"),
        (["softmax", "softmax"], "sparse_categorical_crossentropy", "a softmax of a softmax"),
    ],
)
def test_two_softmaxes(layers, loss, message):
    stack = [cr.layers.Dense(3, name="logits"), *(cr.layers.Activation(name) for name in layers)]
    x = cr.Input((4,))
    y = x
    for layer in stack:
        y = layer(y)
    for model in (cr.Sequential([cr.Input((4,)), *stack]), cr.Model(x, y)):
        model.compile("adam", loss)
        with pytest.raises(ChainruleError, match=message):
            model.fit(X, LABELS, verbose=0)


def test_a_sigmoid_of_a_sigmoid():
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(1, "sigmoid", name="last")])
    model.compile("adam", cr.losses.BinaryCrossentropy(from_logits=True))
    with pytest.raises(ChainruleError, match="layer 'last'"):
        model.fit(X, LABELS % 2, verbose=0)


def test_a_checkpoint_of_another_model(tmp_path):
    small, large = (cr.Sequential([cr.Input((4,)), cr.layers.Dense(units)]) for units in (2, 3))
    small.save_weights(tmp_path / "weights")
    with pytest.raises(ChainruleError, match="another shape"):
        large.load_weights(tmp_path / "weights")
    deeper = cr.Sequential([cr.Input((4,)), cr.layers.Dense(2), cr.layers.Dense(2)])
    with pytest.raises(ChainruleError, match="another number of weights"):
        deeper.load_weights(tmp_path / "weights")
