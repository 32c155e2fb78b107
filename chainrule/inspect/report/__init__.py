"""The report: one page that tells it all.

Reading order: `quality` (how good, and how sure of it) → `sections` (a function each) → `report`.
"""
