"""Formats: `safetensors` holds arrays, `archive` is written whole or not at all, `events` is what TensorBoard reads."""
