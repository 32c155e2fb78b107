"""Checkpoints lose nothing: what goes on from one has the same bits, and a fault in writing one leaves the old."""

from __future__ import annotations

import errno
import os
import zipfile

import numpy as np
import pytest

import chainrule as cr
from chainrule.callbacks import (
    BackupAndRestore,
    Callback,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    Resume,
)
from chainrule.errors import ChainruleError, FileError
from chainrule.interop.archive import UNFINISHED, read_archive, write_archive, write_file
from chainrule.training.run import Archive
from chainrule.utils import PyDataset

ROWS, BATCH, STEPS = 90, 8, 12


class Stopped(Exception):
    """What stands for the end of a process."""


class Stop(Callback):
    """End training before a batch, or before an epoch's end."""

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.at = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise Stopped

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.at:
            raise Stopped


def data():
    x = np.random.default_rng(0).standard_normal((ROWS, 4)).astype("f")
    return x, x.sum(1) + x[:, 0] ** 2


def stack(optimizer="adam", units=6, first=True, activation="tanh"):
    cr.set_random_seed(7)
    layers = [cr.layers.Dense(units, activation), cr.layers.Dropout(0.4), cr.layers.Dense(1)]
    model = cr.Sequential([cr.Input((4,)), *layers] if first else layers)
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def state(model):
    """All that training changes, as bytes."""
    variables = [*model.weights, *model.optimizer.variables, *model.state]
    return [variable.numpy().tobytes() for variable in variables]


def fit(model, callbacks=(), epochs=4, **options):
    x, y = data()
    options = {"batch_size": BATCH, "validation_data": (x[:10], y[:10]), **options}
    return model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)


def compare(make, train, folder, stop, save_freq, extra=list):
    """A run that is stopped and started again, against one that is not; both models and histories."""
    whole = make()
    wanted = train(whole, extra())
    first = make()
    with pytest.raises(Stopped):
        train(first, [*extra(), BackupAndRestore(folder, save_freq), stop])
    cr.set_random_seed(999)  # whatever else the second process may have drawn
    second = make()
    found = train(second, [*extra(), BackupAndRestore(folder, save_freq)])
    assert state(second) == state(whole)
    assert found.history == wanted.history
    assert found.epoch == wanted.epoch
    assert not folder.exists()
    return second, whole


@pytest.mark.parametrize("save_freq", ["epoch", 1, 5, STEPS, 17])
@pytest.mark.parametrize("stop", [(0, 3), (1, 0), (2, 7), (2, STEPS - 1), (2, None)])
def test_a_run_goes_on_with_the_same_bits(save_freq, stop, tmp_path):
    compare(stack, fit, tmp_path / "backup", Stop(*stop), save_freq)


def test_what_callbacks_keep_goes_on(tmp_path):
    def extra():
        return [
            LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            EarlyStopping("val_loss", patience=3, restore_best_weights=True),
            ReduceLROnPlateau("loss", patience=1, min_delta=10.0, factor=0.5),
        ]

    for number, stop in enumerate([Stop(1, 4), Stop(2, None), Stop(3, 1)]):
        make = lambda: stack(cr.optimizers.SGD(0.2))
        compare(make, fit, tmp_path / str(number), stop, 5, extra)


def test_a_run_that_was_stopped_early_stays_stopped(tmp_path):
    class Dies(Callback):
        def on_train_end(self, logs=None):
            raise Stopped

    def extra():
        return [EarlyStopping("loss", min_delta=100.0, patience=1, restore_best_weights=True)]

    whole = stack()
    wanted = fit(whole, extra())
    with pytest.raises(Stopped):
        fit(stack(), [*extra(), Dies(), BackupAndRestore(tmp_path)])
    again = stack()
    found = fit(again, [*extra(), BackupAndRestore(tmp_path)])
    assert found.epoch == wanted.epoch == [0, 1]
    assert state(again) == state(whole)


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda: cr.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        lambda: cr.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        lambda: cr.optimizers.Adam(0.01, amsgrad=True),
        lambda: cr.optimizers.AdamW(cr.optimizers.schedules.CosineDecay(0.01, 40)),
        lambda: cr.optimizers.Adam(0.01, use_ema=True, gradient_accumulation_steps=3),
        lambda: cr.optimizers.Lookahead(cr.optimizers.SGD(0.01)),
    ],
    ids=["sgd", "rmsprop", "adam", "adamw", "ema", "lookahead"],
)
def test_every_optimizer_goes_on(make_optimizer, tmp_path):
    compare(lambda: stack(make_optimizer()), fit, tmp_path / "backup", Stop(2, 6), 5)


