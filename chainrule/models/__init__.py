"""Models. Reading order: `model`, `sequential`, `network`, `summary`, `saving`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chainrule import registry
from chainrule.errors import DataError
from chainrule.layers import known_layers
from chainrule.models.model import Model
from chainrule.models.saving import load_model, save_model
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


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A new model, not compiled and with new weights, from what `model.to_json` wrote.

    Example:
        >>> import chainrule as cr
        >>> model_from_json(Sequential([cr.Input((2,)), cr.layers.Dense(3)]).to_json()).count_params()
        9
    """
    try:
        config = json.loads(json_string)
    except (TypeError, ValueError) as error:
        raise DataError("this is not JSON", where="model_from_json", got=str(error)) from None
    with registry.custom_object_scope(custom_objects):
        return registry.resolve("model", config, known_layers())


known_layers().update({"Sequential": Sequential, "Model": Model, "Functional": Model})

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
