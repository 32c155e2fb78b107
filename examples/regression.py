"""A number predicted from eight others; training stops when the held-out rows no longer gain."""

import numpy as np

import chainrule as cr


def make_data(rows=2000):
    generator = np.random.default_rng(0)
    x = generator.uniform(-1, 1, (rows, 8)).astype("float32")
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.05 * generator.standard_normal(rows)
    return x, y.astype("float32")[:, None]


def make_model():
    model = cr.Sequential(
        [
            cr.Input((8,)),
            cr.layers.Dense(32, activation="relu", kernel_regularizer=cr.regularizers.L2(1e-5)),
            cr.layers.Dense(32, activation="relu"),
            cr.layers.Dense(1),
        ]
    )
    model.compile(optimizer=cr.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return model


def train(model, x, y, epochs=30):
    stopping = cr.callbacks.EarlyStopping(patience=8, restore_best_weights=True)
    return model.fit(
        x, y, batch_size=64, epochs=epochs, validation_split=0.2, callbacks=[stopping], shuffle=False, verbose=0
    )


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    history = train(model, x, y).history
    print(f"{len(history['loss'])} epochs, mean absolute error {min(history['val_mae']):.3f} on the held-out rows")
