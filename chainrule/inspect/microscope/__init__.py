"""The microscope: what each layer knows.

Reading order:

    measures      numbers of arrays: likeness, rank, dead and saturated units
    targets       what a probe reads
    probes        what a linear model tells of a layer
    reports       all that is measured of one layer
    microscope    of all layers, once or by epoch; as text and for a page by `tables`
"""
