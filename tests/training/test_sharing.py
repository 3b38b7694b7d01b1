"""What many runs share: tables of scalars, sources of rows, programs; and that nothing of it is taken too far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.compiler.graph import STATE, Graph, Value
from fanin.training.data import Batching, Sources, training_source
from fanin.training.engines import ahead, pool
from fanin.training.engines.ahead import Table, Tables
from fanin.training.weights import Members
from tests.training.by_hand import default_state, weights

MAKERS: dict[str, Any] = {
    "sgd": lambda p, **o: torch.optim.SGD(p, **o),
    "momentum": lambda p, **o: torch.optim.SGD(p, momentum=0.9, **o),
    "adam": lambda p, **o: torch.optim.Adam(p, **o),
    "nadam": lambda p, **o: torch.optim.NAdam(p, **o),
}


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Return an empty memory of tables."""
    empty = Tables()
    monkeypatch.setattr(ahead, "tables", empty)
    return empty


def trained(optimizer: Any, seed: int = 1, epochs: int = 3, change: Any = None, **options: Any) -> Any:
    torch.manual_seed(seed)
    x, y = torch.randn(43, 3), torch.randn(43, 2)
    model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))
    made = optimizer(model.parameters(), **options)
    for _ in range(2):
        torch.fit(model, (x, y), nn.MSELoss(), made, epochs=epochs, batch_size=10, engine="native")
        if change is not None:
            change(made)
    return weights(model)


