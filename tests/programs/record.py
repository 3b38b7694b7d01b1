"""Record what the programs print under PyTorch: python -m tests.programs.record."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = sorted(HERE.glob("[0-9]*.py"))
COURSES = sorted(HERE.glob("courses/*.py"))


def expected_path(program: Path) -> Path:
    """Return the file that holds what a program prints."""
    return program.parent / "expected" / f"{program.stem}.txt"


def run(arguments: list[str]) -> str:
    """Run Python on one thread and return what it prints; a failure carries its error text."""
    return run_whole(arguments).stdout


def run_whole(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Python on one thread; a failure carries its error text."""
    source = str(HERE.parent.parent / "src")
    paths = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": ""}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=300, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done


def main() -> None:
    """Write the expected text of every program."""
    from tests.parity.harness import live_torch

    live_torch()
    for program in PROGRAMS + COURSES:
        path = expected_path(program)
        path.parent.mkdir(exist_ok=True)
        path.write_text(run([str(program)]), encoding="utf-8")
        print(path.name)


if __name__ == "__main__":
    main()
