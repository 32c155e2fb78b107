"""The functional API: blocks that add what they computed to what they were given."""

import numpy as np

import chainrule as cr


def make_data(rows=1500):
    generator = np.random.default_rng(5)
    x = generator.standard_normal((rows, 12)).astype("float32")
    y = np.abs(x[:, 0] - x[:, 1]) + np.maximum(x[:, 2], x[:, 3])
    return x, y.astype("float32")[:, None]


def block(x, units):
    h = cr.layers.LayerNormalization()(x)
    h = cr.layers.Dense(units, activation="relu")(h)
    h = cr.layers.Dense(units)(h)
    return cr.layers.Add()([x, h])


def make_model(blocks=4, units=32):
    given = cr.Input((12,))
    x = cr.layers.Dense(units)(given)
    for _ in range(blocks):
        x = block(x, units)
    model = cr.Model(given, cr.layers.Dense(1)(x))
    model.compile(optimizer=cr.optimizers.Adam(0.003, global_clipnorm=1.0), loss="mse")
    return model


def train(model, x, y, epochs=10):
    return model.fit(x, y, batch_size=64, epochs=epochs, shuffle=False, verbose=0)


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    model.summary()
    history = train(model, x, y).history
    print(f"mean squared error {history['loss'][0]:.3f} → {history['loss'][-1]:.3f}")
