"""Threads change no bit, calls leak no memory, a second call compiles nothing, and processes share compiled code."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin import nn
from fanin.compiler.capture.captured import capture
from fanin.compiler.native import executable, target
from fanin.compiler.native.epochs import Epochs
from fanin.compiler.native.executable import Executable
from fanin.compiler.native.pace import Pace

ROOT = Path(__file__).parents[2]


def net_of(kind: str) -> Any:
    """Return a network of a kind, in its first state."""
    torch.manual_seed(1)
    if kind == "small":
        return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    if kind == "streamed":
        return nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
    middle: list[Any] = [nn.Tanh()]
    if kind == "batch norm":
        middle.insert(0, nn.BatchNorm1d(120))
    if kind == "dropout":
        middle.append(nn.Dropout(0.3))
    return nn.Sequential(nn.Linear(6, 120), *middle, nn.Linear(120, 90), nn.ReLU(), nn.Linear(90, 3))


BATCH = {"small": 16, "lanes": 256, "streamed": 2048, "batch norm": 256, "dropout": 256}


def step_of(net: Any) -> Any:
    """Return a training step of Adam."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def data_of(rows: int) -> tuple[Any, Any]:
    """Return rows of features and of class numbers."""
    random = np.random.default_rng(2)
    return random.normal(size=(rows, 6)).astype(np.float32), random.integers(0, 3, rows)


def trained(kind: str, threads: int) -> tuple[list[Any], bool]:
    """Return losses and state after two epochs, and whether the rows are cut into lanes."""
    batch = BATCH[kind]
    x, y = data_of(4 * batch)
    captured = capture(step_of(net_of(kind)), (torch.from_numpy(x[:batch]), torch.from_numpy(y[:batch])), {})
    epochs = Epochs(captured.graph, (x, y), result=0)
    state = [t._array.copy() for t in captured.state_tensors]
    if captured.key is not None:
        state[captured.key][:] = (7, 0)
    row = captured.scalars.row()
    numbers = np.tile(np.asarray(row, float), (8, 1))
    order = np.concatenate([np.random.default_rng(i).permutation(4 * batch) for i in range(2)])
    losses = epochs.run(order, state, numbers, threads=threads)
    assert np.isfinite(losses).all()
    return [losses, *state], len(epochs.executable.plan.tiling.lanes) > 1


@pytest.mark.parametrize("kind", BATCH)
def test_bits_do_not_depend_on_threads(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    monkeypatch.setattr(executable, "WORK_OF_A_TEAM", 0)
    monkeypatch.setattr(Executable, "threads_for", lambda self, steps, most: used.append(most) or (most or 1))
    monkeypatch.setattr(Pace, "choose", lambda self, threads, steps: (threads, steps))
    results = [trained(kind, threads) for threads in (1, 2, 2, 3, 1)]
    assert used == [1, 2, 2, 3, 1]
    assert results[0][1] is (kind != "small")
    for arrays, _ in results[1:]:
        for a, b in zip(arrays, results[0][0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_another_order_of_summation_would_be_seen() -> None:
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(x.sum(), x[::-1].cumsum()[-1] + np.float32(1e-4))


# Memory and compilations ----------------------------------------------------------------------------------------------


@pytest.fixture
def compiled_step() -> tuple[Any, Any, Any]:
    """Give a compiled step that was called a few times."""
    x, y = (torch.from_numpy(a) for a in data_of(16))
    run = torch.compile(step_of(net_of("small")), engine="native")
    for _ in range(20):
        run(x, y)
    return run, x, y


def resident() -> int:
    """Return the bytes of memory that the process holds."""
    pages = Path("/proc/self/statm")
    if not pages.exists():
        pytest.skip("only Linux says how much memory a process holds")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_calls_leak_nothing(compiled_step: tuple[Any, Any, Any]) -> None:
    # What leaks, leaks in every round; in one or another memory may grow for reasons that lie elsewhere in the process.
    run, x, y = compiled_step

    def growth(held: Callable[[], int], calls: int) -> int:
        gc.collect()
        before = held()
        for _ in range(calls):
            run(x, y)
        gc.collect()
        return held() - before

    assert min(growth(resident, 1_500) for _ in range(3)) < 2**18
    tracemalloc.start()
    try:
        run(x, y)
        assert min(growth(lambda: tracemalloc.get_traced_memory()[0], 100) for _ in range(3)) < 4096
    finally:
        tracemalloc.stop()


def test_a_second_call_compiles_nothing(compiled_step: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run, x, y = compiled_step

    def refuse(*_: Any) -> Any:
        raise AssertionError("compiled again")

    monkeypatch.setattr(target, "compiled", refuse)
    run(x, y)
    run(x * 2, y)
    assert run.captures == 1
    with pytest.raises(AssertionError, match="compiled again"):
        run(x[:7], y[:7])


class Heap(ctypes.Structure):
    """What glibc's mallinfo2 tells; uordblks is how many bytes are in use."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def in_use() -> int:
    """Return the bytes that are allocated: what the process holds besides comes and goes."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None) if sys.platform == "linux" else None
    if ask is None:
        pytest.skip("the C library does not say how much memory is in use")
    ask.restype = Heap
    return int(ask().uordblks)


def test_compilations_leak_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANIN_CACHE", "0")

    def compile_some(numbers: range) -> int:
        gc.collect()
        before = in_use()
        for i in numbers:
            x = torch.ones(3, 1 + i % 7)
            torch.compile(lambda x, i=i: (x * (1.0 + i)).sum(), engine="native")(x)
        gc.collect()
        return in_use() - before

    compile_some(range(60))
    # LLVM keeps some 60 bytes; its passes made anew would be 5,000, texts in its common context 400 and more.
    assert min(compile_some(range(first, first + 40)) for first in range(60, 180, 40)) < 40 * 400


# The cache on disk ----------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
import fanin as torch
from fanin.compiler.native import target
count = 0
compiled = target.compiled
def counting(*args):
    global count
    count += 1
    return compiled(*args)
target.compiled = counting
x = torch.arange(12.0).reshape(3, 4)
for n in range(1, 9):
    f = torch.compile(lambda x: torch.tanh(x * n).sum(), engine="native")
    assert abs(f(x).item() - torch.tanh(x * n).sum().item()) < 1e-5
print(count)
"""


def start(folder: Path) -> subprocess.Popen[str]:
    """Start a process that compiles eight functions."""
    environment = {**os.environ, "FANIN_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def compilations(process: subprocess.Popen[str]) -> int:
    """Wait for a process and return how often it compiled."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return int(out)


def test_processes_fill_the_cache_at_once_and_read_it_later(tmp_path: Path) -> None:
    for process in [start(tmp_path), start(tmp_path)]:
        assert 0 <= compilations(process) <= 8
    entries = sorted(tmp_path.glob("*.object"))
    assert len(entries) == 8
    assert compilations(start(tmp_path)) == 0
    entries[0].write_bytes(entries[0].read_bytes()[:-40] + bytes(40))
    entries[1].write_bytes(b"")
    assert compilations(start(tmp_path)) == 2
    assert compilations(start(tmp_path)) == 0


def test_a_folder_that_cannot_be_written_to_only_costs_time(tmp_path: Path) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    assert compilations(start(not_a_folder)) == 8
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert compilations(start(closed)) == 8
    if os.geteuid() != 0:  # root may write anywhere
        assert not list(closed.iterdir())
