"""Two inputs, two outputs: how much, and of which kind, each with its own loss and weight."""

import numpy as np

import chainrule as cr


def make_data(rows=1500):
    generator = np.random.default_rng(4)
    left = generator.standard_normal((rows, 5)).astype("float32")
    right = generator.standard_normal((rows, 3)).astype("float32")
    amount = (left[:, :1] * right[:, :1] + left[:, 1:2]).astype("float32")
    kind = np.argmax(right + left[:, :3], axis=1).astype("int32")
    return {"left": left, "right": right}, {"amount": amount, "kind": kind}


def make_model():
    left, right = cr.Input((5,), name="left"), cr.Input((3,), name="right")
    both = cr.layers.Concatenate()([cr.layers.Dense(16, activation="relu")(left), right])
    both = cr.layers.Dense(32, activation="relu")(both)
    amount = cr.layers.Dense(1, name="amount")(both)
    kind = cr.layers.Dense(3, activation="softmax", name="kind")(both)
    model = cr.Model(inputs={"left": left, "right": right}, outputs={"amount": amount, "kind": kind})
    model.compile(
        optimizer=cr.optimizers.Adam(0.005),
        loss={"amount": "huber", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"amount": 2.0, "kind": 1.0},
        metrics={"amount": ["mae"], "kind": ["accuracy"]},
    )
    return model


def train(model, x, y, epochs=10):
    return model.fit(x, y, batch_size=50, epochs=epochs, shuffle=False, verbose=0)


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    history = train(model, x, y).history
    for name, values in history.items():
        print(f"{name:<16}{values[0]:8.4f} → {values[-1]:.4f}")
