"""A program prints the same when its network is compiled by a line put into it."""

from __future__ import annotations

from pathlib import Path

from tests.programs.record import HERE, expected_path, run
from tests.programs.same_output import first_difference
from tests.programs.test_programs import ABS, REL

# Before which line which one is put.
CLASSIFIER = ("opt = torch.optim.Adam(", "net = torch.compile(net)\n")


def test_a_program_with_a_compiled_network_prints_the_same(tmp_path: Path) -> None:
    program = HERE / "10_train_a_classifier.py"
    before, line = CLASSIFIER
    text = program.read_text(encoding="utf-8")
    assert text.count(before) == 1
    changed = tmp_path / program.name
    changed.write_text(text.replace(before, line + before), encoding="utf-8")
    actual = run(["-m", "fanin", "run", str(changed)])
    expected = expected_path(program).read_text(encoding="utf-8")
    assert first_difference(expected, actual, REL, ABS) is None
