"""Einstein's summation against NumPy's, its gradient, and what it refuses."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.autodiff.check import check_gradients
from chainrule.errors import ChainruleError

CASES = [
    ("ij,jk->ik", (3, 4), (4, 5)),
    ("ij,kj->ki", (3, 4), (5, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("ibj,bkj->kbi", (3, 2, 4), (2, 5, 4)),
    ("...i,ij->...j", (2, 3, 4), (4, 5)),
    ("i,j->ji", (3,), (4,)),
    ("i,i->", (3,), (3,)),
    ("ijk,k->j", (2, 3, 4), (4,)),
    ("ij,kl->i", (2, 3), (4, 5)),
    ("ij->ji", (2, 3)),
    ("i...j->...j", (2, 3, 4)),
    ("ij->", (2, 3)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_it_is_that_of_numpy(case):
    arrays = [np.random.default_rng(place).normal(0, 1, shape) for place, shape in enumerate(case[1:])]

    def function(*given):
        return cr.ops.einsum(case[0], *given)

    wanted = np.einsum(case[0], *arrays)
    np.testing.assert_allclose(function(*arrays), wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(cr.jit(function)(*arrays), wanted, rtol=1e-12, atol=1e-12)
    check_gradients(function, arrays)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk", [(2, 3), (3, 4)], "subscripts do not fit"),
        ("ij->i", [(2, 3), (3, 4)], "subscripts do not fit"),
        ("ij->i", [(2, 3, 4)], "one letter an axis"),
        ("ii->i", [(3, 3)], "one letter an axis"),
        ("ij->k", [(2, 3)], "letters of the operands"),
        ("ij,jk->ik", [(2, 3), (4, 5)], "has two sizes"),
    ],
)
def test_refusals(subscripts, shapes, message):
    with pytest.raises(ChainruleError, match=message):
        cr.ops.einsum(subscripts, *(np.zeros(shape, "float32") for shape in shapes))