@pytest.mark.parametrize("name", MAKERS)
def test_tables_of_others_are_the_own_ones(name: str, tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = MAKERS[name]
    trained(maker, lr=0.02)
    kept = len(tables._kept)
    again = trained(maker, seed=2, lr=0.02)
    assert len(tables._kept) == kept
    other = trained(maker, seed=2, lr=0.03)
    monkeypatch.setattr(ahead, "tables", Tables())
    np.testing.assert_equal(again, trained(maker, seed=2, lr=0.02))
    np.testing.assert_equal(other, trained(maker, seed=2, lr=0.03))
    with pytest.raises(AssertionError):
        np.testing.assert_equal(again, other)


def test_options_that_are_changed_need_another_table(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    def slower(optimizer: Any) -> None:
        optimizer.param_groups[0]["betas"] = (0.5, 0.9)

    maker = MAKERS["adam"]
    trained(maker)
    changed = trained(maker, change=slower)
    monkeypatch.setattr(Tables, "of", lambda self, scalars, steps: ahead._computed(scalars, steps))
    np.testing.assert_equal(changed, trained(maker, change=slower))


def test_a_rule_of_a_users_is_asked_each_time(tables: Tables) -> None:
    asked: list[int] = []

    class Own(torch.optim.SGD):
        def hyper(self, group: Any, step: Any) -> Any:
            asked.append(1)
            return super().hyper(group, step)

    trained(lambda p: Own(p, lr=0.1, momentum=0.5))
    count = len(asked)
    trained(lambda p: Own(p, lr=0.1, momentum=0.5))
    assert len(asked) == 2 * count
    assert not tables._kept


@pytest.mark.parametrize("counts", [(4, 1), (3, 2), (5,)])
def test_a_table_is_cut_at_the_parts_of_epochs(counts: tuple[int, ...]) -> None:
    numbers = np.arange(30.0).reshape(15, 2)
    found = Table(numbers).cut(counts)
    epochs = [numbers[start : start + 5] for start in (0, 5, 10)]
    ends = np.cumsum(counts).tolist()
    for part, end, count in zip(found, ends, counts, strict=True):
        assert part.flags.c_contiguous
        np.testing.assert_equal(part, np.concatenate([epoch[end - count : end] for epoch in epochs]))


def test_a_state_that_was_thrown_away_starts_anew() -> None:
    """The memory is used again, but not what stood there."""
    found = []
    for fresh in (False, True):
        torch.manual_seed(3)
        x, y, model = torch.randn(40, 3), torch.randn(40, 1), nn.Linear(3, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2, batch_size=10, engine="native")
        if fresh:
            optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        else:
            optimizer.state.clear()
        torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=2, batch_size=10, engine="native")
        found.append(weights(model))
    np.testing.assert_equal(*found)


# Sources --------------------------------------------------------------------------------------------------------------

X, Y = torch.zeros(8, 2), torch.zeros(8, 1)


def source_of(sources: Sources, x: Any = X, held_out: Any = None, **batching: Any) -> Any:
    return sources.training((x, Y), nn.Linear(2, 1), nn.MSELoss(), Batching(**batching), held_out)


def test_runs_on_the_same_tensors_have_one_source() -> None:
    sources = Sources()
    first = source_of(sources, batch_size=4)
    assert source_of(sources, batch_size=4) is first
    assert source_of(sources, batch_size=2) is not first
    assert source_of(sources, batch_size=4, shuffle=False) is not first
    assert source_of(sources, x=X + 1, batch_size=4) is not first
    assert source_of(sources, batch_size=4, generator=torch.Generator()) is not first
    assert len(source_of(sources, batch_size=4, held_out=np.array([1]))) == 7


def test_a_tensor_that_is_given_other_memory_has_another_source() -> None:
    sources, x = Sources(), torch.zeros(8, 2)
    source_of(sources, x=x)
    x.data = torch.ones(8, 2)
    assert source_of(sources, x=x).tensors[0]._array.min() == 1


def test_what_is_not_in_a_row_is_copied_for_each_run() -> None:
    sources, x = Sources(), torch.zeros(2, 8).t()
    source_of(sources, x=x)
    x += 1
    assert source_of(sources, x=x).tensors[0]._array.min() == 1


def test_jobs_on_one_source_are_those_on_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> tuple[Any, ...]:
        torch.manual_seed(0)
        x, y = torch.randn(43, 3), torch.randn(43, 1)
        models = [nn.Linear(3, 1) for _ in range(4)]
        jobs = [{"model": m, "optimizer": torch.optim.Adam(m.parameters())} for m in models]
        histories = torch.fit_many(
            jobs, train=(x, y), loss=nn.MSELoss(), epochs=3, batch_size=10, engine="native", threads=2
        )
        return [weights(m) for m in models], [history.losses for history in histories], default_state()

    together = run()
    monkeypatch.setattr(Sources, "training", lambda self, *args: training_source(*args))
    apart = run()
    np.testing.assert_equal(together[0], apart[0])
    assert together[1:] == apart[1:]


# Members --------------------------------------------------------------------------------------------------------------


def test_members_are_what_the_walks_of_the_model_find() -> None:
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.BatchNorm1d(3), nn.Sequential(shared, nn.Linear(3, 1, bias=False)))
    members = Members.of(model)
    assert [id(m) for m in members.modules] == [id(m) for m in model.modules()]
    for found, expected in ((members.parameters, model.named_parameters()), (members.buffers, model.named_buffers())):
        assert [(name, id(t)) for name, t in found.items()] == [(name, id(t)) for name, t in expected]
    assert members.now(model) is members
    model.append(nn.Linear(1, 1))
    assert len(members.now(model).parameters) == len(members.parameters) + 2


def test_a_module_with_a_training_mode_of_its_own_is_asked() -> None:
    class Frozen(nn.Linear):
        def train(self, mode: bool = True) -> Any:
            return super().train(False)

    model = nn.Sequential(nn.Linear(2, 2), Frozen(2, 1))
    Members.of(model).set_training(model)
    assert model[0].training
    assert not model[1].training


def test_what_graphs_of_one_identity_have_in_common() -> None:
    """The same values may become other states, or other outputs."""
    s, t = (Value((3,), np.float32, role=STATE) for _ in range(2))
    a, b = s + t, s - t
    graphs = [
        Graph(state=(s, t), outputs=(a,), updates=((0, a), (1, b))),
        Graph(state=(s, t), outputs=(a,), updates=((1, a), (0, b))),
        Graph(state=(s, t), outputs=(b,), updates=((0, a), (1, b))),
        Graph(state=(s, t), outputs=(a,), updates=((0, a),)),
        Graph(state=(t, s), outputs=(a,), updates=((0, a), (1, b))),
    ]
    found = [pool.identity(graph) for graph in graphs]
    assert None not in found
    assert len(set(found)) == len(found)
    u, v = (Value((3,), np.float32, role=STATE) for _ in range(2))
    c, d = u + v, u - v
    assert pool.identity(Graph(state=(u, v), outputs=(c,), updates=((0, c), (1, d)))) == found[0]
