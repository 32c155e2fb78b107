"""Networks and data sets with which nothing is wrong, of all kinds."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule import layers, losses, optimizers
from zoo.specimens import (
    Healthy,
    Made,
    classes_of,
    classifier,
    classify_digits,
    compiled,
    deep,
    digits,
    generator,
    moons,
    numbers_of,
    regressor,
    table,
    tabular,
)


def real_digits() -> Made:
    return classify_digits("adam"), *digits()


def flat_digits() -> Made:
    x, y = digits()
    x = x.reshape(len(x), -1).astype("float32") / 255
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((784,)), layers.Dense(64, "sigmoid"), layers.Dense(10)])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(model, optimizers.SGD(0.1, momentum=0.9), loss), x, y


def standardized_digits() -> Made:
    x, y = digits()
    x = x.reshape(len(x), -1).astype("float32")
    x = (x - x.mean(0)) / (x.std(0) + 1e-7)
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((784,)), layers.Dense(64, "relu"), layers.Dense(10, "softmax")])
    return compiled(model, "rmsprop", "categorical_crossentropy"), x, np.eye(10, dtype="float32")[y]


def line() -> Made:
    """The chapter "The linear unit": y = 2 x + 1."""
    cr.set_random_seed(0)
    x = np.linspace(-1, 1, 60, dtype="float32")
    model = cr.Sequential([cr.Input((1,)), layers.Dense(1)])
    return compiled(model, optimizers.SGD(0.1), "mse"), x, 2 * x + 1


def line_of_whole_numbers() -> Made:
    cr.set_random_seed(0)
    x = np.arange(-3, 8)
    model = cr.Sequential([cr.Input((1,)), layers.Dense(1)])
    return compiled(model, optimizers.SGD(0.01), "mse"), x, 2 * x + 1


def plane() -> Made:
    x = table(100, 2)
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((2,)), layers.Dense(1)])
    return compiled(model, optimizers.SGD(0.1), "mse"), x, 3 * x[:, 0] - 2 * x[:, 1] + 1


def exclusive_or() -> Made:
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((2,)), layers.Dense(8, "tanh"), layers.Dense(1, "sigmoid")])
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    return compiled(model, optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"]), x, [0, 1, 1, 0]


def two_moons() -> Made:
    x, y = moons()
    return compiled(tabular(x, end="sigmoid"), "adam", "binary_crossentropy", metrics=["accuracy"]), x, y


def blobs_far_apart() -> Made:
    """So easy that each column separates the classes."""
    y = np.arange(200) % 2
    x = (generator().standard_normal((200, 2)) * 0.2 + np.where(y[:, None] > 0, 1, -1)).astype("float32")
    return compiled(tabular(x, end="sigmoid"), "adam", "binary_crossentropy"), x, y


def blobs_far_apart_in_four_dimensions() -> Made:
    y = np.arange(300) % 3
    x = (generator().standard_normal((300, 4)) * 0.1 + y[:, None] * [1.0, 0.5, -1.0, 0.7]).astype("float32")
    return classifier(x, y)


def numbers() -> Made:
    x = table()
    return regressor(x, numbers_of(x))


def numbers_one_column_decides() -> Made:
    """Nearly a function of one column, but not quite."""
    x = table()
    return regressor(x, (3 * x[:, 1] + 0.3 * numbers_of(x)[:, 0] + 0.2 * x[:, 4]).astype("float32"))


def sine() -> Made:
    cr.set_random_seed(0)
    x = np.linspace(-np.pi, np.pi, 200, dtype="float32")[:, None]
    model = cr.Sequential([cr.Input((1,)), layers.Dense(32, "tanh"), layers.Dense(32, "tanh"), layers.Dense(1)])
    return compiled(model, optimizers.Adam(0.01), "mae"), x, np.sin(x)


def counts() -> Made:
    x = table()
    y = generator(3).poisson(np.exp(0.5 * numbers_of(x)))
    return compiled(tabular(x, end="softplus"), "adam", "poisson"), x, y


def several_labels() -> Made:
    x = table()
    y = (x[:, :3] + 0.3 * generator(4).standard_normal((len(x), 3)) > 0.3).astype("float32")
    return compiled(tabular(x, end="sigmoid", outputs=3), "adam", "binary_crossentropy"), x, y


def uneven_classes() -> Made:
    x = table(600)
    y = np.digitize(x @ generator(1).standard_normal(8), [-6.0, 2.5])
    return classifier(x, y)


def rare_class() -> Made:
    x = table(1000)
    y = (x @ generator(1).standard_normal(8) + 0.5 * generator(2).standard_normal(1000) > 4.5).astype(int)
    return classifier(x, y)


def words() -> Made:
    cr.set_random_seed(0)
    x = generator().integers(0, 50, (300, 5))
    model = cr.Sequential(
        [cr.Input((5,), dtype="int32"), layers.Embedding(50, 8), layers.Flatten(), layers.Dense(16, "relu"),
         layers.Dense(1, "sigmoid")]
    )  # fmt: skip
    return compiled(model, optimizers.Adam(0.01), "binary_crossentropy"), x, (x[:, 0] > x[:, 1]).astype("float32")


def words_and_numbers() -> Made:
    cr.set_random_seed(0)
    numbers, word = table(), generator().integers(0, 20, (300, 1))
    a, b = cr.Input((8,), name="numbers"), cr.Input((1,), dtype="int32", name="word")
    joined = layers.Concatenate()([a, layers.Flatten()(layers.Embedding(20, 4)(b))])
    out = layers.Dense(1)(layers.Dense(16, "relu")(joined))
    y = numbers_of(numbers) + 0.1 * (word % 3)
    return compiled(cr.Model([a, b], out), "adam", "huber"), {"numbers": numbers, "word": word}, y


def categories() -> Made:
    """Whole numbers that a layer turns into columns, of which some are rare."""
    cr.set_random_seed(0)
    x = np.minimum(generator().geometric(0.2, (300, 2)), 29)
    model = cr.Sequential(
        [cr.Input((2,), dtype="int32"), layers.CategoryEncoding(30, output_mode="multi_hot"),
         layers.Dense(16, "relu"), layers.Dense(3, "softmax")]
    )  # fmt: skip
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, (x[:, 0] + x[:, 1]) % 3


def normalized_inside() -> Made:
    """Columns of all scales, which a layer brings to one."""
    cr.set_random_seed(0)
    x = table()
    y = numbers_of(x)
    raw = x * [1, 10, 100, 1e3, 1e4, 1e-3, 1, 1] + [0, 0, 50, 2e3, 1e5, 0, 7, -7]
    scaling = layers.Normalization()
    scaling.adapt(raw)
    model = cr.Sequential([cr.Input((8,)), scaling, layers.Dense(16, "relu"), layers.Dense(1)])
    return compiled(model, "adam", "mse"), raw, y


def autoencoder() -> Made:
    x, _ = digits()
    x = x.reshape(len(x), -1).astype("float32") / 255
    cr.set_random_seed(0)
    model = cr.Sequential(
        [cr.Input((784,)), layers.Dense(64, "relu"), layers.Dense(8, name="code"), layers.Dense(64, "relu"),
         layers.Dense(784, "sigmoid")]
    )  # fmt: skip
    return compiled(model, "adam", "binary_crossentropy"), x, x


def two_outputs() -> Made:
    cr.set_random_seed(0)
    x = table()
    given = cr.Input((8,))
    hidden = layers.Dense(32)(given)
    hidden = hidden + layers.Dense(32, activation="relu")(hidden)
    amount, kind = layers.Dense(1, name="amount")(hidden), layers.Dense(3, "softmax", name="kind")(hidden)
    model = cr.Model(given, {"amount": amount, "kind": kind})
    model.compile(
        "adam", {"amount": "huber", "kind": "sparse_categorical_crossentropy"}, {"kind": 0.5}, {"kind": ["accuracy"]}
    )
    return model, x, {"amount": numbers_of(x), "kind": classes_of(x)}


def residual() -> Made:
    """Fifty blocks with sums past them."""
    cr.set_random_seed(0)
    x = table()
    given = cr.Input((8,))
    hidden = layers.Dense(24)(given)
    for _ in range(50):
        inner = layers.Activation("relu")(layers.BatchNormalization()(hidden))
        hidden = layers.Add()([hidden, layers.Dense(24, kernel_initializer="he_normal")(inner)])
    out = layers.Dense(1, "sigmoid")(layers.BatchNormalization()(hidden))
    return compiled(cr.Model(given, out), "adam", "binary_crossentropy"), x, classes_of(x, 2)


def deep_relus_of_he() -> Made:
    x = table()
    return compiled(deep(x, 20, "relu", "he_normal", units=64), optimizers.Adam(1e-3), "mse"), x, numbers_of(x)


def self_normalizing() -> Made:
    cr.set_random_seed(0)
    x = table()
    hidden = [layers.Dense(32, "selu", kernel_initializer="lecun_normal") for _ in range(12)]
    model = cr.Sequential([cr.Input((8,)), *hidden, layers.AlphaDropout(0.05), layers.Dense(1)])
    return compiled(model, optimizers.SGD(0.01), "mse"), x, numbers_of(x)


def batch_normalized() -> Made:
    cr.set_random_seed(0)
    x = table()
    blocks: list[Any] = []
    for _ in range(3):
        blocks += [layers.Dense(32, use_bias=False), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.2)]
    model = cr.Sequential([cr.Input((8,)), *blocks, layers.Dense(1, "sigmoid")])
    return compiled(model, optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy"), x, classes_of(x, 2)


def layer_normalized() -> Made:
    cr.set_random_seed(0)
    x = table()
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(32, "gelu"), layers.LayerNormalization(), layers.Dense(32, "silu"),
         layers.Dense(3, "softmax")]
    )  # fmt: skip
    loss = losses.CategoricalCrossentropy(label_smoothing=0.1)
    return compiled(model, optimizers.AdamW(1e-3), loss), x, np.eye(3, dtype="float32")[classes_of(x)]


def logistic_from_zero() -> Made:
    """Zero weights are right where there is no layer below."""
    cr.set_random_seed(0)
    x = table()
    model = cr.Sequential([cr.Input((8,)), layers.Dense(3, "softmax", kernel_initializer="zeros")])
    return compiled(model, optimizers.SGD(0.1), "sparse_categorical_crossentropy"), x, classes_of(x)


def last_layer_from_zero() -> Made:
    cr.set_random_seed(0)
    x = table()
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(16, "relu"), layers.Dense(16, "relu"),
         layers.Dense(3, kernel_initializer="zeros")]
    )  # fmt: skip
    return compiled(model, "adam", losses.SparseCategoricalCrossentropy(from_logits=True)), x, classes_of(x)


class Own(cr.Model):
    """A formula of one's own, with a softmax as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [layers.Dense(16, "relu"), layers.Dense(16, "relu")]
        self.drop, self.out = layers.Dropout(0.2), layers.Dense(3)

    def call(self, x: Any, training: bool = False) -> Any:
        for layer in self.hidden:
            x = self.drop(layer(x), training=training)
        return cr.ops.softmax(self.out(x))


