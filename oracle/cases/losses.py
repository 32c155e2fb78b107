"""Losses: values and their gradients by the predictions, compiled, with every option, weight and reduction."""

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
from chainrule.layers.symbolic import set_mask

GENERATOR = np.random.Generator(np.random.Philox(key=11))
ROWS, CLASSES = 6, 5
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 1.5, 0.25], "float32")
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)

Pair = tuple[np.ndarray, np.ndarray]


def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
    return GENERATOR.normal(0, scale, shape).astype("float32")


def uniform(*shape: int) -> np.ndarray:
    return GENERATOR.uniform(0.02, 0.98, shape).astype("float32")


def shares(*shape: int, axis: int = -1) -> np.ndarray:
    raised = np.exp(normal(*shape))
    return raised / raised.sum(axis, keepdims=True)


def zeros_and_ones(*shape: int) -> np.ndarray:
    return GENERATOR.integers(0, 2, shape).astype("float32")


def labels(*shape: int) -> np.ndarray:
    return GENERATOR.integers(0, CLASSES, shape).astype("int32")


def one_hot(*shape: int) -> np.ndarray:
    return np.eye(CLASSES, dtype="float32")[labels(*shape)]


def units(*shape: int) -> np.ndarray:
    x = normal(*shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


# (targets, predictions), by what they are
NUMBERS = normal(ROWS, CLASSES), normal(ROWS, CLASSES, scale=2.0)
COLUMN = normal(ROWS), normal(ROWS, 1)
SEQUENCES = normal(ROWS, 3, CLASSES), normal(ROWS, 3, CLASSES)
COUNTS = GENERATOR.integers(0, 6, (ROWS, CLASSES)).astype("float32"), uniform(ROWS, CLASSES) * 5
DISTRIBUTIONS = shares(ROWS, CLASSES), shares(ROWS, CLASSES)
DISTRIBUTION_LOGITS = shares(ROWS, CLASSES), normal(ROWS, CLASSES, scale=3.0)
DISTRIBUTION_SEQUENCES = shares(ROWS, CLASSES, 3, axis=1), shares(ROWS, CLASSES, 3, axis=1)
BINARY = zeros_and_ones(ROWS, CLASSES), uniform(ROWS, CLASSES)
BINARY_LOGITS = zeros_and_ones(ROWS, CLASSES), normal(ROWS, CLASSES, scale=3.0)
BINARY_COLUMN = zeros_and_ones(ROWS), uniform(ROWS, 1)
BINARY_EDGES = zeros_and_ones(ROWS, CLASSES), np.round(uniform(ROWS, CLASSES))
BINARY_SEQUENCES = zeros_and_ones(ROWS, 3, CLASSES), uniform(ROWS, 3, CLASSES)
HOT = one_hot(ROWS), shares(ROWS, CLASSES)
HOT_LOGITS = one_hot(ROWS), normal(ROWS, CLASSES, scale=3.0)
HOT_EDGES = one_hot(ROWS), one_hot(ROWS)
LABELS = labels(ROWS), shares(ROWS, CLASSES)
LABEL_COLUMN = labels(ROWS, 1), shares(ROWS, CLASSES)
LABEL_LOGITS = labels(ROWS), normal(ROWS, CLASSES, scale=3.0)
LABEL_SEQUENCES = labels(ROWS, 4), normal(ROWS, 4, CLASSES, scale=3.0)
EMBEDDINGS = np.array([0, 1, 0, 2, 1, 0], "int32"), units(ROWS, CLASSES)


def keras_case(name: str, data: Pair, weight: Any = None, **options: Any) -> Case:
    """The value, and where it is one number, its gradient by the predictions."""
    true, pred = data
    what = f"{options or ''} {true.shape} {pred.shape}{'' if weight is None else f' weights {weight.shape}'}"
    alone = options.get("reduction", "sum") not in ("none", None)

    def ours() -> Any:
        loss = getattr(cr.losses, name)(**options)
        if not alone:
            return cr.jit(loss)(true, pred, weight)
        return list(cr.jit(cr.value_and_grad(loss, argnums=1))(true, pred, weight))

    def theirs() -> Any:
        loss = getattr(keras.losses, name)(**options)
        if not alone:
            return loss(true, pred, weight)
        return list(jax.value_and_grad(lambda p: loss(true, p, weight))(jnp.asarray(pred)))

    return Case(name, ours, theirs, what)


def value_case(name: str, data: Pair, **options: Any) -> Case:
    """The value alone: where Keras's gradient is not a number."""
    return Case(
        name,
        lambda: cr.jit(getattr(cr.losses, name)(**options))(*data),
        lambda: getattr(keras.losses, name)(**options)(*data),
        f"value, {options or ''}",
    )


def function_case(name: str, function: str, data: Pair, **options: Any) -> Case:
    """The function, eagerly and compiled: one number a sample."""
    mine = getattr(cr.losses, function)

    def ours() -> Any:
        return [mine(*data, **options), cr.jit(lambda t, p: mine(t, p, **options))(*data)]

    def theirs() -> Any:
        return [getattr(keras.losses, function)(*data, **options)] * 2

    return Case(name, ours, theirs, f"{function}{options or ''}")


def mask_case(name: str, data: Pair, mask: np.ndarray, weight: Any = None, **options: Any) -> Case:
    """Predictions that carry a mask, as layers give it."""

    def ours() -> Any:
        loss = getattr(cr.losses, name)(**options)

        def masked(true: Any, pred: Any) -> Any:
            set_mask(pred, mask)
            return loss(true, pred, weight)

        return cr.jit(masked)(*data)

    def theirs() -> Any:
        pred = jnp.asarray(data[1])
        keras.src.backend.set_keras_mask(pred, jnp.asarray(mask))
        return getattr(keras.losses, name)(**options)(data[0], pred, weight)

    return Case(name, ours, theirs, f"masked, {options}{'' if weight is None else f' weights {weight.shape}'}")


def alias_case(alias: str, data: Pair) -> Case:
    """A short name, as a string and as a function."""
    name = type(cr.losses.get(alias)).__name__
    of_keras = keras.losses.get(alias)
    return Case(
        name,
        lambda: [cr.losses.get(alias)(*data), getattr(cr.losses, alias)(*data)],
        lambda: [np.mean(of_keras(*data)), of_keras(*data)],
        alias,
    )


def torch_case(
    name: str,
    data: Pair,
    formula: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    weight: Any = None,
    **options: Any,
) -> Case:
    """Value and gradient against PyTorch, whose formula gives one number an element, or a sample."""
    true, pred = data

    def ours() -> Any:
        loss = getattr(cr.losses, name)(**options)
        return list(cr.jit(cr.value_and_grad(loss, argnums=1))(true, pred, weight))

    def theirs() -> Any:
        p = torch.tensor(pred, requires_grad=True)
        values = formula(torch.tensor(true), p)
        if weight is not None:
            values = values * torch.tensor(weight).reshape(-1, *[1] * (values.ndim - 1))
        value = values.mean()
        value.backward()
        return [value.detach().numpy(), p.grad.numpy()]

    return Case(name, ours, theirs, f"{options or ''} {pred.shape}{'' if weight is None else ' weighted'}")


def formula_case(name: str, data: Pair, wanted: Callable[[], Any], **options: Any) -> Case:
    loss = getattr(cr.losses, name)
    return Case(name, lambda: cr.jit(loss(reduction="none", **options))(*data), wanted, str(options))


# what each of Keras's is tried with: its function, data, and sets of options
TABLE: dict[str, tuple[str, Pair, list[tuple[Pair, dict[str, Any]]]]] = {
    "MeanSquaredError": ("mean_squared_error", NUMBERS, [(COLUMN, {}), (SEQUENCES, {})]),
    "MeanAbsoluteError": ("mean_absolute_error", NUMBERS, [(COLUMN, {}), (SEQUENCES, {})]),
    "MeanAbsolutePercentageError": ("mean_absolute_percentage_error", NUMBERS, [(COLUMN, {}), (BINARY, {})]),
    "MeanSquaredLogarithmicError": ("mean_squared_logarithmic_error", COUNTS, [(NUMBERS, {})]),
    "CosineSimilarity": ("cosine_similarity", NUMBERS, [(SEQUENCES, {"axis": 1}), (SEQUENCES, {"axis": -2})]),
    "Huber": ("huber", NUMBERS, [(NUMBERS, {"delta": 0.3}), (COLUMN, {"delta": 2.5})]),
    "LogCosh": ("log_cosh", NUMBERS, [(COLUMN, {}), ((NUMBERS[0] * 100, NUMBERS[1] * 100), {})]),
    "Hinge": ("hinge", NUMBERS, [(BINARY_LOGITS, {}), ((BINARY_LOGITS[0] * 2 - 1, NUMBERS[1]), {}), (COLUMN, {})]),
    "SquaredHinge": ("squared_hinge", NUMBERS, [(BINARY_LOGITS, {}), (COLUMN, {})]),
    "CategoricalHinge": ("categorical_hinge", HOT_LOGITS, [(HOT, {}), (SEQUENCES, {})]),
    "KLDivergence": ("kl_divergence", DISTRIBUTIONS, [(HOT, {})]),
    "Poisson": ("poisson", COUNTS, [((COUNTS[0], COUNTS[1] * 0 + 0.5), {})]),
    "BinaryCrossentropy": (
        "binary_crossentropy",
        BINARY,
        [
            (BINARY_COLUMN, {}),
            (BINARY_EDGES, {}),
            (BINARY_LOGITS, {"from_logits": True}),
            ((BINARY_LOGITS[0], BINARY_LOGITS[1] * 20), {"from_logits": True}),
            (BINARY, {"label_smoothing": 0.2}),
            (BINARY_LOGITS, {"from_logits": True, "label_smoothing": 0.2}),
            (BINARY, {"axis": 0}),
        ],
    ),
    "BinaryFocalCrossentropy": (
        "binary_focal_crossentropy",
        BINARY,
        [
            (BINARY_COLUMN, {}),
            (BINARY_EDGES, {}),
            (BINARY, {"apply_class_balancing": True}),
            (BINARY, {"apply_class_balancing": True, "alpha": 0.7, "gamma": 1.5}),
            (BINARY, {"gamma": 0.5, "label_smoothing": 0.1}),
            (BINARY_LOGITS, {"from_logits": True, "apply_class_balancing": True, "label_smoothing": 0.1}),
            (BINARY, {"axis": 0}),
        ],
    ),
    "CategoricalCrossentropy": (
        "categorical_crossentropy",
        HOT,
        [
            (DISTRIBUTIONS, {}),
            (HOT_EDGES, {}),
            ((HOT[0], HOT[1] * 3), {}),
            (HOT_LOGITS, {"from_logits": True}),
            (HOT, {"label_smoothing": 0.2}),
            (DISTRIBUTION_LOGITS, {"from_logits": True, "label_smoothing": 0.2}),
            (DISTRIBUTION_SEQUENCES, {"axis": 1}),
            (DISTRIBUTION_SEQUENCES, {"axis": 1, "from_logits": True}),
        ],
    ),
    "CategoricalFocalCrossentropy": (
        "categorical_focal_crossentropy",
        HOT,
        [
            (HOT_EDGES, {}),
            (HOT, {"alpha": 0.6, "gamma": 1.5}),
            (HOT, {"alpha": [0.1, 0.2, 0.3, 0.15, 0.25]}),
            (HOT_LOGITS, {"from_logits": True}),
            (HOT_LOGITS, {"from_logits": True, "label_smoothing": 0.2, "gamma": 0.5}),
            (DISTRIBUTION_SEQUENCES, {"axis": 1}),
        ],
    ),
    "SparseCategoricalCrossentropy": (
        "sparse_categorical_crossentropy",
        LABELS,
        [
            (LABEL_COLUMN, {}),
            ((LABELS[0], HOT_EDGES[1]), {}),
            (LABEL_LOGITS, {"from_logits": True}),
            (LABEL_SEQUENCES, {"from_logits": True}),
            (LABELS, {"ignore_class": int(LABELS[0][0])}),
            (LABEL_LOGITS, {"from_logits": True, "ignore_class": int(LABEL_LOGITS[0][1])}),
            (LABEL_SEQUENCES, {"from_logits": True, "ignore_class": int(LABEL_SEQUENCES[0][0, 0])}),
        ],
    ),
    "CategoricalGeneralizedCrossEntropy": (
        "categorical_generalized_cross_entropy",
        LABELS,
        [(LABELS, {"q": 0.2}), (LABELS, {"q": 0.9})],
    ),
    "Dice": ("dice", BINARY, [(BINARY_SEQUENCES, {"axis": (1, 2)}), (BINARY, {"axis": 1}), (BINARY, {"axis": -1})]),
    "Tversky": (
        "tversky",
        BINARY,
        [
            (BINARY, {"alpha": 0.3, "beta": 0.8}),
            (BINARY, {"axis": 1}),
            (BINARY_SEQUENCES, {"axis": (1, 2), "alpha": 0.1}),
        ],
    ),
    "Circle": (
        "circle",
        EMBEDDINGS,
        [
            (EMBEDDINGS, {"gamma": 10.0}),
            (EMBEDDINGS, {"gamma": 10.0, "margin": 0.2}),
            (EMBEDDINGS, {"gamma": 5.0, "remove_diagonal": False}),
            ((EMBEDDINGS[0][:, None], EMBEDDINGS[1]), {}),
            ((np.zeros(ROWS, "int32"), EMBEDDINGS[1]), {"gamma": 2.0}),
        ],
    ),
}

CASES: list[Case] = []
for name, (function, plain, variants) in TABLE.items():
    CASES += [keras_case(name, data, **options) for data, options in [(plain, {}), *variants]]
    CASES += [keras_case(name, plain, weight, reduction=how) for how in REDUCTIONS for weight in (None, WEIGHTS)]
    CASES += [keras_case(name, plain, WEIGHTS[:, None])]
    if name != "CategoricalGeneralizedCrossEntropy":
        CASES += [function_case(name, function, plain)]
    CASES += [function_case(name, function, data, **options) for data, options in variants if options]

ALIASES = {"mse": NUMBERS, "mae": NUMBERS, "mape": NUMBERS, "msle": COUNTS, "bce": BINARY, "kld": DISTRIBUTIONS}
CASES += [alias_case(alias, data) for alias, data in ALIASES.items()]
CASES += [alias_case(alias.upper(), data) for alias, data in ALIASES.items()]

# weights of several per sample, what does not count, and references
STEPWISE = GENERATOR.uniform(0, 1, LABEL_SEQUENCES[0].shape).astype("float32")
IGNORED = int(LABEL_SEQUENCES[0][0, 0])
CASES += [
    keras_case("SparseCategoricalCrossentropy", LABEL_SEQUENCES, weight, **options, from_logits=True, reduction=how)
    for how in REDUCTIONS
    for options in ({}, {"ignore_class": IGNORED})
    for weight in (STEPWISE, WEIGHTS[:, None])
]
CASES += [
    keras_case("MeanSquaredError", SEQUENCES, GENERATOR.uniform(0, 1, (ROWS, 3)).astype("float32"), reduction=how)
    for how in REDUCTIONS
]
CASES += [keras_case("MeanSquaredError", NUMBERS, WEIGHTS * 0, reduction="mean_with_sample_weight")]
KEPT = GENERATOR.uniform(0, 1, (ROWS, 3)) < 0.6
CASES += [
    case
    for how in REDUCTIONS
    for weight in (None, STEPWISE[:, :3], WEIGHTS[:, None])
    for case in (
        mask_case("MeanSquaredError", SEQUENCES, KEPT, weight, reduction=how),
        mask_case("MeanSquaredError", SEQUENCES, KEPT & False, weight, reduction=how),
    )
]
LABELS_OF_MASKED = LABEL_SEQUENCES[0][:, :3], LABEL_SEQUENCES[1][:, :3]
CASES += [
    mask_case(
        "SparseCategoricalCrossentropy",
        LABELS_OF_MASKED,
        KEPT,
        weight,
        from_logits=True,
        ignore_class=int(LABELS_OF_MASKED[0][0, 1]),
        reduction=how,
    )
    for how in REDUCTIONS
    for weight in (None, STEPWISE[:, :3])
]
LINE = zeros_and_ones(ROWS), uniform(ROWS)
CASES += [
    case
    for name in ("MeanSquaredError", "Huber", "LogCosh", "Hinge", "Poisson", "BinaryCrossentropy", "Dice")
    for case in (keras_case(name, LINE), function_case(name, TABLE[name][0], LINE))
]
CASES += [
    value_case("CosineSimilarity", (NUMBERS[0], NUMBERS[1] * [[0], [1], [1], [0], [1], [1]])),
    value_case("KLDivergence", (HOT[0], HOT_EDGES[1])),
    value_case("Poisson", (COUNTS[0], COUNTS[1] * 0)),
    value_case("Dice", (BINARY[0] * 0, BINARY[1] * 0)),
    value_case("Tversky", (BINARY[0] * 0, BINARY[1] * 0)),
    value_case("CategoricalGeneralizedCrossEntropy", (LABELS[0], HOT_EDGES[1])),
]
REFERENCES = np.array([0, 3, 1, 2], "int32"), units(4, CLASSES)
CASES += [
    function_case(
        "Circle",
        "circle",
        EMBEDDINGS,
        ref_labels=REFERENCES[0],
        ref_embeddings=REFERENCES[1],
        remove_diagonal=diagonal,
        gamma=10.0,
    )
    for diagonal in (False, True)
]

# -- PyTorch ------------------------------------------------------------------------------------------------------

F = torch.nn.functional
MOMENTS = normal(ROWS, 4), np.concatenate([normal(ROWS, 4), uniform(ROWS, 4) * 3], -1)
SMALL = MOMENTS[0], np.concatenate([MOMENTS[1][:, :4] * 0.01 + MOMENTS[0], np.full((ROWS, 4), 1e-8, "f")], -1)
LOG_MOMENTS = normal(ROWS, 4), normal(ROWS, 8)
TRIPLETS = np.zeros(ROWS, "f"), normal(ROWS, 3, CLASSES)


def gaussian(full: bool = False, eps: float = 1e-6, log: bool = False) -> Any:
    def formula(y: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        mean, spread = p.chunk(2, -1)
        variance = spread.exp() if log else spread
        return F.gaussian_nll_loss(mean, y, variance, full=full, eps=eps, reduction="none")

    return formula


def poisson(**options: Any) -> Any:
    return lambda y, p: F.poisson_nll_loss(p, y, reduction="none", **options)


def smooth(beta: float) -> Any:
    return lambda y, p: F.smooth_l1_loss(p, y, beta=beta, reduction="none")


def triplet(**options: Any) -> Any:
    return lambda y, p: F.triplet_margin_loss(p[:, 0], p[:, 1], p[:, 2], reduction="none", **options)


CASES += [
    *[torch_case("GaussianNLL", MOMENTS, gaussian(), weight) for weight in (None, WEIGHTS)],
    torch_case("GaussianNLL", MOMENTS, gaussian(full=True), full=True),
    torch_case("GaussianNLL", MOMENTS, gaussian(eps=0.5), epsilon=0.5),
    torch_case("GaussianNLL", SMALL, gaussian()),
    torch_case("GaussianNLL", LOG_MOMENTS, gaussian(log=True), log_variance=True),
    *[torch_case("PoissonNLL", (COUNTS[0], NUMBERS[1]), poisson(), weight) for weight in (None, WEIGHTS)],
    torch_case("PoissonNLL", (COUNTS[0], NUMBERS[1]), poisson(full=True), full=True),
    torch_case("PoissonNLL", COUNTS, poisson(log_input=False), log_input=False),
    torch_case(
        "PoissonNLL", COUNTS, poisson(log_input=False, full=True, eps=0.1), log_input=False, full=True, epsilon=0.1
    ),
    *[torch_case("SmoothL1", NUMBERS, smooth(1.0), weight) for weight in (None, WEIGHTS)],
    *[torch_case("SmoothL1", NUMBERS, smooth(beta), beta=beta) for beta in (0.0, 0.3, 2.5)],
    *[torch_case("TripletMargin", TRIPLETS, triplet(), weight) for weight in (None, WEIGHTS)],
    torch_case("TripletMargin", TRIPLETS, triplet(swap=True), swap=True),
    torch_case("TripletMargin", TRIPLETS, triplet(margin=0.2, eps=0.1), margin=0.2, epsilon=0.1),
    *[torch_case("TripletMargin", TRIPLETS, triplet(p=p), p=p) for p in (1.0, 3.0, 1.5, float("inf"))],
]

# -- formulas -----------------------------------------------------------------------------------------------------


def pinball(true: np.ndarray, pred: np.ndarray, level: Any) -> np.ndarray:
    error = true.astype("float64") - pred
    return np.where(error > 0, level * error, (np.asarray(level) - 1) * error)


LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
SPREAD = normal(ROWS, 3), normal(ROWS, 3, CLASSES)
CASES += [
    formula_case("Quantile", NUMBERS, lambda: pinball(*NUMBERS, 0.5).mean(-1)),
    formula_case("Quantile", NUMBERS, lambda: pinball(*NUMBERS, 0.9).mean(-1), quantiles=0.9),
    formula_case(
        "Quantile",
        (COLUMN[0], NUMBERS[1]),
        lambda: pinball(COLUMN[0][:, None], NUMBERS[1], LEVELS).mean(-1),
        quantiles=LEVELS,
    ),
    formula_case(
        "Quantile",
        (COLUMN[0][:, None], NUMBERS[1]),
        lambda: pinball(COLUMN[0][:, None], NUMBERS[1], LEVELS).mean(-1),
        quantiles=LEVELS,
    ),
    formula_case(
        "Quantile",
        SPREAD,
        lambda: pinball(SPREAD[0][..., None], SPREAD[1], LEVELS).mean((-1, -2)),
        quantiles=LEVELS,
    ),
]
