"""The microscope on networks: planted faults are counted, steps are measured, and nothing is changed."""

import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError
from chainrule.graph.variable import Variable
from chainrule.inspect import InspectLayers, inspect_layers, observe
from chainrule.inspect.microscope.measures import linear_cka
from chainrule.inspect.microscope.microscope import ROWS

RNG = np.random.default_rng(3)
X = RNG.standard_normal((120, 6)).astype("f")
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def network(*layers, optimizer="sgd", probabilities=False, **options):
    cr.set_random_seed(4)
    last = cr.layers.Dense(2, activation="softmax" if probabilities else None)
    model = cr.Sequential([cr.Input((6,)), *layers, last])
    model.compile(optimizer, cr.losses.SparseCategoricalCrossentropy(from_logits=not probabilities), **options)
    return model


def everything_of(model):
    """All that training keeps: weights, optimizer, metrics, random counters."""
    found = [*model.weights, *model.optimizer.variables, *model.metric_variables, *model.state]
    assert all(isinstance(variable, Variable) for variable in found)
    return {variable: variable.numpy() for variable in found}


# -- the numbers --------------------------------------------------------------------------------------------------


def test_each_layer_is_measured_on_what_it_gives():
    model = network(cr.layers.Dense(9, "tanh"))
    seen = model.inspect(X, Y)
    hidden = np.tanh(X @ model.layers[0].kernel.numpy() + model.layers[0].bias.numpy())
    report = seen["dense"]
    assert (report.shape, report.units, report.kind, report.type) == ((9,), 9, "hidden", "Dense")
    assert report.mean == pytest.approx(hidden.mean(), abs=1e-6)
    assert report.std == pytest.approx(hidden.std(), rel=1e-5)
    assert report.histogram.counts.sum() == hidden.size
    assert report.likeness_to_input == pytest.approx(linear_cka(X, hidden), rel=1e-5)
    assert seen.similarity[0, 1] == pytest.approx(linear_cka(hidden, model.predict(X)), rel=1e-4)
    np.testing.assert_allclose(np.diag(seen.similarity), 1)
    centred = hidden - hidden.mean(axis=0)
    largest = np.linalg.svd(centred, compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(report.projection, axis=0), largest, rtol=1e-5)
    assert seen.loss == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    assert seen.accuracy == pytest.approx(np.mean(model.predict(X).argmax(axis=1) == Y))
    assert (seen.rows, seen.measure) == (120, "accuracy")


def test_gradients_and_their_share():
    model = network(cr.layers.Dense(9, "tanh"), cr.layers.Dense(5, "relu"))
    seen, expected = model.inspect(X, Y), observe(model, X, Y)
    norms = [np.linalg.norm(layer.gradient) for layer in expected.layers]
    assert [layer.gradient_norm for layer in seen.layers] == pytest.approx(norms)
    assert [layer.gradient_share for layer in seen.layers] == pytest.approx([norm / norms[-1] for norm in norms])
    assert seen.layers[0].gradient_std == pytest.approx(expected.layers[0].gradient.std(), rel=1e-5)
    assert seen.layers[0].gradient_histogram.counts.sum() == 120 * 9
    assert seen.input.gradient_norm is None


def test_behind_a_softmax_the_share_is_of_the_last_hidden_layer():
    model = network(cr.layers.Dense(9, "tanh"), cr.layers.Dense(5, "relu"), probabilities=True)
    seen = model.inspect(X, Y)
    first, second, _ = (layer.gradient_norm for layer in seen.layers)
    assert [layer.gradient_share for layer in seen.layers] == [pytest.approx(first / second), 1.0, None]


def test_the_update_is_that_of_a_step():
    model = network(cr.layers.Dense(9, "tanh"), optimizer=cr.optimizers.SGD(0.25))
    seen, expected = model.inspect(X, Y), observe(model, X, Y)
    for layer in model.layers:
        names = [weight.name for weight in layer.weights]
        gradient = np.sqrt(sum(np.sum(expected.gradients[name] ** 2) for name in names))
        weight = np.sqrt(sum(np.sum(expected.values[name] ** 2) for name in names))
        assert seen[layer.name].update_ratio == pytest.approx(0.25 * gradient / weight, rel=1e-4)
    model.layers[0].trainable = False
    assert model.inspect(X, Y)["dense"].update_ratio is None
    assert model.inspect(X, Y)["dense_1"].update_ratio is not None


def test_sample_weights_count():
    model = network(cr.layers.Dense(9, "tanh"))
    heavy = np.where(Y == 1, 3.0, 1.0)
    assert model.inspect(X, Y, heavy).loss == pytest.approx(
        model.evaluate(X, Y, sample_weight=heavy, verbose=0), rel=1e-5
    )


