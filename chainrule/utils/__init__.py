"""Small things for users: the seed of everything random, a drawing of a network, data sets of batches."""

from chainrule.seeds import set_random_seed
from chainrule.utils.dataset import PyDataset
from chainrule.utils.drawing import plot_model

__all__ = ["PyDataset", "plot_model", "set_random_seed"]
