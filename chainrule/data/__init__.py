"""Data on its way to a model: the files that it lies in.

`idx` reads the format in which MNIST is published; `mnist/` holds the files themselves, with their source and licence.
The data sets by name are in `chainrule.datasets`.
"""
