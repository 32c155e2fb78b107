"""What is here of what users know from elsewhere: `docs/coverage.md`, made from the code.

Each name of a peer stands beside chainrule's; a name that chainrule does not have is a dash. What is said to be here is
looked up, so the page cannot claim what is not there.

    python oracle/coverage.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import names

import chainrule as cr

PAGE = Path(__file__).resolve().parent.parent / "docs" / "coverage.md"

WHERE = {"losses": "losses", "activations": "activations", "initializers": "initializers", "metrics": "metrics",
         "regularizers": "regularizers", "constraints": "constraints", "optimizers": "optimizers",
         "schedules": "optimizers.schedules", "layers": "layers", "callbacks": "callbacks"}  # fmt: skip
"""Where each kind of name lives, in chainrule and in Keras."""

TORCH = {
    "losses": {
        "AdaptiveLogSoftmaxWithLoss": "", "BCELoss": "BinaryCrossentropy", "BCEWithLogitsLoss": "BinaryCrossentropy",
        "CTCLoss": "", "CosineEmbeddingLoss": "", "CrossEntropyLoss": "SparseCategoricalCrossentropy",
        "GaussianNLLLoss": "GaussianNLL", "HingeEmbeddingLoss": "", "HuberLoss": "Huber", "KLDivLoss": "KLDivergence",
        "L1Loss": "MeanAbsoluteError", "LinearCrossEntropyLoss": "", "MSELoss": "MeanSquaredError",
        "MarginRankingLoss": "", "MultiLabelMarginLoss": "", "MultiLabelSoftMarginLoss": "BinaryCrossentropy",
        "MultiMarginLoss": "", "NLLLoss": "SparseCategoricalCrossentropy", "PoissonNLLLoss": "PoissonNLL",
        "SmoothL1Loss": "SmoothL1", "SoftMarginLoss": "", "TripletMarginLoss": "TripletMargin",
        "TripletMarginWithDistanceLoss": "",
    },
    "activations": {
        "CELU": "celu", "ELU": "elu", "GELU": "gelu", "GLU": "glu", "Hardshrink": "hard_shrink",
        "Hardsigmoid": "hard_sigmoid", "Hardswish": "hard_silu", "Hardtanh": "hard_tanh", "LeakyReLU": "leaky_relu",
        "LogSigmoid": "log_sigmoid", "LogSoftmax": "log_softmax", "Mish": "mish", "PReLU": "layers.PReLU",
        "RReLU": "rrelu", "ReLU": "relu", "ReLU6": "relu6", "SELU": "selu", "SiLU": "silu", "Sigmoid": "sigmoid",
        "Softmax": "softmax", "Softmax2d": "", "Softmin": "", "Softplus": "softplus", "Softshrink": "soft_shrink",
        "Softsign": "softsign", "Tanh": "tanh", "Tanhshrink": "tanh_shrink", "Threshold": "threshold",
    },
    "initializers": {
        "uniform_": "RandomUniform", "normal_": "RandomNormal", "trunc_normal_": "TruncatedNormal",
        "constant_": "Constant", "ones_": "Ones", "zeros_": "Zeros", "eye_": "Identity", "dirac_": "",
        "xavier_uniform_": "GlorotUniform", "xavier_normal_": "GlorotNormal", "kaiming_uniform_": "HeUniform",
        "kaiming_normal_": "HeNormal", "orthogonal_": "Orthogonal", "sparse_": "Sparse",
    },
    "optimizers": {
        "Adadelta": "Adadelta", "Adafactor": "Adafactor", "Adagrad": "Adagrad", "Adam": "Adam", "AdamW": "AdamW",
        "Adamax": "Adamax", "ASGD": "", "LBFGS": "LBFGS", "Muon": "Muon", "NAdam": "Nadam", "RAdam": "RAdam",
        "RMSprop": "RMSprop", "Rprop": "Rprop", "SGD": "SGD", "SparseAdam": "",
        "swa_utils.AveragedModel": "StochasticWeightAverage",
    },
    "schedules": {
        "LambdaLR": "callbacks.LearningRateScheduler", "MultiplicativeLR": "callbacks.LearningRateScheduler",
        "StepLR": "ExponentialDecay", "MultiStepLR": "PiecewiseConstantDecay", "ConstantLR": "PiecewiseConstantDecay",
        "LinearLR": "PolynomialDecay", "ExponentialLR": "ExponentialDecay", "SequentialLR": "WarmUp",
        "CosineAnnealingLR": "CosineDecay", "ChainedScheduler": "",
        "ReduceLROnPlateau": "callbacks.ReduceLROnPlateau", "CyclicLR": "Cyclic",
        "CosineAnnealingWarmRestarts": "CosineWarmRestarts", "OneCycleLR": "OneCycle",
        "PolynomialLR": "PolynomialDecay",
    },
}  # fmt: skip
"""PyTorch 2.13: its names, and ours of the same kind or, with a dot, of another."""

OPTAX = {
    "optimizers": {
        "adabelief": "AdaBelief", "adadelta": "Adadelta", "adafactor": "Adafactor", "adagrad": "Adagrad",
        "adam": "Adam",
        "adamax": "Adamax", "adamaxw": "Adamax", "adamw": "AdamW", "adan": "Adan", "amsgrad": "Adam", "fromage": "",
        "lamb": "Lamb", "lars": "LARS", "lbfgs": "LBFGS", "lion": "Lion", "nadam": "Nadam", "nadamw": "NAdamW",
        "noisy_sgd": "", "novograd": "", "optimistic_adam": "", "optimistic_gradient_descent": "", "polyak_sgd": "",
        "radam": "RAdam", "rmsprop": "RMSprop", "rprop": "Rprop", "sgd": "SGD", "sign_sgd": "", "signum": "", "sm3": "",
        "yogi": "", "contrib.acprop": "", "contrib.ademamix": "", "contrib.adopt": "", "contrib.cocob": "",
        "contrib.dadapt_adamw": "", "contrib.dog": "", "contrib.dowg": "", "contrib.dpsgd": "", "contrib.galore": "",
        "contrib.madgrad": "", "contrib.mechanize": "", "contrib.momo": "", "contrib.muon": "Muon",
        "contrib.prodigy": "Prodigy", "contrib.reduce_on_plateau": "callbacks.ReduceLROnPlateau", "contrib.sam": "SAM",
        "contrib.schedule_free": "ScheduleFree", "contrib.sophia": "", "lookahead": "Lookahead",
    },
    "schedules": {
        "constant_schedule": "PiecewiseConstantDecay", "cosine_decay_schedule": "CosineDecay",
        "cosine_onecycle_schedule": "OneCycle", "exponential_decay": "ExponentialDecay", "linear_onecycle_schedule": "",
        "linear_schedule": "PolynomialDecay", "piecewise_constant_schedule": "PiecewiseConstantDecay",
        "piecewise_interpolate_schedule": "", "polynomial_schedule": "PolynomialDecay", "sgdr_schedule": "",
        "warmup_constant_schedule": "WarmUp", "warmup_cosine_decay_schedule": "CosineDecay",
        "warmup_exponential_decay_schedule": "WarmUp", "join_schedules": "WarmUp",
    },
    "losses": {
        "convex_kl_divergence": "", "ctc_loss": "", "hinge_loss": "Hinge", "kl_divergence": "KLDivergence",
        "multiclass_hinge_loss": "CategoricalHinge", "perceptron_loss": "", "multiclass_sparsemax_loss": "",
        "poly_loss_cross_entropy": "", "safe_softmax_cross_entropy": "CategoricalCrossentropy",
        "sigmoid_binary_cross_entropy": "BinaryCrossentropy", "sigmoid_focal_loss": "BinaryFocalCrossentropy",
        "softmax_cross_entropy": "CategoricalCrossentropy",
        "softmax_cross_entropy_with_integer_labels": "SparseCategoricalCrossentropy", "sparsemax_loss": "",
        "make_fenchel_young_loss": "", "ranking_softmax_loss": "", "cosine_distance": "CosineSimilarity",
        "cosine_similarity": "CosineSimilarity", "huber_loss": "Huber", "l2_loss": "MeanSquaredError",
        "log_cosh": "LogCosh", "squared_error": "MeanSquaredError", "dice_loss": "Dice", "ntxent": "",
        "triplet_margin_loss": "TripletMargin", "smooth_labels": "CategoricalCrossentropy",
    },
}  # fmt: skip
"""Optax 0.2.8."""

SKLEARN = {
    "hidden_layer_sizes": "units of the `Dense` layers", "activation": "`activation=` of each layer",
    "solver": "the optimizer; `lbfgs`: `optimizers.LBFGS`",
    "alpha": "`kernel_regularizer=cr.regularizers.L2(alpha / 2)`",
    "batch_size": "of `fit`", "learning_rate": "a schedule", "learning_rate_init": "the optimizer's `learning_rate`",
    "power_t": "`schedules.InverseTimeDecay`", "max_iter": "`epochs`", "shuffle": "of `fit`",
    "random_state": "`cr.set_random_seed`", "tol": "`EarlyStopping(min_delta=)`", "verbose": "of `fit`",
    "warm_start": "`fit` goes on from the weights as they are", "momentum": "of `SGD`",
    "nesterovs_momentum": "`SGD(nesterov=True)`", "early_stopping": "`callbacks.EarlyStopping`",
    "validation_fraction": "`validation_split`", "beta_1": "of `Adam`", "beta_2": "of `Adam`", "epsilon": "of `Adam`",
    "n_iter_no_change": "`EarlyStopping(patience=)`", "max_fun": "—",
}  # fmt: skip
"""scikit-learn 1.9.1, `MLPClassifier`: what says the same here."""


def find(kind: str, name: str) -> str:
    """Our name in code quotes, looked up; a dash where there is none."""
    path = name if "." in name else f"{WHERE[kind]}.{name}"
    value: Any = cr
    for part in path.split("."):
        value = getattr(value, part, None)
        if value is None:
            return "—"
    return f"`cr.{path}`"


def table(head: str, rows: Mapping[str, str]) -> list[str]:
    """Two columns: a peer's name, and ours."""
    return [f"| {head} | chainrule |", "|---|---|", *(f"| `{name}` | {ours} |" for name, ours in rows.items()), ""]


