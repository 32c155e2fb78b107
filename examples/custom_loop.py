"""Batches by hand: the order, the learning rate and what is printed are yours."""

import numpy as np

import chainrule as cr


def make_data(rows=1200):
    generator = np.random.default_rng(7)
    x = generator.standard_normal((rows, 5)).astype("float32")
    return x, (x[:, :1] ** 2 - x[:, 1:2]).astype("float32")


def make_model():
    model = cr.Sequential([cr.Input((5,)), cr.layers.Dense(32, activation="elu"), cr.layers.Dense(1)])
    model.compile(optimizer=cr.optimizers.SGD(0.05, momentum=0.9, nesterov=True), loss="mse", metrics=["mae"])
    return model


def train(model, x, y, epochs=8, batch=60):
    losses = []
    for epoch in range(epochs):
        model.optimizer.learning_rate = 0.05 * 0.8**epoch
        order = np.random.default_rng(epoch).permutation(len(x))
        for start in range(0, len(x), batch):
            rows = order[start : start + batch]
            model.reset_metrics()  # else the loss is the mean of all steps so far
            logs = model.train_on_batch(x[rows], y[rows], return_dict=True)
            losses.append(float(logs["loss"]))
    return losses


if __name__ == "__main__":
    x, y = make_data()
    model = make_model()
    losses = train(model, x, y)
    print(f"loss of the first step {losses[0]:.3f}, mean of the last twenty {np.mean(losses[-20:]):.3f}")
