"""Layers of normalization, noise and preprocessing, against Keras on JAX.

Normalizations: results in inference and in training, the weights that training changes, and the gradients, compiled.
Noise: what is certain against Keras, and the distribution against what its definition says, within six standard errors.
Lookups and hashes: against what Keras gave with TensorFlow (`text_layers.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import text_layers
import torch
from case import Case

import chainrule as cr

ROWS = 24
RANDOM = np.random.default_rng(3)


def data(*shape: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    """float32 numbers whose columns have means and deviations of their own."""
    random = np.random.default_rng(seed)
    center = mean + random.normal(size=shape[1:])
    return (center + random.uniform(0.5, 2.0, shape[1:]) * random.normal(size=shape)).astype("float32")


def ramp(shape: tuple[int, ...], place: int) -> np.ndarray:
    """Values for a weight, positive and all different."""
    return (0.5 + ((np.arange(math.prod(shape)) + place) * 0.618) % 1.0).reshape(shape).astype("float32")


def set_ramps(layer: Any) -> None:
    """Give each weight values of its own, of whole numbers zeros."""
    values = [np.asarray(value) for value in layer.get_weights()]
    layer.set_weights(
        [ramp(value.shape, place) if value.dtype.kind == "f" else value * 0 for place, value in enumerate(values)]
    )


def trained_like(x: np.ndarray) -> np.ndarray:
    """The cotangent of the results."""
    return ((np.arange(x.size) * 0.37) % 1.0 - 0.5).reshape(x.shape).astype("float32")


def options_of(layer: Any, training: bool, mask: np.ndarray | None) -> dict[str, Any]:
    """The options of a call; Keras's layers take none that they do not know."""
    if type(layer).__name__ != "BatchNormalization":
        return {}
    return {"training": training} | ({} if mask is None else {"mask": mask})


def ours_of(make: Callable[[Any], Any], x: np.ndarray, training: bool, mask: np.ndarray | None) -> list[Any]:
    """Result, gradients by input and weights, and the weights afterwards."""
    layer = make(cr)
    options = options_of(layer, training, mask)
    layer(x)
    set_ramps(layer)
    trainable = list(layer.trainable_variables)

    def loss(x: Any, weights: Any, cotangent: Any) -> Any:
        y = layer(x, **options)
        return cr.ops.sum(y * cotangent), y

    def step(x: Any, cotangent: Any) -> Any:
        (_, y), slopes = cr.value_and_grad(loss, argnums=(0, 1), has_aux=True)(x, trainable, cotangent)
        return y, slopes[0], slopes[1]

    y, by_input, by_weights = cr.jit(step)(x, trained_like(x))
    return [y, by_input, *by_weights, *(weight.numpy() for weight in layer.weights if weight.dtype.is_float)]


def theirs_of(make: Callable[[Any], Any], x: np.ndarray, training: bool, mask: np.ndarray | None) -> list[Any]:
    """The same by Keras."""
    layer = make(keras)
    options = options_of(layer, training, mask)
    layer(x)
    set_ramps(layer)
    trainable = [jnp.asarray(weight.value) for weight in layer.trainable_variables]
    others = [jnp.asarray(weight.value) for weight in layer.non_trainable_variables]
    cotangent = trained_like(x)

    def loss(x: Any, weights: Any) -> Any:
        y, after = layer.stateless_call(weights, others, x, **options)
        return (y * cotangent).sum(), (y, after)

    (_, (y, after)), slopes = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(jnp.asarray(x), trainable)
    values = {id(weight): value for weight, value in zip(layer.non_trainable_variables, after, strict=True)}
    values |= {id(weight): weight.value for weight in layer.trainable_variables}
    kept = [values[id(weight)] for weight in layer.weights if "float" in str(weight.dtype)]
    return [y, slopes[0], *slopes[1], *kept]


