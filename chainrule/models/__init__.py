"""Models: `sequential`, `summary`, `saving`."""

from chainrule.models.saving import load_model
from chainrule.models.sequential import Sequential

__all__ = ["Sequential", "load_model"]
