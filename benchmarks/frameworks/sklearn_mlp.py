"""scikit-learn's `MLPClassifier` and `MLPRegressor`: `partial_fit` over all rows is an epoch of batches in order.

Its squared error is half of ``mean((y - p)²)`` and its gradients are those of ``sum over outputs of (y - p)² / 2``,
which is `outputs / 2` times the gradient here. Adam divides that factor out, but for its epsilon, which is scaled
along; the loss is doubled. So the training is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor  # type: ignore[import-untyped]
from workloads import BETA_1, BETA_2, EPSILON, RATE, Workload, initial_weights, make_data

from frameworks import one_by_one


def epochs(workload: Workload) -> Iterator[float]:
    """Each `next` trains one epoch and gives its mean loss."""
    x, y = make_data(workload)
    squared = workload.loss == "mse"
    if squared and workload.sizes[-1] == 1:
        y = y[:, 0]
    model = (MLPRegressor if squared else MLPClassifier)(
        hidden_layer_sizes=workload.sizes[1:-1],
        activation=workload.activation,
        solver="adam",
        alpha=0.0,
        batch_size=workload.batch,
        learning_rate_init=RATE,
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON * workload.sizes[-1] / 2 if squared else EPSILON,
        shuffle=False,
        max_iter=1,
    )
    first = slice(0, min(workload.batch, workload.rows))
    if squared:
        model.partial_fit(x[first], y[first])
    else:
        model.partial_fit(x[first], y[first], classes=np.arange(workload.sizes[-1]))
    weights = initial_weights(workload)
    for into, value in zip([*model.coefs_, *model.intercepts_], [*weights[::2], *weights[1::2]], strict=True):
        into[...] = value
    del model._optimizer  # moments of the step that made the arrays
    while True:
        model.partial_fit(x, y)
        yield float(model.loss_) * (2 if squared else 1)


def trainer(workload: Workload) -> Callable[[int], list[float]]:
    """What trains so many epochs and gives their losses."""
    return one_by_one(epochs(workload))
