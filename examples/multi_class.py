"""One of five classes, given by its number: spirals in the plane."""

import numpy as np

import chainrule as cr

CLASSES = 5


def make_data(rows=2000):
    generator = np.random.default_rng(2)
    y = generator.integers(0, CLASSES, rows)
    radius = generator.uniform(0, 1, rows)
    angle = 2 * np.pi * y / CLASSES + 3 * radius + 0.15 * generator.standard_normal(rows)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return x.astype("float32"), y.astype("int32")


def make_model():
    model = cr.Sequential(
        [
            cr.Input((2,)),
            cr.layers.Dense(64, activation="relu", kernel_initializer="he_normal"),
            cr.layers.Dense(64, activation="relu", kernel_initializer="he_normal"),
            cr.layers.Dense(CLASSES),
        ]
    )
    model.compile(
        optimizer=cr.optimizers.Adam(cr.optimizers.schedules.CosineDecay(0.01, 600)),
        loss=cr.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def train(model, x, y, epochs=20):
    return model.fit(x, y, batch_size=64, epochs=epochs, shuffle=False, verbose=0)


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    history = train(model, x, y).history
    print(f"accuracy {history['accuracy'][-1]:.3f} after {len(history['loss'])} epochs")
    print("the first rows belong to", model.predict(x[:8], verbose=0).argmax(axis=-1))
