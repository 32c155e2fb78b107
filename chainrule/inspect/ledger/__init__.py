"""The ledger: the chain rule, shown.

Reading order:

    formulas     a primitive's notation with names in it
    arguments    the names that a function's arguments go by
    entries      operations with their numbers, from one recorded pass
    ledger       all of them: a table (`text`), a page (`html`, `mathml`); down to `neuron` and `kernels`
    chain        f(g(x)) on one page
"""
