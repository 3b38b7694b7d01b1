"""Unmodified PyTorch programs print the same under `fanin run` as under PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.record import PROGRAMS, expected_path, run
from tests.programs.same_output import first_difference

REL = ABS = 2e-4


def test_there_are_ten_programs_and_a_record_of_each() -> None:
    assert len(PROGRAMS) == 10
    assert all(expected_path(program).stat().st_size > 50 for program in PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_program_prints_the_same(program: Path, live: bool) -> None:
    expected = run([str(program)]) if live else expected_path(program).read_text(encoding="utf-8")
    assert first_difference(expected, run(["-m", "fanin", "run", str(program)]), REL, ABS) is None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("loss 0.5000", "loss 0.5010"),
        ("loss 0.5", "cost 0.5"),
        ("[1.0, 2.0]", "[1.0, 2.0, 3.0]"),
        ("tensor(1., grad_fn=<A>)", "tensor(1.)"),
        ("nan", "0.0"),
    ],
)
def test_another_text_is_rejected(expected: str, actual: str) -> None:
    assert first_difference(expected, actual, REL, ABS) is not None


def test_the_name_of_a_gradient_function_is_not_compared() -> None:
    assert first_difference("tensor(1., grad_fn=<A>)", "tensor(1., grad_fn=<B>)", REL, ABS) is None
