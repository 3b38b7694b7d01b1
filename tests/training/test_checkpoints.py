"""A run that is cut off goes on to the same bits; a checkpoint is whole at every moment, and fits or is refused."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin._core.errors import CheckpointError, StateError
from fanin.optim import lr_scheduler as schedulers
from fanin.training import History
from fanin.training.checkpoint import CheckpointFile
from fanin.utils.data import DataLoader, TensorDataset
from tests.training.by_hand import default_state, weights

SOURCE = Path(__file__).parents[2] / "src"


def net() -> Any:
    return nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 1))


def plain() -> Any:
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1))


MAKERS: dict[str, Any] = {
    "sgd": (net, lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), None, "eager"),
    "adam": (net, lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True), None, "eager"),
    "rmsprop": (net, lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5), None, "eager"),
    "nadam": (net, lambda p: torch.optim.NAdam(p, lr=0.01), None, "eager"),
    "radam": (net, lambda p: torch.optim.RAdam(p, lr=0.01), None, "eager"),
    "adadelta": (net, lambda p: torch.optim.Adadelta(p), None, "eager"),
    "adafactor": (net, lambda p: torch.optim.Adafactor(p), None, "eager"),
    "asgd": (net, lambda p: torch.optim.ASGD(p, lr=0.01), None, "eager"),
    "lbfgs": (plain, lambda p: torch.optim.LBFGS(p, max_iter=3), None, "eager"),
    "cosine": (net, lambda p: torch.optim.AdamW(p), lambda o: schedulers.CosineAnnealingLR(o, 9), "eager"),
    "one cycle": (net, lambda p: torch.optim.Adam(p), lambda o: schedulers.OneCycleLR(o, 0.1, 200), "eager"),
    "plateau": (net, lambda p: torch.optim.Adam(p), lambda o: schedulers.ReduceLROnPlateau(o, patience=0), "eager"),
    "graph": (plain, lambda p: torch.optim.Adam(p), lambda o: schedulers.StepLR(o, 2), "numpy"),
    "graph with dropout": (
        lambda: nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 1)),
        lambda p: torch.optim.NAdam(p, lr=0.01),
        None,
        "numpy",
    ),
}


def train(name: str, epochs: int, seed: int = 0, **options: Any) -> tuple[Any, History]:
    """Train from the beginning, or from a checkpoint, in what could be a new process."""
    make_model, make_optimizer, make_scheduler, engine = MAKERS[name]
    torch.manual_seed(1)
    x, y = torch.randn(45, 3), torch.randn(45, 1)
    torch.manual_seed(seed)
    model = make_model()
    optimizer = make_optimizer(model.parameters())
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    options = {"validation": (x[:9], y[:9]), "batch_size": 10, "engine": engine, "scheduler": scheduler, **options}
    return model, torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs, **options)


def equal(a: Any, b: Any) -> bool:
    a, b = weights(a), weights(b)
    return all(np.array_equal(a[name], b[name]) for name in b)


@pytest.mark.parametrize("name", MAKERS)
def test_a_resumed_run_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    expected, history = train(name, 7)
    state = default_state()
    train(name, 3, checkpoint=path)
    actual, resumed = train(name, 7, seed=99, checkpoint=path, resume=True)
    assert equal(actual, expected)
    assert default_state() == state
    assert resumed.losses == history.losses
    assert resumed.validation_losses == history.validation_losses
    assert resumed.rates == history.rates


def test_another_start_is_seen() -> None:
    assert not equal(train("sgd", 2)[0], train("sgd", 2, seed=99)[0])


class Uncertain(nn.Module):
    """A squared error of a variance that is learnt, and a mean error that is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(1))
        self.register_buffer("seen", torch.zeros(1), persistent=False)

    def forward(self, output: Any, target: Any) -> Any:
        squares = (output - target).square().mean()
        self.seen += squares.detach()
        return (squares * torch.exp(-self.log_variance) + self.log_variance + 0 * self.seen).sum()


