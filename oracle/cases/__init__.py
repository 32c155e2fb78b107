"""The cases, a module a kind, each with `CASES`."""