def two_outputs():
    cr.set_random_seed(7)
    inputs = cr.Input((4,))
    hidden = cr.layers.Dropout(0.2)(cr.layers.Dense(5, "relu")(inputs))
    model = cr.Model(inputs, {"one": cr.layers.Dense(1)(hidden), "two": cr.layers.Dense(1)(hidden)})
    model.compile("adam", "mse", metrics={"one": ["mae"]})
    return model


def test_several_outputs_go_on(tmp_path):
    def train(model, callbacks):
        x, y = data()
        return model.fit(x, {"one": y, "two": -y}, batch_size=BATCH, epochs=3, verbose=0, callbacks=callbacks)

    compare(two_outputs, train, tmp_path / "backup", Stop(1, 6), 5)


class Noisy(cr.Model):
    """A formula of its own, with random numbers of its own."""

    def __init__(self):
        super().__init__()
        self.inner, self.last = cr.layers.Dense(6, "tanh"), cr.layers.Dense(1)
        self.noise = cr.random.SeedGenerator()

    def call(self, x, training=False):
        h = self.inner(x)
        return self.last(cr.random.dropout(h, 0.3, self.noise) if training else h)


def noisy():
    cr.set_random_seed(7)
    model = Noisy()
    model.compile("adam", "mse", metrics=["mae"])
    return model


def test_a_model_of_ones_own_goes_on(tmp_path):
    second, whole = compare(noisy, fit, tmp_path / "backup", Stop(1, 6), 5)
    assert second.noise.state.numpy().tolist() == whole.noise.state.numpy().tolist()


class Rows(PyDataset):
    """Batches that change from epoch to epoch."""

    def __init__(self, workers=1):
        super().__init__(workers=workers)
        self.shift = 0.0

    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        x, y = data()
        return x[index * BATCH : (index + 1) * BATCH] + self.shift, y[index * BATCH : (index + 1) * BATCH]

    def on_epoch_end(self):
        self.shift += 0.25


def generate():
    rows = Rows()
    place = 0
    while True:
        yield rows[place % STEPS]
        place += 1


@pytest.mark.parametrize("stop", [(0, 4), (1, 0), (1, 6), (2, None)])
@pytest.mark.parametrize(
    ("make_batches", "steps"),
    [
        (Rows, None),
        (lambda: Rows(workers=3), None),
        (Rows, 5),
        (generate, 7),
        (lambda: iter([Rows()[at] for at in range(5)]), None),
        (lambda: type("Turns", (), {"__iter__": lambda self: iter([Rows()[at] for at in range(6)])})(), None),
    ],
    ids=["dataset", "workers", "dataset in parts", "generator", "iterator", "iterable"],
)
def test_batches_go_on(make_batches, steps, stop, tmp_path):
    if steps is None and isinstance(make_batches(), type(iter([]))):
        stop = (0, 3)  # an iterator without steps is one epoch

    def train(model, callbacks):
        batches = make_batches()
        epochs = 1 if isinstance(batches, type(iter([]))) else 4
        return model.fit(batches, steps_per_epoch=steps, epochs=epochs, verbose=0, callbacks=callbacks)

    if steps == 5 and stop[1] == 6:
        stop = (1, 3)
    make = lambda: stack(first=False)
    compare(make, train, tmp_path / "backup", Stop(*stop), 3)