def learnt(kind: str, epochs: int, seed: int = 0, **options: Any) -> tuple[Any, Any, History]:
    """Train a model, and the parameters of a loss: a module's, or those that a function reads."""
    torch.manual_seed(1)
    x, y = torch.randn(45, 3), torch.randn(45, 1)
    torch.manual_seed(seed)
    model, loss = plain(), Uncertain()
    optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=0.05)
    given = loss if kind == "module" else lambda output, target: loss(output, target)
    history = torch.fit(model, (x, y), given, optimizer, epochs, batch_size=10, **options)
    return model, loss, history


@pytest.mark.filterwarnings("ignore:fit. 1 of the 5 parameters")
@pytest.mark.parametrize("engine", ["eager", "numpy", "native"])
@pytest.mark.parametrize("kind", ["module", "function"])
def test_what_a_loss_learns_is_saved(kind: str, engine: str, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    expected, loss, history = learnt(kind, 7, engine=engine)
    learnt(kind, 3, engine=engine, checkpoint=path)
    actual, resumed_loss, resumed = learnt(kind, 7, seed=99, engine=engine, checkpoint=path, resume=True)
    assert equal(actual, expected)
    assert resumed_loss.log_variance.item() == loss.log_variance.item() != 0
    assert kind == "function" or resumed_loss.seen.item() == loss.seen.item() != 0
    assert resumed.losses == history.losses


@pytest.mark.filterwarnings("ignore:fit. 1 of the 5 parameters")
@pytest.mark.parametrize("engine", ["eager", "numpy", "native"])
@pytest.mark.parametrize("kind", ["module", "function"])
def test_what_a_loss_has_learnt_goes_back_to_the_best_epoch(kind: str, engine: str) -> None:
    def rise(training: Any) -> None:
        if training.epoch == 4:
            training.optimizer.param_groups[0]["lr"] = 5.0

    _, best, _ = learnt(kind, 4, engine=engine)
    _, restored, history = learnt(kind, 30, engine=engine, patience=5, callbacks=rise)
    assert (history.best_epoch, history.stopped) == (4, "patience")
    assert restored.log_variance.item() == best.log_variance.item() != 0


def test_a_checkpoint_of_another_loss_is_refused(tmp_path: Path) -> None:
    learnt("module", 2, checkpoint=tmp_path / "c.pt")
    with pytest.raises(StateError, match="loss"):
        train("sgd", 3, checkpoint=tmp_path / "c.pt", resume=True)


def test_explicit_generators_are_saved(tmp_path: Path) -> None:
    def run(epochs: int, **options: Any) -> Any:
        torch.manual_seed(0)
        x, y = torch.randn(45, 3), torch.randn(45, 1)
        loader = DataLoader(TensorDataset(x, y), 8, shuffle=True, generator=torch.Generator().manual_seed(5))
        model = plain()
        torch.fit(model, loader, nn.MSELoss(), torch.optim.Adam(model.parameters()), epochs, **options)
        return model, loader.generator.get_state().tolist()

    expected, state = run(6)
    run(2, checkpoint=tmp_path / "c.pt")
    actual, state_after = run(6, checkpoint=tmp_path / "c.pt", resume=True)
    assert equal(actual, expected)
    assert state == state_after


def test_patience_goes_on_counting_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    options: dict[str, Any] = {"patience": 4, "callbacks": _spoil_after_2}
    expected, history = train("sgd", 30, **options)
    assert history.stopped == "patience"
    path = tmp_path / "c.pt"
    train("sgd", history.best_epoch + 2, checkpoint=path, **options)
    actual, resumed = train("sgd", 30, checkpoint=path, resume=True, **options)
    assert equal(actual, expected)
    assert (resumed.losses, resumed.stopped) == (history.losses, "patience")
    again, unchanged = train("sgd", 30, checkpoint=path, resume=True, **options)
    assert unchanged.losses == history.losses
    assert equal(again, expected)


def _spoil_after_2(training: Any) -> None:
    if training.epoch > 2:
        with torch.no_grad():
            training.model[4].bias.add_(1.0)


def test_resume_without_a_file_begins_anew(tmp_path: Path) -> None:
    expected, _ = train("adam", 3)
    actual, _ = train("adam", 3, checkpoint=tmp_path / "new.pt", resume=True)
    assert equal(actual, expected)
    assert (tmp_path / "new.pt").exists()


def test_without_resume_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    train("adam", 3, checkpoint=path)
    _, history = train("adam", 2, checkpoint=path)
    assert len(history) == 2
    assert len(torch.load(path)["history"]["losses"]) == 2


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    expected, _ = train("sgd", 6)

    def press(training: Any) -> None:
        if training.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    _, history = train("sgd", 6, checkpoint=path, callbacks=press)
    assert (len(history), history.stopped) == (2, "interrupted")
    actual, history = train("sgd", 6, checkpoint=path, resume=True)
    assert equal(actual, expected)
    assert history.stopped == "finished"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "graph"}, r"model: the checkpoint has .*0\.weight|model: the checkpoint has"),
        ({"batch_size": 9}, "batch_size: the checkpoint has 10, this run 9"),
        ({"shuffle": False}, "order: the checkpoint has RandomSampler, this run SequentialSampler"),
        ({"clip_grad_norm": 1.0}, "clip_grad_norm: the checkpoint has None, this run 1.0"),
        ({"name": "rmsprop"}, "optimizer: the checkpoint has SGD, this run RMSprop"),
    ],
)
def test_another_run_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    train("sgd", 2, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(StateError, match=message):
        train(change.pop("name", "sgd"), 4, checkpoint=path, resume=True, **change)
    assert path.read_bytes() == before


def test_another_rate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    x, y = torch.randn(10, 3), torch.randn(10, 1)
    for lr in (0.1, 0.2):
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        if lr == 0.1:
            torch.fit(model, (x, y), nn.MSELoss(), optimizer, checkpoint=path)
        else:
            with pytest.raises(StateError, match=r"options: the checkpoint has lr 0\.1, this run lr 0\.2"):
                torch.fit(model, (x, y), nn.MSELoss(), optimizer, checkpoint=path, resume=True)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="is no checkpoint of fit's"):
        train("sgd", 2, checkpoint=path, resume=True)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError):
        train("sgd", 2, checkpoint=path, resume=True)
    with pytest.raises(FileNotFoundError, match="folder of the checkpoint does not exist"):
        train("sgd", 2, checkpoint=tmp_path / "missing" / "c.pt")
    with pytest.raises(ValueError, match="resume=True needs checkpoint"):
        train("sgd", 2, resume=True)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CheckpointFile(tmp_path / "c.pt")
    file.write({"fanin_fit": 1, "a": 1})
    monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(OSError, match="full"):
        file.write({"fanin_fit": 1, "a": 2})
    assert file.read()["a"] == 1


