"""Several yes-or-no questions about the same row, answered at once."""

import numpy as np

import chainrule as cr


def make_data(rows=2000):
    generator = np.random.default_rng(3)
    x = generator.standard_normal((rows, 10)).astype("float32")
    questions = generator.standard_normal((10, 4))
    return x, (np.tanh(x) @ questions > 0.5).astype("float32")


def make_model():
    model = cr.Sequential(
        [cr.Input((10,)), cr.layers.Dense(48, activation="silu"), cr.layers.Dense(4, activation="sigmoid")]
    )
    model.compile(
        optimizer=cr.optimizers.Nadam(0.005),
        loss=cr.losses.BinaryFocalCrossentropy(gamma=1.0),
        metrics=[
            cr.metrics.BinaryAccuracy(name="accuracy"),
            cr.metrics.AUC(multi_label=True, num_labels=4, name="auc"),
        ],
    )
    return model


def train(model, x, y, epochs=10):
    return model.fit(x, y, batch_size=40, epochs=epochs, shuffle=False, verbose=0)


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    history = train(model, x, y).history
    print(f"accuracy {history['accuracy'][-1]:.3f}, area under the curve {history['auc'][-1]:.3f}")
