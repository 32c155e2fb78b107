"""chainrule with the products' factors in bfloat16; sums, weights and everything else stay float32."""

from __future__ import annotations

from collections.abc import Callable

from workloads import Workload

import chainrule as cr
from frameworks import ours


def trainer(workload: Workload) -> Callable[[int], list[float]]:
    """What trains so many epochs and gives their losses."""
    cr.config.set_dtype_policy("mixed_bfloat16")
    return ours.trainer(workload)
