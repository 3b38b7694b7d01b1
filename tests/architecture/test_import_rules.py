"""The rooms of the house import downwards only, and the check that says so can go red."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a copy of the package with its rules."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> tuple[int, str]:
    """Run lint-imports on a copy and return its status and its text."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    command = [str(LINT), "--no-cache"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def plant(folder: Path, file: str, line: str) -> None:
    """Add a line to a file of the copy, or a file with that line."""
    with (folder / "src" / "fanin" / file).open("a", encoding="utf-8") as text:
        text.write(f"\n{line}\n")


def test_the_house_keeps_its_rules(house: Path) -> None:
    status, text = lint(house)
    assert status == 0, text
    assert "0 broken" in text


VIOLATIONS = {
    "the cellar looks up": ("ops/op.py", "import fanin.nn", "fanin.ops.op -> fanin.nn"),
    "even inside a function": (
        "tensor/tape.py",
        "def up():\n    from fanin import optim",
        "fanin.tensor.tape -> fanin.optim",
    ),
    "by way of the front door": (
        "random/generator.py",
        "import fanin",
        "fanin.random.generator -> fanin ",
    ),
    "a layer uses an optimiser": (
        "nn/linear.py",
        "import fanin.optim.sgd",
        "fanin.nn.linear -> fanin.optim",
    ),
    "a tensor reads a table": (
        "tensor/tensor.py",
        "import polars",
        "fanin.tensor.tensor -> polars",
    ),
    "a layer draws progress": (
        "nn/module.py",
        "import rich.progress",
        "fanin.nn.module -> rich",
    ),
    "a graph knows the code that is made of it": (
        "compiler/graph.py",
        "import llvmlite.ir",
        "fanin.compiler.graph -> llvmlite",
    ),
    "someone leans on the oracle": (
        "interop/__init__.py",
        "import torch",
        "fanin.interop -> torch",
    ),
    "a report draws by itself": (
        "tabular/evaluation/page.py",
        "import matplotlib.figure",
        "fanin.tabular.evaluation.page -> matplotlib",
    ),
    "a room that has no place": ("cupboard.py", "import numpy", "- fanin.cupboard"),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_violation_goes_red(house: Path, violation: str) -> None:
    file, line, complaint = VIOLATIONS[violation]
    plant(house, file, line)
    status, text = lint(house)
    assert status != 0
    assert complaint in text
