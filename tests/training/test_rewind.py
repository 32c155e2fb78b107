"""What was trained can be repeated to the bit, from whatever feed and whatever callbacks did in between."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import NonFiniteLossError
from chainrule.training import loop, rewind
from chainrule.training.replay import Replay
from chainrule.training.rewind import Rewind, all_finite

ROWS, BATCH = 40, 8


def rows():
    generator = np.random.default_rng(2)
    x = generator.standard_normal((ROWS, 5)).astype("f")
    return x, x[:, :1] - x[:, 1:2]


def model_of(optimizer="adam", **options):
    cr.set_random_seed(6)
    model = cr.Sequential(
        [cr.Input((5,)), cr.layers.Dense(6, "relu"), cr.layers.BatchNormalization(), cr.layers.Dropout(0.3),
         cr.layers.Dense(1)]
    )  # fmt: skip
    model.compile(optimizer, "mse", **options)
    return model


@pytest.fixture
def kept(monkeypatch):
    """The Rewinds of all trainings within the test; each takes one copy only."""
    made = []

    class Kept(Rewind):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(loop, "Rewind", Kept)
    monkeypatch.setattr(rewind, "_LEAST_SECONDS", 3600.0)
    return made


def check_repeats(found, steps):
    """The replay comes to the same bits, step for step and in one go, forwards and backwards."""
    after = [(variable, variable.numpy()) for variable in found.watched]
    replay = Replay(found)
    assert replay.count == steps
    assert replay.repeats()
    states = []
    for number in range(steps):
        replay.go_to(number)
        states.append([variable.numpy().tobytes() for variable in found.watched])
        replay.step()
    for number in (steps - 1, 0, steps // 2):
        replay.go_to(number)
        assert states[number] == [variable.numpy().tobytes() for variable in found.watched]
    assert len({tuple(state) for state in states}) == steps
    replay.restore()
    for variable, value in after:
        np.testing.assert_array_equal(variable.numpy(), value)
    return replay


def batches(x, y, epochs):
    for _ in range(epochs):
        for start in range(0, ROWS, BATCH):
            yield x[start : start + BATCH].copy(), y[start : start + BATCH].copy()


# -- feeds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"steps_per_epoch": 3}, {"validation_split": 0.2}])
def test_arrays(kept, options):
    x, y = rows()
    model_of(metrics=["mae"]).fit(x, y, batch_size=BATCH, epochs=3, verbose=0, **options)
    steps = {"steps_per_epoch": 9, "validation_split": 12}.get(next(iter(options), ""), 15)
    replay = check_repeats(kept[0], steps)
    assert [(replay.place(n).epoch, replay.place(n).step) for n in (0, steps - 1)] == [(0, 0), (2, steps // 3 - 1)]


def test_epochs_of_one_step(kept):
    x, y = rows()
    model_of().fit(x, y, batch_size=ROWS, epochs=7, verbose=0)
    check_repeats(kept[0], 7)


def test_batches_of_different_sizes_and_types(kept):
    x, y = rows()

    def uneven():
        yield x[:8], y[:8]
        yield x[8:11], y[8:11]
        yield x[11:30].astype("float64"), y[11:30], np.full(19, 0.5, "f")  # another program
        yield x[30:], y[30:]

    model_of().fit(uneven(), verbose=0)
    found = kept[0]
    assert found.start == (0, 2)  # with the other program's Variables a copy was taken
    check_repeats(found, 2)


def test_an_iterator_over_several_epochs(kept):
    x, y = rows()
    model_of().fit(batches(x, y, 3), steps_per_epoch=5, epochs=3, verbose=0)
    replay = check_repeats(kept[0], 15)
    assert [replay.place(number)[:2] for number in (0, 4, 5, 14)] == [(0, 0), (0, 4), (1, 0), (2, 4)]


def test_a_data_set_in_pieces_with_its_own_order(kept):
    x, y = rows()

    class Pieces(cr.utils.PyDataset):
        def __len__(self):
            return ROWS // BATCH

        def __getitem__(self, at):
            return x[at * BATCH : (at + 1) * BATCH], y[at * BATCH : (at + 1) * BATCH]

    model_of().fit(Pieces(), epochs=3, verbose=0)
    check_repeats(kept[0], 15)


@pytest.mark.parametrize("arrays", [1, 3])
def test_memory_that_is_filled_again(kept, arrays):
    """A generator with one array, or a few in turn: from the second turn on batches are copied."""
    x, y = rows()
    memory = [(np.empty((BATCH, 5), "f"), np.empty((BATCH, 1), "f")) for _ in range(arrays)]

    def refilled():
        for number, (x_batch, y_batch) in enumerate(batches(x, y, 2)):
            into_x, into_y = memory[number % arrays]
            into_x[...], into_y[...] = x_batch, y_batch
            yield into_x, into_y

    model_of().fit(refilled(), verbose=0)
    assert kept[0].start == (0, arrays)
    check_repeats(kept[0], 10 - arrays)


def test_the_same_batch_again_and_again_is_not_copied(kept):
    x, y = rows()

    def same():
        for _ in range(6):
            yield x, y

    model_of().fit(same(), verbose=0)
    found = kept[0]
    assert found.start == (0, 0) and all(event[0] is x for event in found.events if type(event) is list)
    check_repeats(found, 6)


def test_train_on_batch_between_other_calls(kept):
    x, y = rows()
    model = model_of()
    for number, (x_batch, y_batch) in enumerate(batches(x, y, 2)):
        if number == 3:
            model.reset_metrics()
            model.optimizer.learning_rate = 0.05
        if number == 6:
            model.evaluate(x, y, verbose=0)
            model.set_weights([weight * 0.5 for weight in model.get_weights()])
        model.train_on_batch(x_batch, y_batch)
    (found,) = kept
    replay = check_repeats(found, 10)
    assert [replay.place(number).step for number in range(10)] == [0, 1, 2, *range(7)]
    model.fit(x, y, verbose=0)
    assert model.batch_rewind is None


# -- callbacks ----------------------------------------------------------------------------------------------------


class AtEveryBatch(cr.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = 0.01 / (batch + 1)

    def on_train_batch_end(self, batch, logs=None):
        self.model.layers[0].kernel.assign(np.clip(self.model.layers[0].kernel.numpy(), -0.4, 0.4))
        self.model.reset_metrics()


CALLBACKS = {
    "at every batch": lambda: AtEveryBatch(),
    "scheduler": lambda: cr.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
    "plateau": lambda: cr.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1e9),
    "averages": lambda: cr.callbacks.SwapEMAWeights(),
}


class Record(cr.callbacks.Callback):
    """The bits of all Variables before each batch, once the other callbacks were called."""

    rank = 9

    def __init__(self, kept):
        super().__init__()
        self.kept, self.states = kept, []

    def on_train_batch_begin(self, batch, logs=None):
        self.states.append({variable: variable.numpy().tobytes() for variable in self.kept[0].watched})


@pytest.mark.parametrize("name", CALLBACKS)
def test_what_callbacks_assign(kept, name):
    x, y = rows()
    model = model_of(cr.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5))
    record = Record(kept)
    watchers = [CALLBACKS[name](), record]
    model.fit(x, y, batch_size=BATCH, epochs=4, verbose=0, validation_data=(x, y), callbacks=watchers)
    found = kept[0]
    assert any(isinstance(event, rewind.Assigned) for event in found.events)
    replay = Replay(found)
    assert replay.count == len(record.states) == 20
    for number in (19, 4, 10):
        replay.go_to(number)
        for variable, value in record.states[number].items():
            assert variable.numpy().tobytes() == value, (number, variable.name)


def test_a_training_that_goes_on_from_a_backup(kept, tmp_path):
    x, y = rows()

    class Killed(Exception):
        pass

    class Kill(cr.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1
            if self.batches == 8:
                raise Killed

    def backup():
        return cr.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=1)

    with pytest.raises(Killed):
        model_of().fit(x, y, batch_size=BATCH, epochs=3, verbose=0, callbacks=[Kill(), backup()])
    model_of().fit(x, y, batch_size=BATCH, epochs=3, verbose=0, callbacks=[backup()])
    assert kept[1].start == (1, 2)
    check_repeats(kept[1], 8)


def test_other_programs_that_write_are_noticed(kept):
    x, y = rows()

    class Nested(cr.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                self.model.layers[0].bias.memory[0] += 0.25

    model_of().fit(x, y, batch_size=BATCH, epochs=1, verbose=0, callbacks=[Nested()])
    assert not Replay(kept[0]).repeats()


# -- copies -------------------------------------------------------------------------------------------------------


def test_copies_are_taken_when_it_is_time(kept, monkeypatch):
    monkeypatch.setattr(rewind, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(rewind, "_SHARE", 0)
    x, y = rows()
    model_of().fit(batches(x, y, 1), verbose=0)
    assert kept[0].start == (0, 4)
    check_repeats(kept[0], 1)


def test_trainings_of_a_model_copy_to_the_same_memory(kept):
    x, y = rows()
    model = model_of()
    addresses = []
    for _ in range(2):
        model.fit(x, y, batch_size=BATCH, verbose=0)
        addresses.append({name.name: array.ctypes.data for name, array in kept[-1].copy.items()})
        check_repeats(kept[-1], 5)
    assert addresses[0] == addresses[1] and kept[0] is not kept[1]
    model.compile("sgd", "mse")
    assert not model.rewind_copies


def test_batches_take_no_more_memory_than_is_meant_for_them(kept, monkeypatch):
    monkeypatch.setattr(rewind, "_MOST_BYTES", 1000)  # of batches of 292 bytes
    monkeypatch.setattr(rewind, "_FULL_SHARE", 0)
    x, y = rows()
    most = []

    class Count(cr.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            most.append(sum(type(event) is list for event in kept[0].events))

    model_of().fit(batches(x, y, 4), verbose=0, callbacks=[Count()])
    assert len(most) == 20 and max(most) <= 4
    check_repeats(kept[0], most[-1])


def test_large_arrays_are_not_kept_alive_by_train_on_batch(kept, monkeypatch):
    monkeypatch.setattr(rewind, "_MOST_BYTES", 500)
    x, y = rows()
    model = model_of()
    model.train_on_batch(x[:BATCH], y[:BATCH])
    ((x_kept, *_),) = [event for event in kept[0].events if type(event) is list]
    assert x_kept.base is None
    np.testing.assert_array_equal(x_kept, x[:BATCH])


class Spoils(cr.layers.Layer):
    """Its spare weight overflows at a step, and is used some steps later only."""

    def __init__(self, at, used, **options):
        super().__init__(**options)
        self.at, self.used = at, used

    def build(self, input_shape):
        self.count = self.add_weight((), "zeros", "int32", trainable=False, name="count")
        self.spare = self.add_weight((), "ones", trainable=False, name="spare")

    def call(self, x):
        now = cr.ops.equal(self.count, np.int32(self.at))
        late = cr.ops.greater_equal(self.count, np.int32(self.used))
        result = x + cr.ops.where(late, self.spare, 0.0)
        self.spare.assign(self.spare * cr.ops.where(now, 3e38, 1.0) * cr.ops.where(now, 10.0, 1.0))
        self.count.assign(self.count + np.int32(1))
        return result


@pytest.mark.parametrize("copies", [False, True])
def test_a_weight_that_is_spoilt_long_before_it_is_used(monkeypatch, copies):
    """A copy is put off where it would hold the spoilt weight, so that the step is still found."""
    monkeypatch.setattr(rewind, "_LEAST_SECONDS", 0.0 if copies else 3600.0)
    monkeypatch.setattr(rewind, "_SHARE", 0 if copies else 200)
    x, y = rows()
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((5,)), Spoils(12, 25, name="planted"), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(NonFiniteLossError, match="epoch 6, step 1 of") as caught:
        model.fit(batches(x, y, 9), steps_per_epoch=5, epochs=9, verbose=0)
    found = caught.value.provenance
    assert (found.epoch, found.batch, found.earlier, found.layer) == (3, 3, 13, "planted")
    assert found.operation == "multiply" and found.exact
    assert np.isfinite(model.layers[0].spare.numpy())


def test_bisection_finds_a_step_among_hundreds(monkeypatch):
    monkeypatch.setattr(rewind, "_LEAST_SECONDS", 3600.0)
    x, y = rows()
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((5,)), Spoils(133, 700, name="planted"), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(NonFiniteLossError) as caught:
        model.fit(x, y, batch_size=BATCH, epochs=200, verbose=0)
    found = caught.value.provenance
    assert ((found.epoch - 1) * 5 + found.batch - 1, found.earlier) == (133, 567)


def test_an_error_while_looking_leaves_all_as_it_was(monkeypatch):
    from chainrule.inspect.provenance import blame

    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(blame, "look_at", fail)
    x, y = rows()
    model = model_of(cr.optimizers.SGD(1e30))
    with pytest.raises(NonFiniteLossError, match="the loss became NaN or infinite") as caught:
        model.fit(x, y, batch_size=BATCH, verbose=0)
    assert caught.value.provenance is None and isinstance(caught.value.__cause__, MemoryError)
    assert not np.isfinite(model.layers[-1].kernel.numpy()).any()


@pytest.mark.parametrize(
    "array, expected",
    [([1.0, 2.0], True), ([np.nan], False), ([np.inf, -np.inf], False), ([3e38, 3e38], True), ([], True), (7, True)],
)
def test_all_finite(array, expected):
    assert all_finite(np.asarray(array, "f")) is expected
