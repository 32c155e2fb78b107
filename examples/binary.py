"""Yes or no, where one answer in ten is yes: the rare class counts more."""

import numpy as np

import chainrule as cr


def make_data(rows=2000):
    generator = np.random.default_rng(1)
    x = generator.standard_normal((rows, 6)).astype("float32")
    score = x[:, 0] * x[:, 1] + 0.5 * x[:, 2] + 0.1 * generator.standard_normal(rows)
    return x, (score > np.quantile(score, 0.9)).astype("float32")[:, None]


def make_model():
    model = cr.Sequential(
        [
            cr.Input((6,)),
            cr.layers.Dense(24, activation="gelu"),
            cr.layers.Dense(24, activation="gelu"),
            cr.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=cr.optimizers.AdamW(0.01),
        loss="binary_crossentropy",
        metrics=["accuracy", cr.metrics.Precision(name="precision"), cr.metrics.Recall(name="recall")],
    )
    return model


def train(model, x, y, epochs=15):
    return model.fit(x, y, batch_size=50, epochs=epochs, class_weight={0: 1.0, 1: 4.0}, shuffle=False, verbose=0)


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    train(model, x, y)
    x_new, y_new = (part[-500:] for part in make_data(4000))
    scores = model.evaluate(x_new, y_new, verbose=0, return_dict=True)
    print(", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
