"""Categories as learned vectors, beside numbers: what a table of mixed columns needs."""

import numpy as np

import chainrule as cr

CITIES, COLOURS = 30, 5


def make_data(rows=2000):
    generator = np.random.default_rng(8)
    city = generator.integers(0, CITIES, rows).astype("int32")
    colour = generator.integers(0, COLOURS, rows).astype("int32")
    numbers = generator.standard_normal((rows, 3)).astype("float32")
    worth = generator.standard_normal(CITIES)
    y = worth[city] * numbers[:, 0] + (colour == 2) + 0.1 * generator.standard_normal(rows)
    return {"city": city, "colour": colour, "numbers": numbers}, y.astype("float32")[:, None]


def make_model():
    city = cr.Input((), dtype="int32", name="city")
    colour = cr.Input((), dtype="int32", name="colour")
    numbers = cr.Input((3,), name="numbers")
    vectors = [cr.layers.Embedding(CITIES, 6)(city), cr.layers.Embedding(COLOURS, 3)(colour), numbers]
    x = cr.layers.Concatenate()(vectors)
    x = cr.layers.Dense(48, activation="relu")(x)
    x = cr.layers.Dense(48, activation="relu")(x)
    model = cr.Model({"city": city, "colour": colour, "numbers": numbers}, cr.layers.Dense(1)(x))
    model.compile(optimizer=cr.optimizers.Adam(0.005), loss="mse")
    return model


def train(model, x, y, epochs=15):
    return model.fit(x, y, batch_size=50, epochs=epochs, shuffle=False, verbose=0)


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    history = train(model, x, y).history
    print(f"mean squared error {history['loss'][0]:.3f} → {history['loss'][-1]:.3f}, of the target {np.var(y):.3f}")
