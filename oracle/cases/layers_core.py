"""Layers with equal weights and inputs, against Keras: results, masks, penalties, gradients by inputs and weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import torch
from case import Case

import chainrule as cr
from chainrule.layers import symbolic
from chainrule.layers.layer import collect_penalties

GENERATOR = np.random.Generator(np.random.Philox(key=21))


def normal(*shape: int) -> np.ndarray:
    return GENERATOR.normal(0, 1, shape).astype("float32")


def probe(shape: tuple[int, ...]) -> np.ndarray:
    """Weights that make a number of a result, so that its gradient tells all elements apart."""
    return np.cos(np.arange(int(np.prod(shape)), dtype="float32")).reshape(shape)


ROWS = normal(6, 8)
STEPS = normal(4, 5, 6)
CUBE = normal(3, 2, 4, 6)
NUMBERS = GENERATOR.integers(0, 9, (4, 5)).astype("int32")


class Pair:
    """A layer of each package with the same weights.

    Args:
        name: of the class in both.
        x: an array, or a list of arrays.
        options: of both constructors; a string that starts with ``keras.`` in `theirs` replaces one for Keras.
    """

    def __init__(self, name: str, x: Any, options: dict[str, Any], theirs: dict[str, Any] | None = None):
        self.x = x
        self.ours = getattr(cr.layers, name)(**options)
        self.theirs = getattr(keras.layers, name)(**(options if theirs is None else theirs))
        self.ours(x)
        self.theirs(x)
        generator = np.random.Generator(np.random.Philox(key=5))
        values = [generator.normal(0, 0.7, weight.shape).astype("float32") for weight in self.ours.weights]
        self.ours.set_weights(values)
        self.theirs.set_weights(values)

    @property
    def by_input(self) -> bool:
        """Whether the input is of floats, so that there is a gradient by it."""
        leaves = self.x if isinstance(self.x, list) else [self.x]
        return all(leaf.dtype.kind == "f" for leaf in leaves)

    def compute_ours(self) -> list[Any]:
        def total(x: Any, weights: Any) -> Any:
            with collect_penalties() as penalties:
                result = self.ours(x)
            loss = cr.ops.sum(result * probe(shape))
            for penalty in penalties:
                loss = loss + penalty
            return loss

        def gradients(x: Any) -> Any:
            weights = self.ours.trainable_weights
            if not self.by_input:
                return cr.grad(total, argnums=(1,))(x, weights)
            return cr.grad(total, argnums=(0, 1) if weights else (0,))(x, weights)

        result = cr.jit(self.ours)(self.x)
        shape = result.shape
        return [result, *flat(cr.jit(gradients)(self.x) if self.by_input or self.ours.weights else [])]

    def compute_theirs(self) -> list[Any]:
        layer = self.theirs
        weights = [weight.value for weight in layer.trainable_variables]
        shape = tuple(np.shape(layer(self.x)))

        def total(x: Any, weights: Any) -> Any:
            # The layer's `stateless_call` leaves the penalty on its activity out.
            mapping = list(zip(layer.trainable_variables, weights, strict=True))
            with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
                result = layer(x)
            return jnp.sum(result * probe(shape)) + sum(scope.losses)

        places = ((0,) if self.by_input else ()) + ((1,) if weights else ())
        given = jax.tree.map(jnp.asarray, self.x)
        found = [np.asarray(layer(self.x))]
        return [*found, *flat(jax.grad(total, argnums=places)(given, weights))] if places else found


def flat(nest: Any) -> list[Any]:
    """The arrays of nested lists and tuples, in order."""
    if isinstance(nest, list | tuple):
        return [leaf for part in nest for leaf in flat(part)]
    return [nest]


def agrees(name: str, x: Any, theirs: dict[str, Any] | None = None, **options: Any) -> Case:
    """Results and gradients of a layer with these options; those for Keras where they are not the same."""
    made: list[Pair] = []

    def pair() -> Pair:
        if not made:
            made.append(Pair(name, x, options, theirs))
        return made[0]

    shapes = [leaf.shape for leaf in x] if isinstance(x, list) else x.shape
    what = ", ".join(f"{key}={value}" for key, value in options.items())
    return Case(name, lambda: pair().compute_ours(), lambda: pair().compute_theirs(), f"{what} {shapes}".strip())


def keeps_shape(name: str, x: Any, **options: Any) -> Case:
    """The shape that a layer says it gives, before any data is there."""

    def shape_by(package: Any) -> Callable[[], Any]:
        def compute() -> Any:
            shapes = [(None, *leaf.shape[1:]) for leaf in x] if isinstance(x, list) else (None, *x.shape[1:])
            layer = getattr(package.layers, name)(**options)
            layer.build(shapes)
            return [size or -1 for size in layer.compute_output_shape(shapes)]

        return compute

    return Case(name, shape_by(cr), shape_by(keras), f"compute_output_shape {options}")


# -- masks --------------------------------------------------------------------------------------------------------


def masked_steps(seed: int) -> np.ndarray:
    """Sequences of which some steps are all zero."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    x = generator.normal(0, 1, (4, 5, 6)).astype("float32")
    x[generator.random((4, 5)) < 0.4] = 0.0
    return x


