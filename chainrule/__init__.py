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

_PLACES = {
    "chainrule": "activations callbacks config constraints datasets initializers layers "
    "losses metrics models ops optimizers random regularizers utils",
    "chainrule.autodiff.reverse": "grad value_and_grad",
    "chainrule.errors": "ChainruleError",
    "chainrule.graph.variable": "Variable",
    "chainrule.layers": "Input",
    "chainrule.models": "Model Sequential load_model",
    "chainrule.ops": "stop_gradient",
    "chainrule.runtime.jit": "jit",
    "chainrule.seeds": "set_random_seed",
}
"""Modules, and what is taken from each; from the first, its packages."""

__getattr__ = lazy.importer(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__


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
