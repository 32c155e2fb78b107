"""The doctor: mistakes found before training.

Reading order:

    findings       what is found, as text and for a page
    structure      what the graph tells: activations, layers, the way to the loss
    examination    the facts, gathered once
    rehearsal      some steps tried with a copy of the optimizer
    rules          what is looked for
    doctor         the rules applied
"""
