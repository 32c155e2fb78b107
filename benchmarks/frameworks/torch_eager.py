"""PyTorch, eager, Adam with its fused implementation, the loss read once an epoch.

Keras adds epsilon to the root of the second moment before the correction of its bias, PyTorch after it; so epsilon is
divided by that correction in each step, which makes the two formulas one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from workloads import BETA_1, BETA_2, EPSILON, RATE, Workload, initial_weights, make_data

from frameworks import one_by_one


class Residual(torch.nn.Module):
    """``x + inner(x)``."""

    def __init__(self, inner: torch.nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


def make_model(workload: Workload) -> torch.nn.Sequential:
    """The network with its initial weights."""
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[workload.activation]
    *hidden, last = linear_layers(workload)
    layers: list[torch.nn.Module] = []
    for linear in hidden:
        if workload.residual:
            layers.append(Residual(torch.nn.Sequential(linear, activation())))
        else:
            layers += [linear, activation()]
    return torch.nn.Sequential(*layers, last)


def linear_layers(workload: Workload) -> list[torch.nn.Linear]:
    """A layer for each kernel and bias."""
    weights = initial_weights(workload)
    layers = []
    with torch.no_grad():
        for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
            linear = torch.nn.Linear(*kernel.shape)
            linear.weight.copy_(torch.from_numpy(kernel.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias))
            layers.append(linear)
    return layers


def epochs(workload: Workload) -> Iterator[float]:
    """Each `next` trains one epoch and gives its mean loss."""
    x, y = (torch.from_numpy(array) for array in make_data(workload))
    if workload.loss != "mse":
        y = y.long()
    model = make_model(workload)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True)
    criterion = torch.nn.MSELoss() if workload.loss == "mse" else torch.nn.CrossEntropyLoss()
    steps = 0
    while True:
        total = torch.zeros(())
        for at in range(0, workload.rows, workload.batch):
            images = x[at : at + workload.batch]
            loss = criterion(model(images), y[at : at + workload.batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            steps += 1
            optimizer.param_groups[0]["eps"] = EPSILON / math.sqrt(1 - BETA_2**steps)
            optimizer.step()
            total += loss.detach() * len(images)
        yield float(total) / workload.rows


def trainer(workload: Workload) -> Callable[[int], list[float]]:
    """What trains so many epochs and gives their losses."""
    return one_by_one(epochs(workload))
