"""Verification: a model's gradients and machine code, held against other ways to the same numbers.

Reading order:

    differences     slopes without the chain rule
    trial           one pass through the model, computed in several ways
    verification    what that says of each layer, as text and for a page
"""
