"""Models. Reading order: `model`, `sequential`, `network`, `summary`, `saving`."""

from chainrule.layers import known_layers
from chainrule.models.model import Model
from chainrule.models.saving import load_model
from chainrule.models.sequential import Sequential


def clone_model(model: Model) -> Model:
    """A new model of the same layers, with new weights.

    Example:
        >>> import chainrule as cr
        >>> clone_model(Sequential([cr.Input((2,)), cr.layers.Dense(3)])).count_params()
        9
    """
    made: Model = type(model).from_config(model.get_config())
    return made


known_layers().update({"Sequential": Sequential, "Model": Model, "Functional": Model})

__all__ = ["Model", "Sequential", "clone_model", "load_model"]
