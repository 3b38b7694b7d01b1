"""Code for NEON, run by an emulator where there is one: `apt-get install qemu-user gcc-aarch64-linux-gnu`."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fanin as torch
from fanin.compiler import numpy_engine
from fanin.compiler.capture import capture
from fanin.compiler.native import target
from fanin.compiler.native.abi import EXTRA
from fanin.compiler.native.planned import planned

GCC, QEMU = "aarch64-linux-gnu-gcc", "qemu-aarch64"


def run_emulated(graph: Any, data: list[Any], state: list[Any], scalars: list[float], folder: Path) -> list[Any]:
    """Return the arrays of the state after one step on an emulated machine."""
    isa = target.named("neon")
    made = planned(graph, isa)
    plan, layout = made.plan, made.layout
    (folder / "step.o").write_bytes(target.compiled(made.text, isa))
    given = {"data": data, "state": state, "output": [np.zeros(v.shape, v.dtype) for v in plan.graph.outputs]}
    memory: list[Any] = [
        np.zeros(layout.arena, np.uint8) if kind == "arena" else what if kind == "constant" else given[kind][what]
        for kind, what in layout.sources
    ]
    memory += [np.zeros(64, np.int64)] * len(EXTRA) + [np.array(scalars, np.float64)]
    header = struct.pack("<4q", len(memory), len(scalars), 0, 1)
    content = b"".join(struct.pack("<q", a.nbytes) + np.ascontiguousarray(a).tobytes() for a in memory)
    (folder / "before").write_bytes(header + content)
    driver = Path(__file__).with_name("emulated.c")
    program = folder / "program"
    subprocess.run([GCC, "-static", "-O1", driver, folder / "step.o", "-o", program], check=True)
    subprocess.run([QEMU, program, folder / "before", folder / "after"], check=True)
    after, at, found = (folder / "after").read_bytes(), 0, {}
    for (kind, what), array in zip(layout.sources, memory, strict=False):
        if kind == "state":
            found[what] = np.frombuffer(after[at : at + array.nbytes], array.dtype).reshape(array.shape)
        at += array.nbytes
    return [found[i] for i in range(len(state))]


@pytest.mark.skipif(not (shutil.which(GCC) and shutil.which(QEMU)), reason=f"needs {GCC} and {QEMU}")
@pytest.mark.parametrize("activation", ["ReLU", "Tanh", "Sigmoid", "GELU"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_training_step_on_neon(activation: str, dtype: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(10, 33), getattr(torch.nn, activation)(), torch.nn.BatchNorm1d(33), torch.nn.Linear(33, 3)
    ).to(dtype)
    optimizer, loss = torch.optim.AdamW(model.parameters(), lr=1e-2), torch.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        return value.detach()

    x, y = torch.randn(37, 10, dtype=dtype), torch.randint(0, 3, (37,))
    captured = capture(step, (x, y), {})
    state, scalars = [np.array(t._array) for t in captured.state_tensors], captured.scalars.row()
    data = [x._array, y._array]
    _, updates = numpy_engine.run(captured.graph, data, state, scalars)
    after = run_emulated(captured.graph, data, state, scalars, tmp_path)
    tolerance = 1e-4 if dtype is torch.float32 else 1e-9
    for i, wanted in updates:
        np.testing.assert_allclose(after[i], wanted, rtol=tolerance, atol=tolerance * 1e-2)
    assert any(not np.array_equal(after[i], state[i]) for i, _ in updates)
