"""Tables and a trained model for the tests of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import fanin as library
from fanin.cli import main

PENGUINS = Path(__file__).parents[2] / "data" / "penguins.csv.gz"
QUICK = ("--preset", "fast", "--hidden", "4", "--epochs", "2", "--no-importance", "--no-baselines")


@dataclass(frozen=True)
class Answer:
    """What a command ended with."""

    status: int
    out: str
    err: str


def python(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with the fanin that is being tested."""
    environment = os.environ | {"PYTHONPATH": str(Path(library.__file__).parents[1])}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def fanin(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as error:
            status = int(error.code or 0)
        captured = capsys.readouterr()
        return Answer(status, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of the penguins, quickly trained."""
    folder = tmp_path_factory.mktemp("models") / "penguins.fanin"
    quick = ("--preset", "fast", "--hidden", "16", "--epochs", "20", "--batch-size", "32")
    quick += ("--no-importance", "--no-baselines")
    assert main(["train", str(PENGUINS), "--target", "species", "--out", str(folder), *quick]) == 0
    return folder
