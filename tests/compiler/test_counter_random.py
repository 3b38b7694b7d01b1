"""Philox4x32-10: against the published vectors, a naive loop, and statistics; the native code against the record."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fanin._core.errors import ArgumentError
from fanin.compiler.graph import DATA, STATE, Graph, Value
from fanin.compiler.native import ir
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.random_keep import keep_mask
from fanin.compiler.native.random_keep import philox as native_philox
from fanin.compiler.native.target import Isa, Library, chosen, compiled, named, runs_here
from fanin.compiler.native.vector import I8, I32, I64, POINTER, function
from fanin.compiler.numpy_engine import run
from fanin.ops import elementwise
from fanin.ops.arithmetic import where
from fanin.ops.counter_random import philox, random_keep, threshold
from tests.compiler.test_native_networks import cut

# "kat_vectors" of Random123, the paper's own library: counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> tuple[int, ...]:
    return tuple(int(word, 16) for word in text.split())


def key_of(seed: int, step: int) -> Any:
    return np.array([seed, step], np.uint64)


def one_block(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """Return one block in Python's integers, written down from the paper's figure 2."""
    left, right = list(counter[0::2]), list(counter[1::2])
    for _ in range(10):
        products = (0xD2511F53 * left[0], 0xCD9E8D57 * left[1])
        left = [products[1] >> 32 ^ right[0] ^ key[0], products[0] >> 32 ^ right[1] ^ key[1]]
        right = [products[1] % 2**32, products[0] % 2**32]
        key = ((key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32)
    return left[0], right[0], left[1], right[1]


def naive(seed: int, step: int, p_keep: float, count: int, stream: int, first: int = 0) -> list[bool]:
    kept = []
    for i in range(first, first + count):
        counter = (i // 4 % 2**32, i // 4 >> 32, step % 2**32, stream)
        key = (seed % 2**32, seed >> 32 ^ step >> 32)
        kept.append(one_block(counter, key)[i % 4] < int(p_keep * 2**32))
    return kept


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_published_vectors(counter: str, key: str, expected: str) -> None:
    assert one_block(words(counter), words(key)) == words(expected)
    result = philox(words(counter), words(key))  # type: ignore[arg-type]
    assert tuple(map(int, result)) == words(expected)


def test_published_vectors_reject_another_count_of_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanin.ops.counter_random.ROUNDS", 7)
    assert tuple(map(int, philox((0, 0, 0, 0), (0, 0)))) != words(KNOWN[0][2])


KEYS = [(0, 0), (1, 2), (2**64 - 1, 2**64 - 1), (0xDEADBEEFCAFE, 2**33 + 5), (2**63, 2**32 - 1)]


@pytest.mark.parametrize(("seed", "step"), KEYS)
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (7,), (4, 8), (3, 5, 2)])
def test_record_is_the_naive_loop(seed: int, step: int, shape: tuple[int, ...]) -> None:
    kept = random_keep(key_of(seed, step), p_keep=0.7, shape=shape, stream=2**32 - 1)
    assert kept.dtype == np.bool_
    assert kept.shape == shape
    assert kept.ravel().tolist() == naive(seed, step, 0.7, kept.size, 2**32 - 1)


def test_a_mask_longer_than_one_part() -> None:
    kept = random_keep(key_of(3, 4), p_keep=0.5, shape=(70_001,), stream=1)
    for first in (0, 65_532, 65_536, 69_997):
        assert kept[first : first + 4].tolist() == naive(3, 4, 0.5, 4, 1, first)


def test_all_and_nothing() -> None:
    assert random_keep(key_of(0, 0), p_keep=1.0, shape=(1000,), stream=0).all()
    assert not random_keep(key_of(0, 0), p_keep=0.0, shape=(1000,), stream=0).any()
    assert threshold(1.0) == 2**32
    assert threshold(0.5) == 2**31


def test_about_p_keep_of_all_elements_are_kept_and_masks_are_unlike() -> None:
    masks = [
        random_keep(key_of(seed, step), p_keep=0.8, shape=(100_000,), stream=stream)
        for seed, step, stream in ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2))
    ]
    for i, mask in enumerate(masks):
        assert abs(mask.mean() - 0.8) < 5 * np.sqrt(0.16 / 100_000)
        for other in masks[:i]:  # two independent masks agree at 0.8**2 + 0.2**2 of all places
            assert abs((mask == other).mean() - 0.68) < 5 * np.sqrt(0.68 * 0.32 / 100_000)


@pytest.mark.parametrize("p_keep", [-0.1, 1.0001, float("nan")])
def test_what_is_no_probability_is_refused(p_keep: float) -> None:
    with pytest.raises(ArgumentError, match=r"random_keep expected a probability p_keep in \[0, 1\]"):
        random_keep(key_of(0, 0), p_keep=p_keep, shape=(3,), stream=0)


def test_wrong_keys_and_streams_are_refused_as_they_are_captured() -> None:
    good = Value((2,), np.uint64, role=DATA)
    with pytest.raises(ArgumentError, match=r"a key of two uint64 \(seed, step\), got int64 of \(2,\)"):
        random_keep(Value((2,), np.int64, role=DATA), p_keep=0.5, shape=(3,), stream=0)
    with pytest.raises(ArgumentError, match=r"a stream in \[0, 2\*\*32\), got -1"):
        random_keep(good, p_keep=0.5, shape=(3,), stream=-1)


def test_it_runs_in_a_graph() -> None:
    key = Value((2,), np.uint64, role=DATA)
    graph = Graph(data=(key,), outputs=(random_keep(key, p_keep=0.5, shape=(2, 9), stream=3),))
    (kept,), _ = run(graph, [key_of(5, 6)], [], [])
    assert kept.tolist() == random_keep(key_of(5, 6), p_keep=0.5, shape=(2, 9), stream=3).tolist()


# The native code -----------------------------------------------------------------------------------------------------


def mask_code(width: int, isa: Isa, **settings: Any) -> bytes:
    """Return the object code of a function that draws a mask `width` elements at a time."""
    module = ir.Module()
    made, code = function(module, "mask", [I64, I64, I64, I64, POINTER], isa, internal=False)
    seed, step, base, count, out = made.args
    with code.loop(0, count, width) as i:
        element = code.b.add(base, i)
        kept = keep_mask(code, seed, step, element, width, **settings)
        code.store(kept, code.at(out, i, I8))
    code.b.ret_void()
    return compiled(str(module), isa)


def native_mask(width: int, isa: str | None = None, **settings: Any) -> Callable[[Any, int, int], Any]:
    """Return a function (key, base, count) -> the mask."""
    library = Library(mask_code(width, chosen(isa), **settings))
    word = ctypes.c_uint64
    call = ctypes.CFUNCTYPE(None, word, word, word, word, ctypes.c_void_p)(library.address("mask"))

    def draw(key: Any, base: int, count: int) -> Any:
        assert library
        out = np.zeros(count, np.bool_)
        call(int(key[0]), int(key[1]), base, count, out.ctypes.data)
        return out

    return draw


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("width", [1, 4, 8, 12, 16, 32])
def test_native_mask_is_the_record(width: int, aligned: bool) -> None:
    draw = native_mask(width, p_keep=0.7, stream=9, aligned=aligned)
    for seed, step in KEYS:
        key = key_of(seed, step)
        expected = random_keep(key, p_keep=0.7, shape=(4 * 96 + 96,), stream=9)
        for base in range(0, 96, 4 if aligned else 1):
            assert np.array_equal(draw(key, base, 96), expected[base : base + 96])


@pytest.mark.parametrize("isa", ["sse", "avx2", "avx512", "neon"])
def test_native_mask_in_each_instruction_set(isa: str) -> None:
    if not runs_here(named(isa)):
        assert mask_code(8, named(isa), p_keep=0.1, stream=0, aligned=False)  # it can still be assembled
        return
    key = key_of(*KEYS[2])
    expected = random_keep(key, p_keep=0.1, shape=(101 + 32,), stream=0)
    for width in (1, 8, 16):
        kept = native_mask(width, p_keep=0.1, stream=0, aligned=False, isa=isa)(key, 101, 32)
        assert np.array_equal(kept, expected[101:])


def test_another_stream_step_seed_or_place_is_another_mask() -> None:
    expected = random_keep(key_of(1, 2), p_keep=0.5, shape=(64,), stream=3)
    for seed, step, stream, base in ((1, 2, 3, 0), (9, 2, 3, 0), (1, 9, 3, 0), (1, 2, 9, 0), (1, 2, 3, 4)):
        kept = native_mask(8, p_keep=0.5, stream=stream, aligned=True)(key_of(seed, step), base, 64)
        assert np.array_equal(kept, expected) == ((seed, step, stream, base) == (1, 2, 3, 0))


def test_native_mask_far_out() -> None:
    """The block's number does not fit a word any more."""
    base, key = 2**34 + 2**40 - 5, key_of(1, 2)
    for width in (1, 8):
        kept = native_mask(width, p_keep=0.5, stream=1, aligned=False)(key, base, 16)
        assert kept.tolist() == naive(1, 2, 0.5, 16, 1, base)


