import numpy as np
import pytest

import chainrule as cr
from chainrule.callbacks import (
    BackupAndRestore,
    Callback,
    CallbackList,
    History,
    LambdaCallback,
    ModelCheckpoint,
    ProgbarLogger,
)
from chainrule.callbacks.callback import BatchCount
from chainrule.errors import ChainruleError


def network():
    cr.set_random_seed(0)
    model = cr.Sequential([cr.Input((3,)), cr.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def data(rows=64):
    x = np.random.default_rng(0).standard_normal((rows, 3)).astype("f")
    return x, x.sum(1)


class Batches(Callback):
    def __init__(self, stride=None):
        super().__init__()
        self.batch_stride, self.ends = stride, []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(batch)


def test_the_order_is_yours_then_history_then_progress_then_backup(tmp_path):
    backup, own = BackupAndRestore(tmp_path), Callback()
    callbacks = CallbackList([backup, [own]], add_history=True, add_progbar=True)
    assert [type(callback) for callback in callbacks.callbacks] == [Callback, History, ProgbarLogger, BackupAndRestore]
    mine = History()
    assert CallbackList([mine], add_history=True).history is mine
    assert CallbackList(callbacks).callbacks == callbacks.callbacks


def test_only_overridden_hooks_are_listened_to():
    assert not CallbackList([Callback(), History()]).listens("on_train_batch_end")
    assert CallbackList(Batches()).watch_batches
    assert CallbackList(LambdaCallback(on_batch_begin=print)).watch_batches
    assert not CallbackList(Batches(7)).watch_batches
    assert not CallbackList(ProgbarLogger()).watch_batches
    assert not CallbackList(ModelCheckpoint("x")).watch_batches
    assert CallbackList(LambdaCallback(on_test_batch_end=print)).listens("on_test_batch_end")


def test_strides_cut_the_steps_that_run_together():
    callbacks = CallbackList([Batches(7), Batches(5), ProgbarLogger()])
    assert [callbacks.batches_until_call(done) for done in (0, 5, 7, 13, 14)] == [5, 2, 3, 1, 1]
    assert CallbackList([ProgbarLogger()]).batches_until_call(3) > 1e9


def test_batches_are_seen_at_multiples_over_all_epochs():
    x, y = data()
    each, seventh = Batches(), Batches(7)
    network().fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[each])
    assert each.ends == [*range(8), *range(8)]
    network().fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[seventh])
    assert {6, 5} <= set(seventh.ends)  # the 7th and the 14th batch
    count = BatchCount(7)
    assert [batch for batch in [*range(8), *range(8)] if count.reached(batch)] == [6, 5]


def test_lambdas_and_their_names():
    said = []
    x, y = data()
    callback = LambdaCallback(
        on_epoch_end=lambda epoch, logs: said.append(("epoch", epoch)),
        on_train_begin=lambda logs: said.append("begin"),
        on_test_end=lambda logs: said.append("tested"),
    )
    network().fit(x, y, epochs=2, verbose=0, callbacks=callback, validation_data=(x, y))
    assert said == ["begin", "tested", ("epoch", 0), "tested", ("epoch", 1)]
    with pytest.raises(ChainruleError, match="did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ende=print)
    with pytest.raises(ChainruleError, match="not a function"):
        LambdaCallback(on_epoch_end=3)


def test_what_is_no_callback_is_refused():
    x, y = data()
    with pytest.raises(ChainruleError, match=r"write History\(\)"):
        network().fit(x, y, callbacks=[History])
    with pytest.raises(ChainruleError, match="not a callback"):
        network().fit(x, y, callbacks=[print])


def test_the_progress_line_is_written_once(capsys):
    x, y = data()
    network().fit(x, y, epochs=2, callbacks=[ProgbarLogger()])
    model = network()
    assert model.fit(x, y, epochs=2) is model.history
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[0] == "Epoch 1/2"
    network().fit(x, y, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""


def test_errors_reach_callbacks_in_place_of_the_end():
    x, y = data()
    said = []

    class Fails(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("no")

        def on_train_end(self, logs=None):
            said.append("end")

        def on_train_abort(self, error):
            said.append(str(error))

    model = network()
    with pytest.raises(RuntimeError):
        model.fit(x, y, verbose=0, callbacks=[Fails()])
    assert said == ["no"]
    assert model.training_run is None


def test_averages_take_the_weights_place_at_the_end_and_not_before_a_step():
    x, y = data()
    model = network()
    model.compile(cr.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    before = model.get_weights()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=0, callbacks=[LambdaCallback(on_train_batch_begin=interrupt)])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    kept = []
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()[0]))
    model.fit(x, y, verbose=0, callbacks=[keep])
    assert not np.array_equal(model.get_weights()[0], kept[0])


def interrupt(batch, logs):
    raise KeyboardInterrupt


def test_validation_sees_the_averages():
    x, y = data()
    model = network()
    model.compile(cr.optimizers.SGD(0.1, use_ema=True), "mse")
    swap = cr.callbacks.SwapEMAWeights()
    logs = model.fit(x, y, epochs=2, verbose=0, callbacks=[swap], validation_data=(x, y)).history
    assert logs["val_loss"][-1] == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)
    plain = network()
    with pytest.raises(ChainruleError, match="use_ema=True"):
        plain.fit(x, y, verbose=0, callbacks=[swap], validation_data=(x, y))


def test_averages_are_saved_with_swap_on_epoch(tmp_path):
    x, y = data()
    model = network()
    model.compile(cr.optimizers.SGD(0.1, use_ema=True), "mse")
    callbacks = [cr.callbacks.SwapEMAWeights(swap_on_epoch=True), ModelCheckpoint(tmp_path / "{epoch}", monitor="loss")]
    model.fit(x, y, epochs=3, verbose=0, callbacks=callbacks)
    for mine, other in zip(cr.load_model(tmp_path / "3").get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    plain = network()
    plain.compile(cr.optimizers.SGD(0.1, use_ema=True), "mse")
    plain.fit(x, y, epochs=3, verbose=0)
    np.testing.assert_array_equal(plain.get_weights()[0], model.get_weights()[0])
