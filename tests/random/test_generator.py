"""The generator: seeds, words, states, copies."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin._core.errors import ArgumentTypeError, OperationError, StateError
from fanin.random import DEFAULT_SEED, Generator, normal, random
from fanin.random import generator as module


def test_first_words_are_those_of_the_reference_implementation() -> None:
    """Matsumoto and Nishimura's mt19937ar.c with init_genrand(5489), its default, begins with these words."""
    assert Generator().manual_seed(5489).words(3).tolist() == [3499211612, 581869302, 3890346734]


def test_one_by_one_and_in_bulk_are_one_stream() -> None:
    a, b = Generator().manual_seed(1), Generator().manual_seed(1)
    singles = [a.word() for _ in range(700)]
    assert singles == b.words(300).tolist() + b.words(0).tolist() + b.words(400).tolist()
    first, second = b.words(2).tolist()
    assert a.double_word() == (first << 32) | second
    high, low = b.words(2).tolist()
    assert a.double_words(1).tolist() == [(high << 32) | low]
    assert a.random_int() == int(random(b, ()))


def test_default_seed_and_seeding() -> None:
    assert Generator().initial_seed() == DEFAULT_SEED == 67280421310721
    generator = Generator()
    assert generator.manual_seed(-1) is generator
    assert generator.initial_seed() == 2**64 - 1
    assert generator.seed() == generator.initial_seed() != generator.seed()
    assert generator.manual_seed(np.int64(3)).initial_seed() == 3  # type: ignore[arg-type]


def test_only_the_low_32_bits_choose_the_stream() -> None:
    assert Generator().manual_seed(2**32 + 5).word() == Generator().manual_seed(5).word()


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (1.0, RuntimeError, "manual_seed expected a long, but got float"),
        (True, RuntimeError, "manual_seed expected a long, but got bool"),
        ("1", RuntimeError, "manual_seed expected a long, but got str"),
        (None, RuntimeError, "manual_seed expected a long, but got NoneType"),
        (2**64, ValueError, "Overflow when unpacking long long"),
        (-(2**63) - 1, ValueError, "Overflow when unpacking long long"),
    ],
)
def test_seeds_that_are_none(seed: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Generator().manual_seed(seed)


@pytest.mark.parametrize("device", ["cuda", "meta", 3, "foo"])
def test_other_devices_are_refused(device: Any) -> None:
    with pytest.raises(OperationError, match="expected device 'cpu'"):
        Generator(device)


def test_seeding_forgets_the_kept_normal() -> None:
    generator = Generator().manual_seed(0)
    first = normal(generator, 0.0, 1.0, (1,))
    assert generator.cached_normal is not None
    assert np.array_equal(normal(generator.manual_seed(0), 0.0, 1.0, (1,)), first)


@given(st.integers(0, 2000), st.integers(0, 3))
def test_a_state_brings_back_the_stream(words: int, normals: int) -> None:
    generator = Generator().manual_seed(4)
    generator.words(words)
    normal(generator, 0.0, 1.0, (normals,))
    state = generator.get_state()
    assert (state.shape, state.dtype) == ((5056,), np.uint8)
    copies: list[Generator] = [Generator(), generator.clone_state(), copy.copy(generator), copy.deepcopy(generator)]
    assert copies[0].set_state(state) is copies[0]
    copies.append(pickle.loads(pickle.dumps(generator)))
    expected = [normal(generator, 0.0, 1.0, (5,)).tobytes(), generator.words(700).tobytes()]
    for other in copies:
        assert np.array_equal(other.get_state(), state)
        assert other.initial_seed() == 4
        assert [normal(other, 0.0, 1.0, (5,)).tobytes(), other.words(700).tobytes()] == expected


def test_a_copy_goes_its_own_way() -> None:
    generator = Generator().manual_seed(0)
    clone = generator.clone_state()
    generator.words(5)
    assert clone.word() == Generator().manual_seed(0).word()


def invalid_states() -> list[tuple[Any, type[Exception], str]]:
    good = Generator().get_state()
    unseeded, no_left, far = good.copy(), good.copy(), good.copy()
    unseeded[12] = 0
    no_left[8:12] = 0
    far[16:24] = 255
    return [
        (3, ArgumentTypeError, "expected an array of uint8"),
        (good.astype(np.int64), ArgumentTypeError, "RNG state must be"),
        (good[:5048], StateError, "of size 5056, but got 5048"),
        (unseeded, StateError, "Invalid mt19937 state"),
        (no_left, StateError, "Invalid mt19937 state"),
        (far, StateError, "Invalid mt19937 state"),
    ]


@pytest.mark.parametrize("number", range(6))
def test_states_that_are_none(number: int) -> None:
    state, error, message = invalid_states()[number]
    generator = Generator().manual_seed(9)
    with pytest.raises(error, match=message):
        generator.set_state(state)
    assert generator.word() == Generator().manual_seed(9).word()


def test_offsets_are_refused() -> None:
    with pytest.raises(RuntimeError, match="CPU Generator does not use offset"):
        Generator().get_offset()
    with pytest.raises(RuntimeError, match="CPU Generator does not use offset"):
        Generator().set_offset(1)


def test_the_default_generator() -> None:
    before = module.default_generator.get_state()
    try:
        assert module.manual_seed(5) is module.default_generator
        assert module.initial_seed() == 5
        assert module.default_generator.word() == Generator().manual_seed(5).word()
        assert module.seed() == module.initial_seed()
    finally:
        module.default_generator.set_state(before)


def test_text() -> None:
    assert repr(Generator()).startswith("<torch._C.Generator object at 0x")
