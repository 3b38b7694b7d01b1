"""Whole networks, their start from data, and their parameters' groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fanin
from fanin.tabular.nets import Inputs, NTKLinear, RealMLP, TabM, start_from_data

INPUTS = Inputs(3, 2, (4, 5))


def parts(rows: int = 60) -> list[Any]:
    levels = fanin.cat([fanin.randint(0, 4, (rows, 1)), fanin.randint(0, 5, (rows, 1))], dim=1)
    return [fanin.randn(rows, 3), fanin.randint(0, 2, (rows, 2)).float(), levels]


@pytest.fixture(autouse=True)
def seeded() -> None:
    fanin.manual_seed(0)


def pre_activations(network: RealMLP, rows: list[Any]) -> list[tuple[NTKLinear, Any]]:
    """Return each linear layer with its output."""
    found = []
    x = network.front_scale(network.front(*rows))
    for layer in (*network.hidden, network.head):
        x = layer(x)
        if isinstance(layer, NTKLinear):
            found.append((layer, x.detach().numpy()))
    return found


def test_start_from_data_gives_every_unit_the_deviation_1() -> None:
    network, rows = RealMLP(INPUTS, 2, hidden=(16, 12)).eval(), parts()
    before = pre_activations(network, rows)
    assert not all(np.allclose(out.std(axis=0), 1, atol=1e-3) for _, out in before)
    start_from_data(network, rows)
    for _, out in pre_activations(network, rows):
        assert np.allclose(out.std(axis=0), 1, atol=1e-3)


def test_start_from_data_puts_every_kink_amid_the_data() -> None:
    network, rows = RealMLP(INPUTS, 2, hidden=(16, 12)).eval(), parts()
    start_from_data(network, rows)
    for _, out in pre_activations(network, rows):
        assert ((out.min(axis=0) < 0) & (out.max(axis=0) > 0)).all()
        assert abs(out.mean()) < 0.5


def test_start_from_data_leaves_a_constant_unit_alone() -> None:
    network = RealMLP(Inputs(0, 1), 1, hidden=(4,), dropout=0)
    weight = network.hidden[0].weight.tolist()
    start_from_data(network, [fanin.zeros(20, 1)])
    assert network.hidden[0].weight.tolist() == weight
    assert np.isfinite(network(fanin.ones(2, 1)).detach().numpy()).all()


def test_the_start_is_the_seeds() -> None:
    def start(seed: int) -> Any:
        fanin.manual_seed(seed)
        network = RealMLP(INPUTS, 2, hidden=(8,))
        start_from_data(network, rows)
        return [p.tolist() for p in network.parameters()]

    rows = parts()
    assert start(1) == start(1) != start(2)


@pytest.mark.parametrize("network", [RealMLP, TabM])
def test_each_parameter_is_in_one_group(network: Any) -> None:
    made = network(INPUTS, 2, hidden=(8, 8))
    grouped = [id(p) for group in made.groups() for p in group["params"]]
    strength = {id(made.strength)} if isinstance(made, RealMLP) else set()
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in made.parameters()} - strength


def test_groups_have_the_factors_of_the_paper() -> None:
    network = RealMLP(INPUTS, 2, hidden=(8,))
    factors = {id(p): (g["rate"], g["decay"]) for g in network.groups() for p in g["params"]}
    assert factors[id(network.front_scale.scale)] == (6.0, 1.0)
    assert factors[id(network.head.bias)] == (0.1, 0.0)
    assert factors[id(network.head.weight)] == (1.0, 1.0)
    assert factors[id(network.hidden[1].alpha)] == (0.1, 1.0)
    assert factors[id(network.front.numbers.mix)] == (0.1, 1.0)  # type: ignore[union-attr]


def test_members_of_tabm_differ_from_the_start() -> None:
    out = TabM(INPUTS, 2, hidden=(8, 8), members=4).eval()(*parts()).detach().numpy()
    assert out.shape == (60, 4, 2)
    assert all(abs(out[:, i] - out[:, j]).max() > 1e-3 for i in range(4) for j in range(i))
