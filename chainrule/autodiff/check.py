"""A numeric check of gradients: the chain rule against differences, to second order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.autodiff.reverse import grad
from chainrule.errors import ChainruleError
from chainrule.ops import multiply, sum


def check_gradients(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    order: int = 2,
    step: float = 1e-4,
    tolerance: float = 1e-4,
    seed: int = 0,
) -> None:
    """Compare the gradient of ``sum(weights * function(...))`` with central differences, in float64.

    The slope along a random direction v is ``(f(x + h v) - f(x - h v)) / 2h``; it must equal the gradient's product
    with v. At order 2 the gradient itself is checked in the same way.

    Args:
        function: of arrays, returning one array.
        arguments: where to check; floats are differentiated by, everything else stays as it is.
        order: 1, or 2 for the gradient of the gradient too.
        step: h.
        tolerance: relative, on the slope.

    Raises:
        ChainruleError: where they differ, with both numbers.

    Example:
        >>> check_gradients(lambda x: x * x, [np.array([1.0, 2.0])])
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    points = [np.asarray(argument) for argument in arguments]
    points = [point.astype("float64") if point.dtype.kind == "f" else point for point in points]
    places = [place for place, point in enumerate(points) if point.dtype.kind == "f"]
    result = np.asarray(function(*points))
    weights = generator.uniform(0.5, 1.5, result.shape)

    def weighted(*inputs: Any) -> Any:
        return sum(multiply(function(*inputs), weights))

    _check_slope(weighted, points, places, step, tolerance, generator, "the first derivative")
    if order >= 2 and places:
        directions = {place: generator.uniform(-1, 1, points[place].shape) for place in places}

        def slope(*inputs: Any) -> Any:
            gradients = grad(weighted, argnums=places)(*inputs)
            total: Any = 0.0
            for place, gradient in zip(places, gradients, strict=True):
                total = total + sum(multiply(gradient, directions[place]))
            return total

        _check_slope(slope, points, places, step, tolerance, generator, "the second derivative")


def _check_slope(
    function: Callable[..., Any],
    points: list[np.ndarray],
    places: list[int],
    step: float,
    tolerance: float,
    generator: np.random.Generator,
    name: str,
) -> None:
    if not places:
        return
    gradients = grad(function, argnums=places)(*points)
    directions = {place: generator.uniform(-1, 1, points[place].shape) for place in places}

    def moved(amount: float) -> float:
        shifted = [
            point + amount * directions[place] if place in directions else point for place, point in enumerate(points)
        ]
        return float(np.asarray(function(*shifted)))

    numeric = (moved(step) - moved(-step)) / (2 * step)
    exact = float(
        np.sum([np.sum(gradient * directions[place]) for place, gradient in zip(places, gradients, strict=True)])
    )
    if not abs(numeric - exact) <= tolerance * max(1.0, abs(numeric), abs(exact)):
        raise ChainruleError(
            f"{name} is wrong", where="check_gradients", expected=f"{numeric!r} by differences", got=repr(exact)
        )
