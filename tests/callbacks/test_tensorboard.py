"""Event files, read by a decoder that knows the formats by itself."""

import struct
import zlib

import numpy as np
import pytest

import chainrule as cr
from chainrule.callbacks import TensorBoard
from chainrule.callbacks.tensorboard import as_picture
from chainrule.errors import ChainruleError
from chainrule.interop import events


def crc(contents):
    """CRC-32C, bit by bit."""
    value = 0xFFFFFFFF
    for byte in contents:
        for bit in range(8):
            top = (value ^ byte >> bit) & 1
            value = value >> 1 ^ (0x82F63B78 if top else 0)
    return value ^ 0xFFFFFFFF


def unmask(word):
    rotated = (struct.unpack("<I", word)[0] - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def records(contents):
    while contents:
        (length,) = struct.unpack("<Q", contents[:8])
        assert unmask(contents[8:12]) == crc(contents[:8])
        message, checksum = contents[12 : 12 + length], contents[12 + length : 16 + length]
        assert unmask(checksum) == crc(message)
        yield message
        contents = contents[16 + length :]


def decode(message):
    """Fields of a message: number to the list of its values."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            value = varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            value, at = message[at : at + size], at + size
        fields.setdefault(number, []).append(value)
    return fields


def values(folder):
    """(tag, step) to the fields of a value, over all files of a folder; and the events without one."""
    found, others = {}, []
    for path in sorted(folder.iterdir()):
        for message in records(path.read_bytes()):
            event = decode(message)
            if 5 not in event:
                others.append(event)
            for value in decode(event[5][0])[1] if 5 in event else []:
                fields = decode(value)
                found[fields[1][0].decode(), event[2][0]] = fields
    return found, others


def scalars(found, tag):
    return [struct.unpack("<f", fields[2][0])[0] for (name, _), fields in sorted(found.items()) if name == tag]


def fit(callback, epochs=3):
    cr.set_random_seed(0)
    inputs = cr.Input((3,))
    hidden = cr.layers.Dense(3, name="hidden")(inputs)
    model = cr.Model(inputs, cr.layers.Dense(1, name="out")(hidden + inputs))
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).standard_normal((40, 3)).astype("f")
    options = {"batch_size": 8, "epochs": epochs, "verbose": 0, "validation_split": 0.2}
    return model, model.fit(x, x.sum(1), callbacks=[callback], **options)


def test_numbers_an_epoch(tmp_path):
    _, history = fit(TensorBoard(tmp_path, write_steps_per_second=True))
    found, others = values(tmp_path / "train")
    np.testing.assert_allclose(scalars(found, "epoch_loss"), history.history["loss"], rtol=1e-6)
    np.testing.assert_allclose(scalars(found, "epoch_learning_rate"), 0.01, rtol=1e-6)
    assert all(rate > 0 for rate in scalars(found, "epoch_steps_per_second"))
    assert others[0][3] == [b"brain.Event:2"]
    tested, _ = values(tmp_path / "validation")
    np.testing.assert_allclose(scalars(tested, "epoch_loss"), history.history["val_loss"], rtol=1e-6)
    assert [step for name, step in sorted(tested) if name == "evaluation_loss_vs_iterations"] == [4, 8, 12]


def test_numbers_a_batch(tmp_path):
    fit(TensorBoard(tmp_path / "each", update_freq="batch"))
    fit(TensorBoard(tmp_path / "fifth", update_freq=5))
    steps = [step for name, step in sorted(values(tmp_path / "each" / "train")[0]) if name == "batch_loss"]
    assert steps == list(range(1, 13))
    steps = [step for name, step in sorted(values(tmp_path / "fifth" / "train")[0]) if name == "batch_loss"]
    assert steps == [5, 10]


def test_weights_as_histograms_and_pictures(tmp_path):
    model, _ = fit(TensorBoard(tmp_path, histogram_freq=2, write_images=True))
    found, _ = values(tmp_path / "train")
    assert [step for name, step in sorted(found) if name == "hidden/kernel/histogram"] == [0, 2]
    fields = decode(found["hidden/kernel/histogram", 2][5][0])
    kernel = model.get_layer("hidden").get_weights()[0].astype("d")
    numbers = [struct.unpack("<d", fields[number][0])[0] for number in range(1, 6)]
    np.testing.assert_allclose(numbers, [kernel.min(), kernel.max(), 9, kernel.sum(), (kernel**2).sum()])
    counts = np.frombuffer(fields[7][0], "<f8")
    limits = np.frombuffer(fields[6][0], "<f8")
    np.testing.assert_array_equal(counts, np.histogram(kernel, [kernel.min(), *limits])[0])
    picture = decode(found["hidden/kernel/image", 2][4][0])
    assert (picture[1], picture[2], picture[3]) == ([3], [3], [1])
    png = picture[4][0]
    start = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[start - 4 : start])
    rows = np.frombuffer(zlib.decompress(png[start + 4 : start + 4 + length]), np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(rows[:, 1:], as_picture(kernel))


def test_the_graph(tmp_path):
    fit(TensorBoard(tmp_path), epochs=1)
    (graph,) = [event[4][0] for event in values(tmp_path / "train")[1] if 4 in event]
    nodes = {node[1][0]: node for node in map(decode, decode(graph)[1])}
    assert set(nodes) == {b"input_layer", b"hidden", b"out"}
    assert nodes[b"hidden"][2] == [b"Dense"]
    assert sorted(nodes[b"out"][3]) == [b"hidden", b"input_layer"]


def test_embeddings_as_tables(tmp_path):
    model = cr.Sequential([cr.Input((2,), dtype="int32"), cr.layers.Embedding(5, 3), cr.layers.Flatten()])
    model.add(cr.layers.Dense(1))
    model.compile("sgd", "mse")
    callback = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata="words.tsv")
    model.fit(np.zeros((8, 2), "int32"), np.zeros(8), verbose=0, callbacks=[callback])
    table = np.loadtxt(tmp_path / "train" / "embedding.tsv")
    np.testing.assert_allclose(table, model.layers[0].get_weights()[0], rtol=1e-6)
    text = (tmp_path / "train" / "projector_config.pbtxt").read_text("utf-8")
    assert 'tensor_path: "embedding.tsv"' in text
    assert "words.tsv" in text


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(ChainruleError, match=r"model\.profile"):
        TensorBoard(profile_batch=2)
    with pytest.raises(ChainruleError, match="update_freq"):
        TensorBoard(update_freq=0)


def test_checksums_and_numbers():
    for contents in (b"", b"123456789", bytes(range(256)) * 3):
        assert events.crc32c(contents) == crc(contents)
    for number in (0, 1, 127, 128, 300, 2**40):
        assert decode(events.whole(7, number)) == {7: [number]}
    assert decode(events.whole(2, -1)) == {2: [2**64 - 1]}
    assert decode(events.histogram("h", np.array([np.nan])))[5]
    assert as_picture(np.zeros((2, 2, 2))) is None
