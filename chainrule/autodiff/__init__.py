"""The chain rule: `reverse` applies it, `check` compares it with differences."""