@pytest.mark.parametrize("save_freq", ["epoch", 5])
def test_resume_from_what_model_checkpoint_wrote(save_freq, tmp_path):
    whole = stack()
    fit(whole)
    path = tmp_path / "model.chainrule"
    with pytest.raises(Stopped):
        fit(stack(), [ModelCheckpoint(path, save_freq=save_freq), Stop(2, 8)])
    cr.set_random_seed(999)
    again = cr.load_model(path)
    history = fit(again, [Resume(path)])
    assert state(again) == state(whole)
    assert history.epoch == [2, 3]
    fresh = stack()
    fit(fresh, [Resume(path)])
    assert state(fresh) == state(whole)
    with pytest.raises(FileError, match="no such file"):
        fit(stack(), [Resume(tmp_path / "missing")])


def test_a_loaded_model_draws_on_where_the_saved_would(tmp_path):
    model = stack()
    fit(model, shuffle=False)
    model.save(tmp_path / "model")
    again = cr.load_model(tmp_path / "model")
    fit(model, shuffle=False)
    fit(again, shuffle=False)
    assert state(again) == state(model)


def test_an_optimizer_that_does_not_fit_is_refused(tmp_path):
    model = stack()
    model.save(tmp_path / "before any step")
    assert cr.load_model(tmp_path / "before any step").optimizer.iterations.numpy() == 0
    fit(model, epochs=1)
    path = tmp_path / "model"
    model.save(path)
    members = read_archive(path)
    other = stack("rmsprop")
    fit(other, epochs=1)
    other.save(tmp_path / "other")
    members["optimizer.safetensors"] = read_archive(tmp_path / "other")["optimizer.safetensors"]
    write_archive(path, members)
    with pytest.raises(FileError, match=r"optimizer's 'dense/kernel/momentum' does not fit"):
        cr.load_model(path)
    assert cr.load_model(path, compile=False).count_params() == model.count_params()


def test_frozen_weights_keep_the_rest_of_the_optimizer(tmp_path):
    model = stack()
    fit(model, epochs=1)
    model.layers[0].trainable = False
    model.save(tmp_path / "model")
    again = cr.load_model(tmp_path / "model")
    ours = {variable.name: variable.numpy() for variable in model.optimizer.variables}
    for variable in again.optimizer.variables:
        np.testing.assert_array_equal(variable.numpy(), ours[variable.name])


# -- backups that do not fit ----------------------------------------------------------------------------------------


def leave_backup(folder, **options):
    with pytest.raises(Stopped):
        fit(stack(), [BackupAndRestore(folder, 5, **options), Stop(2, 8)])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: stack(units=7), {}, r"another network: network.config.layers\[1\].config.units"),
        (lambda: stack(activation="relu"), {}, r"another network: network.config.layers\[1\].config.activation"),
        (lambda: stack("sgd"), {}, "another optimizer"),
        (lambda: stack(cr.optimizers.Adam(amsgrad=True)), {}, "another number of"),
        (noisy, {}, "another network: network.class_name"),
        (stack, {"batch_size": 9}, "another data: data.batch_size"),
    ],
)
def test_a_foreign_backup_is_refused_and_nothing_changed(make, options, message, tmp_path):
    leave_backup(tmp_path)
    model = make()
    fit(model, epochs=0)
    before = state(model)
    with pytest.raises(FileError, match=message) as caught:
        fit(model, [BackupAndRestore(tmp_path, 5)], **options)
    assert "training.chainrule" in str(caught.value)
    assert state(model) == before
    assert (tmp_path / "training.chainrule").exists()


def test_a_model_that_was_saved_outside_of_training_is_no_backup(tmp_path):
    model = stack()
    model.save(tmp_path / "model")
    with pytest.raises(FileError, match="no training can go on"):
        fit(model, [Resume(tmp_path / "model")])


