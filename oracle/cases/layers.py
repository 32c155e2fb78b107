"""Layers against Keras: all cases."""

from __future__ import annotations

from cases import layers_core, layers_normalization

CASES = [*layers_core.CASES, *layers_normalization.CASES]