def test_planted_dead_and_saturated_units_are_counted():
    model = network(cr.layers.Dense(8, "relu"), cr.layers.Dense(6, "tanh"), cr.layers.Activation("sigmoid"))
    first, second = model.layers[:2]
    kernel, bias = first.kernel.numpy(), first.bias.numpy()
    kernel[:, [1, 5, 7]], bias[[1, 5, 7]] = 0, -1
    first.kernel.assign(kernel)
    first.bias.assign(bias)
    wide = second.kernel.numpy()
    wide[:, 2] *= 1e4  # its bound depends on the row: saturated, not dead
    second.kernel.assign(wide)
    shift = second.bias.numpy()
    shift[[2, 4]] = 50
    second.bias.assign(shift)
    seen = model.inspect(X, Y)
    assert (seen["dense"].dead, seen["dense"].saturated) == (3, None)
    assert (seen["dense_1"].dead, seen["dense_1"].saturated) == (1, 2)
    assert (seen["activation"].dead, seen["activation"].saturated) == (1, 0)
    assert (seen.input.dead, seen.input.saturated) == (None, None)


def test_layers_that_hand_on_content_are_marked():
    inner = cr.Sequential([cr.Input((6,)), cr.layers.Dense(4, "relu")], name="inner")
    model = network(
        cr.layers.Rescaling(0.1, 3), cr.layers.Reshape((2, 3)), cr.layers.Flatten(), inner, cr.layers.Dropout(0.5)
    )
    seen = model.inspect(X, Y)
    kinds = {layer.name: layer.kind for layer in seen.layers}
    assert kinds == {
        "rescaling": "unchanged", "reshape": "unchanged", "flatten": "unchanged", "inner/dense": "hidden",
        "inner": "unchanged", "dropout": "unchanged", "dense": "output",
    }  # fmt: skip
    assert [stage.name for stage in seen.stages] == ["input", "inner/dense", "dense"]
    assert seen["flatten"].likeness_to_input == pytest.approx(1)
    assert seen["dropout"].probe == seen["inner/dense"].probe
    assert seen["rescaling"].mean == pytest.approx(0.1 * X.mean() + 3, rel=1e-4)
    assert seen.similarity.shape == (7, 7)
    assert seen.similarity[3, 5] == 1


def test_a_layer_with_weights_is_never_unchanged():
    model = network(cr.layers.Dense(6, use_bias=False), cr.layers.Activation("relu"), cr.layers.Activation("relu"))
    model.layers[0].kernel.assign(np.eye(6))
    assert [layer.kind for layer in model.inspect(X, Y).layers] == ["hidden", "hidden", "unchanged", "output"]


def test_few_rows_are_drawn_from_many_the_same_each_time():
    rows = 3 * ROWS
    x = np.arange(6 * rows, dtype="f").reshape(rows, 6)
    model = network()
    seen = model.inspect(x, np.arange(rows) % 2)  # one class in turn: every third row would do, every second would not
    assert seen.rows == ROWS == len(seen.labels) == len(seen.input.projection)
    assert 0.45 < seen.labels.mean() < 0.55
    assert np.all(np.diff(seen.input.projection[:, 0]) != 0)
    np.testing.assert_array_equal(seen.labels, model.inspect(x, np.arange(rows) % 2).labels)


def test_digits_lose_their_likeness_and_gain_knowledge():
    (x, y), (x_test, y_test) = cr.datasets.mnist.load_data()
    cr.set_random_seed(0)
    model = cr.Sequential(
        [
            cr.Input((28, 28), dtype="uint8"),
            cr.layers.Rescaling(1 / 255),
            cr.layers.Flatten(),
            cr.layers.Dense(64, "relu"),
            cr.layers.Dense(32, "relu"),
            cr.layers.Dense(10),
        ]
    )
    model.compile("adam", cr.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=128, epochs=1, verbose=0)
    seen = model.inspect(x_test, y_test)
    assert [stage.name for stage in seen.stages] == ["input", "dense", "dense_1", "dense_2"]
    likeness = [stage.likeness_to_input for stage in seen.stages]
    assert likeness == sorted(likeness, reverse=True) and likeness[-1] < 0.75 * likeness[0]
    probes = [stage.probe for stage in seen.stages]
    assert probes[0] == seen.probe_of_input < 0.85 < probes[1] and probes[-1] > probes[0] + 0.05
    separations = [stage.separation for stage in seen.stages]
    assert separations == sorted(separations)
    assert "the likeness to the input falls at every layer, from 1.000 to" in " ".join(str(seen).split())


# -- what is refused, what stays ----------------------------------------------------------------------------------


def test_a_network_that_has_diverged_is_still_shown():
    model = network(cr.layers.Dense(9, "relu"))
    model.layers[0].kernel.assign(np.full((6, 9), 3e38))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = model.inspect(X, Y)
    assert seen["dense"].probe is None and seen["dense"].projection is None
    assert np.isnan(seen.similarity).all()
    assert seen.probe_of_input is not None
    assert "dense" in str(seen)


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_very_few_rows(rows):
    seen = network(cr.layers.Dense(9, "tanh")).inspect(X[:rows], Y[:rows])
    assert seen.rows == rows and seen.input.projection.shape == (rows, 2)
    assert len(str(seen)) > 100


def test_what_does_not_fit_is_refused():
    with pytest.raises(ChainruleError, match="not compiled"):
        cr.Sequential([cr.Input((6,)), cr.layers.Dense(2)]).inspect(X, Y)
    with pytest.raises(DataError, match="differ in length"):
        network().inspect(X, Y[:50])
    with pytest.raises(ChainruleError, match="dense"):
        network().inspect(X, Y)["dens"]


