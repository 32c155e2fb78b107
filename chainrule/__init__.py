"""chainrule: deep learning on the CPU, readable from the neuron's formula to the machine code.

    import chainrule as cr

Networks follow Keras (`Sequential`, `layers`, `losses`, …), functions follow NumPy (`ops`), transformations follow JAX
(`grad`, `value_and_grad`, `jit`). `ARCHITECTURE.md` says in which order to read the source.

Each name is imported when it is first asked for, so that a program pays for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import lazy

if TYPE_CHECKING:
    from chainrule import (
        activations,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        initializers,
        inspect,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        plots,
        random,
        regularizers,
        saving,
        utils,
    )
    from chainrule.autodiff.reverse import grad, value_and_grad
    from chainrule.errors import ChainruleError
    from chainrule.graph.variable import Variable
    from chainrule.initializers import Initializer
    from chainrule.inspect import explain
    from chainrule.layers import Input, Layer
    from chainrule.losses import Loss
    from chainrule.metrics import Metric
    from chainrule.models import Model, Sequential, load_model
    from chainrule.ops import stop_gradient
    from chainrule.optimizers import Optimizer
    from chainrule.regularizers import Regularizer
    from chainrule.runtime.jit import jit
    from chainrule.seeds import set_random_seed
    from chainrule.version import __version__

_PLACES = {
    "chainrule": "activations backend callbacks config constraints datasets initializers inspect layers "
    "losses metrics models ops optimizers plots random regularizers saving utils",
    "chainrule.autodiff.reverse": "grad value_and_grad",
    "chainrule.errors": "ChainruleError",
    "chainrule.graph.variable": "Variable",
    "chainrule.initializers": "Initializer",
    "chainrule.inspect": "explain",
    "chainrule.layers": "Input Layer",
    "chainrule.losses": "Loss",
    "chainrule.metrics": "Metric",
    "chainrule.models": "Model Sequential load_model",
    "chainrule.ops": "stop_gradient",
    "chainrule.optimizers": "Optimizer",
    "chainrule.regularizers": "Regularizer",
    "chainrule.runtime.jit": "jit",
    "chainrule.seeds": "set_random_seed",
    "chainrule.version": "__version__",
}
"""Modules, and what is taken from each; from the first, its packages."""

__getattr__ = lazy.importer(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "ChainruleError",
    "Initializer",
    "Input",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "explain",
    "grad",
    "initializers",
    "inspect",
    "jit",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "plots",
    "random",
    "regularizers",
    "saving",
    "set_random_seed",
    "stop_gradient",
    "utils",
    "value_and_grad",
]
