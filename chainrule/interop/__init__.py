"""Formats of others: `safetensors`."""
