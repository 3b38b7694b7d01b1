"""Draws as tensors: the same seed gives the same numbers, element by element, bit for bit."""

from __future__ import annotations

from typing import Any

from tests.parity.harness import case, raises, with_gradients
from tests.parity.tensors import attempt


def after(torch: Any) -> Any:
    """Return what the stream gives next, which shows how many words were used."""
    return torch.rand(3)


@case(exact=True)
def uniform(torch: Any) -> Any:
    return [
        torch.rand(3),
        torch.rand(2, 5),
        torch.rand((2, 3)),
        torch.rand(()),
        torch.rand(0, 3),
        torch.rand(4, dtype=torch.float64),
        torch.rand(size=(2,)),
        torch.rand_like(torch.ones(2, 3)),
        torch.rand_like(torch.ones(3).long(), dtype=torch.float32),
        torch.rand_like(torch.ones(2, 3).t()),
        torch.rand(3, out=torch.empty(0)),
        after(torch),
    ]


@case(rtol={"float32": 1e-6, "float64": 1e-14})
def normal(torch: Any) -> Any:
    return [
        torch.randn(3),
        torch.randn(4, 5),
        torch.randn(17),
        torch.randn(()),
        torch.randn(3, dtype=torch.float64),
        torch.randn(20, dtype=torch.float64),
        torch.randn_like(torch.ones(5, 7)),
        torch.randn_like(torch.ones(3, 2).t()),
        torch.normal(0.0, 2.0, (3,)),
        torch.normal(torch.tensor([0.0, 100.0]), torch.tensor([1.0, 0.1])),
        torch.normal(torch.zeros(20), 3.0),
        torch.normal(5.0, torch.ones(2, 2)),
        torch.normal(mean=1.0, std=2.0, size=(2, 2)),
        after(torch),
    ]


@case(exact=True)
def integers(torch: Any) -> Any:
    return [
        torch.randint(10, (5,)),
        torch.randint(3, 7, (2, 3)),
        torch.randint(low=-5, high=5, size=(4,)),
        torch.randint(0, 2**40, (3,)),
        torch.randint(2, (3,), dtype=torch.float32),
        torch.randint(2, (3,), dtype=torch.bool),
        torch.randint_like(torch.ones(2, 2), 9),
        torch.randint_like(torch.ones(3).long(), 2, 9),
        torch.randint(5, [2]),
        torch.randint(5, size=(2,)),
        torch.randint(5, torch.Size([2])),
        after(torch),
    ]


@case(exact=True)
def permutations(torch: Any) -> Any:
    return [
        torch.randperm(5),
        torch.randperm(0),
        torch.randperm(1),
        torch.randperm(1000),
        torch.randperm(4, dtype=torch.int32),
        torch.randperm(6, generator=torch.Generator().manual_seed(3)),
        after(torch),
    ]


@case(exact=True)
def chances(torch: Any) -> Any:
    p = torch.tensor([0.1, 0.9, 0.5, 0.0, 1.0])
    return [
        torch.bernoulli(p),
        torch.bernoulli(p.double()),
        torch.bernoulli(torch.ones(3), 0.5),
        p.bernoulli(),
        torch.empty(6).bernoulli_(0.3),
        torch.empty(5).bernoulli_(p),
        torch.empty(4, dtype=torch.bool).bernoulli_(),
        torch.empty(2, 3).t().bernoulli_(0.5),
        after(torch),
    ]


@case(exact=True)
def weighted(torch: Any) -> Any:
    w = torch.tensor([0.0, 10.0, 3.0, 1.0])
    return [
        torch.multinomial(w, 2),
        torch.multinomial(w, 5, replacement=True),
        torch.multinomial(torch.stack([w, w + 1]), 2),
        w.multinomial(1),
        torch.multinomial(w.double(), 3, True),
        after(torch),
    ]


@case(rtol={"float32": 1e-6, "float64": 1e-13})
def in_place(torch: Any) -> Any:
    return {
        "uniform_": [
            torch.empty(3).uniform_(),
            torch.empty(2, 3).uniform_(-1, 1),
            torch.empty(2, dtype=torch.float64).uniform_(2, 3),
        ],
        "uniform_ turned": torch.empty(2, 3).t().uniform_(),
        "uniform_ sliced": torch.zeros(4, 4)[:, ::2].uniform_(),
        "uniform_ permuted": torch.empty(2, 3, 4).permute(2, 0, 1).uniform_(),
        "normal_": [torch.empty(3).normal_(), torch.empty(5, 4).normal_(1, 2), torch.empty(3).normal_(mean=5, std=0.1)],
        "normal_ turned": torch.empty(4, 5).t().normal_(),
        "normal_ sliced": torch.zeros(6, 6)[:, ::2].normal_(),
        "exponential_": [torch.empty(4).exponential_(), torch.empty(3).exponential_(2.0)],
        "random_": [
            torch.empty(3, dtype=torch.int64).random_(),
            torch.empty(3).random_(),
            torch.empty(4).random_(10),
            torch.empty(4, dtype=torch.int32).random_(5, 9),
            torch.empty(3, dtype=torch.uint8).random_(),
        ],
        "geometric_": torch.empty(4).geometric_(0.3),
        "cauchy_": torch.empty(4).cauchy_(1.0, 2.0),
        "log_normal_": torch.empty(4).log_normal_(0.5, 0.25),
        "poisson": torch.poisson(torch.tensor([0.5, 3.0, 20.0, 0.0])),
        "next": after(torch),
    }