def normalized(
    name: str, x: np.ndarray, mask: np.ndarray | None = None, training: bool = True, **arguments: Any
) -> list[Case]:
    """A case in training and one in inference."""

    def make(package: Any) -> Any:
        return getattr(package.layers, name)(**arguments)

    def case(mode: bool) -> Case:
        what = ", ".join(f"{key}={value}" for key, value in arguments.items())
        return Case(
            name,
            lambda: ours_of(make, x, mode, mask),
            lambda: theirs_of(make, x, mode, mask),
            f"{'training' if mode else 'inference'}, {x.shape} {what}{' masked' if mask is not None else ''}",
        )

    return [case(True), case(False)] if training else [case(False)]


def off_center(name: str, axis: int) -> Case:
    """Far from zero Keras loses digits in float32; there the formula in float64 decides, by PyTorch's gradients."""
    x = data(ROWS, 6, mean=50.0)

    def theirs() -> list[Any]:
        given = [torch.tensor(part.astype("float64"), requires_grad=True) for part in (x, ramp((6,), 0), ramp((6,), 1))]
        values, gamma, beta = given
        rest = values - values.mean(axis, keepdim=True)
        y = rest / torch.sqrt((rest**2).mean(axis, keepdim=True) + 1e-3) * gamma + beta
        (y * torch.tensor(trained_like(x).astype("float64"))).sum().backward()
        return [y.detach().numpy(), *(part.grad.numpy() for part in given)]

    def ours() -> list[Any]:
        return ours_of(lambda package: getattr(package.layers, name)(), x, True, None)[:4]

    return Case(name, ours, theirs, "training, far from zero")


PLAIN = data(ROWS, 6)
DEEP = data(ROWS, 4, 6)
MASK = np.arange(ROWS) % 3 > 0
CLIPPING = {"rmin": 0.5, "rmax": 1.5, "dmax": 0.7}

NORMALIZATIONS = (
    *normalized("BatchNormalization", PLAIN),
    *normalized("BatchNormalization", DEEP, momentum=0.8, epsilon=1e-5),
    *normalized("BatchNormalization", DEEP, axis=1),
    *normalized("BatchNormalization", PLAIN, center=False),
    *normalized("BatchNormalization", PLAIN, scale=False),
    *normalized("BatchNormalization", PLAIN, center=False, scale=False),
    *normalized("BatchNormalization", PLAIN, trainable=False),
    *normalized("BatchNormalization", PLAIN, mask=MASK),
    *normalized("BatchNormalization", DEEP, mask=np.arange(ROWS * 4).reshape(ROWS, 4) % 3 > 0),
    *normalized("BatchNormalization", PLAIN, renorm=True),
    *normalized("BatchNormalization", PLAIN, renorm=True, renorm_clipping=CLIPPING, renorm_momentum=0.9),
    *normalized("BatchNormalization", PLAIN, renorm=True, center=False, scale=False),
    *normalized("LayerNormalization", PLAIN),
    *normalized("LayerNormalization", DEEP, axis=1),
    *normalized("LayerNormalization", DEEP, axis=[1, 2]),
    *normalized("LayerNormalization", PLAIN, center=False),
    *normalized("LayerNormalization", PLAIN, scale=False),
    *normalized("LayerNormalization", PLAIN, center=False, scale=False),
    *normalized("GroupNormalization", data(ROWS, 12), groups=3),
    *normalized("GroupNormalization", PLAIN, groups=1, epsilon=1e-5),
    *normalized("GroupNormalization", DEEP, groups=2),
    *normalized("GroupNormalization", DEEP, groups=-1),
    *normalized("GroupNormalization", DEEP, groups=2, axis=1),
    *normalized("GroupNormalization", DEEP, groups=3, center=False, scale=False),
    *normalized("RMSNormalization", PLAIN),
    *normalized("RMSNormalization", DEEP, epsilon=1e-3),
    *normalized("RMSNormalization", DEEP, axis=[1, 2]),
    off_center("BatchNormalization", 0),
    off_center("LayerNormalization", 1),
    *normalized("UnitNormalization", PLAIN),
    *normalized("UnitNormalization", DEEP, axis=1),
    *normalized("UnitNormalization", DEEP, axis=[1, 2]),
)


