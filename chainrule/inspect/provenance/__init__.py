"""Provenance: where the first NaN or infinity of a training came from.

Reading order:

    tracking      from what is not finite at a step's end back to where that began
    faults        the operation there, with its operands, layer and rows
    remedies      what to do about it
    provenance    all that is told of it, as text
    blame         the way from a loss that is no number to the step and the operation
"""
