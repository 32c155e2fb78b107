"""What can be measured of a representation: a layer's activations for some rows, each row a point.

In: arrays, a row each; what has more than two dimensions is made flat, row by row. Out: numbers and arrays. Everything
is computed in float64, and a matrix with more features than rows through its Gram matrix, so that wide layers stay
cheap. Nothing here knows of models; `microscope.py` says which arrays are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError

_BINS = 40
_LARGE, _BESIDE, _ROUNDS, _STILL = 300, 14, 30, 1e-9  # when eigenvectors are iterated, and until when
_NEAR, _FAR = 1e3, 1e4  # where an activation with bounds must have come to rest
_CLOSE = 0.01  # how near a bound is at it, as a part of the way between the bounds
_MOSTLY = 0.95


def as_matrix(values: Any) -> np.ndarray:
    """A row of float64 numbers for each row of the array."""
    array = np.asarray(values)
    return array.reshape(len(array), -1).astype(np.float64)


def centre(values: Any) -> np.ndarray:
    """The matrix with the mean of each column taken away."""
    matrix = as_matrix(values)
    return matrix - matrix.mean(axis=0)


# -- how alike, how many directions, how far apart ----------------------------------------------------------------


def linear_cka(x: Any, y: Any) -> float:
    """How alike two representations of the same rows are: linear centred kernel alignment.

    ``‖Yᵀ·X‖² / (‖Xᵀ·X‖ ‖Yᵀ·Y‖)`` with Frobenius norms and centred columns: 1 where one is the other turned, scaled and
    moved, 0 where no feature of one goes with any feature of the other. NaN where one is the same for every row.

    Args:
        x, y: (rows, …); their features may differ in number.

    Example:
        >>> x = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]])
        >>> round(linear_cka(x, -3 * x[:, ::-1] + 7), 12)
        1.0

    Source: Kornblith et al., "Similarity of neural network representations revisited", 2019.
    """
    return float(cka_matrix([x, y])[0, 1])


def cka_matrix(representations: Sequence[Any]) -> np.ndarray:
    """`linear_cka` of each with each, (count, count)."""
    kernels = [Kernel.of(representation) for representation in representations]
    count = len(kernels)
    found = np.ones((count, count))
    sizes = [kernel.overlap(kernel) for kernel in kernels]
    for row in range(count):
        for column in range(row + 1):
            scale = np.sqrt(sizes[row]) * np.sqrt(sizes[column])
            alike = kernels[row].overlap(kernels[column]) / scale if scale > 0 else np.nan
            found[row, column] = found[column, row] = 1.0 if row == column and scale > 0 else alike
    return found


@dataclass(frozen=True, eq=False)
class Kernel:
    """A centred representation X, in the smaller of two forms.

    Args:
        features: X, (rows, features), where it has no more features than rows.
        gram: X·Xᵀ, (rows, rows), where it has.
    """

    features: np.ndarray | None
    gram: np.ndarray | None

    @classmethod
    def of(cls, representation: Any) -> Kernel:
        centred = centre(representation)
        wide = centred.shape[1] > centred.shape[0]
        return cls(None, centred @ centred.T) if wide else cls(centred, None)

    def overlap(self, other: Kernel) -> float:
        """``‖Yᵀ·X‖²``, which is the sum over all pairs of rows of ``(X·Xᵀ) ⊙ (Y·Yᵀ)``."""
        if self.features is not None and other.features is not None:
            return float(np.sum((self.features.T @ other.features) ** 2))
        if self.gram is not None and other.gram is not None:
            return float(np.sum(self.gram * other.gram))
        narrow, gram = (self.features, other.gram) if self.gram is None else (other.features, self.gram)
        assert narrow is not None and gram is not None
        return float(np.sum((gram @ narrow) * narrow))


def effective_rank(matrix: Any) -> float:
    """How many directions a matrix makes use of: e to the entropy of its singular values, divided by their sum.

    n equal singular values give n; one that dwarfs the others gives little more than 1; a matrix of zeros gives 0.

    Args:
        matrix: (rows, …), taken as it is: centre it first where the mean is not to count as a direction.

    Example:
        >>> round(effective_rank(np.eye(5)), 12), round(effective_rank(np.ones((4, 3))), 12)
        (5.0, 1.0)

    Source: Roy and Vetterli, "The effective rank: a measure of effective dimensionality", 2007.
    """
    values = np.sqrt(squared_singular_values(as_matrix(matrix)))
    if values.size == 0:
        return 0.0
    shares = values / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def smaller_square(matrix: np.ndarray) -> np.ndarray:
    """X·Xᵀ or Xᵀ·X, whichever is smaller; their eigenvalues are the squares of X's singular values."""
    return matrix @ matrix.T if matrix.shape[1] > matrix.shape[0] else matrix.T @ matrix


