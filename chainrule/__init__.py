"""chainrule: deep learning on the CPU, readable from the neuron's formula to the machine code.

    import chainrule as cr

Networks follow Keras (`Sequential`, `layers`, `losses`, …), functions follow NumPy (`ops`), transformations follow JAX
(`grad`, `value_and_grad`, `jit`). `ARCHITECTURE.md` says in which order to read the source.
"""

from chainrule import (
    activations,
    callbacks,
    config,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    utils,
)
from chainrule.autodiff.reverse import grad, value_and_grad
from chainrule.errors import ChainruleError
from chainrule.graph.variable import Variable
from chainrule.layers import Input
from chainrule.models import Model, Sequential, load_model
from chainrule.ops import stop_gradient
from chainrule.runtime.jit import jit
from chainrule.seeds import set_random_seed

__all__ = [
    "ChainruleError",
    "Input",
    "Model",
    "Sequential",
    "Variable",
    "activations",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "grad",
    "initializers",
    "jit",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "set_random_seed",
    "stop_gradient",
    "utils",
    "value_and_grad",
]
