"""100 dense layers: with orthogonal initial weights the signal neither dies nor explodes on its way."""

import numpy as np

import chainrule as cr

LAYERS = 100


def make_data(rows=512):
    generator = np.random.default_rng(9)
    x = generator.standard_normal((rows, 16)).astype("float32")
    return x, np.tanh(x[:, :1] + x[:, 1:2]).astype("float32")


def make_model():
    hidden = [
        cr.layers.Dense(16, activation="tanh", kernel_initializer="orthogonal", name=f"layer_{number:03}")
        for number in range(LAYERS)
    ]
    model = cr.Sequential([cr.Input((16,)), *hidden, cr.layers.Dense(1)])
    model.compile(optimizer=cr.optimizers.SGD(0.001, momentum=0.9, clipnorm=1.0), loss="mse")
    return model


def train(model, x, y, epochs=10):
    return model.fit(x, y, batch_size=64, epochs=epochs, shuffle=False, verbose=0)


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    history = train(model, x, y, epochs=60).history
    print(f"{LAYERS} layers, {model.count_params():,} parameters: {history['loss'][0]:.3f} → {history['loss'][-1]:.3f}")