def above_rounding(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Which eigenvalues of a matrix's square are not zero but for rounding."""
    limit = max(float(values.max(initial=0.0)), 0.0) * max(matrix.shape) * np.finfo(np.float64).eps
    return np.asarray(values > limit)


def squared_singular_values(matrix: np.ndarray) -> np.ndarray:
    """Those that are not zero but for rounding, in rising order."""
    values = np.linalg.eigvalsh(smaller_square(matrix))
    return np.asarray(values[above_rounding(values, matrix)])


def decompose(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The squares of a matrix's singular values that are not zero, in rising order, and its left singular vectors."""
    values, vectors = np.linalg.eigh(smaller_square(matrix))
    kept = above_rounding(values, matrix)
    values, vectors = values[kept], vectors[:, kept]
    if matrix.shape[1] <= matrix.shape[0]:
        vectors = matrix @ vectors / np.sqrt(values)
    return values, vectors


def leading_eigenvectors(square: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` largest eigenvalues of a positive semidefinite matrix, the largest first, and their vectors.

    A large matrix is not decomposed as a whole, which would take seconds: a block of vectors is multiplied by it and
    made orthogonal until the first ones no longer turn (subspace iteration).

    Source: Rutishauser, "Simultaneous iteration method for symmetric matrices", 1970.
    """
    size = len(square)
    if size > _LARGE:
        block = np.random.default_rng(0).standard_normal((size, count + _BESIDE))
        for _ in range(_ROUNDS):
            block, _ = np.linalg.qr(square @ block)
            product = square @ block
            values, turn = np.linalg.eigh(block.T @ product)
            block, product = block @ turn, product @ turn
            missed = np.linalg.norm(product[:, -count:] - block[:, -count:] * values[-count:])
            if missed <= _STILL * values[-1]:
                return values[::-1][:count], block[:, ::-1][:, :count]
    values, vectors = np.linalg.eigh(square)
    return values[::-1][:count], vectors[:, ::-1][:, :count]


def principal_components(representation: Any, count: int = 2) -> np.ndarray:
    """The rows in the plane, or the space, in which they lie farthest apart: (rows, count).

    Column k holds the coordinates along the principal direction k; the one farthest from zero is positive. Where there
    are fewer directions than `count`, the last columns are zero.

    Example:
        >>> principal_components(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])).round(6) + 0.0
        array([[ 5.,  0.],
               [ 0.,  0.],
               [-5.,  0.]])

    Source: Pearson, "On lines and planes of closest fit to systems of points in space", 1901.
    """
    centred = centre(representation)
    values, vectors = leading_eigenvectors(smaller_square(centred), count)
    kept = above_rounding(values, centred)
    values, vectors = values[kept], vectors[:, kept]
    places = centred @ vectors if len(vectors) == centred.shape[1] else vectors * np.sqrt(values)
    if places.shape[1]:
        farthest = places[np.argmax(np.abs(places), axis=0), np.arange(places.shape[1])]
        places = places * np.where(farthest < 0, -1.0, 1.0)
    return np.pad(places, ((0, 0), (0, count - places.shape[1])))


def class_separation(representation: Any, labels: Any) -> float:
    """The part of the variance that lies between the classes: ``trace(S_B) / trace(S_T)``, from 0 to 1.

    S_T is the scatter of the rows around their mean, S_B that of their classes' means, each counted once a row. 1 where
    every class is one point; NaN where all rows are the same.

    Args:
        representation: (rows, …).
        labels: (rows,) whole numbers.

    Example:
        >>> class_separation(np.array([[0.0], [2.0], [4.0], [6.0]]), [0, 0, 1, 1])
        0.8

    Source: Fisher, "The use of multiple measurements in taxonomic problems", 1936.
    """
    centred, labels = centre(representation), np.asarray(labels)
    total = float(np.sum(centred**2))
    between = 0.0
    for label in np.unique(labels):
        rows = centred[labels == label]
        between += len(rows) * float(np.sum(rows.mean(axis=0) ** 2))
    return between / total if total > 0 else float("nan")


# -- units --------------------------------------------------------------------------------------------------------


def as_units(activations: Any) -> np.ndarray:
    """The values of each unit, which are along the last axis: (rows and places, units)."""
    array = np.asarray(activations)
    return array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1)


def dead_units(activations: Any) -> np.ndarray:
    """Whether a unit gives the same number for every row, as a relu does that is always off: (units,) of bool.

    Example:
        >>> dead_units(np.array([[0.0, 1.0], [0.0, 2.0]]))
        array([ True, False])
    """
    units = as_units(activations)
    return np.asarray(units.max(axis=0) == units.min(axis=0))


def saturated_units(activations: Any, low: float, high: float) -> np.ndarray:
    """Whether a unit is at a bound of its activation for nearly every row: (units,) of bool.

    At a bound is what is at most 1 % of ``high - low`` away from it; nearly every row are 95 % of them.

    Args:
        activations: (rows, …, units).
        low, high: the bounds, as `find_bounds` gives them.
    """
    units = as_units(activations)
    near = _CLOSE * (high - low)
    at_bound = (units <= low + near) | (units >= high - near)
    return np.asarray(at_bound.mean(axis=0) >= _MOSTLY)


def find_bounds(function: Callable[[Any], Any], shape: tuple[int, ...]) -> tuple[float, float] | None:
    """Between which two numbers an activation stays, found by asking it far away from zero; None where it has no such
    bounds on both sides, or looks at a whole axis, as softmax does.

    Args:
        function: of an array.
        shape: of a sample that it takes.

    Example:
        >>> find_bounds(np.tanh, (3,)), find_bounds(lambda x: np.maximum(x, 0), (3,))
        ((-1.0, 1.0), None)
    """
    try:
        with np.errstate(all="ignore"):
            below, low, high, above = (
                float(np.mean(function(np.full((1, *shape), at, np.float32)))) for at in (-_FAR, -_NEAR, _NEAR, _FAR)
            )
    except ChainruleError:  # it takes another shape than it gives, as glu does
        return None
    moved = max(abs(above - high), abs(below - low))
    bounded = np.isfinite([below, above]).all() and below < above and moved <= _CLOSE * (above - below)
    return (below, above) if bounded else None


# -- how the values lie -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often values fall between two neighbouring edges.

    Args:
        counts: (bins,).
        edges: (bins + 1,), evenly spaced from the least value to the largest.
    """

    counts: np.ndarray
    edges: np.ndarray


def make_histogram(values: Any, bins: int = _BINS) -> Histogram:
    """The histogram of all values that are finite.

    Example:
        >>> make_histogram([0.0, 1.0, 1.0, 2.0], bins=2).counts
        array([1, 3])
    """
    array = np.asarray(values).reshape(-1)
    finite = array[np.isfinite(array)].astype(np.float64)
    return Histogram(*np.histogram(finite, bins))


__all__ = [
    "as_matrix",
    "centre",
    "Histogram",
    "Kernel",
    "cka_matrix",
    "class_separation",
    "dead_units",
    "decompose",
    "effective_rank",
    "find_bounds",
    "linear_cka",
    "make_histogram",
    "principal_components",
    "saturated_units",
]
