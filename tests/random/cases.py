"""The draws that are compared with PyTorch's: each as a PyTorch call and as a fanin call on a generator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fanin import random

# Around 16 the algorithm of the normal changes; 20,000 and more take several passes, the last one not full.
SHAPES = [(0,), (1,), (2,), (7,), (15,), (16,), (17,), (32,), (45,), (), (5, 0, 3), (3, 5, 7), (1003,), (33_333,)]
SMALL_SHAPES = [(0,), (1,), (5,), (16,), (43,), (7, 11)]
FLOATS = ["float32", "float64", "float16"]
DTYPES = [*FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool"]


@dataclass(frozen=True)
class Case:
    """One draw. `torch` takes the module and a generator, `ours` a generator.

    libm: the values go through the platform's float64 functions, whose last bit is not the same everywhere.
    """

    name: str
    torch: Callable[[Any, Any], Any]
    ours: Callable[[random.Generator], Any]
    seed: int = 0
    libm: bool = False


def in_place(method: str, shape: tuple[int, ...], dtype: str, *args: Any) -> Callable[[Any, Any], Any]:
    """Return the call `empty(shape).method(*args)`."""
    return lambda torch, g: getattr(torch.empty(shape, dtype=getattr(torch, dtype)), method)(*args, generator=g)


def uniforms() -> Iterator[Case]:
    bounds = [(0, 1), (-1, 1), (-0.3, 0.7), (2, 5.5), (-(7**-0.5), 7**-0.5), (1, 1), (1e-9, 1.0)]
    for shape, dtype, (low, high) in itertools.product(SHAPES, FLOATS, bounds):
        name = f"uniform {shape} {dtype} {low:.3g} {high:.3g}"
        yield Case(name, in_place("uniform_", shape, dtype, low, high), uniform(low, high, shape, dtype))
    # Bounds so far apart that the sum of a fused multiply-add is inexact in float64.
    shape = (1_000_000,)
    yield Case(
        "uniform wide", in_place("uniform_", shape, "float32", -1e-3, 1e30), uniform(-1e-3, 1e30, shape, "float32")
    )


def uniform(low: float, high: float, shape: tuple[int, ...], dtype: str) -> Callable[[random.Generator], Any]:
    return lambda g: random.uniform(g, low, high, shape, dtype)


def normals() -> Iterator[Case]:
    moments = [(0, 1), (0, 0.02), (1.5, 1), (-0.7, 3.3), (2, 0)]
    for shape, dtype, (mean, std) in itertools.product(SHAPES, FLOATS, moments):
        name = f"normal {shape} {dtype} {mean} {std}"
        yield Case(name, in_place("normal_", shape, dtype, mean, std), normal(mean, std, shape, dtype), libm=True)
    for n, dtype in itertools.product([1, 5, 16, 37, 1000], FLOATS):
        yield Case(f"normal {n} {dtype} gaps", normal_gaps(n, dtype), normal(0.3, 1.7, (n,), dtype, False), libm=True)
        yield Case(f"normal {n} {dtype} kept", normal_kept_torch(n, dtype), normal_kept(n, dtype), libm=True)
    yield Case("normal million", in_place("normal_", (1_000_000,), "float32"), normal(0, 1, (1_000_000,), "float32"))


def normal(
    mean: float, std: float, shape: tuple[int, ...], dtype: str, contiguous: bool = True
) -> Callable[[random.Generator], Any]:
    return lambda g: random.normal(g, mean, std, shape, dtype, contiguous)


def normal_gaps(n: int, dtype: str) -> Callable[[Any, Any], Any]:
    return lambda torch, g: torch.empty(2 * n, dtype=getattr(torch, dtype))[::2].normal_(0.3, 1.7, generator=g)


def normal_kept_torch(n: int, dtype: str) -> Callable[[Any, Any], Any]:
    """Draw three scalars first, so that the sine half of a pair is kept: for a scalar draw, not for a bulk one."""

    def draw(torch: Any, g: Any) -> Any:
        torch.randn(3, generator=g)
        return torch.randn(n, generator=g, dtype=getattr(torch, dtype))

    return draw


def normal_kept(n: int, dtype: str) -> Callable[[random.Generator], Any]:
    def draw(g: random.Generator) -> Any:
        random.normal(g, 0.0, 1.0, (3,))
        return random.normal(g, 0.0, 1.0, (n,), dtype)

    return draw


def normals_elementwise() -> Iterator[Case]:
    for shape, dtype in itertools.product(SMALL_SHAPES, FLOATS):
        mean, std = table(shape, dtype, -2, 2), table(shape, dtype, 0, 3)
        for name, m, s in (("both", mean, std), ("mean", mean, 1.7), ("std", 1.3, std)):
            yield Case(f"normal {name} {shape} {dtype}", normal_of(m, s), ours_of(m, s), libm=True)


def normal_of(mean: Any, std: Any) -> Callable[[Any, Any], Any]:
    return lambda torch, g: torch.normal(tensor(torch, mean), tensor(torch, std), generator=g)


def ours_of(mean: Any, std: Any) -> Callable[[random.Generator], Any]:
    return lambda g: random.normal_elementwise(g, mean, std)


def tensor(torch: Any, value: Any) -> Any:
    return torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value


def table(shape: tuple[int, ...], dtype: str, low: float, high: float) -> Any:
    """Return fixed numbers between the bounds, which do not come from the stream under test."""
    count = int(np.prod(shape))
    steps = (np.arange(count) * 0.618_033_988_749_895) % 1.0
    return (low + (high - low) * steps).astype(dtype).reshape(shape)


def whole_numbers() -> Iterator[Case]:
    for shape, dtype in itertools.product(SMALL_SHAPES, DTYPES):
        yield Case(f"random {shape} {dtype}", in_place("random_", shape, dtype), whole(shape, dtype))
    ranges = [(0, 10), (-5, 100), (0, 2**28 - 1), (0, 2**28), (-(2**31), 2**31), (0, 2**32), (5, 2**50)]
    ranges += [(-(2**63), 2**63 - 1), (0, 2**63 - 1), (-(2**63), None), (-3, None)]
    for low, high in ranges:
        for shape in [(50,), (20_000,)]:
            call = in_place("random_", shape, "int64", low, high)
            yield Case(f"random {low} {high} {shape}", call, whole(shape, "int64", low, high))
    for dtype in ["float32", "float64", "int32", "uint8", "float16"]:
        call = in_place("random_", (50,), dtype, 0, 100)
        yield Case(f"random 0 100 {dtype}", call, whole((50,), dtype, 0, 100))
    # Bounds that a float cannot hold move inside the range.
    for low, high in [(-5, 2**33 - 5), (0, 2**30 + 20), (0, 2**30 + 100), (-(2**30) + 3, 0), (5, None)]:
        call = in_place("random_", (50,), "float32", low, high)
        yield Case(f"random {low} {high} float32", call, whole((50,), "float32", low, high))


def whole(
    shape: tuple[int, ...], dtype: str, low: int | None = None, high: int | None = None
) -> Callable[[random.Generator], Any]:
    return lambda g: random.random(g, shape, dtype, low, high)


def permutations() -> Iterator[Case]:
    for n in [0, 1, 2, 3, 10, 100, 499, 500, 1000, 60_000]:
        for dtype in ["int64", "int32", "float64"]:
            name = f"randperm {n} {dtype}"
            yield Case(name, randperm_of(n, dtype), lambda g, n=n, dtype=dtype: random.randperm(g, n, dtype), seed=n)


def randperm_of(n: int, dtype: str) -> Callable[[Any, Any], Any]:
    return lambda torch, g: torch.randperm(n, generator=g, dtype=getattr(torch, dtype))


def bernoullis() -> Iterator[Case]:
    probabilities = [0.0, 0.1, 0.5, 0.9, 1.0, 1e-17, 1 - 2**-53]
    for shape, dtype, p in itertools.product([(0,), (45,), (7, 11), (33_333,)], DTYPES, probabilities):
        name = f"bernoulli {shape} {dtype} {p!r}"
        yield Case(name, in_place("bernoulli_", shape, dtype, p), bernoulli(p, shape, dtype))
    for shape, dtype in itertools.product(SMALL_SHAPES, FLOATS):
        p = table(shape, dtype, 0, 1)
        yield Case(f"bernoulli of {shape} {dtype}", bernoulli_of(p), lambda g, p=p: random.bernoulli_array(g, p))


def bernoulli(p: float, shape: tuple[int, ...], dtype: str) -> Callable[[random.Generator], Any]:
    return lambda g: random.bernoulli(g, p, shape, dtype)


def bernoulli_of(p: Any) -> Callable[[Any, Any], Any]:
    return lambda torch, g: torch.bernoulli(tensor(torch, p), generator=g)


def distributions() -> Iterator[Case]:
    laws: list[tuple[str, Callable[..., Any], list[tuple[float, ...]]]] = [
        ("exponential", random.exponential, [(1.0,), (2.5,), (0.1,)]),
        ("geometric", random.geometric, [(0.1,), (0.5,), (0.999,)]),
        ("cauchy", random.cauchy, [(0.0, 1.0), (1.3, 0.7)]),
        ("log_normal", random.log_normal, [(0.0, 1.0), (0.3, 0.8)]),
    ]
    for law, draw, settings in laws:
        for arguments, shape, dtype in itertools.product(settings, [*SMALL_SHAPES, (20_000,)], FLOATS):
            name = f"{law} {arguments} {shape} {dtype}"
            yield Case(
                name, in_place(law + "_", shape, dtype, *arguments), law_of(draw, arguments, shape, dtype), libm=True
            )
    for shape, dtype in itertools.product(SMALL_SHAPES, FLOATS):
        rates = table(shape, dtype, 0, 40)
        yield Case(f"poisson {shape} {dtype}", poisson_of(rates), lambda g, rates=rates: random.poisson(g, rates))


def law_of(
    draw: Callable[..., Any], arguments: tuple[float, ...], shape: tuple[int, ...], dtype: str
) -> Callable[[random.Generator], Any]:
    return lambda g: draw(g, *arguments, shape, dtype)


def poisson_of(rates: Any) -> Callable[[Any, Any], Any]:
    return lambda torch, g: torch.poisson(tensor(torch, rates), generator=g)


def multinomials() -> Iterator[Case]:
    for shape, dtype in itertools.product([(10,), (4, 10), (1000,)], ["float32", "float64"]):
        weights = table(shape, dtype, 0.1, 1)
        for count, replacement in [(1, False), (5, False), (10, False), (1, True), (300, True)]:
            name = f"multinomial {shape} {dtype} {count} {replacement}"
            call = multinomial_of(weights, count, replacement)
            yield Case(name, call, ours_multinomial(weights, count, replacement))


def multinomial_of(weights: Any, count: int, replacement: bool) -> Callable[[Any, Any], Any]:
    return lambda torch, g: torch.multinomial(tensor(torch, weights), count, replacement, generator=g)


def ours_multinomial(weights: Any, count: int, replacement: bool) -> Callable[[random.Generator], Any]:
    return lambda g: random.multinomial(g, weights, count, replacement)


def truncated() -> Iterator[Case]:
    # mean, std, low, high; the last four keep little of the normal's mass and take the other algorithm.
    settings = [(0, 1, -2, 2), (0, 0.02, -0.04, 0.04), (0.3, 1, -0.5, 2), (0, 1, -0.5, 1)]
    settings += [(0, 1, 1, 2), (0, 1, -0.2, 0.1), (0, 2, 3, 5), (2, 1, -1, 1.5)]
    for setting, shape, dtype in itertools.product(settings, [*SMALL_SHAPES, (3000,)], ["float32", "float64"]):
        name = f"trunc_normal {setting} {shape} {dtype}"
        yield Case(name, truncated_of(setting, shape, dtype), ours_truncated(setting, shape, dtype), libm=True)


def truncated_of(setting: tuple[float, ...], shape: tuple[int, ...], dtype: str) -> Callable[[Any, Any], Any]:
    def draw(torch: Any, g: Any) -> Any:
        return torch.nn.init.trunc_normal_(torch.empty(shape, dtype=getattr(torch, dtype)), *setting, generator=g)

    return draw


def ours_truncated(setting: tuple[float, ...], shape: tuple[int, ...], dtype: str) -> Callable[[random.Generator], Any]:
    return lambda g: random.trunc_normal(g, *setting, shape, dtype)


def orders_of_memory() -> Iterator[Case]:
    for axes in itertools.permutations(range(3)):
        for method, ours in (("uniform_", random.uniform), ("normal_", scalar_normal)):
            yield Case(f"{method} permuted {axes}", permuted(method, axes), ours_permuted(ours, axes))
    yield Case("trunc_normal gaps", truncated_gaps, ours_truncated_gaps)
    weights = table((6, 9), "float32", 0.1, 1).T
    yield Case("multinomial transposed", multinomial_transposed, ours_multinomial(weights, 4, False))
    yield Case("dropout transposed", dropout_transposed, ours_dropout_transposed)


def truncated_gaps(torch: Any, g: Any) -> Any:
    return torch.nn.init.trunc_normal_(torch.zeros(40, 14)[:, ::2], 0.0, 1.0, -1.0, 1.0, generator=g)


def ours_truncated_gaps(g: random.Generator) -> Any:
    return random.trunc_normal(g, 0.0, 1.0, -1.0, 1.0, (40, 7), contiguous=False, redraw_contiguous=True)


def multinomial_transposed(torch: Any, g: Any) -> Any:
    return torch.multinomial(tensor(torch, table((6, 9), "float32", 0.1, 1)).t(), 4, generator=g)


def dropout_transposed(torch: Any, g: Any) -> Any:
    """Dropout takes no generator: hand the state over to the default one and back."""
    with torch.random.fork_rng():
        torch.set_rng_state(g.get_state())
        kept = torch.nn.functional.dropout(torch.ones(7, 9).t(), 0.25)
        g.set_state(torch.get_rng_state())
    return kept


def ours_dropout_transposed(g: random.Generator) -> Any:
    template = np.empty((7, 9), np.float32).T
    return random.like(template, lambda shape: random.bernoulli(g, 0.75, shape)) / np.float32(0.75)


def scalar_normal(g: random.Generator, mean: float, std: float, shape: tuple[int, ...]) -> Any:
    return random.normal(g, mean, std, shape, contiguous=False)


def permuted(method: str, axes: tuple[int, ...]) -> Callable[[Any, Any], Any]:
    """Fill a part of an array with its axes in another order; the part has gaps, so that no order is C order."""
    return lambda torch, g: getattr(torch.zeros(4, 5, 6)[:, 1:4, ::2].permute(axes), method)(0.0, 1.0, generator=g)


def ours_permuted(draw: Callable[..., Any], axes: tuple[int, ...]) -> Callable[[random.Generator], Any]:
    def fill(g: random.Generator) -> Any:
        target = np.zeros((4, 5, 6), np.float32)[:, 1:4, ::2].transpose(axes)
        random.fill(target, lambda shape: draw(g, 0.0, 1.0, shape))
        return target

    return fill


def seeds() -> Iterator[Case]:
    for seed in [1, 42, -1, 2**32 + 5, 2**63, -(2**63), 2**64 - 1, 67280421310721]:
        call = in_place("random_", (3,), "int64")
        yield Case(f"seed {seed}", call, whole((3,), "int64"), seed=seed)
    for words in [0, 1, 623, 624, 625, 1248, 2000]:
        call = in_place("random_", (words,), "int32")
        yield Case(f"words {words}", call, whole((words,), "int32"), seed=7)


FAMILIES = [
    uniforms, normals, normals_elementwise, whole_numbers, permutations, bernoullis, distributions, multinomials,
    truncated, orders_of_memory, seeds,
]  # fmt: skip
CASES: dict[str, dict[str, Case]] = {family.__name__: {case.name: case for case in family()} for family in FAMILIES}