def count(rows: Mapping[str, str]) -> str:
    here = sum(ours != "—" and not ours.startswith("—") for ours in rows.values())
    return f"{here} of {len(rows)}"


def write_page() -> str:
    """The page."""
    lines = [
        "# Coverage",
        "",
        "What chainrule has of the names that users know from Keras 3.15, PyTorch 2.13, Optax 0.2.8 and scikit-learn",
        "1.9, for dense networks. This page is made by `python oracle/coverage.py` from the code: what is named here",
        "is there, and a dash says that it is not. `make oracle` holds the numbers against those of their peer.",
        "",
        "Not here at all: convolutions, recurrence, attention, whatever belongs to images, speech or sequences;",
        "estimators with scikit-learn's interface; export to other formats; data sets other than handwritten digits.",
        "",
        "## Keras",
        "",
    ]
    for kind, listed in names.KERAS.items():
        if kind == "examples":
            continue
        rows = {name: find(kind, name) for name in listed.split()}
        left = {name: f"— ({why})" for (of, name), why in names.LEFT_OUT.items() if of == kind}
        lines += [f"### {kind}: {count(rows | left)}", "", *table(f"keras.{WHERE[kind]}", rows | left)]
    for peer, kinds in (("PyTorch", TORCH), ("Optax", OPTAX)):
        lines += [f"## {peer}", ""]
        for kind, mapped in kinds.items():
            rows = {name: find(kind, ours) if ours else "—" for name, ours in mapped.items()}
            lines += [f"### {kind}: {count(rows)}", "", *table(peer, rows)]
    lines += ["## scikit-learn", "", "The parameters of `MLPClassifier`, and what says the same here.", ""]
    lines += table("MLPClassifier", SKLEARN)
    lines += ["## In none of them", ""]
    for kind, listed in names.FORMULA.items():
        lines += [f"* {kind}: " + ", ".join(find(kind, name) for name in listed.split())]
    return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail where the page is not what the code gives")
    options = parser.parse_args()
    text = write_page()
    if options.check:
        return 0 if PAGE.read_text("utf-8") == text else 1
    PAGE.write_text(text, "utf-8")
    print(f"written: {PAGE.relative_to(PAGE.parent.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