def spectral(package: Any, kernel: np.ndarray, iterations: int, calls: int, training: bool = True) -> list[Any]:
    """Results of calls in training one after the other, and kernel and vector afterwards."""
    inner = package.layers.Dense(kernel.shape[1])
    layer = package.layers.SpectralNormalization(inner, power_iterations=iterations)
    layer(PLAIN)
    inner.kernel.assign(kernel)
    layer.vector_u.assign(ramp((1, kernel.shape[1]), 1))
    results = []
    for _ in range(calls):
        if package is cr and training:
            results.append(cr.jit(lambda x: layer(x, training=True))(PLAIN))
        else:
            results.append(np.asarray(layer(PLAIN, training=training)))
    return [*results, np.asarray(inner.kernel), np.asarray(layer.vector_u)]


def spectral_case(what: str, kernel: np.ndarray, *arguments: Any) -> Case:
    return Case(
        "SpectralNormalization",
        lambda: spectral(cr, kernel, *arguments),
        lambda: spectral(keras, kernel, *arguments),
        what,
    )


KERNEL = data(6, 5, seed=4)
SPECTRAL = (
    spectral_case("one iteration, two calls", KERNEL, 1, 2),
    spectral_case("four iterations", KERNEL, 4, 1),
    spectral_case("a kernel of zeros", KERNEL * 0, 1, 2),
    spectral_case("inference", KERNEL, 1, 1, False),
)

# -- noise --------------------------------------------------------------------------------------------------------

SAMPLE = 400_000


def draw(package: Any, name: str, x: np.ndarray, *arguments: Any, **options: Any) -> np.ndarray:
    """What a layer gives in training; ours compiled."""
    layer = getattr(package.layers, name)(*arguments, seed=11, **options)
    if package is keras:
        return np.asarray(layer(x, training=True))
    return np.asarray(cr.jit(lambda x: layer(x, training=True))(x))


def in_inference(name: str, *arguments: Any) -> Case:
    """The identity, in ours and in theirs."""
    return Case(
        name,
        lambda: getattr(cr.layers, name)(*arguments)(PLAIN),
        lambda: np.asarray(getattr(keras.layers, name)(*arguments)(PLAIN)),
        "inference",
    )


def repeatable(name: str, *arguments: Any) -> Case:
    """Equal seeds, equal numbers; another draw, others."""

    def ours() -> list[Any]:
        first, second = (getattr(cr.layers, name)(*arguments, seed=5) for _ in range(2))
        one, other, next_one = (layer(PLAIN, training=True) for layer in (first, second, first))
        return [np.array_equal(one, other), np.array_equal(one, next_one)]

    return Case(name, ours, lambda: [True, False], "the seed decides")


def values_of(name: str, *arguments: Any, **options: Any) -> Case:
    """The different values that ones can become, which the rate alone decides."""
    x = np.ones((64, 16), "float32")

    def distinct(package: Any) -> np.ndarray:
        return np.unique(draw(package, name, x, *arguments, **options))

    return Case(name, lambda: distinct(cr), lambda: distinct(keras), f"values, {arguments} {options}")


def moments(name: str, mean: float, deviation: float, x: np.ndarray, *arguments: Any) -> Case:
    """Mean and deviation of what `x` becomes, which may be off by six standard errors.

    The standard error of a mean is ``deviation / sqrt(n)``, that of a deviation
    ``deviation * sqrt((kurtosis - 1) / (4 * n))``; the kurtosis is below 9 for all that is drawn here.
    """

    def ours() -> list[int]:
        y = draw(cr, name, x, *arguments).astype("float64")
        error = deviation / math.sqrt(y.size)
        return [int(abs(y.mean() - mean) / error / 6), int(abs(y.std() - deviation) / (math.sqrt(2) * error) / 6)]

    return Case(name, ours, lambda: [0, 0], f"distribution, {arguments}")


