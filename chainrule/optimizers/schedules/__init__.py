"""Learning-rate schedules: functions of the number of steps done, traced into the compiled step.

Reading order: `schedule` (what all are), `decays`, `cosines`, `cycles`.

Example:
    >>> rate = WarmUp(CosineDecay(0.1, 900), 100)
    >>> [round(float(rate(step)), 3) for step in (0, 50, 100, 550, 1000)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
"""

from chainrule.optimizers.schedules.cosines import (
    CosineDecay,
    CosineDecayRestarts,
    CosineWarmRestarts,
    CosLog4,
    FlatCos,
)
from chainrule.optimizers.schedules.cycles import Cyclic, OneCycle, WarmUp
from chainrule.optimizers.schedules.decays import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from chainrule.optimizers.schedules.schedule import CLASSES, LearningRateSchedule, deserialize, get, serialize

CLASSES.update(
    {
        "ExponentialDecay": ExponentialDecay,
        "exponential_decay": ExponentialDecay,
        "InverseTimeDecay": InverseTimeDecay,
        "inverse_time_decay": InverseTimeDecay,
        "PiecewiseConstantDecay": PiecewiseConstantDecay,
        "piecewise_constant_decay": PiecewiseConstantDecay,
        "PolynomialDecay": PolynomialDecay,
        "polynomial_decay": PolynomialDecay,
        "CosineDecay": CosineDecay,
        "cosine_decay": CosineDecay,
        "CosineDecayRestarts": CosineDecayRestarts,
        "cosine_decay_restarts": CosineDecayRestarts,
        "CosineWarmRestarts": CosineWarmRestarts,
        "cosine_warm_restarts": CosineWarmRestarts,
        "CosLog4": CosLog4,
        "coslog4": CosLog4,
        "FlatCos": FlatCos,
        "flat_cos": FlatCos,
        "OneCycle": OneCycle,
        "one_cycle": OneCycle,
        "Cyclic": Cyclic,
        "cyclic": Cyclic,
        "WarmUp": WarmUp,
        "warm_up": WarmUp,
    }
)

__all__ = [
    "CLASSES",
    "CosLog4",
    "CosineDecay",
    "CosineDecayRestarts",
    "CosineWarmRestarts",
    "Cyclic",
    "ExponentialDecay",
    "FlatCos",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "WarmUp",
    "deserialize",
    "get",
    "serialize",
]