def own_formula() -> Made:
    cr.set_random_seed(0)
    x = table()
    return compiled(Own(), "nadam", "sparse_categorical_crossentropy"), x, classes_of(x)


def shared_layers() -> Made:
    """A layer that is called several times, and a model within a model."""
    cr.set_random_seed(0)
    x = table()
    given = cr.Input((8,))
    shared = layers.Dense(8, "tanh")
    inner = cr.Sequential([cr.Input((8,)), layers.Dense(16, "relu"), layers.Dense(8, "relu")])
    model = cr.Model(given, layers.Dense(1)(inner(shared(shared(given)))))
    return compiled(model, "adam", "log_cosh"), x, numbers_of(x)


def warm_up() -> Made:
    """A rate that begins at nothing."""
    x = table()
    rate = optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=1e-3, warmup_steps=100)
    return classifier(x, classes_of(x), optimizers.Adam(rate))


def half_frozen() -> Made:
    x = table()
    model = tabular(x)
    model.get_layer("first").trainable = False
    return compiled(model, "adam", "mse"), x, numbers_of(x)


def sorted_flowers() -> Made:
    """Sorted by class, as many tables come."""
    x = table()
    y = classes_of(x)
    order = np.argsort(y, kind="stable")
    return classifier(x[order], y[order])


