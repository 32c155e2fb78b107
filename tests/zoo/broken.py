"""Networks and data sets with one fault each, that must be named, and where."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule import layers, losses, optimizers
from zoo.specimens import (
    Broken,
    Made,
    classes_of,
    classifier,
    classify_digits,
    compiled,
    deep,
    digits,
    generator,
    numbers_of,
    regressor,
    table,
    tabular,
)

# -- the data ---------------------------------------------------------------------------------------------


def not_finite() -> Made:
    x = table()
    x[17, 2] = np.nan
    return regressor(x, numbers_of(table()))


def labels_from_one() -> Made:
    x = table()
    model, _, y = classifier(x, classes_of(x))
    return model, x, y + 1


def labels_of_minus_one() -> Made:
    x = table()
    y = np.where(classes_of(x, 2) > 0, 1, -1)
    return compiled(tabular(x, end="sigmoid"), "adam", "binary_crossentropy"), x, y


def classes_for_one_sigmoid() -> Made:
    x = table()
    return compiled(tabular(x, end="sigmoid"), "adam", "binary_crossentropy"), x, classes_of(x, 4)


def one_hot_too_wide() -> Made:
    x = table()
    model = compiled(tabular(x, end="softmax", outputs=3), "adam", "categorical_crossentropy")
    return model, x, np.eye(4, dtype="float32")[classes_of(x, 4)]


def several_at_once() -> Made:
    x = table()
    y = (x[:, :3] + 0.3 * generator(4).standard_normal((len(x), 3)) > 0).astype("float32")
    return compiled(tabular(x, end="softmax", outputs=3), "adam", "categorical_crossentropy"), x, y


def words_out_of_range() -> Made:
    cr.set_random_seed(0)
    x = generator().integers(0, 60, (300, 5))
    model = cr.Sequential(
        [cr.Input((5,), dtype="int32"), layers.Embedding(50, 8), layers.Flatten(), layers.Dense(1, "sigmoid")]
    )
    return compiled(model, "adam", "binary_crossentropy"), x, (x[:, 0] > x[:, 1]).astype("float32")


def always_the_same() -> Made:
    x = table()
    return regressor(x, np.full((300, 1), 0.5, "float32"))


def labels_from_one_with_a_spare_unit() -> Made:
    x = table()
    model = tabular(x, end="softmax", outputs=4)
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, classes_of(x) + 1


def nearly_all_of_one_class() -> Made:
    x = table(1000)
    return compiled(tabular(x, end="sigmoid"), "adam", "binary_crossentropy"), x, np.arange(1000) % 200 == 7


def bytes_of_pixels() -> Made:
    x, y = digits()
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((28, 28)), layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10, "softmax")])
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, y


def pixels_scaled_twice() -> Made:
    x, y = digits()
    cr.set_random_seed(0)
    model = cr.Sequential(
        [cr.Input((28, 28)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(32, "relu", name="first"),
         layers.Dense(10, "softmax")]
    )  # fmt: skip
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x / np.float32(255), y


def incomes() -> Made:
    x = table()
    y = numbers_of(x)
    x[:, 3] = 20_000 + 5_000 * x[:, 3]
    return regressor(x, y)


def unlike_columns() -> Made:
    x = table()
    y = numbers_of(x)
    x[:, 5] *= 1e-4
    return regressor(x, y)


def not_adapted() -> Made:
    x = table()
    y = numbers_of(x)
    cr.set_random_seed(0)
    model = cr.Sequential(
        [cr.Input((8,)), layers.Normalization(), layers.Dense(16, "relu", name="first"), layers.Dense(1)]
    )
    return compiled(model, "adam", "mse"), 100 * x + 300, y


def prices() -> Made:
    x = table()
    return regressor(x, 250_000 + 80_000 * numbers_of(x))


def constant_column() -> Made:
    x = table()
    y = numbers_of(x)
    x[:, 4] = 7
    return regressor(x, y)


def copied_column() -> Made:
    x = table()
    y = numbers_of(x)
    x[:, 6] = x[:, 1]
    return regressor(x, y)


def price_with_tax() -> Made:
    x = table()
    y = numbers_of(x)
    x[:, 2] = 1.19 * y[:, 0] + 0.001 * x[:, 2]
    return regressor(x, y)


def label_among_inputs() -> Made:
    x = table()
    y = classes_of(x)
    x[:, 5] = y - 1
    return classifier(x, y)


def one_hot_among_inputs() -> Made:
    x = table()
    y = classes_of(x)
    x[:, 2:5] = np.eye(3)[y]
    return classifier(x, y)


def score_among_inputs() -> Made:
    x = table()
    y = classes_of(x, 2)
    x[:, 0] = y + 0.3 * generator(5).random(len(x))
    return classifier(x, y)


def label_in_a_pixel() -> Made:
    x, y = digits()
    x = x.copy()
    x[:, 0, 5] = 20 * y
    model = classify_digits("adam")
    return model, x, y


def tested_on_training_rows() -> Made:
    x = table()
    return classifier(x, classes_of(x))


# -- the network ------------------------------------------------------------------------------------------


def softmax_twice() -> Made:
    x = table()
    cr.set_random_seed(0)
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(16, "relu"), layers.Dense(3, "softmax"), layers.Softmax(name="again")]
    )
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, classes_of(x)


def softmax_and_logits() -> Made:
    x = table()
    model = tabular(x, end="softmax", outputs=3)
    return compiled(model, "adam", losses.SparseCategoricalCrossentropy(from_logits=True)), x, classes_of(x)


class SoftmaxInCall(cr.Model):
    """A softmax by the layer, and one by the formula."""

    def __init__(self) -> None:
        super().__init__(name="mine")
        self.hidden, self.out = layers.Dense(16, "relu"), layers.Dense(3, "softmax")

    def call(self, x: Any) -> Any:
        return cr.ops.softmax(self.out(self.hidden(x)))


class LogitsInCall(cr.Model):
    """A sigmoid by the formula, for a loss that takes logits."""

    def __init__(self) -> None:
        super().__init__(name="mine")
        self.hidden, self.out = layers.Dense(16, "relu"), layers.Dense(1)

    def call(self, x: Any) -> Any:
        return cr.ops.sigmoid(self.out(self.hidden(x)))


def softmax_twice_in_a_formula() -> Made:
    cr.set_random_seed(0)
    x = table()
    return compiled(SoftmaxInCall(), "adam", "sparse_categorical_crossentropy"), x, classes_of(x)


def sigmoid_of_logits_in_a_formula() -> Made:
    cr.set_random_seed(0)
    x = table()
    return compiled(LogitsInCall(), "adam", losses.BinaryCrossentropy(from_logits=True)), x, classes_of(x, 2)


def softmax_of_one_unit() -> Made:
    x = table()
    return compiled(tabular(x, end="softmax"), "adam", "binary_crossentropy"), x, classes_of(x, 2)


def linear_end_for_probabilities() -> Made:
    x = table()
    return compiled(tabular(x), "adam", "binary_crossentropy"), x, classes_of(x, 2)


def relu_end_for_classes() -> Made:
    x = table()
    model = tabular(x, end="relu", outputs=3)
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, classes_of(x)


def sigmoid_end_for_one_of_several() -> Made:
    x = table()
    model = tabular(x, end="sigmoid", outputs=3)
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, classes_of(x)


def accuracy_of_distances() -> Made:
    x = table()
    return compiled(tabular(x), "adam", "mse", metrics=["accuracy"]), x, classes_of(x, 5)


def relu_end_for_numbers_below_zero() -> Made:
    x = table()
    return compiled(tabular(x, end="relu"), "adam", "mse"), x, numbers_of(x)


def sigmoid_end_for_large_numbers() -> Made:
    x = table()
    return compiled(tabular(x, end="sigmoid"), "adam", "mse"), x, 20 + 5 * numbers_of(x)


def all_frozen() -> Made:
    x = table()
    model = tabular(x)
    model.trainable = False
    return compiled(model, "adam", "mse"), x, numbers_of(x)


def side_branch() -> Made:
    cr.set_random_seed(0)
    x = table()
    given = cr.Input((8,))
    hidden = layers.Dense(16, "relu")(given)
    main = layers.Dense(1, name="main")(hidden)
    side = layers.Dense(4, "relu", name="side")(hidden)
    model = cr.Model(given, {"main": main, "side": side})
    return compiled(model, "adam", {"main": "mse"}), x, {"main": numbers_of(x)}


class Rounded(cr.Model):
    """Rounding, through which no gradient comes."""

    def __init__(self) -> None:
        super().__init__()
        self.code, self.out = layers.Dense(8, "sigmoid", name="code"), layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.out(cr.ops.round(self.code(x)))


def rounding_between() -> Made:
    cr.set_random_seed(0)
    x = table()
    return compiled(Rounded(), "adam", "mse"), x, numbers_of(x)


def nothing_between() -> Made:
    x = table()
    return compiled(tabular(x, hidden=None), "adam", "mse"), x, numbers_of(x)


# -- how it begins ----------------------------------------------------------------------------------------


def deep_sigmoids() -> Made:
    x = table()
    return compiled(deep(x, 12, "sigmoid", "glorot_uniform"), "adam", "mse"), x, numbers_of(x)


def deep_relus_of_glorot() -> Made:
    x = table()
    return compiled(deep(x, 50, "relu", "glorot_uniform"), "adam", "mse"), x, numbers_of(x)


def large_weights() -> Made:
    x = table()
    model = deep(x, 6, "relu", cr.initializers.RandomNormal(stddev=1.0), units=64)
    return compiled(model, "adam", "mse"), x, numbers_of(x)


def large_logits() -> Made:
    cr.set_random_seed(0)
    x = table()
    wide = cr.initializers.RandomNormal(stddev=10.0)
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(64, "relu"), layers.Dense(3, "softmax", kernel_initializer=wide, name="last")]
    )
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, classes_of(x)


def zero_weights() -> Made:
    cr.set_random_seed(0)
    x = table()
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(16, "tanh", kernel_initializer="zeros", name="hidden"),
         layers.Dense(1, kernel_initializer="zeros")]
    )  # fmt: skip
    return compiled(model, "adam", "mse"), x, numbers_of(x)


def constant_weights() -> Made:
    cr.set_random_seed(0)
    x = table()
    same = cr.initializers.Constant(0.1)
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(16, "tanh", kernel_initializer=same, name="hidden"),
         layers.Dense(1, kernel_initializer=same)]
    )  # fmt: skip
    return compiled(model, "adam", "mse"), x, numbers_of(x)


def biases_below_zero() -> Made:
    cr.set_random_seed(0)
    x = table()
    low = cr.initializers.Constant(-20.0)
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(16, "relu", bias_initializer=low, name="hidden"), layers.Dense(1)]
    )
    return compiled(model, "adam", "mse"), x, numbers_of(x)


def saturated() -> Made:
    cr.set_random_seed(0)
    x = table()
    wide = cr.initializers.RandomNormal(stddev=30.0)
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(16, "tanh", kernel_initializer=wide, name="hidden"), layers.Dense(1)]
    )
    return compiled(model, "adam", "mse"), x, numbers_of(x)


def probabilities_at_their_end() -> Made:
    cr.set_random_seed(0)
    x = table()
    model = cr.Sequential(
        [cr.Input((8,)), layers.Dense(1, "sigmoid", bias_initializer=cr.initializers.Constant(300.0))],
        name="sure",
    )
    return compiled(model, "adam", "binary_crossentropy"), x, classes_of(x, 2)


# -- how it is trained ------------------------------------------------------------------------------------


def sgd_too_fast() -> Made:
    x = table()
    return regressor(x, numbers_of(x), optimizers.SGD(5.0))


def sgd_too_slow() -> Made:
    x = table()
    return regressor(x, numbers_of(x), optimizers.SGD(1e-7))


def adam_too_fast() -> Made:
    x = table()
    return classifier(x, classes_of(x), optimizers.Adam(3.0), units=64)


def adam_too_slow() -> Made:
    x = table()
    return classifier(x, classes_of(x), optimizers.Adam(1e-7))


def schedule_too_fast() -> Made:
    x = table()
    rate = optimizers.schedules.ExponentialDecay(10.0, 1000, 0.9)
    return regressor(x, numbers_of(x), optimizers.SGD(rate, momentum=0.9))


def a_weight_that_is_no_number() -> Made:
    x = table()
    model, x, y = regressor(x, numbers_of(x))
    model.layers[-1].kernel.assign(np.full(model.layers[-1].kernel.shape, np.nan))
    return model, x, y


# -- what beginners do ------------------------------------------------------------------------------------


def flatten_forgotten() -> Made:
    cr.set_random_seed(0)
    x, y = digits()
    model = cr.Sequential([cr.Input((28, 28), dtype="uint8"), layers.Rescaling(1 / 255), layers.Dense(10, "softmax")])
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, y


def distances_of_class_numbers() -> Made:
    x = table()
    return compiled(tabular(x, outputs=3), "adam", "mse"), x, classes_of(x)


def rows_of_unequal_length() -> Made:
    x = table()
    model, _, y = classifier(x, classes_of(x))
    return model, x, y[:-1]


def one_column_short() -> Made:
    x = table()
    model, _, y = classifier(x, classes_of(x))
    return model, x[:, :-1], y


def ended(*end: Any, outputs: int = 3) -> Made:
    """A network for three classes with some layers at its end."""
    cr.set_random_seed(0)
    x = table()
    model = cr.Sequential([cr.Input((8,)), layers.Dense(16, "relu"), *end])
    return compiled(model, "adam", "sparse_categorical_crossentropy"), x, classes_of(x, outputs)


def dropout_at_the_end() -> Made:
    return ended(layers.Dense(3, "softmax"), layers.Dropout(0.5, name="dropped"))


def relu_before_softmax() -> Made:
    return ended(layers.Dense(3, "relu", name="cut"), layers.Softmax())


def dropout_of_nearly_all() -> Made:
    return ended(layers.Dropout(0.9, name="dropped"), layers.Dense(3, "softmax"))


def ten_classes_through_one_unit() -> Made:
    return ended(layers.Dense(1, "relu", name="narrow"), layers.Dense(10, "softmax"), outputs=10)


def rows_three_times_over() -> Made:
    x = table(100)
    return classifier(np.tile(x, (3, 1)), np.tile(classes_of(x), 3))


def accuracy_of_a_rare_class() -> Made:
    x = table(1000)
    y = (np.argsort(np.argsort(x @ generator(1).standard_normal(8))) >= 950).astype(int)
    model = tabular(x, end="sigmoid")
    return compiled(model, "adam", "binary_crossentropy", metrics=["accuracy"]), x, y


BROKEN = (
    Broken(flatten_forgotten, "targets-do-not-fit", "y"),
    Broken(distances_of_class_numbers, "targets-do-not-fit", "y, layer 'last': mean_squared_error"),
    Broken(rows_of_unequal_length, "refused", "x and y"),
    Broken(one_column_short, "inputs-do-not-fit", "x, layer 'first'"),
    Broken(dropout_at_the_end, "dropout-at-the-end", "layer 'dropped'"),
    Broken(relu_before_softmax, "cut-off-logits", "layer 'cut'"),
    Broken(dropout_of_nearly_all, "large-dropout", "layer 'dropped'"),
    Broken(ten_classes_through_one_unit, "narrow-layer", "layer 'narrow'"),
    Broken(rows_three_times_over, "repeated-rows", "x and y"),
    Broken(accuracy_of_a_rare_class, "lopsided-classes", "y"),
    Broken(a_weight_that_is_no_number, "weights-not-finite", "layer 'last'"),
    Broken(not_finite, "not-finite", "x[17, 2]"),
    Broken(labels_from_one, "labels-out-of-range", "y"),
    Broken(labels_of_minus_one, "labels-out-of-range", "y"),
    Broken(classes_for_one_sigmoid, "labels-out-of-range", "y"),
    Broken(one_hot_too_wide, "targets-do-not-fit", "y, layer 'last': categorical_crossentropy"),
    Broken(several_at_once, "labels-out-of-range", "y"),
    Broken(words_out_of_range, "number-without-vector", "layer 'embedding'"),
    Broken(always_the_same, "constant-target", "y"),
    Broken(labels_from_one_with_a_spare_unit, "missing-class", "y"),
    Broken(nearly_all_of_one_class, "lopsided-classes", "y"),
    Broken(bytes_of_pixels, "unscaled-inputs", "layer 'dense'"),
    Broken(pixels_scaled_twice, "unscaled-inputs", "layer 'first'"),
    Broken(incomes, "unscaled-inputs", "layer 'first'"),
    Broken(unlike_columns, "unscaled-inputs", "layer 'first'"),
    Broken(not_adapted, "unscaled-inputs", "layer 'first'"),
    Broken(prices, "unscaled-targets", "y"),
    Broken(constant_column, "constant-columns", "x, column 4"),
    Broken(copied_column, "duplicate-columns", "x, columns 1, 6"),
    Broken(price_with_tax, "target-leakage", "x, column 2"),
    Broken(label_among_inputs, "target-leakage", "x, column 5"),
    Broken(one_hot_among_inputs, "target-leakage", "x, columns 2, 3, 4"),
    Broken(score_among_inputs, "target-leakage", "x, column 0"),
    Broken(label_in_a_pixel, "target-leakage", "x[:, 0, 5]"),
    Broken(tested_on_training_rows, "shared-rows", "validation_data", lambda x, y: (x[200:], y[200:])),
    Broken(softmax_twice, "double-softmax", "layer 'again'"),
    Broken(softmax_and_logits, "double-softmax", "layer 'last'"),
    Broken(softmax_twice_in_a_formula, "double-softmax", "model 'mine'"),
    Broken(sigmoid_of_logits_in_a_formula, "double-softmax", "model 'mine'"),
    Broken(softmax_of_one_unit, "softmax-of-one", "layer 'last'"),
    Broken(linear_end_for_probabilities, "loss-does-not-fit", "layer 'last'"),
    Broken(relu_end_for_classes, "loss-does-not-fit", "layer 'last'"),
    Broken(sigmoid_end_for_one_of_several, "loss-does-not-fit", "layer 'last'"),
    Broken(accuracy_of_distances, "loss-does-not-fit", "layer 'last'"),
    Broken(relu_end_for_numbers_below_zero, "targets-out-of-reach", "layer 'last'"),
    Broken(sigmoid_end_for_large_numbers, "targets-out-of-reach", "layer 'last'"),
    Broken(all_frozen, "nothing-trainable", "model 'sequential'"),
    Broken(side_branch, "unconnected-weights", "layer 'side'"),
    Broken(rounding_between, "unconnected-weights", "layer 'code'"),
    Broken(nothing_between, "linear-pair", "layer 'second'"),
    Broken(deep_sigmoids, "vanishing-signal", "layer 'hidden_7'"),
    Broken(deep_relus_of_glorot, "vanishing-signal", "layer 'hidden_22'"),
    Broken(large_weights, "exploding-signal", "layer 'hidden_4'"),
    Broken(large_logits, "large-first-loss", "layer 'last'"),
    Broken(zero_weights, "equal-units", "layer 'hidden'"),
    Broken(constant_weights, "equal-units", "layer 'hidden'"),
    Broken(biases_below_zero, "dead-units", "layer 'hidden'"),
    Broken(saturated, "saturated-units", "layer 'hidden'"),
    Broken(probabilities_at_their_end, "no-gradient", "model 'sure'"),
    Broken(sgd_too_fast, "learning-rate-too-large", "optimizer 'sgd'"),
    Broken(sgd_too_slow, "learning-rate-too-small", "optimizer 'sgd'"),
    Broken(adam_too_fast, "learning-rate-too-large", "optimizer 'adam'"),
    Broken(adam_too_slow, "learning-rate-too-small", "optimizer 'adam'"),
    Broken(schedule_too_fast, "learning-rate-too-large", "optimizer 'sgd'"),
)