def test_damaged_backups_are_refused(tmp_path):
    leave_backup(tmp_path)
    path = tmp_path / "training.chainrule"
    whole = path.read_bytes()
    wanted = Archive(path)
    refused = 0
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        with pytest.raises(FileError):
            Archive(path)
    for place in range(0, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            found = Archive(path)
        except FileError as error:
            assert "training.chainrule" in str(error)
            refused += 1
            continue
        assert found.text == wanted.text  # a byte that means nothing, such as of a date
        for name, arrays in wanted.arrays.items():
            for key, array in arrays.items():
                np.testing.assert_array_equal(found.arrays[name][key], array)
    assert refused > 0.8 * len(whole) / 11
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="not a checkpoint, or it is damaged"):
        fit(stack(), [BackupAndRestore(tmp_path, 5)])


def test_the_backup_before_the_last_takes_the_place_of_a_damaged_one(tmp_path):
    whole = stack()
    fit(whole)
    folder = tmp_path / "backup"
    leave_backup(folder, double_checkpoint=True)
    (folder / "training.chainrule").write_bytes(b"damaged")
    model = stack()
    with pytest.warns(UserWarning, match="before the last"):
        fit(model, [BackupAndRestore(folder, 5, double_checkpoint=True)])
    assert state(model) == state(whole)
    assert not folder.exists()


def test_only_its_own_files_are_deleted(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work", "utf-8")
    fit(stack(), [BackupAndRestore(tmp_path)], epochs=2)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    fit(stack(), [BackupAndRestore(tmp_path, delete_checkpoint=False)], epochs=2)
    model = stack()
    assert fit(model, [BackupAndRestore(tmp_path)], epochs=4).epoch == [0, 1, 2, 3]  # the first two came before
    whole = stack()
    fit(whole, epochs=4)
    assert state(model) == state(whole)


def test_what_a_callback_keeps_must_fit_into_a_file(tmp_path):
    class Keeps(Callback):
        def get_state(self):
            return {"self": self}

    with pytest.raises(ChainruleError, match="cannot be written to a file"):
        fit(stack(), [Keeps(), BackupAndRestore(tmp_path)])


# -- names and times of ModelCheckpoint -----------------------------------------------------------------------------


def test_names_of_epochs_batches_and_numbers(tmp_path):
    fit(stack(), [ModelCheckpoint(tmp_path / "a{epoch:02d}-{val_loss:.1f}")], epochs=2)
    fit(stack(), [ModelCheckpoint(tmp_path / "b{epoch}-{batch}", save_freq=7)], epochs=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:4] for name in names[:2]] == ["a01-", "a02-"]
    assert names[2:] == ["b1-7", "b2-2", "b2-9"]
    with pytest.raises(ChainruleError, match=r"places among .*{loss}") as caught:
        fit(stack(), [ModelCheckpoint(tmp_path / "{loos}")])
    assert "loos" in str(caught.value)
    with pytest.raises(ChainruleError, match="save_freq"):
        ModelCheckpoint("x", save_freq="epochs")


