"""The training loop: its settings, its schedule, and what goes wrong."""

from __future__ import annotations

import numpy as np
import pytest

import fanin
from fanin._core.errors import ArgumentError, OperationError
from fanin.tabular.columns import Encoded
from fanin.tabular.network import Architecture, TableNetwork, outputs_of
from fanin.tabular.training import Epoch, Part, Settings, Silent, _optimiser, defaults, one_cycle, train_network

SETTINGS = Settings((8,), "relu", 0.0, epochs=5, batch_size=8, rate=1e-2, weight_decay=0.0)


def part(rows: int = 40, seed: int = 0) -> Part:
    x = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    return Part(Encoded(x, np.empty((rows, 0), np.int64)), x[:, :1] - x[:, 1:])


def architecture(activation: str = "relu") -> Architecture:
    return Architecture(2, (), 1, (8,), activation, 0.0)


class Log(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, int, float]] = []
        self.epochs: list[tuple[Epoch, Epoch]] = []

    def step(self, done: int, total: int, epoch: int, loss: float, rate: float) -> None:
        """Remember a step."""
        self.steps.append((done, total, epoch, rate))

    def epoch(self, epoch: Epoch, best: Epoch) -> None:
        """Remember an epoch."""
        self.epochs.append((epoch, best))


def test_progress_is_told_every_step_and_epoch() -> None:
    log = Log()
    fitted = train_network(architecture(), SETTINGS, "regression", part(44), part(10, 1), log)
    # 44 rows are 5 full batches of 8; the 4 rows that are left over change with every epoch.
    assert [done for done, *_ in log.steps] == list(range(1, 26))
    assert {(total, epoch) for _, total, epoch, _ in log.steps} == {(25, epoch) for epoch in range(1, 6)}
    assert tuple(epoch for epoch, _ in log.epochs) == fitted.history
    assert log.epochs[-1][1] == fitted.best
    assert not fitted.interrupted


def test_the_rate_follows_the_schedule_step_by_step() -> None:
    log = Log()
    train_network(architecture(), SETTINGS, "regression", part(), part(10, 1), log)
    # The rate that is told after a step is the one of the next: the schedule has already moved on.
    expected = [1e-2 * one_cycle((step + 0.5) / 25) for step in range(1, 26)]
    assert [rate for *_, rate in log.steps] == pytest.approx(expected)


def test_fewer_rows_than_a_batch_are_one_batch() -> None:
    log = Log()
    train_network(architecture(), SETTINGS, "regression", part(5), part(5, 1), log)
    assert len(log.steps) == SETTINGS.epochs


def test_divergence_is_told_with_the_remedy() -> None:
    wild = Settings((8,), "relu", 0.0, epochs=5, batch_size=8, rate=1e30, weight_decay=0.0)
    with pytest.raises(OperationError, match=r"training diverged in epoch \d.*lower --rate"):
        train_network(architecture(), wild, "regression", part(), part(10, 1), Silent())


def test_only_matrices_decay() -> None:
    network = TableNetwork(Architecture(2, (20,), 1, (8, 8), "silu", 0.1))
    groups = _optimiser(network, Settings((8, 8), "silu", 0.1, 1, 8, 1e-3, weight_decay=0.5)).param_groups
    decayed, plain, scale = groups
    assert (decayed["weight_decay"], plain["weight_decay"], scale["weight_decay"]) == (0.5, 0.0, 0.0)
    assert {tuple(p.shape) for p in decayed["params"]} == {(20, 8), (8, 10), (8, 8), (1, 8)}
    assert (scale["lr"], plain["lr"]) == (6e-3, 1e-3)
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


def test_the_network_starts_at_the_mean_and_predicts_without_dropout() -> None:
    network = TableNetwork(Architecture(2, (20,), 3, (8, 8), "selu", 0.5))
    numbers, codes = fanin.rand(5, 2), fanin.tensor([[0], [1], [19], [2], [3]])
    assert np.array_equal(outputs_of(network, numbers, codes), np.zeros((5, 3)))
    fanin.nn.init.normal_(network.head.weight)
    assert np.array_equal(outputs_of(network, numbers, codes), outputs_of(network, numbers, codes))
    assert network.training


def test_an_unknown_level_is_a_vector_of_zeros_that_stays() -> None:
    network = TableNetwork(Architecture(0, (4,), 1, (8,), "silu", 0.0))
    fanin.nn.init.ones_(network.head.weight)
    network(fanin.zeros(4, 0), fanin.tensor([[0], [1], [2], [3]])).sum().backward()
    (embedding,) = network.embeddings
    assert embedding.weight[0].tolist() == [0.0] * 8
    assert embedding.weight.grad[0].tolist() == [0.0] * 8
    assert embedding.weight.grad[1].abs().sum().item() > 0


def test_matrix_products_use_one_thread_while_training() -> None:
    import threadpoolctl

    def threads() -> set[int]:
        found = [each for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]
        own = [each for each in found if "numpy" in each["filepath"]]  # SciPy may have brought another one
        return {each["num_threads"] for each in own or found}

    class Spy(Silent):
        def epoch(self, epoch: Epoch, best: Epoch) -> None:
            seen.append(threads())

    seen: list[set[int]] = []
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        train_network(architecture(), SETTINGS, "regression", part(), part(10, 1), Spy())
        assert threads() == {2}
    assert seen == [{1}] * SETTINGS.epochs


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no activation 'softplus'; there are relu, selu, silu, mish, gelu, tanh"):
        TableNetwork(architecture("softplus"))


@pytest.mark.parametrize(
    ("rows", "batch", "epochs"), [(20, 16, 100), (300, 32, 100), (2_000, 128, 100), (40_000, 256, 30)]
)
def test_defaults_follow_the_rows(rows: int, batch: int, epochs: int) -> None:
    settings = defaults("regression", rows)
    assert (settings.batch_size, settings.epochs) == (batch, epochs)
    assert defaults("classes", 10_000_000).epochs == 8


def test_the_schedule_rises_and_falls() -> None:
    factors = [one_cycle(time / 100) for time in range(101)]
    assert factors[15] == 1.0
    assert factors[:16] == sorted(factors[:16])
    assert factors[15:] == sorted(factors[15:], reverse=True)
    assert factors[-1] == pytest.approx(0.0)
