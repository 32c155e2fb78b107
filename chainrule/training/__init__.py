"""Training: `step` is what is compiled, `loop` runs it, `history` and `progress` tell of it."""
