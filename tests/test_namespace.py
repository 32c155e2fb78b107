"""The everyday names that programs written for Keras use: each is there and means what it means in Keras."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule import registry

LOWER = {
    "regularizers": {"l1": "L1", "l2": "L2", "l1_l2": "L1L2", "orthogonal_regularizer": "OrthogonalRegularizer"},
    "constraints": {"max_norm": "MaxNorm", "min_max_norm": "MinMaxNorm", "non_neg": "NonNeg", "unit_norm": "UnitNorm"},
    "initializers": {
        "zeros": "Zeros",
        "ones": "Ones",
        "constant": "Constant",
        "identity": "Identity",
        "orthogonal": "Orthogonal",
        "glorot_uniform": "GlorotUniform",
        "glorot_normal": "GlorotNormal",
        "he_uniform": "HeUniform",
        "he_normal": "HeNormal",
        "lecun_uniform": "LecunUniform",
        "lecun_normal": "LecunNormal",
        "random_normal": "RandomNormal",
        "random_uniform": "RandomUniform",
        "truncated_normal": "TruncatedNormal",
        "variance_scaling": "VarianceScaling",
    },
}
PACKAGES = [
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "utils",
]


@pytest.fixture
def registered():
    """The table of registered names, as it was again afterwards."""
    before = dict(registry.get_custom_objects())
    yield registry.get_custom_objects()
    registry.get_custom_objects().clear()
    registry.get_custom_objects().update(before)


def same(found, expected):
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", PACKAGES)
def test_exported_names_exist(name: str) -> None:
    package = getattr(cr, name)
    for exported in getattr(package, "__all__", ()):
        assert getattr(package, exported) is not None, exported
    assert set(cr.__all__) <= set(dir(cr)) and all(hasattr(cr, exported) for exported in cr.__all__)


@pytest.mark.parametrize("kind", LOWER)
def test_lower_case_names_are_the_classes(kind: str) -> None:
    package = getattr(cr, kind)
    for lower, upper in LOWER[kind].items():
        assert getattr(package, lower) is getattr(package, upper)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("regularizers", cr.regularizers.l1_l2(0.1, 0.2)),
        ("constraints", cr.constraints.max_norm(3)),
        ("initializers", cr.initializers.random_normal(0.0, 0.5, seed=1)),
        ("metrics", cr.metrics.TopKCategoricalAccuracy(k=2)),
        ("layers", cr.layers.Dense(3, "relu")),
        ("losses", cr.losses.Huber(0.5)),
    ],
)
def test_serialize_and_deserialize(kind: str, value) -> None:
    package = getattr(cr, kind)
    again = package.deserialize(package.serialize(value))
    assert type(again) is type(value) and again.get_config() == value.get_config()
    again = cr.saving.deserialize_keras_object(cr.saving.serialize_keras_object({"it": [value, None, 1]}))["it"]
    assert type(again[0]) is type(value) and again[0].get_config() == value.get_config() and again[1:] == [None, 1]


def test_deserialize_takes_own_classes() -> None:
    class Half(cr.regularizers.Regularizer):
        def __call__(self, x):
            return 0.5

    described = cr.regularizers.serialize(Half())
    assert isinstance(cr.regularizers.deserialize(described, {"Half": Half}), Half)
    with pytest.raises(cr.ChainruleError, match="Half"):
        cr.regularizers.deserialize(described)
    with pytest.raises(cr.ChainruleError, match="no configuration"):
        cr.saving.serialize_keras_object(object())


def test_activations() -> None:
    assert cr.activations.swish is cr.activations.silu and cr.activations.hard_swish is cr.activations.hard_silu
    assert cr.activations.deserialize(cr.activations.serialize(cr.activations.swish)) is cr.activations.silu
    assert cr.activations.deserialize("twice", {"twice": lambda x: 2 * x})(3) == 6


def test_accuracies_are_functions() -> None:
    metrics = cr.metrics
    scores = [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]
    same(metrics.binary_accuracy([1, 0, 0], [0.9, 0.2, 0.6]), [1, 1, 0])
    same(metrics.binary_accuracy([1, 0], [0.3, 0.2], threshold=0.25), [1, 1])
    same(metrics.categorical_accuracy([[0, 0, 1], [0, 1, 0]], scores), [0, 1])
    same(metrics.sparse_categorical_accuracy([2, 1], scores), [0, 1])
    same(metrics.top_k_categorical_accuracy([[0, 0, 1], [1, 0, 0]], scores, k=2), [1, 1])
    same(metrics.sparse_top_k_categorical_accuracy([0, 2], scores, k=2), [0, 0])
    same(cr.jit(metrics.sparse_categorical_accuracy)(np.array([2, 1]), np.array(scores, "float32")), [0, 1])


def test_correlations_are_functions() -> None:
    true, pred = np.array([[0.0, 1.0, 0.5]], "float32"), np.array([[0.1, 0.9, 0.3]], "float32")
    same(cr.metrics.pearson_correlation(true, pred), [np.corrcoef(true, pred)[0, 1]])
    covariance = np.mean((true - true.mean()) * (pred - pred.mean()))
    lin = 2 * covariance / (true.var() + pred.var() + (true.mean() - pred.mean()) ** 2)
    same(cr.metrics.concordance_correlation(true, pred), [lin])


def test_losses_are_functions_of_metrics_too() -> None:
    for name in ("mean_squared_error", "mean_absolute_error", "poisson", "hinge", "kl_divergence", "mse", "MAE", "bce"):
        assert getattr(cr.metrics, name) is getattr(cr.losses, name)
    same(cr.metrics.mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]]), [0.5])


def test_utils_of_arrays() -> None:
    utils = cr.utils
    same(utils.to_categorical([[2], [0]]), [[0, 0, 1], [1, 0, 0]])
    assert utils.to_categorical([[0, 1], [2, 3]], num_classes=5).shape == (2, 2, 5)
    with pytest.raises(cr.ChainruleError, match="no class"):
        utils.to_categorical([0, 3], num_classes=3)
    with pytest.raises(cr.ChainruleError, match="num_classes"):
        utils.to_categorical([])
    same(utils.normalize([[3.0, 4.0], [0.0, 0.0]]), [[0.6, 0.8], [0, 0]])
    same(utils.normalize([[1.0, -3.0]], axis=-1, order=1), [[0.25, -0.75]])
    assert utils.pack_x_y_sample_weight(1) == 1 and utils.pack_x_y_sample_weight([1]) == ([1],)
    assert utils.pack_x_y_sample_weight(1, 2) == (1, 2) and utils.pack_x_y_sample_weight(1, 2, 3) == (1, 2, 3)
    assert utils.unpack_x_y_sample_weight((1, 2, 3)) == (1, 2, 3)
    assert utils.unpack_x_y_sample_weight([1]) == utils.unpack_x_y_sample_weight(1) == (1, None, None)
    with pytest.raises(cr.ChainruleError, match="not a batch"):
        utils.unpack_x_y_sample_weight((1, 2, 3, 4))


def test_registered_classes_are_found_in_files(tmp_path, registered) -> None:
    @cr.utils.register_keras_serializable("mine")
    class Dense(cr.layers.Dense):  # a name that chainrule has as well
        def call(self, x):
            return 2.0 * super().call(x)

    @cr.saving.register_keras_serializable(name="cube")
    def power_of_three(x):
        return x * x * x

    assert cr.utils.get_registered_name(Dense) == "mine>Dense" and registered["mine>Dense"] is Dense
    assert cr.utils.get_registered_object("Custom>cube") is power_of_three
    model = cr.Sequential([cr.Input((3,)), Dense(4, activation=power_of_three), cr.layers.Dense(2)])
    x = np.ones((5, 3), "float32")
    cr.saving.save_model(model, tmp_path / "model.keras")
    again = cr.saving.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in again.layers] == [Dense, cr.layers.Dense]
    same(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert type(cr.models.model_from_json(model.to_json()).layers[0]) is Dense
    registered.clear()
    with pytest.raises(cr.ChainruleError, match="mine>Dense"):
        cr.saving.load_model(tmp_path / "model.keras")
    with cr.utils.CustomObjectScope({"Dense": Dense, "cube": power_of_three}):
        cr.saving.load_model(tmp_path / "model.keras")
    with pytest.raises(cr.ChainruleError, match="get_config"):
        cr.utils.register_keras_serializable()(int)


def test_custom_objects_may_be_entered(registered) -> None:
    cr.utils.get_custom_objects()["thrice"] = lambda x: 3 * x
    assert cr.activations.get("thrice")(2) == 6
    with cr.saving.custom_object_scope({"thrice": abs}):
        assert cr.activations.get("thrice")(-2) == 2


def test_weights_in_files(tmp_path) -> None:
    first, second = (cr.Sequential([cr.Input((3,)), cr.layers.Dense(2)]) for _ in range(2))
    cr.saving.save_weights(first, tmp_path / "w.safetensors")
    cr.saving.load_weights(second, tmp_path / "w.safetensors")
    same(second.get_weights()[0], first.get_weights()[0])
    cr.models.save_model(first, tmp_path / "m.keras")
    same(cr.models.load_model(tmp_path / "m.keras").get_weights()[0], first.get_weights()[0])
    with pytest.raises(cr.ChainruleError, match="JSON"):
        cr.models.model_from_json("{")


@pytest.mark.parametrize("place", [cr.backend, cr.config])
def test_backend(place) -> None:
    assert place.backend() == "chainrule" and place.epsilon() == 1e-7 and place.floatx() == "float32"
    place.set_floatx("float32")
    with pytest.raises(cr.ChainruleError, match="set_dtype_policy"):
        place.set_floatx("float16")


def test_clear_session() -> None:
    cr.backend.clear_session()
    cr.utils.clear_session(free_memory=False)


def test_top_level() -> None:
    assert issubclass(cr.layers.Dense, cr.Layer) and issubclass(cr.losses.Huber, cr.Loss)
    assert issubclass(cr.metrics.AUC, cr.Metric) and issubclass(cr.optimizers.Adam, cr.Optimizer)
    assert issubclass(cr.initializers.Zeros, cr.Initializer) and issubclass(cr.regularizers.L1, cr.Regularizer)
    assert cr.Variable([1.0]).shape == (1,) and cr.__version__[0].isdigit()


def test_python_m_chainrule() -> None:
    done = subprocess.run([sys.executable, "-m", "chainrule", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "train" in done.stdout


def test_random() -> None:
    random = cr.random
    same(random.normal((3,), 1.0, 2.0, None, 7), 1.0 + 2.0 * np.asarray(random.normal((3,), seed=7)))
    assert random.uniform((4,), -1.0, 1.0, "float64", 7).dtype == np.float64
    with pytest.raises(cr.ChainruleError, match="float dtype"):
        random.uniform((2,), dtype="int32")
    drawn = np.asarray(random.randint((1000,), -2, 3, seed=1))
    assert drawn.dtype == np.int32 and set(drawn.tolist()) == {-2, -1, 0, 1, 2}
    with pytest.raises(cr.ChainruleError, match="no numbers"):
        random.randint((2,), 3, 3)
    logits = np.array([[math.log(0.2), -math.inf, math.log(0.8)], [0.0, -math.inf, -math.inf]], "float32")
    drawn = np.asarray(random.categorical(logits, 5000, seed=3))
    assert drawn.shape == (2, 5000) and abs((drawn[0] == 2).mean() - 0.8) < 0.03 and not (drawn == 1).any()
    compiled = cr.jit(lambda array: random.categorical(array, 5000, seed=3))(logits)
    same(compiled, drawn)
    rows = np.arange(20).reshape(10, 2)
    shuffled = random.shuffle(rows, seed=5)
    assert sorted(map(tuple, shuffled)) == list(map(tuple, rows)) and (shuffled != rows).any()
    with pytest.raises(cr.ChainruleError, match="shuffled"):
        cr.jit(lambda array: random.shuffle(array))(rows)


R = np.random.default_rng(0)
M = R.normal(size=(4, 3)).astype("float32")
N = R.normal(size=(5, 3)).astype("float32")
CUBE = R.normal(size=(3, 4, 5)).astype("float32")
WILD = np.array([np.nan, np.inf, -np.inf, 1.0], "float32")
OPS = {
    "amax": (lambda: cr.ops.amax, (M,), {"axis": 0}, M.max(0)),
    "amin": (lambda: cr.ops.amin, (M,), {"axis": 1}, M.min(1)),
    "average": (lambda: cr.ops.average, (M,), {"axis": 0}, M.mean(0)),
    "inner": (lambda: cr.ops.inner, (M, N), {}, np.inner(M, N)),
    "inner of numbers": (lambda: cr.ops.inner, (M, np.float32(2)), {}, 2 * M),
    "trace": (lambda: cr.ops.trace, (CUBE,), {}, np.trace(CUBE)),
    "trace of others": (
        lambda: cr.ops.trace,
        (CUBE,),
        {"offset": 1, "axis1": 2, "axis2": 0},
        np.trace(CUBE, 1, 2, 0),
    ),
    "nan_to_num": (lambda: cr.ops.nan_to_num, (WILD,), {}, np.nan_to_num(WILD)),
    "nan_to_num given": (
        lambda: cr.ops.nan_to_num,
        (WILD,),
        {"nan": 1.0, "posinf": 2.0, "neginf": 3.0},
        [1.0, 2.0, 3.0, 1.0],
    ),
    "allclose": (lambda: cr.ops.allclose, (M, M + 1e-7), {}, True),
    "allclose not": (lambda: cr.ops.allclose, (M, M + 1.0), {}, False),
    "allclose nan": (lambda: cr.ops.allclose, (WILD, WILD), {}, False),
    "allclose equal_nan": (lambda: cr.ops.allclose, (WILD, WILD), {"equal_nan": True}, True),
    "isclose": (lambda: cr.ops.isclose, (WILD, -WILD), {}, [False] * 4),
    **{f"roll {s} {a}": (lambda: cr.ops.roll, (M,), {"shift": s, "axis": a}, np.roll(M, s, a))
       for s in (0, 1, -2, 7) for a in (None, 0, -1)},
    **{f"cumsum {a}": (lambda: cr.ops.cumsum, (CUBE,), {"axis": a}, np.cumsum(CUBE, a)) for a in (None, 0, 1, -1)},
    "cumsum of ints": (lambda: cr.ops.cumsum, (np.arange(9, dtype="int32"),), {}, np.cumsum(np.arange(9))),
    **{f"diag {k}": (lambda: cr.ops.diag, (M,), {"k": k}, np.diag(M, k)) for k in (-3, -1, 0, 1, 2)},
    **{f"diag of a vector {k}": (lambda: cr.ops.diag, (M[0],), {"k": k}, np.diag(M[0], k)) for k in (-2, 0, 1)},
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_ops(name: str) -> None:
    get, arrays, options, expected = OPS[name]
    same(get()(*arrays, **options), expected)
    same(cr.jit(lambda *arrays: get()(*arrays, **options))(*arrays), expected)


def test_ops_of_several_arrays() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0], "float32")
    same(cr.ops.average(M, 0, weights), np.average(M, 0, weights))
    same(cr.ops.average(M, None, np.abs(M)), np.average(M, None, np.abs(M)))
    with pytest.raises(cr.ChainruleError, match="one axis"):
        cr.ops.average(M, None, weights)
    same(cr.ops.hstack([M, M[:, :1]]), np.hstack([M, M[:, :1]]))
    same(cr.ops.hstack([M[0], N[0]]), np.hstack([M[0], N[0]]))
    same(cr.ops.vstack([M, N]), np.vstack([M, N]))
    same(cr.jit(lambda a, b: cr.ops.vstack([a, b]))(M[0], N[0]), np.vstack([M[0], N[0]]))


def test_conversions() -> None:
    ops = cr.ops
    assert ops.convert_to_tensor([1.5]).dtype == np.float32 and ops.array([1], "int32").dtype == np.int32
    variable = cr.Variable(np.ones((2, 3), "float32"))
    same(ops.convert_to_numpy(variable), np.ones((2, 3)))
    assert ops.is_tensor(M) and not ops.is_tensor([1.0]) and ops.ndim(variable) == 2 and ops.size(variable) == 6
    seen = []

    def look(x):
        seen.append((ops.is_tensor(x), ops.ndim(x)))
        return ops.convert_to_numpy(x)

    with pytest.raises(cr.ChainruleError, match="no values"):
        cr.jit(look)(M)
    assert seen == [(True, 2)]
    network = cr.Model(x := cr.Input((3,)), cr.layers.Lambda(lambda x: x * cr.ops.cast(cr.ops.size(x), "float32"))(x))
    same(network.predict(np.ones((4, 3), "float32"), verbose=0), np.full((4, 3), 12.0))
    assert math.isclose(float(ops.array(0.5)), 0.5)