@pytest.mark.parametrize("p_keep", [0.0, 2.0**-32, 0.5, 1 - 2.0**-32, 1.0])
def test_native_mask_at_the_limits(p_keep: float) -> None:
    key = key_of(8, 1)
    kept = native_mask(16, p_keep=p_keep, stream=0, aligned=True)(key, 0, 4096)
    assert np.array_equal(kept, random_keep(key, p_keep=p_keep, shape=(4096,), stream=0))
    assert p_keep not in (0.0, 1.0) or kept.all() == (p_keep == 1.0)


def test_native_mask_refuses_other_widths() -> None:
    with pytest.raises(ValueError, match="a multiple of 4, not for 6"):
        native_mask(6, p_keep=0.5, stream=0, aligned=True)


@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
def test_native_words_are_the_published_ones(lanes: int) -> None:
    """Every known vector stands in some lane of some call, in lanes of 32 bits."""
    module, isa = ir.Module(), chosen()
    made, code = function(module, "words", [POINTER, POINTER], isa, internal=False)
    pointers = [code.at(made.args[0], I64(i * lanes), I32) for i in range(6)]
    loaded = [code.load(pointer, I32, lanes) for pointer in pointers]
    for i, word in enumerate(native_philox(code, loaded[:4], loaded[4:])):
        code.store(word, code.at(made.args[1], I64(i * lanes), I32))
    code.b.ret_void()
    library = Library(compiled(str(module), isa))
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(library.address("words"))
    for first in range(3):
        known = [KNOWN[(first + lane) % 3] for lane in range(lanes)]
        given = np.array([[*words(counter), *words(key)] for counter, key, _ in known], np.uint32).T.copy()
        out = np.zeros((4, lanes), np.uint32)
        call(given.ctypes.data, out.ctypes.data)
        assert out.T.tolist() == [list(words(expected)) for _, _, expected in known]


@pytest.mark.parametrize("columns", [1, 4, 6, 33])
@pytest.mark.parametrize(("lanes", "block"), [(1, 64), (3, 64), (3, 5)])
def test_masks_that_begin_anywhere(columns: int, lanes: int, block: int) -> None:
    """Blocks of rows begin in the middle of four elements of one counter, or not."""
    x, key = Value((37, columns), np.float32, role=DATA), Value((2,), np.uint64, role=STATE)
    mask = random_keep(key, p_keep=0.6, shape=x.shape, stream=2)
    outputs = (where(mask, x, 0.0), elementwise.exp(where(mask, x, -1.0)))
    graph = Graph(data=(x,), state=(key,), outputs=outputs)
    values = np.arange(1, 1 + x.size, dtype=np.float32).reshape(x.shape) / x.size
    with cut(lanes, block, block < 10):
        kept, grown = Executable(graph)([values], [key_of(7, 9)], [])
    expected = random_keep(key_of(7, 9), p_keep=0.6, shape=x.shape, stream=2)
    np.testing.assert_array_equal(kept, np.where(expected, values, 0))
    np.testing.assert_allclose(grown, np.exp(np.where(expected, values, -1)), rtol=1e-6)
