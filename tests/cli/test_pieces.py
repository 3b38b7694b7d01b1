"""When a table is read in pieces."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from fanin.cli._pieces import is_larger, memory_for
from fanin.tabular import open_table


def asked(memory: str | None) -> argparse.Namespace:
    return argparse.Namespace(memory=memory)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MemTotal: 9 kB\nMemAvailable: 8388608 kB\n", 4 << 30),
        ("MemAvailable: 1000 kB\n", None),
        ("MemTotal: 9 kB\n", None),
        ("MemAvailable: much\n", None),
    ],
)
def test_half_of_what_is_left(monkeypatch: pytest.MonkeyPatch, text: str, expected: int | None) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: text)
    assert memory_for(asked(None)) == expected
    assert memory_for(asked("2GB")) == "2GB"


def test_a_system_that_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert memory_for(asked(None)) is None


def test_a_table_is_compared_with_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "1,2\n" * 100)
    table = open_table(path)
    assert not is_larger(table, None)
    monkeypatch.setattr(type(table), "bytes_in_memory", property(lambda self: 1 << 40))
    assert is_larger(table, None)
    assert is_larger(table, "4 GB")
