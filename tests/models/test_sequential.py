import signal
import threading
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError, FileError, NonFiniteLossError


def data(rows=200, features=6, classes=3):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((rows, features)).astype("f")
    return x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)


def classifier(metrics=("accuracy",), **options):
    cr.set_random_seed(1)
    model = cr.Sequential([cr.Input((6,)), cr.layers.Dense(16, "relu"), cr.layers.Dense(3, name="logits")])
    model.compile("adam", cr.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=list(metrics), **options)
    return model


def test_compiled_training_is_interpreted_training():
    x, y = data(70)
    compiled, interpreted = classifier(), classifier(run_eagerly=True)
    first = compiled.fit(x, y, batch_size=32, epochs=3, verbose=0, shuffle=False).history
    second = interpreted.fit(x, y, batch_size=32, epochs=3, verbose=0, shuffle=False).history
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-5)
    for a, b in zip(compiled.get_weights(), interpreted.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_it_learns_and_tells_of_it():
    x, y = data(600)
    model = classifier()
    model.optimizer.learning_rate = 0.01
    history = model.fit(x, y, epochs=60, validation_split=0.25, verbose=0)
    assert history.history["val_accuracy"][-1] > 0.9
    assert model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] > 0.9
    assert model.predict(x).shape == (600, 3)


def test_saving_and_loading(tmp_path):
    x, y = data()
    model = classifier()
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.chainrule")
    again = cr.load_model(tmp_path / "model.chainrule")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.optimizer.iterations.numpy() == model.optimizer.iterations.numpy()
    contents = (tmp_path / "model.chainrule").read_bytes()
    for damaged in (contents[: len(contents) // 2], b"not a model", b"", contents[:300] + b"\0\0\0" + contents[303:]):
        (tmp_path / "bad").write_bytes(damaged)
        with pytest.raises(FileError):
            cr.load_model(tmp_path / "bad")
    with pytest.raises(FileError, match="no such file"):
        cr.load_model(tmp_path / "missing")


def test_a_failing_save_leaves_the_old_file(tmp_path, monkeypatch):
    model = classifier()
    path = tmp_path / "model"
    model.save(path)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FileError, match="No space"):
        model.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:, :5], y), "do not fit the model"),
        (lambda x, y: (x, y + 1), "out of range"),
        (lambda x, y: (x, y + 0.5), "whole number"),
        (lambda x, y: (x[:-1], y), "differ in length"),
        (lambda x, y: (np.where(x > 2, np.nan, x), y), "NaN"),
        (lambda x, y: (x.astype(str), y), "not an array of numbers"),
        (lambda x, y: (x[:0], y[:0]), "no rows"),
        (lambda x, y: (x, np.eye(3)[y]), "labels do not fit"),
    ],
)
def test_bad_data_are_refused_before_training(change, message):
    model = classifier()
    before = model.get_weights()
    with pytest.raises(DataError if "model" not in message else ChainruleError, match=message):
        model.fit(*change(*data()), verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_bad_arguments_are_refused():
    x, y = data()
    model = classifier()
    with pytest.raises(DataError, match="batch_size"):
        model.fit(x, y, batch_size=0)
    with pytest.raises(DataError, match="validation_split"):
        model.fit(x, y, validation_split=1.5)
    with pytest.raises(ChainruleError, match="did you mean 'relu'"):
        cr.layers.Dense(3, "rellu")
    with pytest.raises(ChainruleError, match="did you mean 'adam'"):
        model.compile("adm", "mse")
    with pytest.raises(ChainruleError, match="not compiled"):
        cr.Sequential([cr.Input((6,)), cr.layers.Dense(3)]).fit(x, y)


def test_targets_are_lined_up_never_broadcast():
    x = np.random.default_rng(0).standard_normal((50, 4)).astype("f")
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    flat, column = model.evaluate(x, x[:, 0], verbose=0), model.evaluate(x, x[:, :1], verbose=0)
    assert flat == column == pytest.approx(np.mean((model.predict(x)[:, 0] - x[:, 0]) ** 2), rel=1e-5)
    with pytest.raises(ChainruleError, match="differ in shape"):
        model.fit(x, x[:, :2], verbose=0)


def test_a_loss_that_is_no_number_stops_with_epoch_and_step():
    x = np.full((64, 4), 1e30, "f")
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(1)])
    model.compile(cr.optimizers.SGD(1e3), "mse")
    with pytest.raises(NonFiniteLossError, match="epoch 1, step 1"):
        model.fit(x, np.ones(64, "f"), epochs=5, verbose=0)


def test_interrupt_leaves_finished_steps():
    x, y = data(20_000)
    model = classifier()
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=100_000, verbose=0)
    assert model.optimizer.iterations.numpy() > 0
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_200_layers_train():
    cr.set_random_seed(0)
    layers = [cr.layers.Dense(16, "tanh", kernel_initializer="lecun_normal") for _ in range(200)]
    model = cr.Sequential([cr.Input((6,)), *layers, cr.layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = data(64)
    started = time.perf_counter()
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert len(model.train_executable().kernels) < 100, started


def test_callbacks_see_batches_and_stop_early(tmp_path):
    x, y = data()
    model = classifier()
    seen = []

    class Watch(cr.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"]))

    model.fit(x, y, batch_size=50, epochs=1, verbose=0, callbacks=[Watch()])
    assert [batch for batch, _ in seen] == [0, 1, 2, 3]
    stop = cr.callbacks.EarlyStopping(monitor="loss", min_delta=10.0, patience=2, restore_best_weights=True)
    keep = cr.callbacks.ModelCheckpoint(tmp_path / "{epoch}.chainrule", monitor="loss")
    assert len(model.fit(x, y, epochs=50, verbose=0, callbacks=[stop, keep]).epoch) < 10
    assert (tmp_path / "1.chainrule").exists()


def test_weights_of_samples_and_classes():
    x, y = data()
    plain, weighted, by_class = classifier(), classifier(), classifier()
    plain.fit(x, y, epochs=2, verbose=0, shuffle=False, sample_weight=np.ones(len(y)))
    weighted.fit(x, y, epochs=2, verbose=0, shuffle=False)
    by_class.fit(x, y, epochs=2, verbose=0, class_weight={0: 1.0, 1: 1.0, 2: 5.0})
    np.testing.assert_allclose(plain.get_weights()[0], weighted.get_weights()[0], rtol=1e-5, atol=1e-6)
    assert not np.allclose(by_class.get_weights()[0], weighted.get_weights()[0])


def test_a_layer_taken_off_leaves_the_symbolic_arrays_too():
    model = cr.Sequential([cr.Input((4,)), cr.layers.Dense(3), cr.layers.Dense(2)])
    assert model.output.shape[1:] == (2,)
    model.pop()
    assert model.output.shape[1:] == (3,)
    assert cr.Model(model.input, model.output).predict(np.ones((5, 4), "f")).shape == (5, 3)
