"""`import fanin` loads NumPy and nothing else that is heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

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


def fresh(program: str) -> str:
    """Run a program in a Python of its own and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a package that pip installs is compiled once and for all
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout


def loaded(program: str) -> set[str]:
    """Return the top-level packages that are loaded once a program has run."""
    names = json.loads(fresh(f"{program}; import sys, json; print(json.dumps(list(sys.modules)))"))
    return {name.partition(".")[0] for name in names}


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


def test_the_numpy_engine_needs_no_llvm() -> None:
    program = "import fanin; fanin.compile(lambda x: x * 2, engine='numpy')(fanin.ones(2))"
    assert not loaded(program) & HEAVY


def test_a_heavy_import_would_be_seen() -> None:
    assert loaded("import fanin, polars") & HEAVY == {"polars"}


def test_import_costs_little_over_numpy() -> None:
    """The limit of 0.1 s is for benchmarks/import_time.py; this one only catches a slip on a busy machine."""

    def seconds(statement: str) -> float:
        start = time.perf_counter()
        fresh(statement)
        return time.perf_counter() - start

    times = [(seconds("import numpy"), seconds("import numpy, fanin")) for _ in range(5)]
    alone, both = (min(column) for column in zip(*times, strict=True))
    assert both - alone < LOOSE_LIMIT
