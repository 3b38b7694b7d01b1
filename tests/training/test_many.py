"""Many networks side by side: each as alone, whatever the number of threads; errors kept apart. And ensembles."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import JobsError
from fanin.random.generator import default_generator
from fanin.training import Job, many
from fanin.training.turn import Turn
from tests.training.by_hand import default_state, weights

torch.manual_seed(0)
X, Y = torch.randn(40, 3), torch.randn(40, 1)


def model_of(seed: int) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))


def jobs_of(count: int, **more: Any) -> list[dict[str, Any]]:
    models = [model_of(seed) for seed in range(count)]
    torch.manual_seed(50)
    return [
        {"model": m, "train": (X, Y), "loss": nn.MSELoss(), "optimizer": torch.optim.Adam(m.parameters(), 0.01), **more}
        for m in models
    ]


def all_weights(jobs: Any) -> list[dict[str, Any]]:
    return [weights(job["model"]) for job in jobs]


def same(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> bool:
    return all(np.array_equal(p[name], q[name]) for p, q in zip(a, b, strict=True) for name in q)


@pytest.mark.parametrize("engine", ["eager", "numpy"])
def test_results_do_not_depend_on_the_threads(engine: str) -> None:
    results, states = [], []
    for threads in (1, 2, 5):
        jobs = jobs_of(5)
        histories = torch.fit_many(jobs, epochs=3, batch_size=8, threads=threads, engine=engine)
        results.append((all_weights(jobs), [history.losses for history in histories]))
        states.append(default_state())
    for found, losses in results[1:]:
        assert same(found, results[0][0])
        assert losses == results[0][1]
    assert states[0] == states[1] == states[2]


def test_each_job_is_trained_as_alone_from_its_seed() -> None:
    jobs = jobs_of(3)
    torch.fit_many(jobs, epochs=3, batch_size=8, engine="eager")
    after = default_state()
    alone = jobs_of(3)
    seeds = [default_generator.random_int() for _ in alone]
    assert default_state() == after
    for job, seed in zip(alone, seeds, strict=True):
        torch.manual_seed(seed)
        torch.fit(**job, epochs=3, batch_size=8, engine="eager")
    assert same(all_weights(jobs), all_weights(alone))
    assert not same(all_weights(jobs), all_weights(jobs_of(3)))


def test_a_job_with_a_generator_takes_its_order() -> None:
    job = Job(nn.Linear(3, 1), (X, Y), nn.MSELoss(), None, epochs=2, generator=torch.Generator().manual_seed(4))
    start = weights(job.model)
    job.optimizer = torch.optim.SGD(job.model.parameters(), lr=0.1)
    torch.fit_many([job], batch_size=8)
    expected = nn.Linear(3, 1)
    expected.load_state_dict({name: torch.from_numpy(value) for name, value in start.items()})
    torch.fit(
        expected,
        (X, Y),
        nn.MSELoss(),
        torch.optim.SGD(expected.parameters(), lr=0.1),
        epochs=2,
        batch_size=8,
        generator=torch.Generator().manual_seed(4),
    )
    np.testing.assert_allclose(weights(job.model)["weight"], weights(expected)["weight"], rtol=1e-6)


def test_a_job_may_say_otherwise() -> None:
    jobs = jobs_of(2)
    jobs[1]["epochs"] = 1
    histories = torch.fit_many(jobs, epochs=4, metrics="mae")
    assert [len(history) for history in histories] == [4, 1]
    assert len(histories[1].metrics["mae"]) == 1


def test_one_failure_does_not_lose_the_others() -> None:
    jobs = jobs_of(5)
    jobs[1]["train"] = (X, Y[:3])
    jobs[3]["callbacks"] = [lambda _: 1 / 0]
    with pytest.raises(JobsError, match=r"2 of 5 jobs failed(.|\n)*job 1: ShapeError(.|\n)*job 3: ZeroDiv") as caught:
        torch.fit_many(jobs, epochs=2)
    error = caught.value
    assert sorted(error.errors) == [1, 3]
    assert isinstance(error.errors[3], ZeroDivisionError)
    assert [history is not None and len(history) for history in error.histories] == [2, False, 2, False, 2]
    untouched = jobs_of(5)
    for number in (0, 2, 4):
        assert not same(all_weights([jobs[number]]), all_weights([untouched[number]]))


@pytest.mark.parametrize(
    ("jobs", "error", "message"),
    [
        ([3], TypeError, "job 0 is neither a Job nor a dictionary, but int"),
        ([{"model": None}], TypeError, "job 0 has no train, loss, optimizer"),
        ([{"modle": None}], TypeError, "job 0 has an argument that no job has: 'modle'"),
    ],
)
def test_what_is_no_job_is_refused(jobs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        torch.fit_many(jobs)


def test_a_shared_model_is_refused() -> None:
    jobs = jobs_of(2)
    jobs[1]["model"] = jobs[0]["model"]
    with pytest.raises(ValueError, match="jobs 0 and 1 share one model"):
        torch.fit_many(jobs)
    with pytest.raises(ValueError, match="threads must be 1 or more"):
        torch.fit_many(jobs_of(1), threads=0)
    assert torch.fit_many([]) == []


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not place threads")
def test_there_are_as_many_threads_as_processors_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container, or taskset, leaves fewer to a process than the machine has."""
    found: list[int] = []
    run = many._Crowd.run
    monkeypatch.setattr(many._Crowd, "run", lambda self, workers, bar: (found.append(workers), run(self, workers, bar)))
    allowed = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "cpu_count", lambda: len(allowed) + 3)
    torch.fit_many(jobs_of(len(allowed) + 2), engine="numpy")
    try:
        os.sched_setaffinity(0, {min(allowed)})
        torch.fit_many(jobs_of(3), engine="numpy")
    finally:
        os.sched_setaffinity(0, allowed)
    torch.fit_many(jobs_of(3), threads=2, engine="numpy")
    assert found == [len(allowed), 1, 2]