def test_only_the_best_is_saved(tmp_path, capsys):
    model = stack()

    class Feed(Callback):
        values = (3.0, 2.0, 2.5, 1.0)

        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = self.values[epoch]

    path = str(tmp_path / "{epoch}")
    fit(model, [Feed(), ModelCheckpoint(path, save_best_only=True, save_weights_only=True, verbose=1)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "4"]
    assert "did not improve from 2.0" in capsys.readouterr().out
    model.load_weights(tmp_path / "2")
    fit(model, [Feed(), ModelCheckpoint(path + "t", save_best_only=True, initial_value_threshold=2.2)])
    assert sorted(path.name for path in tmp_path.glob("*t")) == ["2t", "4t"]
    with pytest.raises(ChainruleError, match="nothing is validated"):
        fit(model, [ModelCheckpoint(path, save_best_only=True)], validation_data=None)


# -- faults in writing ----------------------------------------------------------------------------------------------

CALLS = ("open", "write", "fsync", "close", "chmod", "replace")


class Crash(BaseException):
    """The end of the process, between two of its calls."""


class Faults:
    """Counts the calls of the system that a save makes, and lets one of them fail."""

    def __init__(self, monkeypatch, fail=None, error=None, after=False):
        self.seen, self.fail, self.error, self.after, self.crashed = [], fail, error, after, False
        for name in (*CALLS, "unlink"):
            monkeypatch.setattr(os, name, self.wrap(name, getattr(os, name)))

    def wrap(self, name, real):
        def call(*arguments, **options):
            if self.crashed:
                if name == "close":  # the system closes what a dead process held
                    real(*arguments, **options)
                raise Crash
            mine = name != "unlink" and len(self.seen) == self.fail
            if name != "unlink":
                self.seen.append(name)
            if mine and not self.after:
                self.raise_fault(real if name == "close" else None, arguments)
            result = real(*arguments, **options)
            if mine:
                self.raise_fault(None, arguments)
            return result

        return call

    def raise_fault(self, close, arguments):
        if close is not None:
            close(*arguments)
        if self.error is None:
            self.crashed = True
            raise Crash
        raise OSError(self.error, os.strerror(self.error))


def saved(path):
    """The numbers in a backup or model file, so far as it is whole."""
    return {name: contents for name, contents in read_archive(path).items() if name != "training.json"}


def count_calls(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        faults = Faults(patch)
        write_file(tmp_path / "counted", b"old")
        first = len(faults.seen)
        write_file(tmp_path / "counted", b"new")
        return first, faults.seen[first:]


def test_the_calls_of_a_save(tmp_path):
    _, second = count_calls(tmp_path)
    assert second == ["open", "write", "fsync", "close", "chmod", "replace", "open", "fsync", "close"]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("place", range(9))
@pytest.mark.parametrize("kind", ["model", "backup"])
def test_a_call_that_fails_leaves_a_file_and_names_it(kind, place, error, tmp_path, monkeypatch):
    """The old one up to the rename, the new one from there; and in any case the model in memory."""
    model = stack()
    path = tmp_path / ("model" if kind == "model" else "training.chainrule")
    keep = ModelCheckpoint(path) if kind == "model" else BackupAndRestore(tmp_path)
    with pytest.raises(Stopped):
        fit(model, [keep, Stop(2, 8)])
    old, before = saved(path), state(model)
    with monkeypatch.context() as patch:
        Faults(patch, place, error)
        with pytest.raises(FileError) as caught:
            fit(model, [keep], epochs=3)
    assert str(path) in str(caught.value)
    assert os.strerror(error) in str(caught.value)
    assert state(model) != before  # of the epoch that was trained
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    model.save(tmp_path / "elsewhere")
    now = saved(path)
    assert (now == old) == (place < 6)
    assert not list(tmp_path.glob(f".*{UNFINISHED}"))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("place", range(9))
def test_a_crash_between_the_calls_leaves_a_whole_file(place, after, tmp_path, monkeypatch):
    whole = stack()
    fit(whole)
    model = stack()
    folder = tmp_path / "backup"
    with pytest.raises(Stopped):
        fit(model, [BackupAndRestore(folder, 5), Stop(2, 8)])
    with monkeypatch.context() as patch:
        Faults(patch, place, None, after)
        with pytest.raises(Crash):
            fit(stack(), [BackupAndRestore(folder, 5)])
    again = stack()
    fit(again, [BackupAndRestore(folder, 5)])
    assert state(again) == state(whole)
    assert not folder.exists()  # what was left half written, too


def test_permissions_and_links_stay(tmp_path):
    real, link = tmp_path / "disk" / "model", tmp_path / "link"
    write_file(real, b"old")
    os.chmod(real, 0o640)
    link.symlink_to(real)
    write_file(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640
    with pytest.raises(FileError, match="could not be written"):
        write_file(tmp_path / "disk", b"not over a folder")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match="could not be written"):
        write_file(tmp_path / "file" / "model", b"")


def test_members_that_are_compressed_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", b"0" * 1_000_000)
    with pytest.raises(FileError, match="compressed"):
        cr.load_model(tmp_path / "bomb")