def masks_agree(name: str, what: str, inputs: list[np.ndarray], build: Callable[[Any, list[Any]], Any]) -> Case:
    """The result of `build(package, arrays)` and the mask that it carries."""

    def ours() -> list[Any]:
        def compute(*arrays: Any) -> Any:
            result = build(cr, list(arrays))
            mask = symbolic.mask_of(result)
            return result, cr.ops.full((1,), -1.0) if mask is None else cr.ops.cast(mask, "float32")

        return list(cr.jit(compute)(*inputs))

    def theirs() -> list[Any]:
        result = build(keras, [jnp.asarray(x) for x in inputs])
        mask = keras.src.backend.get_keras_mask(result)
        return [np.asarray(result), np.full((1,), -1.0) if mask is None else np.asarray(mask, "float32")]

    return Case(name, ours, theirs, what)


def merged(name: str, **options: Any) -> Callable[[Any, list[Any]], Any]:
    """Masked sequences merged by a layer."""

    def build(package: Any, arrays: list[Any]) -> Any:
        masked = [package.layers.Masking()(x) for x in arrays]
        return getattr(package.layers, name)(**options)(masked)

    return build


def half_merged(name: str, **options: Any) -> Callable[[Any, list[Any]], Any]:
    """The same where the last sequence has no mask."""

    def build(package: Any, arrays: list[Any]) -> Any:
        masked = [package.layers.Masking()(x) for x in arrays[:-1]]
        return getattr(package.layers, name)(**options)([*masked, arrays[-1]])

    return build


def after_masking(name: str, **options: Any) -> Callable[[Any, list[Any]], Any]:
    def build(package: Any, arrays: list[Any]) -> Any:
        return getattr(package.layers, name)(**options)(package.layers.Masking()(arrays[0]))

    return build


def masking(package: Any, arrays: list[Any]) -> Any:
    return package.layers.Masking(mask_value=1.0)(arrays[0])


def embedding_mask(package: Any, arrays: list[Any]) -> Any:
    table = np.arange(18, dtype="float32").reshape(9, 2)
    return package.layers.Embedding(9, 2, weights=table, mask_zero=True)(arrays[0])


def masked_softmax(axis: Any) -> Callable[[Any, list[Any]], Any]:
    def build(package: Any, arrays: list[Any]) -> Any:
        return package.layers.Softmax(axis)(arrays[0], mask=arrays[1])

    return build


def mask_cases() -> list[Case]:
    sequences = [masked_steps(1), masked_steps(2), masked_steps(3)]
    ones = np.where(masked_steps(4) == 0, np.float32(1), masked_steps(4))
    kept = np.random.Generator(np.random.Philox(key=8)).random((4, 6)) < 0.5
    kept[1] = False
    elementwise = ("Add", "Average", "Multiply", "Maximum", "Minimum", "Concatenate")
    return [
        masks_agree("Masking", "mask", [masked_steps(1)], masking),
        masks_agree("Masking", "mask of ones", [ones], masking),
        masks_agree("Embedding", "mask_zero", [NUMBERS], embedding_mask),
        *[masks_agree(name, "masks of all", sequences, merged(name)) for name in elementwise],
        *[masks_agree(name, "masks of some", sequences, half_merged(name)) for name in elementwise],
        masks_agree("Subtract", "masks of all", sequences[:2], merged("Subtract")),
        masks_agree("Concatenate", "masks of all, axis=1", sequences, merged("Concatenate", axis=1)),
        masks_agree("Concatenate", "masks of some, axis=1", sequences, half_merged("Concatenate", axis=1)),
        masks_agree("Dot", "masks of all", sequences[:2], merged("Dot", axes=2)),
        *[
            masks_agree(name, "after a mask", sequences[:1], after_masking(name))
            for name in ("ReLU", "LeakyReLU", "ELU", "PReLU", "Identity", "ActivityRegularization", "Flatten")
        ],
        masks_agree("Activation", "after a mask", sequences[:1], after_masking("Activation", activation="tanh")),
        masks_agree("Softmax", "mask", [normal(4, 6), kept], masked_softmax(-1)),
        masks_agree("Softmax", "mask, axis=[1, 2]", [normal(4, 6, 6), kept[:, None, :]], masked_softmax([1, 2])),
        masks_agree("Softmax", "mask of floats", [normal(4, 6), kept.astype("float32")], masked_softmax(0)),
    ]


