"""Small things for users: the seed of everything random."""

from chainrule.seeds import set_random_seed

__all__ = ["set_random_seed"]
