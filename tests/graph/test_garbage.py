"""Garbage is looked for again after tracing and compiling, if it was before."""

import gc

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.garbage import collection_paused


@pytest.mark.parametrize("collecting", [True, False])
def test_it_is_afterwards_as_it_was_before(collecting):
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        with pytest.raises(ZeroDivisionError), collection_paused():
            with collection_paused():
                assert not gc.isenabled()
            assert not gc.isenabled()
            _ = 1 / 0
        assert gc.isenabled() == collecting
        cr.jit(lambda x: x + 1)(np.float32([1, 2]))
        assert gc.isenabled() == collecting
    finally:
        (gc.enable if before else gc.disable)()