# -- layers -------------------------------------------------------------------------------------------------------


def double_minus_first(x: Any) -> Any:
    return x * 2.0 - x[:, :1]


def scaled(x: Any, factor: float = 1.0) -> Any:
    return x * factor


def rrelu_case() -> Case:
    """In inference; the draws of training are held against PyTorch's distribution among the activations."""

    def theirs() -> Any:
        return torch.nn.RReLU(0.1, 0.4).eval()(torch.tensor(ROWS)).numpy()

    return Case("RReLU", lambda: cr.jit(cr.layers.RReLU(0.1, 0.4))(ROWS), theirs)


def functional(name: str, **options: Any) -> Case:
    """The lower-case function of a merging layer."""
    inputs = [normal(3, 4), normal(3, 4)]
    title = name.capitalize()
    return Case(
        title,
        lambda: getattr(cr.layers, name)(inputs, **options),
        lambda: np.asarray(getattr(keras.layers, name)(inputs, **options)),
        f"{name}()",
    )


def merging_cases() -> list[Case]:
    two, three = [normal(3, 4), normal(3, 4)], [normal(3, 4), normal(3, 4), normal(3, 4)]
    stretched = [normal(3, 1, 4), normal(3, 5, 1)]
    uneven = [normal(3, 4), normal(3, 5, 4)]
    found: list[Case] = []
    for name in ("Add", "Average", "Multiply", "Maximum", "Minimum"):
        found += [agrees(name, x) for x in (two, three, stretched, uneven)] + [keeps_shape(name, stretched)]
    found += [agrees("Subtract", x) for x in (two, stretched, uneven)] + [keeps_shape("Subtract", uneven)]
    parts = [normal(3, 2, 4), normal(3, 3, 4)]
    found += [
        agrees("Concatenate", three),
        agrees("Concatenate", parts, axis=1),
        agrees("Concatenate", [parts[0], normal(3, 2, 1)], axis=-1),
        keeps_shape("Concatenate", parts, axis=1),
        agrees("Dot", two, axes=1),
        agrees("Dot", two, axes=-1, normalize=True),
        agrees("Dot", [two[0] * np.float32(1e-8), two[1]], axes=-1, normalize=True),
        agrees("Dot", [normal(3, 4, 5), normal(3, 6, 4)], axes=(1, 2)),
        agrees("Dot", [normal(3, 4, 5), normal(3, 6, 5)], axes=2, normalize=True),
        agrees("Dot", [normal(3, 4), normal(3, 6, 4)], axes=(1, 2)),
        agrees("Dot", [normal(3, 6, 4), normal(3, 4)], axes=(2, 1)),
        agrees("Dot", [normal(3, 2, 6, 4), normal(3, 4, 5, 7)], axes=(3, 1)),
        keeps_shape("Dot", [normal(3, 2, 6, 4), normal(3, 4, 5, 7)], axes=(3, 1)),
        keeps_shape("Dot", two, axes=1),
    ]
    names = ("add", "average", "concatenate", "maximum", "minimum", "multiply", "subtract")
    return found + [functional(name) for name in names] + [functional("dot", axes=1)]


