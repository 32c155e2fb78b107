import threading
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.utils import PyDataset


class Rows(PyDataset):
    def __init__(self, **options):
        super().__init__(**options)
        self.asked, self.told = [], []

    def __len__(self):
        return 6

    def __getitem__(self, index):
        self.asked.append(index)
        x = np.random.default_rng(index).standard_normal((8, 3)).astype("f")
        return x, x.sum(1)

    def on_epoch_begin(self):
        self.told.append("begin")

    def on_epoch_end(self):
        self.told.append("end")


class Slow(Rows):
    """Whose first batches take longest to load, and that counts how many are loaded at the same time."""

    def __init__(self, **options):
        super().__init__(**options)
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __getitem__(self, index):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.01 * (6 - index))
        with self.lock:
            self.now -= 1
        return super().__getitem__(index)


def network():
    cr.set_random_seed(0)
    model = cr.Sequential([cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_batches_come_in_order_from_any_number_of_workers():
    wanted = [y.tolist() for _, y in Rows()]
    slow = Slow(workers=3)
    assert [y.tolist() for _, y in slow] == wanted
    assert slow.most == 3
    narrow = Slow(workers=4, max_queue_size=1)
    assert [y.tolist() for _, y in narrow] == wanted
    assert narrow.most == 1


def test_processes_load_as_well():
    found = [y.tolist() for _, y in Rows(workers=2, use_multiprocessing=True)]
    assert found == [y.tolist() for _, y in Rows()]


def test_an_epoch_takes_every_batch_once_in_a_drawn_order():
    rows = Rows()
    network().fit(rows, epochs=3, verbose=0)
    epochs = [rows.asked[at : at + 6] for at in (0, 6, 12)]
    assert all(sorted(order) == list(range(6)) for order in epochs)
    assert len({tuple(order) for order in epochs}) > 1
    assert rows.told == ["begin", "end"] * 3
    plain = Rows()
    network().fit(plain, epochs=2, verbose=0, shuffle=False)
    assert plain.asked == [*range(6), *range(6)]


def test_the_number_of_workers_changes_no_bit():
    models = []
    for workers in (1, 3):
        models.append(network())
        models[-1].fit(Rows(workers=workers), epochs=2, verbose=0)
    np.testing.assert_array_equal(models[0].get_weights()[0], models[1].get_weights()[0])


def test_a_data_set_without_end_needs_steps():
    class Endless(Rows):
        @property
        def num_batches(self):
            return None

    rows = Endless()
    history = network().fit(rows, epochs=2, steps_per_epoch=4, verbose=0)
    assert rows.asked == list(range(8))
    assert history.epoch == [0, 1]


def test_an_error_of_loading_reaches_the_caller():
    class Bad(Rows):
        def __getitem__(self, index):
            if index == 3:
                raise OSError("no such picture")
            return super().__getitem__(index)

    for workers in (1, 2):
        with pytest.raises(OSError, match="no such picture"):
            network().fit(Bad(workers=workers), verbose=0, shuffle=False)


def test_evaluation_and_prediction_take_them_in_order():
    rows = Rows()
    model = network()
    model.predict(rows)
    assert rows.asked == list(range(6))
    assert model.evaluate(rows, verbose=0) > 0


def test_bad_arguments_are_refused():
    with pytest.raises(ChainruleError, match="workers"):
        Rows(workers=-1)

    class Silent(PyDataset):
        def __getitem__(self, index):
            return np.zeros((2, 3), "f"), np.zeros(2, "f")

    with pytest.raises(ChainruleError, match="define __len__"):
        network().fit(Silent(), verbose=0)
