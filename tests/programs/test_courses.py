"""Programs in the manner of published courses print the same under `fanin run` as under PyTorch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.programs.record import COURSES, expected_path, run, run_whole
from tests.programs.same_output import first_difference
from tests.programs.test_programs import ABS, REL

# Their numbers are short or exact, so that the text agrees in every line break and width.
LAYOUT = {"blitz_autograd", "checkpoints", "custom_dataset", "hooks_tour", "official_shapes", "printing_tour"}


def layout(text: str) -> str:
    """Return a text with every digit replaced by one and the same."""
    return re.sub(r"\d", "0", text)


@pytest.mark.parametrize("program", COURSES, ids=lambda p: p.stem)
def test_course_prints_the_same(program: Path, live: bool) -> None:
    expected = run([str(program)]) if live else expected_path(program).read_text(encoding="utf-8")
    done = run_whole(["-m", "fanin", "run", str(program)])
    assert first_difference(expected, done.stdout, REL, ABS) is None
    assert done.stderr == ""  # they make no mistakes, so they get no advice
    if program.stem in LAYOUT:
        assert layout(done.stdout).splitlines() == layout(expected).splitlines()


def test_the_layout_is_compared_to_the_line_break() -> None:
    assert layout("tensor([1.25,\n 2.50])") == layout("tensor([9.00,\n 1.11])")
    assert layout("tensor([1.25,\n 2.50])") != layout("tensor([1.25, 2.50])")
    assert {program.stem for program in COURSES} >= LAYOUT
