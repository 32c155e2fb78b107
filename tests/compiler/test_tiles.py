"""Which tile a product gets, and that no tile changes a bit of it."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler import tiles
from chainrule.compiler.target import host_targets
from chainrule.compiler.tiles import TILES, count_cycles, powers_of_two
from chainrule.graph.types import type_of
from chainrule.runtime.jit import compile_function


def test_rows_are_split_into_powers_of_two():
    for rows in range(40):
        assert sum(powers_of_two(rows)) == rows
        assert powers_of_two(rows) == sorted(set(powers_of_two(rows)), reverse=True)


def test_cycles_are_at_least_those_of_the_multiply_adds():
    for tile in TILES[32]:
        for rows, vectors, depth in ((64, 4, 64), (50, 5, 101), (128, 32, 784), (3, 1, 7)):
            assert count_cycles(rows, vectors, depth, tile) >= rows * vectors * depth / 2


@pytest.mark.parametrize("target", host_targets())
def test_every_tile_gives_the_same_bits(target, monkeypatch, tmp_path):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    rng = np.random.default_rng(0)
    registers = host_targets()[target].registers
    for rows, depth, columns in ((37, 21, 77), (64, 64, 64), (5, 3, 33)):
        x = rng.standard_normal((rows, depth)).astype("float32")
        y = rng.standard_normal((rows, columns)).astype("float32")
        w = rng.standard_normal((depth, columns)).astype("float32")

        def products(x, y, w):
            return cr.ops.tanh(x @ w), y @ w.T, x.T @ y, cr.ops.sum(y, axis=0)

        found = []
        for tile in TILES[32 if registers >= 32 else 16]:
            monkeypatch.setenv("CHAINRULE_TILE", f"{tile[0]}x{tile[1]}")
            found.append(b"".join(np.asarray(part).tobytes() for part in cr.jit(products, target=target)(x, y, w)))
        assert len(set(found)) == 1


@pytest.mark.parametrize("target", host_targets())
def test_copies_of_the_left_matrix_change_no_bit(target, monkeypatch):
    rng = np.random.default_rng(0)
    for rows, depth, columns in ((64, 37, 177), (97, 5, 96), (48, 2, 256)):
        x = rng.standard_normal((rows, depth)).astype("float32")
        w = rng.standard_normal((depth, columns)).astype("float32")
        bias = rng.standard_normal(columns).astype("float32")

        def products(x, across, w, turned, bias):
            return cr.ops.tanh(x @ w + bias), x @ turned.T, across.T @ w, cr.ops.sum(w, axis=0)

        arguments = (x, np.ascontiguousarray(x.T), w, np.ascontiguousarray(w.T), bias)
        found = []
        for blocks in (0, 32, 2, 1):
            monkeypatch.setattr(tiles, "_KEEP_ROWS", 32 if blocks else 10_000)
            monkeypatch.setattr(tiles, "_KEEP_PANELS", 1)
            monkeypatch.setattr(tiles, "_KEPT_BLOCKS", blocks)
            compiled = compile_function(products, *map(type_of, arguments), target=target, workers=2)
            found.append(b"".join(part.tobytes() for part in compiled(*arguments)))
            text = "".join(map(str, compiled.kernels))
            assert (f"copies of {blocks} blocks" in text) == (blocks > 0)
        assert len(set(found)) == 1


def test_an_unknown_tile_is_refused(monkeypatch):
    monkeypatch.setenv("CHAINRULE_TILE", "7x7")
    with pytest.raises(cr.errors.ChainruleError, match="not a tile") as caught:
        cr.jit(lambda x, w: x @ w)(np.ones((8, 8), "float32"), np.ones((8, 8), "float32"))
    assert "CHAINRULE_TILE" in str(caught.value)
