"""`import fanin` loads NumPy and nothing else that is heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
HEAVY = {
    "llvmlite",
    "sklearn",
    "polars",
    "matplotlib",
    "rich",
    "safetensors",
    "jinja2",
    "pandas",
    "scipy",
    "torch",
    "onnx",
    "pyarrow",
}
LOOSE_LIMIT = 0.3
# What plans and writes code, which is on the disk after the first run; and what tells which code it is.
WRITERS = {
    "codegen",
    "elementwise",
    "frame",
    "helpers",
    "ir",
    "kernels",
    "loops",
    "machine",
    "math",
    "memory",
    "module",
    "planned",
    "product",
    "vector",
    "wakes",
}
KEYS = {"passes.fingerprint", "passes.common", "passes.rewriting"}
FITTED = """
import fanin as torch
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
x, y = torch.randn(50, 3), torch.randint(0, 2, (50,))
rule = torch.optim.Adam(net.parameters())
assert torch.fit(net, (x, y), torch.nn.CrossEntropyLoss(), rule, epochs=2, batch_size=16).engine == "native"
torch.compile(net)(x)
"""


def fresh(program: str) -> str:
    """Run a program in a Python of its own and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a package that pip installs is compiled once and for all
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout


def loaded(program: str) -> set[str]:
    """Return the top-level packages that are loaded once a program has run."""
    return {name.partition(".")[0] for name in modules(program)}


def modules(program: str) -> list[str]:
    """Return the modules that are loaded once a program has run."""
    names: list[str] = json.loads(fresh(f"{program}\nimport sys, json; print(json.dumps(list(sys.modules)))"))
    return names


def writers(program: str) -> set[str]:
    """Return which modules that plan and write native code are loaded once a program has run."""
    room = "fanin.compiler."
    inside = [name.removeprefix(room) for name in modules(program) if name.startswith(room)]
    native = {name.split(".")[1] for name in inside if name.startswith("native.")} & WRITERS
    return native | {name for name in inside if name.startswith("passes.")} - KEYS


def test_import_loads_nothing_heavy() -> None:
    modules = loaded("import fanin")
    assert "numpy" in modules
    assert not modules & HEAVY


def test_the_names_of_torch_load_nothing_heavy() -> None:
    names = "import fanin.nn.functional, fanin.optim.lr_scheduler, fanin.utils.data, fanin.cli"
    assert not loaded(names) & HEAVY


def test_what_compiles_loads_llvm_when_it_compiles() -> None:
    program = "import fanin, fanin.training, fanin.compiler; double = fanin.compile(lambda x: x * 2)"
    assert not loaded(program) & HEAVY
    assert loaded(f"{program}; double(fanin.ones(2))") & HEAVY == {"llvmlite"}


def test_estimators_of_tables_load_llvm_when_they_fit() -> None:
    program = "from fanin.tabular import TabularClassifier; from fanin.tabular.files import open_table"
    assert "llvmlite" not in loaded(program)


def test_networks_of_scikit_learn_load_llvm_when_they_compile() -> None:
    program = "import fanin.sklearn"
    assert "llvmlite" not in loaded(program)
    few = "fanin.sklearn.MLPRegressor().partial_fit([[0.0], [1.0]], [0.0, 1.0])"
    assert "llvmlite" not in loaded(f"{program}; {few}")


def test_the_numpy_engine_needs_no_llvm() -> None:
    program = "import fanin; fanin.compile(lambda x: x * 2, engine='numpy')(fanin.ones(2))"
    assert not loaded(program) & HEAVY


def test_code_that_is_kept_loads_nothing_that_plans_or_writes_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANIN_CACHE_DIR", str(tmp_path))
    assert writers(FITTED) >= WRITERS
    assert writers(FITTED) == set()


def test_a_heavy_import_would_be_seen() -> None:
    assert loaded("import fanin, polars") & HEAVY == {"polars"}


def test_import_costs_little_over_numpy() -> None:
    """The limit of 0.1 s is for benchmarks/import_time.py; this one only catches a slip on a busy machine.

    Seconds are the processor's: where others want it, too, those of the clock tell nothing.
    """

    def seconds(statement: str) -> float:
        return float(fresh(f"{statement}; import time; print(time.process_time())"))

    times = [(seconds("import numpy"), seconds("import numpy, fanin")) for _ in range(5)]
    alone, both = (min(column) for column in zip(*times, strict=True))
    assert both - alone < LOOSE_LIMIT