def coins_that_repeat() -> Made:
    """Rows of few numbers, of which most stand there often."""
    x = generator().integers(0, 2, (400, 6)).astype("float32")
    y = (x @ generator(1).standard_normal(6) + 0.3 * generator(2).standard_normal(400) > 0).astype(int)
    return compiled(tabular(x, end="sigmoid"), "adam", "binary_crossentropy", metrics=["accuracy"]), x, y


def one_hot_letters() -> Made:
    """Two letters as one-hot columns, of which there are few pairs."""
    letters = generator().integers(0, 12, (500, 2))
    x = np.eye(12, dtype="float32")[letters].reshape(500, 24)
    return classifier(x, (letters.sum(axis=1) + generator(2).integers(0, 2, 500)) % 3)


HEALTHY = (
    Healthy(coins_that_repeat, 5),
    Healthy(one_hot_letters),
    Healthy(real_digits, 1),
    Healthy(flat_digits, 3),
    Healthy(standardized_digits),
    Healthy(line, 20),
    Healthy(line_of_whole_numbers, 20),
    Healthy(plane, 20),
    Healthy(exclusive_or, 30),
    Healthy(two_moons, 10),
    Healthy(blobs_far_apart, 5),
    Healthy(blobs_far_apart_in_four_dimensions),
    Healthy(numbers, 5),
    Healthy(numbers_one_column_decides),
    Healthy(sine, 5),
    Healthy(counts),
    Healthy(several_labels, 5),
    Healthy(uneven_classes),
    Healthy(rare_class),
    Healthy(words, 5),
    Healthy(words_and_numbers, 5),
    Healthy(categories),
    Healthy(normalized_inside, 5),
    Healthy(autoencoder),
    Healthy(two_outputs, 5),
    Healthy(residual),
    Healthy(deep_relus_of_he),
    Healthy(self_normalizing, 5),
    Healthy(batch_normalized, 5),
    Healthy(layer_normalized, 5),
    Healthy(logistic_from_zero, 5),
    Healthy(last_layer_from_zero, 5),
    Healthy(own_formula, 5),
    Healthy(shared_layers, 5),
    Healthy(warm_up),
    Healthy(half_frozen, 5),
    Healthy(sorted_flowers, notes=("sorted-rows",)),
)
