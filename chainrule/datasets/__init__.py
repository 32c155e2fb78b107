"""Data sets that come with the package, under Keras's names: ``cr.datasets.mnist.load_data()``."""

from chainrule.datasets import mnist as mnist

__all__ = ["mnist"]
