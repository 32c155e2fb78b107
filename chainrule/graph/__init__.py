"""The graph: typed, pure operations on whole arrays.

Reading order: `types`, `shapes`, `tree`, `primitive`, `ir`, `variable`, `tracing`, `evaluate`, `verify`, `text`.
"""