def dense_cases() -> list[Case]:
    return [
        agrees("Dense", ROWS, units=5),
        agrees("Dense", ROWS, units=5, activation="relu"),
        agrees("Dense", ROWS, units=1, activation="sigmoid", use_bias=False),
        agrees("Dense", STEPS, units=7, activation="gelu"),
        agrees("Dense", CUBE, units=3, activation="softmax"),
        agrees("Dense", ROWS, units=4, activity_regularizer="l2"),
        agrees(
            "Dense",
            ROWS,
            units=4,
            activation=cr.layers.LeakyReLU(0.1),
            theirs={"units": 4, "activation": keras.layers.LeakyReLU(0.1)},
        ),
        agrees("EinsumDense", ROWS, equation="ab,bc->ac", output_shape=5, bias_axes="c"),
        agrees("EinsumDense", ROWS, equation="ab,cb->ac", output_shape=5, activation="tanh"),
        agrees("EinsumDense", STEPS, equation="abc,cd->abd", output_shape=(None, 3), bias_axes="d"),
        agrees("EinsumDense", STEPS, equation="abc,cd->abd", output_shape=(5, 3), bias_axes="bd"),
        agrees("EinsumDense", STEPS, equation="abc,bcd->ad", output_shape=3, bias_axes="d"),
        agrees("EinsumDense", STEPS, equation="abc,bd->adc", output_shape=(3, None), bias_axes="d"),
        agrees("EinsumDense", STEPS, equation="abc,bcd->abd", output_shape=(5, 3), bias_axes="d"),
        agrees("EinsumDense", STEPS, equation="...x,xy->...y", output_shape=7, bias_axes="y"),
        agrees("EinsumDense", CUBE, equation="...x,xy->...y", output_shape=7, bias_axes="y"),
        agrees("EinsumDense", CUBE, equation="...xy,xyz->...z", output_shape=7, bias_axes="z"),
        agrees("EinsumDense", CUBE, equation="ab...,bc->ac...", output_shape=7, bias_axes="c"),
        agrees("EinsumDense", STEPS, equation="abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"),
        agrees("EinsumDense", CUBE, equation="abcd,cde->abe", output_shape=(None, 3), bias_axes="e"),
        keeps_shape("EinsumDense", CUBE, equation="ab...,bc->ac...", output_shape=7),
        agrees("Embedding", NUMBERS, input_dim=9, output_dim=4),
        agrees("Embedding", NUMBERS[:, 0], input_dim=9, output_dim=3),
        agrees("Embedding", NUMBERS.astype("float32"), input_dim=9, output_dim=3),
        agrees("Embedding", np.zeros((5, 7), "int32"), input_dim=1, output_dim=3),
        agrees("Embedding", NUMBERS, input_dim=9, output_dim=4, activity_regularizer="l2"),
    ]


def activation_cases() -> list[Case]:
    return [
        *[agrees("Activation", ROWS, activation=name) for name in ("relu", "softmax", "swish", "linear", "mish")],
        agrees("ELU", ROWS),
        agrees("ELU", ROWS, alpha=0.3),
        agrees("LeakyReLU", ROWS),
        agrees("LeakyReLU", STEPS, negative_slope=0.05),
        agrees("PReLU", ROWS),
        agrees("PReLU", STEPS, shared_axes=[1]),
        agrees("PReLU", CUBE, shared_axes=[1, 3]),
        agrees("PReLU", CUBE, shared_axes=2, alpha_initializer="ones"),
        agrees("ReLU", ROWS),
        agrees("ReLU", ROWS, max_value=1.0),
        agrees("ReLU", ROWS, max_value=1.0, negative_slope=0.2, threshold=0.4),
        agrees("Softmax", ROWS),
        agrees("Softmax", STEPS, axis=1),
        agrees("Softmax", STEPS, axis=[1, 2]),
        agrees("Softmax", STEPS, axis=[2]),
        rrelu_case(),
    ]


def shaping_cases() -> list[Case]:
    return [
        agrees("Flatten", CUBE),
        agrees("Flatten", CUBE, data_format="channels_first"),
        agrees("Flatten", normal(5)),
        agrees("Flatten", ROWS),
        keeps_shape("Flatten", CUBE),
        agrees("Reshape", CUBE, target_shape=(6, 8)),
        agrees("Reshape", CUBE, target_shape=(3, -1, 4)),
        agrees("Reshape", CUBE, target_shape=(-1,)),
        keeps_shape("Reshape", CUBE, target_shape=(3, -1, 4)),
        agrees("Permute", CUBE, dims=(3, 1, 2)),
        agrees("Permute", STEPS, dims=(2, 1)),
        keeps_shape("Permute", CUBE, dims=(3, 1, 2)),
        agrees("RepeatVector", ROWS, n=3),
        keeps_shape("RepeatVector", ROWS, n=3),
        agrees("Identity", ROWS),
        agrees("Lambda", ROWS, function=double_minus_first),
        agrees("Lambda", ROWS, function=scaled, arguments={"factor": 3.0}),
        agrees("Masking", masked_steps(9)),
        agrees("Masking", masked_steps(9), mask_value=2.0),
        agrees("ActivityRegularization", ROWS, l1=0.3),
        agrees("ActivityRegularization", STEPS, l1=0.1, l2=0.2),
    ]


CASES = [*dense_cases(), *activation_cases(), *merging_cases(), *shaping_cases(), *mask_cases()]