@pytest.mark.parametrize("eager", [False, True])
def test_nothing_is_changed(eager):
    model = network(
        cr.layers.Dense(9, "relu"), cr.layers.BatchNormalization(), cr.layers.Dropout(0.5),
        optimizer="adam", metrics=["accuracy"], run_eagerly=eager,
    )  # fmt: skip
    model.fit(X, Y, epochs=2, verbose=0)
    before = everything_of(model)
    first = model.inspect(X, Y)
    after = everything_of(model)
    assert list(before) == list(after)
    for variable, value in before.items():
        assert value.tobytes() == after[variable].tobytes(), variable.name
    second = model.inspect(X, Y)
    assert [layer.update_ratio for layer in first.layers] == [layer.update_ratio for layer in second.layers]
    assert first.loss == second.loss


# -- the callback -------------------------------------------------------------------------------------------------


def train(*callbacks, epochs=4):
    model = network(cr.layers.Dense(9, "relu"), cr.layers.Dropout(0.3), optimizer="adam", metrics=["accuracy"])
    history = model.fit(X, Y, epochs=epochs, batch_size=32, verbose=0, callbacks=list(callbacks))
    return model, history.history


def test_the_callback_looks_after_each_epoch_and_training_has_the_same_bits():
    watcher = InspectLayers(X, Y)
    model, history = train(watcher)
    alone, expected = train()
    for weight, other in zip(model.weights, alone.weights, strict=True):
        assert weight.numpy().tobytes() == other.numpy().tobytes()
    assert history == expected
    assert list(watcher.history) == [0, 1, 2, 3]
    last, now = watcher.history[3], model.inspect(X, Y)
    assert last.loss == now.loss
    assert [layer.probe for layer in last.layers] == [layer.probe for layer in now.layers]
    assert watcher.history[0].loss != last.loss


def test_every_second_epoch_with_one_observer():
    watcher = InspectLayers(X, Y, every=2)
    train(watcher)
    assert list(watcher.history) == [1, 3]
    observer = watcher.inspector.observer
    train(watcher, epochs=2)
    assert list(watcher.history) == [1]
    assert watcher.inspector.observer is not observer  # of another model
    with pytest.raises(DataError, match="count"):
        InspectLayers(X, Y, every=0)


def test_a_run_that_was_killed_goes_on_with_it(tmp_path):
    class Killed(Exception):
        pass

    class Kill(cr.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise Killed

    def run(watcher, *others):
        return train(watcher, cr.callbacks.BackupAndRestore(tmp_path / "backup"), *others)

    with pytest.raises(Killed):
        run(InspectLayers(X, Y), Kill())
    watcher = InspectLayers(X, Y)
    model, _ = run(watcher)
    assert list(watcher.history) == [2, 3]
    alone, _ = train()
    for weight, other in zip(model.weights, alone.weights, strict=True):
        assert weight.numpy().tobytes() == other.numpy().tobytes()


# -- as text and HTML ---------------------------------------------------------------------------------------------


def test_the_tables_fit_80_columns_and_name_every_layer():
    model = network(
        cr.layers.Dense(9, "relu", name="a_layer_whose_name_is_much_longer_than_the_table_has_room_for"),
        cr.layers.Dropout(0.5),
        cr.layers.Dense(20, "tanh"),
    )
    watcher = InspectLayers(X, Y)
    model.fit(X, Y, epochs=12, verbose=0, callbacks=[watcher])
    text = str(watcher.history[11])
    assert max(map(len, text.splitlines())) <= 80
    assert "120 rows" in text and "…_table_has_room_for" in text and "layer's content: dropout" in text
    table = str(watcher)
    assert max(map(len, table.splitlines())) <= 80
    epochs = table.splitlines()[3].split()
    assert epochs[0] == "layer" and epochs[1] == "1" and epochs[-1] == "12"
    assert "no epoch" in str(InspectLayers(X, Y)) and "no epoch" in InspectLayers(X, Y)._repr_html_()


def test_the_sentence_says_what_was_measured():
    from chainrule.inspect.microscope.tables import describe_change

    assert describe_change("it", [0.8, 0.9, 0.95], "accuracy") == "it rises at every layer, from 80.0 % to 95.0 %"
    assert describe_change("it", [0.8, 0.95, 0.9], "accuracy") == "it rises from 80.0 % to 90.0 %"
    assert describe_change("it", [0.5, 0.7, 0.5], "R²") == "it is 0.500 at both ends"
    assert describe_change("it", [0.5, None], "R²") == ""


def test_html_escapes_what_comes_from_the_user():
    model = network(cr.layers.Dense(9, "relu", name="<script>alert(1)</script>"))
    watcher = InspectLayers(X, Y)
    model.fit(X, Y, verbose=0, callbacks=[watcher])
    for html in (inspect_layers(model, X, Y)._repr_html_(), watcher._repr_html_()):
        assert "<script" not in html and "alert" in html.replace("…", "") or "&lt;/script&gt;" in html
        assert html.count("<table>") >= 1