@case(exact=True)
def streams(torch: Any) -> Any:
    first = torch.Generator()
    first.manual_seed(42)
    second = torch.Generator().manual_seed(42)
    drawn = [torch.rand(2, generator=first), torch.randn(2, generator=first), torch.randint(9, (2,), generator=first)]
    same = [torch.rand(2, generator=second), torch.randn(2, generator=second), torch.randint(9, (2,), generator=second)]
    state = torch.get_rng_state()
    before = torch.rand(2)
    torch.set_rng_state(state)
    again = torch.rand(2)
    kept = first.get_state()
    one = torch.rand(1, generator=first)
    first.set_state(kept)
    two = torch.rand(1, generator=first)
    torch.manual_seed(7)
    seeded = torch.rand(2)
    return {
        "drawn": drawn,
        "same": same,
        "state": [before, again, str(state.dtype), list(state.shape), state[:16]],
        "generator state": [one, two],
        "seeds": [torch.initial_seed(), first.initial_seed(), seeded, type(torch.seed()).__name__],
        "negative seed": [torch.manual_seed(-1).initial_seed() > 2**60, torch.rand(1)],
        "default generator": torch.default_generator.manual_seed(3).initial_seed(),
        "device": str(first.device),
        "fork": forked(torch),
    }


def forked(torch: Any) -> Any:
    """Return draws inside a block that leaves the stream as it was, and after it."""
    torch.manual_seed(1)
    with torch.random.fork_rng():
        inside = torch.rand(2)
    return inside, torch.rand(2)


@case
def with_history(torch: Any) -> Any:
    w = torch.ones(3, requires_grad=True)
    return {
        "leaf": raises(lambda: w.uniform_()),
        "gradient": attempt(lambda: with_gradients(torch, lambda a: (a * 2).uniform_() + a, w)),
        "requires": [torch.rand(2, requires_grad=True).requires_grad, torch.randn(2, requires_grad=True).is_leaf],
        "bernoulli": torch.bernoulli(w.detach() * 0.5).requires_grad,
    }


@case
def errors(torch: Any) -> Any:
    calls = {
        "rand integers": lambda: torch.rand(2, dtype=torch.int64),
        "randn integers": lambda: torch.randn(2, dtype=torch.int64),
        "randint bounds": lambda: torch.randint(5, 5, (2,)),
        "randint size": lambda: torch.randint(5),
        "randint ints": lambda: torch.randint(0, 5, 2),
        "randperm": lambda: torch.randperm(-1),
        "bernoulli range": lambda: torch.bernoulli(torch.tensor([1.5])),
        "bernoulli_ range": lambda: torch.ones(2).bernoulli_(1.5),
        "bernoulli integers": lambda: torch.bernoulli(torch.tensor([1])),
        "multinomial many": lambda: torch.multinomial(torch.ones(2), 3),
        "multinomial negative": lambda: torch.multinomial(torch.tensor([-1.0, 2.0]), 1),
        "multinomial zero": lambda: torch.multinomial(torch.zeros(2), 1),
        "multinomial dims": lambda: torch.multinomial(torch.ones(2, 2, 2), 1),
        "normal std": lambda: torch.normal(0.0, -1.0, (2,)),
        "normal numbers": lambda: torch.normal(0.0, 1.0),
        "normal stds": lambda: torch.normal(torch.zeros(2), torch.tensor([1.0, -1.0])),
        "uniform_ bounds": lambda: torch.ones(2).uniform_(3, 1),
        "uniform_ integers": lambda: torch.ones(2).long().uniform_(),
        "normal_ std": lambda: torch.ones(2).normal_(0, -1),
        "exponential_": lambda: torch.ones(2).exponential_(-1),
        "random_": lambda: torch.ones(2).random_(5, 5),
        "geometric_": lambda: torch.ones(2).geometric_(1.5),
        "poisson": lambda: torch.poisson(torch.tensor([-1.0])),
        "generator": lambda: torch.rand(2, generator=3),
        "state": lambda: torch.set_rng_state(torch.zeros(3, dtype=torch.uint8)),
        "state type": lambda: torch.Generator().set_state([1]),
        "expanded": lambda: torch.zeros(1).expand(3).uniform_(),
        "seed": lambda: torch.manual_seed("a"),
    }
    return {name: raises(call) for name, call in calls.items()}