def test_workers_begin_apart_and_then_help_each_other() -> None:
    waiting = many._Waiting(7, 3)
    assert [waiting.take(worker) for worker in (0, 1, 2, 0, 1)] == [0, 2, 4, 1, 3]
    assert [waiting.take(worker) for worker in (0, 1, 2)] == [6, 5, None]  # the last ones of the third stretch
    few = many._Waiting(5, 2)
    assert sorted(iter(lambda: few.take(1), None)) == [0, 1, 2, 3, 4]
    some = many._Waiting(4, 2)
    some.clear()
    assert some.take(0) is None


def test_ctrl_c_ends_all_jobs_after_their_epoch() -> None:
    before = signal.getsignal(signal.SIGINT)
    jobs = jobs_of(3)

    def press(t: Any) -> None:
        assert t.epoch < 5000, "nobody noticed"
        os.kill(os.getpid(), signal.SIGINT) if t.epoch == 2 else time.sleep(0.002)

    jobs[0]["callbacks"] = [press]
    most = 1_000_000  # 2000 take 20 ms, in which the first job may not have begun
    histories = torch.fit_many(jobs, epochs=most, threads=2)
    assert {history.stopped for history in histories} == {"interrupted"}
    assert all(len(history) < most for history in histories)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_turn_has_a_stream_of_its_own() -> None:
    torch.manual_seed(1)
    lock = threading.Lock()
    turn = Turn(lock, 7)
    state = default_state()
    with turn.taken():
        first = torch.rand(2)
        with turn.aside():
            assert default_state() == state
            assert not lock.locked()
        second = torch.rand(2)
    assert default_state() == state
    stream = torch.Generator().manual_seed(7)
    assert torch.equal(first, torch.rand(2, generator=stream))
    assert torch.equal(second, torch.rand(2, generator=stream))


# Ensembles ------------------------------------------------------------------------------------------------------------


def test_an_ensemble_averages_outputs() -> None:
    models = [nn.Linear(3, 2) for _ in range(3)]
    ensemble = torch.Ensemble(models)
    expected = sum(model(X).detach().numpy() for model in models) / 3
    np.testing.assert_allclose(ensemble(X).detach().numpy(), expected, rtol=1e-6)
    assert len(list(ensemble.parameters())) == 6
    assert not ensemble.eval().models[0].training


def test_an_ensemble_averages_probabilities() -> None:
    models = [nn.Linear(3, 4) for _ in range(3)]
    expected = sum(torch.softmax(model(X), dim=1).detach().numpy() for model in models) / 3
    actual = torch.Ensemble(models, average="probabilities")(X).detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    one = [nn.Linear(3, 1) for _ in range(2)]
    expected = sum(torch.sigmoid(model(X)).detach().numpy() for model in one) / 2
    np.testing.assert_allclose(torch.Ensemble(one, "probabilities")(X).detach().numpy(), expected, rtol=1e-6)


def test_an_ensemble_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no models"):
        torch.Ensemble([])
    with pytest.raises(ValueError, match="one of outputs, probabilities, not 'votes'"):
        torch.Ensemble([nn.Linear(1, 1)], "votes")
