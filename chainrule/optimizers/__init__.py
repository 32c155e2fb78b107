"""Optimizers, with Keras's names, defaults and numbers, and those of PyTorch and Optax that Keras lacks.

A new weight is an elementwise formula of the weight, its gradient, its moments and scalars that all share;
the compiler puts it behind the matrix product that makes the gradient.

Reading order: `optimizer` (what all share, and one step) with `gradients` and `table`; `sgd`, `adam` and
`adam_relatives`, `adaptive`, `sign`, `layerwise`, `matrix`, `self_tuning`; around others `wrapper`, `averaging`,
`sharpness`; `lbfgs` and its `line_search`; `schedules`.
"""

from chainrule.optimizers import schedules
from chainrule.optimizers.adam import Adam, Adamax, AdamW, Nadam
from chainrule.optimizers.adam_relatives import AdaBelief, Adan, NAdamW, RAdam
from chainrule.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from chainrule.optimizers.averaging import Lookahead, ScheduleFree, StochasticWeightAverage
from chainrule.optimizers.layerwise import LARS, Lamb
from chainrule.optimizers.lbfgs import LBFGS
from chainrule.optimizers.matrix import Adafactor, Muon
from chainrule.optimizers.optimizer import Optimizer
from chainrule.optimizers.self_tuning import Prodigy, ScheduleFreeAdamW
from chainrule.optimizers.sgd import SGD
from chainrule.optimizers.sharpness import SAM
from chainrule.optimizers.sign import Lion, Rprop
from chainrule.optimizers.table import CLASSES, deserialize, get, serialize

CLASSES.update(
    {
        "SGD": SGD,
        "sgd": SGD,
        "RMSprop": RMSprop,
        "rmsprop": RMSprop,
        "Adam": Adam,
        "adam": Adam,
        "AdamW": AdamW,
        "adamw": AdamW,
        "Adadelta": Adadelta,
        "adadelta": Adadelta,
        "Adagrad": Adagrad,
        "adagrad": Adagrad,
        "Adamax": Adamax,
        "adamax": Adamax,
        "Nadam": Nadam,
        "nadam": Nadam,
        "Ftrl": Ftrl,
        "ftrl": Ftrl,
        "Adafactor": Adafactor,
        "adafactor": Adafactor,
        "Lamb": Lamb,
        "lamb": Lamb,
        "Lion": Lion,
        "lion": Lion,
        "Muon": Muon,
        "muon": Muon,
        "ScheduleFreeAdamW": ScheduleFreeAdamW,
        "schedulefreeadamw": ScheduleFreeAdamW,
        "schedule_free_adamw": ScheduleFreeAdamW,
        "NAdamW": NAdamW,
        "nadamw": NAdamW,
        "RAdam": RAdam,
        "radam": RAdam,
        "AdaBelief": AdaBelief,
        "adabelief": AdaBelief,
        "Adan": Adan,
        "adan": Adan,
        "Rprop": Rprop,
        "rprop": Rprop,
        "LARS": LARS,
        "lars": LARS,
        "Prodigy": Prodigy,
        "prodigy": Prodigy,
        "LBFGS": LBFGS,
        "lbfgs": LBFGS,
        "SAM": SAM,
        "sam": SAM,
        "Lookahead": Lookahead,
        "lookahead": Lookahead,
        "ScheduleFree": ScheduleFree,
        "schedule_free": ScheduleFree,
        "StochasticWeightAverage": StochasticWeightAverage,
        "stochastic_weight_average": StochasticWeightAverage,
    }
)

__all__ = [
    "CLASSES",
    "LARS",
    "LBFGS",
    "SAM",
    "SGD",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Ftrl",
    "Lamb",
    "Lion",
    "Lookahead",
    "Muon",
    "NAdamW",
    "Nadam",
    "Optimizer",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScheduleFree",
    "ScheduleFreeAdamW",
    "StochasticWeightAverage",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]
