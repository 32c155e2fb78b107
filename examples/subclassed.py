"""A model as a class, with a layer of its own: what `call` says is what is computed."""

import numpy as np

import chainrule as cr


class Quadratic(cr.layers.Layer):
    """``x * scale + x**2 * curve``, a scale and a curve for each feature."""

    def build(self, input_shape):
        width = input_shape[-1]
        self.scale = self.add_weight(shape=(width,), initializer="ones", name="scale")
        self.curve = self.add_weight(shape=(width,), initializer="zeros", name="curve")

    def call(self, x):
        return x * self.scale + cr.ops.square(x) * self.curve


class Network(cr.Model):
    def __init__(self, units=24):
        super().__init__()
        self.quadratic = Quadratic()
        self.hidden = [cr.layers.Dense(units, activation="tanh") for _ in range(2)]
        self.last = cr.layers.Dense(1)

    def call(self, x):
        x = self.quadratic(x)
        for layer in self.hidden:
            x = layer(x)
        return self.last(x)


def make_data(rows=1000):
    generator = np.random.default_rng(6)
    x = generator.uniform(-2, 2, (rows, 4)).astype("float32")
    return x, (x**2).sum(axis=1, keepdims=True).astype("float32")


def make_model():
    model = Network()
    model(np.zeros((1, 4), "float32"))  # makes the weights
    model.compile(optimizer=cr.optimizers.RMSprop(0.003), loss="log_cosh", metrics=["mse"])
    return model


def train(model, x, y, epochs=10):
    return model.fit(x, y, batch_size=32, epochs=epochs, shuffle=False, verbose=0)


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    history = train(model, x, y).history
    print(f"mean squared error {history['mse'][0]:.3f} → {history['mse'][-1]:.3f}")
