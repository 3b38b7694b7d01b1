"""Native permutations: number for number those of `fanin.random`, from every state, and the state left behind."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin._core.errors import ArgumentError, OperationError
from fanin.compiler.native import shuffle
from fanin.compiler.native.helpers import shuffle as written
from fanin.compiler.native.shuffle import randperm
from fanin.compiler.native.target import Library, compiled, host, named, runs_here
from fanin.random import Generator
from fanin.random import randperm as expected_randperm

LENGTHS = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    17,
    31,
    100,
    499,
    500,
    501,
    622,
    623,
    624,
    625,
    626,
    1247,
    1248,
    1249,
    5000,
]


def pair(seed: int, used: int = 0) -> tuple[Generator, Generator]:
    """Return two generators at one place of one stream."""
    both = Generator().manual_seed(seed), Generator().manual_seed(seed)
    for generator in both:
        generator.words(used)
    return both


def check(ours: Generator, theirs: Generator, n: int) -> None:
    result, expected = randperm(ours, n), expected_randperm(theirs, n)
    assert result.dtype == expected.dtype == np.int64
    assert np.array_equal(result, expected)
    assert np.array_equal(ours.get_state(), theirs.get_state())


@pytest.mark.parametrize("n", LENGTHS)
def test_permutation_and_state(n: int) -> None:
    for used in (0, 1, 5, 300, 616, 622, 623, 624, 625, 1000):
        ours, theirs = pair(n + 1, used)
        for _ in range(3):
            check(ours, theirs, n)
        assert ours.word() == theirs.word()


@given(seed=st.integers(0, 2**32 - 1), used=st.integers(0, 1500), lengths=st.lists(st.integers(0, 3000), max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_stream_place_and_lengths(seed: int, used: int, lengths: list[int]) -> None:
    ours, theirs = pair(seed, used)
    for n in lengths:
        check(ours, theirs, n)


@pytest.mark.parametrize("n", [60_000, 1_000_003])
def test_long_permutations(n: int) -> None:
    check(*pair(3, 7), n)


def test_words_at_both_ends() -> None:
    """Words of all ones and all zeros, which are the corners of the division, in a state made by hand."""
    for key in (0x00000000, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF):
        both = pair(0)
        for generator in both:
            inner: Any = {"key": np.full(624, key, np.uint32), "pos": 3}
            generator._bits.state = {"bit_generator": "MT19937", "state": inner}
        for n in (2, 3, 600, 2000):
            check(*both, n)


def test_remainders_at_their_corners() -> None:
    """Words q * d - 1, q * d and q * d + 1: where a quotient that is rounded up would show."""
    from fanin.compiler.native import ir
    from fanin.compiler.native.vector import I32, I64, POINTER, function

    module, isa = ir.Module(), host()
    made, code = function(module, "remainders", [POINTER, POINTER, POINTER, I64], isa, internal=False)
    with code.loop(0, made.args[3], 4) as i:
        word, divisor = (code.load(code.at(pointer, i, I32), I32, 4) for pointer in made.args[:2])
        code.store(written._remainder(code, word, divisor), code.at(made.args[2], i, I32))
    code.b.ret_void()
    library = Library(compiled(str(module), isa))
    pointer = ctypes.c_void_p
    call = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, ctypes.c_int64)(library.address("remainders"))

    random = np.random.RandomState(0)
    some = np.concatenate([np.arange(2, 50), 2 ** np.arange(1, 28), 2 ** np.arange(2, 28) - 1, [2**27 + 1]])
    divisors = np.repeat(np.concatenate([some, random.randint(2, 2**27, 50_000)]), 6).astype(np.uint64)
    largest = 2**32 // divisors
    quotients = np.where(np.arange(len(divisors)) % 12 < 6, largest, (largest * random.random_sample(len(largest))))
    words = quotients.astype(np.uint64) * divisors + np.resize(np.array([-1, 0, 1], np.int64), len(divisors))
    words = np.clip(words.astype(np.int64), 0, 2**32 - 1).astype(np.uint32)
    words[::6] = 2**32 - 1
    pad = -len(words) % 4
    words, divisors = np.append(words, [1] * pad).astype(np.uint32), np.append(divisors, [2] * pad).astype(np.uint32)
    out = np.empty_like(words)
    call(words.ctypes.data, divisors.ctypes.data, out.ctypes.data, len(words))
    assert np.array_equal(out, words % divisors)


@pytest.mark.parametrize("isa", ["sse", "avx2", "avx512", "neon"])
def test_each_instruction_set(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code = compiled(written.text(named(isa)), named(isa))
    if not runs_here(named(isa)):
        assert code  # it can still be assembled
        return
    library = Library(code)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
    function = kind(library.address("permute"))
    monkeypatch.setattr(shuffle, "_permute", lambda: function)
    for n in LENGTHS:
        check(*pair(n, 620), n)


@pytest.mark.parametrize("n", [0, 1, 2, 700])
def test_into_an_array(n: int) -> None:
    ours, theirs = pair(2)
    held = np.full(n + 2, -1, np.int64)
    shuffle.randperm_into(ours, held[1:-1])
    assert held.tolist() == [-1, *expected_randperm(theirs, n).tolist(), -1]
    assert np.array_equal(ours.get_state(), theirs.get_state())


@pytest.mark.parametrize("out", [np.zeros(4, np.int32), np.zeros((2, 2), np.int64), np.zeros(8, np.int64)[::2]])
def test_an_array_of_another_kind_is_refused(out: Any) -> None:
    with pytest.raises(ArgumentError, match="randperm_into expected a contiguous row of int64, got int"):
        shuffle.randperm_into(Generator(), out)
    assert not out.any()


def test_a_cached_normal_is_left_alone() -> None:
    ours, theirs = pair(1)
    ours.cached_normal = theirs.cached_normal = 0.25
    check(ours, theirs, 50)
    assert ours.cached_normal == 0.25


def test_what_it_cannot_do_goes_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationError, match="negative dimension -1"):
        randperm(Generator(), -1)

    def never() -> Any:
        raise AssertionError("native code was called")

    monkeypatch.setattr(shuffle, "_permute", never)
    with pytest.raises(AssertionError, match="native code was called"):
        randperm(Generator(), 100)
    monkeypatch.setattr(shuffle, "LIMIT", 100)
    check(*pair(1), 100)
    monkeypatch.undo()
    monkeypatch.setattr(shuffle, "_permute", never)
    monkeypatch.setattr(shuffle, "_layout_is_known", lambda: False)
    check(*pair(1), 50)


def test_the_layout_of_numpys_generator_is_known() -> None:
    assert shuffle._layout_is_known()


def test_it_is_compiled_once() -> None:
    randperm(Generator(), 10)
    assert shuffle._permute() is shuffle._permute()


def test_threads_that_share_a_generator_lose_no_word() -> None:
    n, times = 500, 40
    shared = Generator().manual_seed(5)
    start = threading.Barrier(2)

    def draw() -> None:
        start.wait()
        for _ in range(times):
            randperm(shared, n)

    threads = [threading.Thread(target=draw) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = Generator().manual_seed(5)
    alone.words(2 * times * (n - 1))
    assert shared.word() == alone.word()
