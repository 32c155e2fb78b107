import math
import signal
import threading

import numpy as np
import pytest
from callbacks.driving import drive

import chainrule as cr
from chainrule.callbacks import Callback, EarlyStopping, MonitorCallback, ReduceLROnPlateau, TerminateOnNaN
from chainrule.errors import ChainruleError, NonFiniteLossError


def losses(*values):
    return [{"loss": value, "accuracy": 1 - value} for value in values]


def network(rate=0.01):
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((3,)), cr.layers.Dense(4, "relu"), cr.layers.Dense(1)])
    model.compile(cr.optimizers.SGD(rate), "mse", metrics=["mae"])
    return model


def data(rows=64):
    x = np.random.default_rng(0).standard_normal((rows, 3)).astype("f")
    return x, x.sum(1)


@pytest.mark.parametrize(
    ("options", "sequence", "epochs", "weight"),
    [
        ({}, (3, 2, 1, 1.5, 0.5), 4, 4),
        ({"patience": 2}, (3, 2, 2.5, 2.5, 1), 4, 4),
        ({"patience": 2, "restore_best_weights": True}, (3, 2, 2.5, 2.5, 1), 4, 2),
        ({"patience": 9, "restore_best_weights": True}, (3, 1, 2, 2.5), 4, 2),  # the last epoch is reached
        ({"min_delta": 0.5}, (3, 2, 1.6, 1.0), 3, 3),
        ({"min_delta": -0.5}, (3, 2, 1.6, 1.0), 3, 3),
        ({"baseline": 1.0, "patience": 2}, (3, 2.9, 2.8, 0.1), 4, 4),  # it improves: the baseline is looked at after it
        ({"baseline": 1.0, "patience": 2, "restore_best_weights": True}, (3, 2.5, 2.7, 2.8, 0.1), 3, 2),
        ({"start_from_epoch": 2}, (1, 2, 3, 4, 5), 4, 4),
        ({"mode": "max"}, (1, 2, 3, 2.5, 9), 4, 4),
        ({"monitor": "accuracy"}, (0.5, 0.4, 0.6, 0.1), 3, 3),
    ],
)
def test_early_stopping_by_hand(options, sequence, epochs, weight):
    callback = EarlyStopping(**{"monitor": "loss", **options})
    model, rates = drive(callback, losses(*sequence))
    assert (len(rates), model.weight) == (epochs, weight)


@pytest.mark.parametrize(
    ("options", "sequence", "rates"),
    [
        ({"patience": 1, "factor": 0.5}, (3, 2, 2, 2, 1), (1, 1, 0.5, 0.25, 0.25)),
        ({"patience": 2, "factor": 0.5}, (2, 2, 2, 2, 2), (1, 1, 0.5, 0.5, 0.25)),
        ({"patience": 1, "factor": 0.5, "cooldown": 2}, (2, 2, 2, 2, 2), (1, 0.5, 0.5, 0.25, 0.25)),
        ({"patience": 1, "factor": 0.1, "min_lr": 0.05}, (2, 2, 2, 2), (1, 0.1, 0.05, 0.05)),
        ({"patience": 1, "factor": 0.5, "min_delta": 1.0}, (3, 2.5, 2.4), (1, 0.5, 0.25)),
    ],
)
def test_reduce_on_plateau_by_hand(options, sequence, rates):
    _, found = drive(ReduceLROnPlateau(monitor="loss", **options), losses(*sequence))
    np.testing.assert_allclose(found, rates, rtol=1e-6)


def test_names_tell_the_direction():
    for name, larger in (
        ("val_loss", False),
        ("out_loss", False),
        ("val_mae", False),
        ("root_mean_squared_error", False),
        ("accuracy", True),
        ("val_out_accuracy", True),
        ("auc", True),
        ("f1_score", True),
    ):
        assert MonitorCallback(name).larger_is_better is larger
    with pytest.raises(ChainruleError, match="mode='max' or mode='min'"):
        EarlyStopping("glee").improves(1.0, 2.0)
    assert EarlyStopping("glee", mode="max").larger_is_better


def test_a_metric_tells_its_own_direction():
    class Odd:
        name, direction = "loss", "up"

    callback = EarlyStopping("val_loss")
    drive(callback, [])
    callback.model.metrics = [Odd()]
    assert callback.larger_is_better


def test_bad_arguments_are_refused():
    with pytest.raises(ChainruleError, match="one of auto, max, min"):
        EarlyStopping(mode="mni")
    with pytest.raises(ChainruleError, match="make the rate smaller"):
        ReduceLROnPlateau(factor=1.0)


def test_unknown_names_are_refused_with_the_known():
    with pytest.raises(ChainruleError, match="did you mean 'loss'"):
        drive(EarlyStopping("los"), losses(1))
    x, y = data()
    model = network()
    before = model.get_weights()
    with pytest.raises(ChainruleError, match="nothing is validated") as caught:
        model.fit(x, y, verbose=0, callbacks=[EarlyStopping()])
    assert "loss, mae" in str(caught.value)
    assert "validation_split" in str(caught.value)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])  # before any training


def test_a_callback_may_add_what_another_monitors():
    class Score(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_score"] = float(epoch)

    x, y = data()
    history = network().fit(x, y, epochs=3, verbose=0, callbacks=[Score(), EarlyStopping("val_score", mode="max")])
    assert history.history["val_score"] == [0.0, 1.0, 2.0]


def test_epochs_that_are_not_validated_do_not_count():
    x, y = data()
    stop = EarlyStopping("val_loss", patience=1, min_delta=100.0)
    history = network().fit(x, y, epochs=9, validation_split=0.25, validation_freq=2, verbose=0, callbacks=[stop])
    assert len(history.epoch) == 4
    assert len(history.history["val_loss"]) == 2


@pytest.mark.parametrize("ending", ["epochs", "stop", "error", "interrupt"])
def test_the_best_weights_are_restored_whichever_way_training_ends(ending):
    """The rate is such that the loss grows after the third epoch."""
    x, y = data()
    best = {}

    class Disturb(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                self.model.optimizer.learning_rate = 0.5
            if epoch == 6 and ending == "error":
                raise RuntimeError("something else")
            if epoch == 6 and ending == "interrupt":
                threading.Timer(0.0, signal.raise_signal, [signal.SIGINT]).start()

        def on_epoch_end(self, epoch, logs=None):
            if logs["loss"] <= min(best, default=math.inf):
                best[logs["loss"]] = self.model.get_weights()

    model = network(0.05)
    patience = 2 if ending == "stop" else 10_000
    epochs = {"epochs": 8, "interrupt": 1_000_000}.get(ending, 100)
    stop = EarlyStopping("loss", patience=patience, restore_best_weights=True)
    errors = {"error": RuntimeError, "interrupt": KeyboardInterrupt}
    if ending in errors:
        with pytest.raises(errors[ending]):
            model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=[Disturb(), stop])
    else:
        model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=[Disturb(), stop])
    for mine, other in zip(model.get_weights(), best[min(best)], strict=True):
        np.testing.assert_array_equal(mine, other)


def test_terminate_on_nan_ends_training_with_the_batch(capsys):
    x, y = np.full((64, 3), 1e30, "f"), np.ones(64, "f")
    history = network(1e3).fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=[TerminateOnNaN()])
    assert len(history.epoch) == 1
    assert "Batch 0" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="batch 0"):
        network(1e3).fit(x, y, verbose=0, callbacks=[TerminateOnNaN(raise_error=True)])
    with pytest.raises(NonFiniteLossError, match="step 1"):
        network(1e3).fit(x, y, verbose=0)
