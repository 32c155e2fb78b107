"""Optimizers against Keras, PyTorch and Optax: where the weights are after a hundred steps.

Gradients are a fixed random part, another each step, and a part that depends on the weights. Every case runs compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch
from case import STEPS, Case

import chainrule as cr

COUNT = 100
SHAPES: tuple[tuple[int, ...], ...] = ((3, 4), (4,))
MATRICES: tuple[tuple[int, ...], ...] = ((5, 6), (6, 5), (4,))


def draw(shapes: Sequence[tuple[int, ...]]) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """First weights, and for each step the random part of the gradients."""
    generator = np.random.Generator(np.random.Philox(key=11))
    first = [generator.uniform(-1, 1, shape).astype("float32") for shape in shapes]
    return first, [[generator.normal(0, 1, shape).astype("float32") for shape in shapes] for _ in range(COUNT)]


def gradients_at(weights: Sequence[Any], parts: Sequence[Any]) -> list[Any]:
    """``0.5 * w + part``."""
    return [0.5 * weight + part for weight, part in zip(weights, parts, strict=True)]


def run_ours(
    make: Callable[[], Any], shapes: Sequence[tuple[int, ...]] = SHAPES, finalize: bool = False, constrain: Any = None
) -> list[np.ndarray]:
    first, parts = draw(shapes)
    weights = [cr.Variable(value, f"w{place}") for place, value in enumerate(first)]
    weights[0].constraint = constrain
    optimizer = make()

    def step(parts: Any) -> None:
        optimizer.apply(gradients_at(weights, parts), weights)

    compiled = cr.jit(step)
    for now in parts:
        compiled(now)
    if finalize:
        optimizer.finalize_variable_values(weights)
    return [weight.numpy() for weight in weights]


def take_keras_steps(optimizer: Any, weights: list[Any], parts: Sequence[Any]) -> None:
    for now in parts:
        optimizer.apply([jnp.asarray(g) for g in gradients_at([weight.value for weight in weights], now)], weights)


def take_compiled_keras_steps(optimizer: Any, weights: list[Any], parts: Sequence[Any]) -> None:
    def step(state: Any, values: Any, now: Any) -> Any:
        return optimizer.stateless_apply(state, gradients_at(values, now), values)

    compiled = jax.jit(step)
    state, values = [variable.value for variable in optimizer.variables], [weight.value for weight in weights]
    for now in parts:
        values, state = compiled(state, values, now)
    for variable, value in zip([*weights, *optimizer.variables], [*values, *state], strict=True):
        variable.assign(value)


def run_keras(
    make: Callable[[], Any], shapes: Sequence[tuple[int, ...]] = SHAPES, finalize: bool = False, constrain: Any = None
) -> list[np.ndarray]:
    first, parts = draw(shapes)
    weights = [keras.Variable(value, name=f"w{place}") for place, value in enumerate(first)]
    weights[0].constraint = constrain
    optimizer = make()
    optimizer.build(weights)
    # Nadam keeps a number that a compiled step of Keras forgets.
    take_steps = take_keras_steps if isinstance(optimizer, keras.optimizers.Nadam) else take_compiled_keras_steps
    take_steps(optimizer, weights, parts)
    if finalize:
        optimizer.finalize_variable_values(weights)
    return [np.asarray(weight.value) for weight in weights]


def run_torch(make: Callable[[Any], Any]) -> list[np.ndarray]:
    first, parts = draw(SHAPES)
    weights = [torch.nn.Parameter(torch.tensor(value)) for value in first]
    optimizer = make(weights)
    for now in parts:
        for weight, part in zip(weights, now, strict=True):
            weight.grad = 0.5 * weight.detach() + torch.tensor(part)
        optimizer.step()
    return [weight.detach().numpy() for weight in weights]


def run_optax(transformation: Any, finish: Callable[[Any, Any], Any] | None = None) -> list[np.ndarray]:
    first, parts = draw(SHAPES)
    weights = [jnp.asarray(value) for value in first]
    state = transformation.init(weights)
    update = jax.jit(transformation.update)
    for now in parts:
        moves, state = update(gradients_at(weights, now), state, weights)
        weights = optax.apply_updates(weights, moves)
    if finish is not None:
        weights = finish(state, weights)
    return [np.asarray(weight) for weight in weights]


def keras_case(name: str, what: str = "", shapes: Any = SHAPES, finalize: bool = False, **options: Any) -> Case:
    """The class of this name with the same options on both sides."""
    return Case(
        name,
        lambda: run_ours(lambda: getattr(cr.optimizers, name)(**options), shapes, finalize),
        lambda: run_keras(lambda: getattr(keras.optimizers, name)(**options), shapes, finalize),
        what or ", ".join(f"{key}={value}" for key, value in options.items()),
        STEPS,
    )


COMMON: tuple[dict[str, Any], ...] = (
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.7},
    {"weight_decay": 0.05},
    {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 7},
    {"loss_scale_factor": 8.0},
    {"gradient_accumulation_steps": 3},
    {"gradient_accumulation_steps": 3, "use_ema": True, "ema_momentum": 0.8, "clipnorm": 0.5, "weight_decay": 0.05},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 4, "global_clipnorm": 1.0},
)
"""Options of every optimizer, held against Keras with two of them."""


def with_schedule(name: str, **options: Any) -> Case:
    rate = (0.05, 40, 0.5)
    return Case(
        name,
        lambda: run_ours(
            lambda: getattr(cr.optimizers, name)(cr.optimizers.schedules.ExponentialDecay(*rate), **options)
        ),
        lambda: run_keras(
            lambda: getattr(keras.optimizers, name)(keras.optimizers.schedules.ExponentialDecay(*rate), **options)
        ),
        f"with a schedule, {options}",
        STEPS,
    )


def excluded(what: str) -> Case:
    """Weight decay for all weights but one."""

    def make(package: Any) -> Any:
        optimizer = package.AdamW(0.01, weight_decay=0.1)
        optimizer.exclude_from_weight_decay(var_names=["w1"])
        return optimizer

    return Case(
        "AdamW", lambda: run_ours(lambda: make(cr.optimizers)), lambda: run_keras(lambda: make(keras.optimizers)), what,
        STEPS,
    )  # fmt: skip


def constrained(name: str, **options: Any) -> Case:
    return Case(
        name,
        lambda: run_ours(lambda: getattr(cr.optimizers, name)(0.1, **options), constrain=cr.constraints.MaxNorm(0.5)),
        lambda: run_keras(
            lambda: getattr(keras.optimizers, name)(0.1, **options), constrain=keras.constraints.MaxNorm(0.5)
        ),
        f"constrained, {options}",
        STEPS,
    )


KERAS_CASES = [
    keras_case("SGD", "plain"),
    keras_case("SGD", momentum=0.9),
    keras_case("SGD", momentum=0.9, nesterov=True),
    *(keras_case("SGD", learning_rate=0.05, **options) for options in COMMON),
    keras_case("SGD", use_ema=True, ema_momentum=0.9, finalize=True),
    with_schedule("SGD", momentum=0.9),
    with_schedule("SGD", gradient_accumulation_steps=4),
    constrained("SGD"),
    constrained("SGD", gradient_accumulation_steps=3, use_ema=True, ema_overwrite_frequency=3),
    keras_case("Adam", "plain"),
    keras_case("Adam", learning_rate=0.05, beta_1=0.8, beta_2=0.95, epsilon=1e-3),
    keras_case("Adam", learning_rate=0.05, amsgrad=True),
    *(keras_case("Adam", learning_rate=0.01, **options) for options in COMMON),
    keras_case("Adam", amsgrad=True, gradient_accumulation_steps=4),
    with_schedule("Adam"),
    constrained("Adam"),
    keras_case("AdamW", "plain"),
    keras_case("AdamW", learning_rate=0.02, weight_decay=0.2, amsgrad=True),
    excluded("excluded"),
    keras_case("Adamax", "plain"),
    keras_case("Adamax", learning_rate=0.05, beta_1=0.8, beta_2=0.9, weight_decay=0.01),
    keras_case("Nadam", "plain"),
    keras_case("Nadam", learning_rate=0.05, beta_1=0.8, beta_2=0.95, clipnorm=1.0),
    with_schedule("Nadam"),
    keras_case("RMSprop", "plain"),
    keras_case("RMSprop", learning_rate=0.01, rho=0.8, momentum=0.5, centered=True),
    keras_case("RMSprop", learning_rate=0.01, centered=True),
    keras_case("Adadelta", "plain"),
    keras_case("Adadelta", learning_rate=1.0, rho=0.9, epsilon=1e-5, weight_decay=0.01),
    keras_case("Adagrad", "plain"),
    keras_case(
        "Adagrad", learning_rate=0.1, initial_accumulator_value=0.5, epsilon=1e-4, gradient_accumulation_steps=2
    ),
    keras_case("Ftrl", "plain"),
    keras_case("Ftrl", learning_rate=0.1, l1_regularization_strength=0.5, l2_regularization_strength=0.1),
    keras_case("Ftrl", learning_rate=0.1, learning_rate_power=-0.7, beta=0.2, initial_accumulator_value=0.2),
    keras_case("Ftrl", learning_rate=0.1, l2_shrinkage_regularization_strength=0.1, l1_regularization_strength=2.0),
    keras_case("Lamb", "plain"),
    keras_case("Lamb", learning_rate=0.02, beta_1=0.8, weight_decay=0.05),
    keras_case("Lion", "plain"),
    keras_case("Lion", learning_rate=0.02, beta_1=0.7, beta_2=0.9, weight_decay=0.1),
    keras_case("Muon", "plain", MATRICES),
    keras_case("Muon", "no Nesterov", MATRICES, learning_rate=0.01, nesterov=False, momentum=0.9, rms_rate=None),
    keras_case("Muon", "decay", MATRICES, weight_decay=0.1, adam_weight_decay=None, adam_lr_ratio=0.5, ns_steps=3),
    keras_case("Muon", "excluded", MATRICES, exclude_layers=["w1"], adam_weight_decay=0.2, clipnorm=1.0),
    keras_case("Adafactor", "plain", MATRICES),
    keras_case("Adafactor", "options", MATRICES, learning_rate=0.2, beta_2_decay=-0.6, clip_threshold=0.5),
    keras_case("Adafactor", "not relative", MATRICES, learning_rate=0.5, relative_step=False, epsilon_2=0.1),
    keras_case("Adafactor", "three axes", ((2, 3, 4), (4,)), learning_rate=0.05, weight_decay=0.01),
    keras_case("ScheduleFreeAdamW", "plain"),
    keras_case("ScheduleFreeAdamW", learning_rate=0.02, beta_1=0.8, beta_2=0.95, warmup_steps=20, weight_decay=0.05),
]


def radam(what: str, torch_options: dict[str, Any], **options: Any) -> Case:
    return Case(
        "RAdam",
        lambda: run_ours(lambda: cr.optimizers.RAdam(**options)),
        lambda: run_torch(lambda weights: torch.optim.RAdam(weights, **torch_options)),
        what,
        STEPS,
    )


def rprop(what: str, torch_options: dict[str, Any], **options: Any) -> Case:
    return Case(
        "Rprop",
        lambda: run_ours(lambda: cr.optimizers.Rprop(**options)),
        lambda: run_torch(lambda weights: torch.optim.Rprop(weights, **torch_options)),
        what,
        STEPS,
    )


def valley(a: Any, b: Any) -> Any:
    """A sum of squares with a curved valley, of a matrix and a vector, in the arithmetic of either package."""
    return (a * a).sum() * 0.5 + ((b - 1.0) * (b - 1.0)).sum() + ((a - b) * (a - b) * (a - b) * (a - b)).sum() * 0.25


def our_valley(a: Any, b: Any) -> Any:
    total = cr.ops.sum
    return total(a * a) * 0.5 + total((b - 1.0) * (b - 1.0)) + total((a - b) * (a - b) * (a - b) * (a - b)) * 0.25


def lbfgs(what: str, calls: int, torch_options: dict[str, Any], **options: Any) -> Case:
    """In float64: the path of a search is as sensitive as it is long."""
    first = [value.astype("float64") * 3.0 for value in draw(SHAPES)[0]]

    def ours() -> list[np.ndarray]:
        weights = [cr.Variable(value, f"w{place}") for place, value in enumerate(first)]
        optimizer = cr.optimizers.LBFGS(**options)

        def loss() -> Any:
            return our_valley(*(cr.ops.multiply(weight, 1.0) for weight in weights))

        losses = [optimizer.minimize(loss, weights) for _ in range(calls)]
        return [*(weight.numpy() for weight in weights), np.array(losses)]

    def theirs() -> list[np.ndarray]:
        weights = [torch.nn.Parameter(torch.tensor(value)) for value in first]
        optimizer = torch.optim.LBFGS(weights, **torch_options)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = valley(*weights)
            loss.backward()
            return loss

        losses = [float(optimizer.step(closure).detach()) for _ in range(calls)]
        return [*(weight.detach().numpy() for weight in weights), np.array(losses)]

    return Case("LBFGS", ours, theirs, what, STEPS)


TORCH_CASES = [
    radam("plain", {}),
    radam(
        "fast", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3},
        learning_rate=0.05, beta_1=0.8, beta_2=0.95, epsilon=1e-3,
    ),
    radam(
        "decay", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True},
        learning_rate=0.02, weight_decay=0.1,
    ),
    rprop("plain", {}),
    rprop(
        "options", {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (1e-3, 0.5)},
        learning_rate=0.1, etas=(0.4, 1.5), step_sizes=(1e-3, 0.5),
    ),
    lbfgs("one iteration", 1, {"max_iter": 1, "lr": 0.5}, max_iter=1, learning_rate=0.5),
    lbfgs("few", 3, {"max_iter": 3, "lr": 0.25}, max_iter=3, learning_rate=0.25),
    lbfgs("to the end", 2, {"max_iter": 60, "lr": 0.5}, max_iter=60, learning_rate=0.5),
    lbfgs(
        "line search", 1, {"max_iter": 4, "line_search_fn": "strong_wolfe"},
        max_iter=4, line_search_fn="strong_wolfe",
    ),
    lbfgs(
        "line search, short memory", 3, {"max_iter": 3, "history_size": 2, "lr": 4.0, "line_search_fn": "strong_wolfe"},
        max_iter=3, history_size=2, learning_rate=4.0, line_search_fn="strong_wolfe",
    ),
    lbfgs(
        "few evaluations", 2, {"max_iter": 9, "max_eval": 5, "lr": 16.0, "line_search_fn": "strong_wolfe"},
        max_iter=9, max_eval=5, learning_rate=16.0, line_search_fn="strong_wolfe",
    ),
]  # fmt: skip


def optax_case(name: str, what: str, theirs: Callable[[], Any], **options: Any) -> Case:
    return Case(
        name,
        lambda: run_ours(lambda: getattr(cr.optimizers, name)(**options)),
        lambda: run_optax(theirs()),
        what,
        STEPS,
    )


def lookahead(what: str, ours: Callable[[], Any], fast: Callable[[], Any], period: int, part: float) -> Case:
    def theirs() -> list[np.ndarray]:
        first, parts = draw(SHAPES)
        weights = optax.LookaheadParams.init_synced([jnp.asarray(value) for value in first])
        transformation = optax.lookahead(fast(), period, part)
        state = transformation.init(weights)
        for now in parts:
            moves, state = transformation.update(gradients_at(weights.fast, now), state, weights)
            weights = optax.apply_updates(weights, moves)
        return [np.asarray(value) for value in weights.fast]

    return Case(
        "Lookahead", lambda: run_ours(lambda: cr.optimizers.Lookahead(ours(), period, part)), theirs, what, STEPS
    )


def schedule_free(what: str, ours: Callable[[], Any], theirs: Callable[[], Any], finalize: bool = False) -> Case:
    finish = optax.contrib.schedule_free_eval_params if finalize else None
    return Case(
        "ScheduleFree", lambda: run_ours(ours, finalize=finalize), lambda: run_optax(theirs(), finish), what, STEPS
    )


def sam(what: str, ours: Callable[[], Any], optimizer: Callable[[], Any], rho: float) -> Case:
    """The loss ``w**2 / 4 + part w + part w**3 / 9``, so that the second gradient is another one."""

    def our_run() -> list[np.ndarray]:
        first, parts = draw(SHAPES)
        weights = [cr.Variable(value, f"w{place}") for place, value in enumerate(first)]
        sharp = cr.optimizers.SAM(ours(), rho)

        def step(parts: Any) -> Any:
            def loss() -> Any:
                terms = [
                    cr.ops.sum(w * w * 0.25 + part * w + part * w * w * w / 9.0)
                    for w, part in zip((cr.ops.multiply(w, 1.0) for w in weights), parts, strict=True)
                ]
                return terms[0] + terms[1]

            return sharp.minimize(loss, weights)

        compiled = cr.jit(step)
        losses = [compiled(now) for now in parts]
        return [*(weight.numpy() for weight in weights), np.array(losses)]

    def their_run() -> list[np.ndarray]:
        first, parts = draw(SHAPES)
        weights = [jnp.asarray(value) for value in first]
        adversary = optax.chain(optax.contrib.normalize(), optax.sgd(rho))
        transformation = optax.contrib.sam(optimizer(), adversary, sync_period=2, opaque_mode=True)
        state = transformation.init(weights)
        losses = []
        for now in parts:

            def loss(weights: Any, now: Any = now) -> Any:
                return sum(
                    jnp.sum(w * w * 0.25 + part * w + part * w * w * w / 9.0)
                    for w, part in zip(weights, now, strict=True)
                )

            slope = jax.grad(loss)
            losses.append(loss(weights))
            moves, state = transformation.update(
                slope(weights), state, weights, grad_fn=lambda at, _, slope=slope: slope(at)
            )
            weights = optax.apply_updates(weights, moves)
        return [*(np.asarray(weight) for weight in weights), np.array(losses)]

    return Case("SAM", our_run, their_run, what, STEPS)


OPTAX_CASES = [
    optax_case("NAdamW", "plain", lambda: optax.nadamw(0.001)),
    optax_case(
        "NAdamW", "options", lambda: optax.nadamw(0.05, 0.8, 0.95, 1e-3, weight_decay=0.1),
        learning_rate=0.05, beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.1,
    ),
    optax_case("AdaBelief", "plain", lambda: optax.adabelief(0.001)),
    optax_case(
        "AdaBelief", "options", lambda: optax.adabelief(0.05, 0.8, 0.95, 1e-6, 1e-8, nesterov=True),
        learning_rate=0.05, beta_1=0.8, beta_2=0.95, epsilon=1e-6, epsilon_root=1e-8, nesterov=True,
    ),
    optax_case("Adan", "plain", lambda: optax.adan(0.001)),
    optax_case(
        "Adan", "options", lambda: optax.adan(0.05, 0.9, 0.8, 0.95, 1e-6, 1e-4, weight_decay=0.1),
        learning_rate=0.05, beta_1=0.9, beta_2=0.8, beta_3=0.95, epsilon=1e-6, epsilon_root=1e-4, weight_decay=0.1,
    ),
    optax_case("LARS", "plain", lambda: optax.lars(0.01)),
    optax_case(
        "LARS", "options", lambda: optax.lars(1.0, 0.1, trust_coefficient=0.02, eps=0.01, momentum=0.8, nesterov=True),
        learning_rate=1.0, weight_decay=0.1, trust_coefficient=0.02, epsilon=0.01, momentum=0.8, nesterov=True,
    ),
    lookahead("Adam", lambda: cr.optimizers.Adam(0.01), lambda: optax.adam(0.01, eps=1e-7), 5, 0.5),
    lookahead("SGD", lambda: cr.optimizers.SGD(0.05), lambda: optax.sgd(0.05), 3, 0.8),
    schedule_free(
        "SGD", lambda: cr.optimizers.ScheduleFree(cr.optimizers.SGD(0.05)),
        lambda: optax.contrib.schedule_free_sgd(0.05),
    ),
    schedule_free(
        "decay, evaluated", lambda: cr.optimizers.ScheduleFree(cr.optimizers.SGD(0.05, weight_decay=0.1), 0.8),
        lambda: optax.contrib.schedule_free_sgd(0.05, b1=0.8, weight_decay=0.1), finalize=True,
    ),
    schedule_free(
        "AdamW",
        lambda: cr.optimizers.ScheduleFree(cr.optimizers.AdamW(0.01, 0.05, beta_1=0.0, epsilon=1e-30)),
        lambda: optax.contrib.schedule_free_adamw(0.01, weight_decay=0.05, eps=1e-30),
    ),
    sam("SGD", lambda: cr.optimizers.SGD(0.05), lambda: optax.sgd(0.05), 0.05),
    sam("Adam", lambda: cr.optimizers.Adam(0.01), lambda: optax.adam(0.01, eps=1e-7), 0.2),
    optax_case("Prodigy", "plain", lambda: optax.contrib.prodigy()),
    optax_case(
        "Prodigy", "options",
        lambda: optax.contrib.prodigy(
            0.5, (0.8, 0.95), beta3=0.9, estim_lr0=1e-3, estim_lr_coef=0.5, weight_decay=0.1, safeguard_warmup=True
        ),
        learning_rate=0.5, beta_1=0.8, beta_2=0.95, beta_3=0.9, estim_lr0=1e-3, estim_lr_coef=0.5, weight_decay=0.1,
        safeguard_warmup=True,
    ),
]  # fmt: skip


def averaged(start: int, period: int) -> Case:
    """The mean of SGD's weights after steps start + period, start + 2 period, …"""

    def theirs() -> list[np.ndarray]:
        first, parts = draw(SHAPES)
        weights = [value.astype("float64") for value in first]
        seen = []
        for step, now in enumerate(parts, 1):
            weights = [
                weight - 0.05 * gradient for weight, gradient in zip(weights, gradients_at(weights, now), strict=True)
            ]
            if step > start and (step - start) % period == 0:
                seen.append(weights)
        return [np.mean(values, axis=0) for values in zip(*seen, strict=True)]

    return Case(
        "StochasticWeightAverage",
        lambda: run_ours(
            lambda: cr.optimizers.StochasticWeightAverage(cr.optimizers.SGD(0.05), start, period), finalize=True
        ),
        theirs,
        f"every {period} after {start}",
        STEPS,
    )


CASES = [*KERAS_CASES, *TORCH_CASES, *OPTAX_CASES, averaged(0, 1), averaged(40, 1), averaged(33, 8)]
