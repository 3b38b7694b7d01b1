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
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
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
    "the cellar looks up": ("ops/op.py", "import fanin.nn"),
    "even inside a function": ("tensor/tape.py", "def up() -> None:\n    from fanin import optim"),
    "by way of the front door": ("random/generator.py", "import fanin"),
    "a layer uses an optimiser": ("nn/linear.py", "from fanin.optim import SGD"),
    "a tensor reads a table": ("tensor/tensor.py", "import polars"),
    "a layer draws progress": ("nn/module.py", "import rich.progress"),
    "someone leans on the oracle": ("interop.py", "import torch"),
    "a room that the plan does not have": ("cupboard.py", "import numpy"),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_violation_goes_red(house: Path, violation: str) -> None:
    plant(house, *VIOLATIONS[violation])
    status, text = lint(house)
    assert status != 0, text
    assert "BROKEN" in text or "Missing layer" in text or "cupboard" in text
