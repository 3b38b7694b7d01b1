"""The README's program prints what the README says, under fanin and under PyTorch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def program() -> str:
    """Return the program that the README shows first."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def printed_by(source: str) -> str:
    """Run a program in a fresh process and return what it prints."""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT / "src", check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.strip()


def promised() -> str:
    """Return what the README says that the program prints."""
    return program().strip().rpartition("# ")[2]


def test_the_first_program_prints_what_the_readme_says() -> None:
    assert printed_by(program()) == promised()


@pytest.mark.parity
def test_pytorch_prints_the_same() -> None:
    source = (
        program().replace("import fanin as torch", "import torch").replace("from fanin import", "from torch import")
    )
    assert "fanin" not in source
    assert printed_by(source) == promised()