def shared(name: str, *arguments: Any) -> Case:
    """With noise_shape all elements along an axis of size 1 meet the same draw."""

    def ours() -> list[Any]:
        x = np.ones((500, 4, 8), "float32")
        y = draw(cr, name, x, *arguments, noise_shape=(None, 1, 8))
        return [np.ptp(y, axis=1).max(), len(np.unique(y[:, 0]))]

    return Case(name, ours, lambda: [0, 2], "noise_shape")


ONES = np.ones((SAMPLE // 100, 100), "float32")
NORMAL = np.random.default_rng(1).normal(size=(SAMPLE // 100, 100)).astype("float32")
NORMAL = ((NORMAL - NORMAL.mean()) / NORMAL.std()).astype("float32")

NOISE = (
    *(in_inference(name, 0.3) for name in ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")),
    *(repeatable(name, 0.3) for name in ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise")),
    *(values_of("Dropout", rate) for rate in (0.0, 0.25, 0.5, 1.0)),
    *(values_of("AlphaDropout", rate) for rate in (0.0, 0.25, 0.5)),
    *(moments("Dropout", 1.0, math.sqrt(rate / (1 - rate)), ONES, rate) for rate in (0.1, 0.5, 0.75)),
    *(moments("AlphaDropout", 0.0, 1.0, NORMAL, rate) for rate in (0.1, 0.5)),
    *(moments("GaussianDropout", 1.0, math.sqrt(rate / (1 - rate)), ONES, rate) for rate in (0.1, 0.5)),
    *(moments("GaussianNoise", 1.0, deviation, ONES, deviation) for deviation in (0.1, 1.0)),
    shared("Dropout", 0.5),
    shared("AlphaDropout", 0.5),
)

# -- preprocessing ------------------------------------------------------------------------------------------------


def learn_without_tensorflow(layer: Any, data: Any) -> None:
    """What Keras's `adapt` does, which asks for TensorFlow where it would not need it."""
    batches = data if isinstance(data, list) else [data]
    if not hasattr(layer, "update_state"):
        layer.adapt(np.concatenate(batches))
        return
    layer.reset_state()
    for batch in batches:
        layer.update_state(batch)
    layer.finalize_state()


def prepared(name: str, x: Any, learn_from: Any = None, call: dict[str, Any] | None = None, **arguments: Any) -> Case:
    """A layer called on data, after `adapt`; ours compiled."""

    def ours() -> Any:
        layer = getattr(cr.layers, name)(**arguments)
        if learn_from is not None:
            layer.adapt(learn_from)
        layer(x, **(call or {}))
        return cr.jit(lambda x: layer(x, **(call or {})))(x)

    def theirs() -> Any:
        layer = getattr(keras.layers, name)(**arguments)
        if learn_from is not None:
            learn_without_tensorflow(layer, learn_from)
        elif name == "Normalization":
            layer.build(x.shape)
        return np.asarray(layer(x, **(call or {})))

    what = ", ".join(f"{key}={value}" for key, value in arguments.items())
    return Case(name, ours, theirs, f"{what}{' adapted' if learn_from is not None else ''}")


BATCHES = [DEEP[:10], DEEP[10:13], DEEP[13:]]
BOUNDARIES = [-1.0, 0.0, 0.5, 2.0]
MANY = data(5000, 2, seed=6)
CATEGORIES = RANDOM.integers(0, 5, (ROWS, 3)).astype("int32")
OUTPUTS = ("int", "one_hot", "multi_hot", "count")

PREPROCESSING = (
    prepared("Normalization", PLAIN, PLAIN),
    prepared("Normalization", DEEP, DEEP),
    prepared("Normalization", DEEP, BATCHES),
    prepared("Normalization", DEEP, DEEP, axis=1),
    prepared("Normalization", DEEP, DEEP, axis=(1, 2)),
    prepared("Normalization", DEEP, DEEP, axis=None),
    prepared("Normalization", PLAIN, PLAIN, invert=True),
    prepared("Normalization", PLAIN, mean=2.0, variance=9.0),
    prepared("Normalization", PLAIN, mean=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], variance=[1.0, 2.0, 3.0, 4.0, 5.0, 0.0]),
    prepared("Normalization", PLAIN, mean=2.0, variance=9.0, invert=True),
    prepared("Rescaling", PLAIN, scale=1 / 255),
    prepared("Rescaling", PLAIN, scale=2.0, offset=-1.0),
    prepared("Rescaling", (PLAIN * 20 + 128).astype("uint8"), scale=1 / 127.5, offset=-1.0),
    *(prepared("Discretization", PLAIN, bin_boundaries=BOUNDARIES, output_mode=mode) for mode in OUTPUTS),
    prepared("Discretization", np.array([[-1.0, 0.5], [np.nan, 9.0]], "float32"), bin_boundaries=BOUNDARIES),
    *(prepared("Discretization", PLAIN, MANY, num_bins=bins, epsilon=0.01) for bins in (2, 5, 30)),
    prepared("Discretization", PLAIN, [MANY[:800], MANY[800:]], num_bins=7, epsilon=0.05),
    prepared("Discretization", PLAIN, MANY[:20], num_bins=4),
    *(prepared("CategoryEncoding", CATEGORIES, num_tokens=6, output_mode=mode) for mode in OUTPUTS[1:]),
    prepared("CategoryEncoding", CATEGORIES[:, :1], num_tokens=6, output_mode="one_hot"),
    prepared("CategoryEncoding", CATEGORIES[:, 0], num_tokens=6, output_mode="one_hot"),
    prepared("CategoryEncoding", CATEGORIES[:, 0], num_tokens=6, output_mode="count"),
    prepared(
        "CategoryEncoding",
        CATEGORIES,
        call={"count_weights": ramp(CATEGORIES.shape, 0)},
        num_tokens=6,
        output_mode="count",
    ),
)


def boundaries(package: Any) -> np.ndarray:
    layer = package.layers.Discretization(num_bins=11, epsilon=0.002)
    if package is cr:
        layer.adapt(MANY)
    else:
        learn_without_tensorflow(layer, MANY)
    return np.asarray(layer.bin_boundaries)


LEARNED = (Case("Discretization", lambda: boundaries(cr), lambda: boundaries(keras), "boundaries"),)


def text_case(setup: text_layers.Setup, expected: Any) -> Case:
    """Result of a lookup or hash as JSON holds it; the vocabulary must be equal."""

    def ours() -> Any:
        result, vocabulary = setup.compute(cr.layers)
        if vocabulary != expected[1]:
            raise ValueError(f"the vocabulary is {vocabulary}, theirs is {expected[1]}")
        return number_texts(result)

    return Case(setup.name, ours, lambda: number_texts(expected[0]), str(setup))


def number_texts(result: Any) -> Any:
    """Strings by their characters, since cases compare numbers."""
    array = np.asarray(result)
    if array.dtype.kind != "U":
        return array
    wide = array.astype("U16")
    return wide.view(np.uint32).reshape(*wide.shape, 16)


def traced_lookup(setup: text_layers.Setup, expected: Any) -> Case:
    """An integer lookup as a part of a compiled function."""

    def ours() -> Any:
        layer = cr.layers.IntegerLookup(**setup.arguments)
        return cr.jit(lambda x: layer(x))(np.array(setup.inputs))

    return Case(setup.name, ours, lambda: np.asarray(expected[0]), f"compiled, {setup}")


PAIRS = tuple(zip(text_layers.SETUPS, text_layers.results(), strict=True))
TEXTS = (
    *(text_case(setup, expected) for setup, expected in PAIRS),
    *(
        traced_lookup(setup, expected)
        for setup, expected in PAIRS
        if setup.name == "IntegerLookup" and setup.data is None and setup.arguments.get("oov_method") != "farmhash"
    ),
)

CASES = (*NORMALIZATIONS, *SPECTRAL, *NOISE, *PREPROCESSING, *LEARNED, *TEXTS)
