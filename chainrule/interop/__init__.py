"""Formats: `safetensors` (arrays), `archive` (files of members, written whole or not at all), `events` (TensorBoard)."""