def _no_space(_: int) -> None:
    raise OSError("the disk is full")


def test_the_file_is_brought_to_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    CheckpointFile(tmp_path / "c.pt").write({"fanin_fit": 1})
    assert calls == ["fsync", "replace", "fsync"]
    assert os.listdir(tmp_path) == ["c.pt"]


# Killed ---------------------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
import fanin as torch
from fanin import nn

path, epochs = sys.argv[1], int(sys.argv[2])
torch.manual_seed(0)
x, y = torch.randn(64, 5), torch.randn(64, 1)
model = nn.Sequential(nn.Linear(5, 40), nn.ReLU(), nn.Linear(40, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
checkpoint = {"checkpoint": path, "resume": True} if path else {}
print("ready", flush=True)
history = torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs, batch_size=16, engine="eager", **checkpoint)
print(len(history), [p.detach().numpy().tobytes().hex() for p in model.parameters()])
"""


def start(path: str, epochs: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, path, str(epochs)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process at once")
def test_a_killed_process_leaves_a_checkpoint_that_goes_on(tmp_path: Path) -> None:
    path, epochs, moments = tmp_path / "c.pt", 400, random.Random(3)
    whole = start("", epochs).communicate(timeout=60)[0].splitlines()[1]
    kills = 0
    for _ in range(5):
        process = start(str(path), epochs)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0.01, 0.12))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate(timeout=60)
        if path.exists():
            state = torch.load(path)
            assert len(state["history"]["losses"]) > 0
    assert kills >= 2
    assert start(str(path), epochs).communicate(timeout=60)[0].splitlines()[1] == whole
    assert not [name for name in os.listdir(tmp_path) if name != "c.pt"]
