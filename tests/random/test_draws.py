"""What the records do not say of the draws: naive loops, properties, wrong arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin import random
from fanin.random import Generator, permutation
from fanin.random.unit import PASS, unit24, unit53


def stream() -> Generator:
    return Generator().manual_seed(0)


def naive_permutation(n: int) -> list[int]:
    generator, order = stream(), list(range(n))
    for i in range(n - 1):
        j = i + generator.word() % (n - i)
        order[i], order[j] = order[j], order[i]
    return order


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 17, 499, 500, 501, 3000])
def test_permutation_is_the_naive_loop(n: int) -> None:
    assert random.randperm(stream(), n).tolist() == naive_permutation(n)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_swaps_at_once_are_swaps_in_turn(numbers: list[int]) -> None:
    n = len(numbers)
    partners = np.array([i + number % (n - i) for i, number in enumerate(numbers)])
    expected = permutation._swap_in_turn(partners)
    assert np.array_equal(permutation._swap_at_once(partners), expected)


def test_a_wrong_chain_of_swaps_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation, "_earlier_with_same_partner", lambda partners, steps: np.full_like(steps, -1))
    assert random.randperm(stream(), 600).tolist() != naive_permutation(600)


def test_scalar_normals_are_the_formula() -> None:
    generator = stream()
    u1, u2 = ((generator.double_word() & (2**53 - 1)) / 2**53 for _ in range(2))
    radius = math.sqrt(-2 * math.log1p(-u2))
    pair = [radius * math.cos(2 * math.pi * u1), radius * math.sin(2 * math.pi * u1)]
    assert random.normal(stream(), 0.0, 1.0, (2,), np.float64).tolist() == pytest.approx(pair, rel=1e-15)


DRAWS: dict[str, Callable[[Generator, tuple[int, ...]], Any]] = {
    "uniform": lambda g, shape: random.uniform(g, -1.0, 1.0, shape),
    "normal": lambda g, shape: random.normal(g, 0.0, 1.0, shape),
    "randint": lambda g, shape: random.randint(g, 0, 9, shape),
    "random": lambda g, shape: random.random(g, shape),
    "bernoulli": lambda g, shape: random.bernoulli(g, 0.5, shape),
    "exponential": lambda g, shape: random.exponential(g, 1.0, shape),
    "geometric": lambda g, shape: random.geometric(g, 0.5, shape),
    "cauchy": lambda g, shape: random.cauchy(g, 0.0, 1.0, shape),
    "log_normal": lambda g, shape: random.log_normal(g, 0.0, 1.0, shape),
    "trunc_normal": lambda g, shape: random.trunc_normal(g, 0.0, 1.0, -1.0, 1.0, shape),
    "trunc_normal low": lambda g, shape: random.trunc_normal(g, 0.0, 1.0, 1.0, 2.0, shape),
    "normal_elementwise": lambda g, shape: random.normal_elementwise(g, 0.0, np.ones(shape)),
    "normal_elementwise mean": lambda g, shape: random.normal_elementwise(g, np.ones(shape), 1.0),
    "bernoulli_array": lambda g, shape: random.bernoulli_array(g, np.full(shape, 0.5)),
    "poisson": lambda g, shape: random.poisson(g, np.full(shape, 3.0)),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (7,), (4, 3, 5)])
def test_results_are_new_arrays_in_c_order(name: str, shape: tuple[int, ...]) -> None:
    drawn = DRAWS[name](stream(), shape)
    assert isinstance(drawn, np.ndarray)
    assert drawn.shape == shape
    assert drawn.flags.c_contiguous
    assert drawn.flags.writeable


@pytest.mark.parametrize("name", DRAWS)
def test_nothing_drawn_leaves_the_stream_alone(name: str) -> None:
    generator = stream()
    DRAWS[name](generator, (0,))
    assert generator.word() == stream().word()


@pytest.mark.parametrize("count", [PASS - 1, PASS, PASS + 1, 2 * PASS + 5])
def test_passes_do_not_show(count: int) -> None:
    generator = stream()
    assert np.array_equal(random.uniform(stream(), 0.0, 1.0, (count,)), unit24(generator, count))
    assert np.array_equal(random.uniform(stream(), 0.0, 1.0, (count,), np.float64), unit53(stream(), count))


@given(st.floats(-1e3, 1e3, width=32), st.floats(0, 1e3, width=32), st.sampled_from(["float16", "float32", "float64"]))
def test_uniform_stays_inside(low: float, width: float, dtype: str) -> None:
    kind = np.dtype(dtype).type
    low, high = float(kind(low)), float(kind(low + width))
    drawn = random.uniform(stream(), low, high, (200,), dtype)
    assert np.all(drawn >= low)
    assert np.all((drawn < high) | (low == high))


@given(st.floats(0, 1))
def test_bernoulli_is_the_comparison(p: float) -> None:
    assert np.array_equal(random.bernoulli(stream(), p, (100,), np.bool_), unit53(stream(), 100) < p)


def test_fill_and_like_follow_memory() -> None:
    template = np.zeros((3, 4), np.float32).T
    expected = random.uniform(stream(), 0.0, 1.0, (3, 4)).T
    made = random.like(template, lambda shape: random.uniform(stream(), 0.0, 1.0, shape))
    assert made.strides == template.strides
    assert np.array_equal(made, expected)
    random.fill(template, lambda shape: random.uniform(stream(), 0.0, 1.0, shape))
    assert np.array_equal(template, expected)
    mask = random.like(template, lambda shape: random.bernoulli(stream(), 0.5, shape, np.bool_), np.bool_)
    assert mask.dtype == np.bool_


@pytest.mark.parametrize(("low", "high", "std"), [(-1.0, 1.0, 1.0), (1.0, 2.0, 1.0), (-0.1, 0.2, 3.0)])
def test_truncated_normals_keep_their_bounds_and_their_mean(low: float, high: float, std: float) -> None:
    drawn = random.trunc_normal(stream(), 0.0, std, low, high, (20_000,), np.float64)
    assert drawn.min() >= low
    assert drawn.max() <= high
    # E x = std (pdf(a) - pdf(b)) / (cdf(b) - cdf(a)) with a, b the bounds in units of std.
    a, b = low / std, high / std
    density = (math.exp(-a * a / 2) - math.exp(-b * b / 2)) / math.sqrt(2 * math.pi)
    mass = (math.erf(b / math.sqrt(2)) - math.erf(a / math.sqrt(2))) / 2
    assert drawn.mean() == pytest.approx(std * density / mass, abs=4 * drawn.std() / math.sqrt(20_000))


nan, inf = math.nan, math.inf
W = np.array
WRONG: list[tuple[Callable[[Generator], Any], type[Exception], str]] = [
    (lambda g: random.uniform(g, 2.0, 1.0, (3,)), RuntimeError, r"uniform_ expects to return a \[from, to\) range"),
    (lambda g: random.uniform(g, 0.0, inf, (3,)), RuntimeError, "to is out of bounds for float"),
    (lambda g: random.uniform(g, nan, 1.0, (3,)), RuntimeError, "from is out of bounds for float"),
    (lambda g: random.uniform(g, -3e38, 3e38, (3,)), RuntimeError, "uniform_ expects to-from <="),
    (lambda g: random.uniform(g, 0.0, 1.0, (3,), np.int64), NotImplementedError, "not implemented for int64"),
    (lambda g: random.normal(g, 0.0, -1.0, (3,)), RuntimeError, "normal expects std >= 0.0, but found std -1"),
    (lambda g: random.normal(g, 0.0, nan, (3,)), RuntimeError, "normal expects std >= 0.0"),
    (lambda g: random.normal(g, 0.0, 1.0, (3,), np.int64), NotImplementedError, "not implemented for int64"),
    (lambda g: random.normal_elementwise(g, 0.0, W([-1.0])), RuntimeError, "normal expects all elements of std >= 0.0"),
    (lambda g: random.log_normal(g, 0.0, 0.0, (3,)), RuntimeError, "log_normal_ expects std > 0.0"),
    (lambda g: random.randint(g, 5, 5, (3,)), RuntimeError, "random_ expects 'from' to be less than 'to'"),
    (lambda g: random.randint(g, 0, 300, (3,), np.uint8), RuntimeError, "to - 1 is out of bounds for uint8"),
    (lambda g: random.randint(g, -1, 3, (3,), np.uint8), RuntimeError, "from is out of bounds for uint8"),
    (lambda g: random.randint(g, 0, 5, (3,), np.bool_), RuntimeError, "to - 1 is out of bounds for bool"),
    (lambda g: random.random(g, (3,), np.float32, 2**25), RuntimeError, "random_ expects 'from' to be at most"),
    (lambda g: random.randperm(g, -1), RuntimeError, "negative dimension -1"),
    (lambda g: random.bernoulli(g, 1.5, (3,)), RuntimeError, r"bernoulli_ expects p to be in \[0, 1\], but got p=1.5"),
    (lambda g: random.bernoulli(g, nan, (3,)), RuntimeError, "bernoulli_ expects p"),
    (lambda g: random.bernoulli_array(g, W([0.1, 2.0])), RuntimeError, "Expected p_in >= 0"),
    (lambda g: random.bernoulli_array(g, W([0.1, nan])), RuntimeError, "Expected p_in >= 0"),
    (lambda g: random.bernoulli_array(g, W([0, 1])), NotImplementedError, "not implemented for int64"),
    (lambda g: random.exponential(g, 0.0, (3,)), RuntimeError, "exponential_ expects lambda > 0.0"),
    (lambda g: random.geometric(g, 1.0, (3,)), RuntimeError, r"geometric_ expects p to be in \(0, 1\)"),
    (lambda g: random.cauchy(g, 0.0, 0.0, (3,)), RuntimeError, "cauchy_ expects sigma > 0.0"),
    (lambda g: random.poisson(g, W([-1.0])), RuntimeError, "invalid Poisson rate"),
    (lambda g: random.multinomial(g, W([0.1, -0.2]), 1), RuntimeError, "probability tensor contains either"),
    (lambda g: random.multinomial(g, W([0.1, inf]), 1), RuntimeError, "probability tensor contains either"),
    (lambda g: random.multinomial(g, W([0.0, 0.0]), 1), RuntimeError, "invalid multinomial distribution"),
    (lambda g: random.multinomial(g, W([0.1, 0.2]), 3), RuntimeError, "cannot sample n_sample > prob_dist.size"),
    (lambda g: random.multinomial(g, W([0.1, 0.2]), 0), RuntimeError, "cannot sample n_sample <= 0"),
    (lambda g: random.multinomial(g, W([1, 2]), 1), RuntimeError, "multinomial only supports floating-point"),
    (lambda g: random.multinomial(g, W(1.0), 1), RuntimeError, "prob_dist must be 1 or 2 dim"),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_wrong_arguments(number: int) -> None:
    draw, error, message = WRONG[number]
    generator = stream()
    with pytest.raises(error, match=message):
        draw(generator)
    assert generator.word() == stream().word(), "a refused draw must not move the stream"
