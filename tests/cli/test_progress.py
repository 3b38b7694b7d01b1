"""The line on the terminal."""

from __future__ import annotations

import sys

import pytest

from fanin.cli import _progress
from fanin.cli._progress import Bar
from fanin.tabular.fitting.watching import Moment
from tests.cli.test_train import Terminal


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in place of the standard error, which pytest puts back before each test begins."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setattr(_progress, "PAUSE", 0.0)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setenv("COLUMNS", "60")
    return found


def moment(share: float, best: float = 0.25, r2: float | None = None) -> Moment:
    return Moment(share, "tabm", 2, 5, 7, 20, best, r2)


def test_a_moment_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    clock = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    with Bar("R2") as bar:
        clock[0] = 110.0
        bar(moment(0.25, r2=0.7))  # the criterion is another thing
    assert " 25%  network 2 of 5 (tabm)  epoch 7 of 20  best R2 0.7000  0:30 left" in terminal.text
    assert terminal.text.split("\r")[-1] == ""  # nothing is left behind
    assert terminal.text.split("\r")[-2].strip() == ""


def test_a_limit_bounds_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    clock = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    with Bar("log-loss", limit=20) as bar:
        clock[0] = 110.0
        bar(moment(0.25))
    assert "best log-loss 0.2500  0:10 left" in terminal.text


def test_each_part_of_a_job_has_a_time_of_its_own_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    clock = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    with Bar(limit=1000) as bar:
        bar.part("reading", 0.0)
        clock[0] = 200.0
        bar.part("training", 0.0)
        clock[0] = 204.0
        bar.part("training", 0.5)
    assert "training  0:04 left" in terminal.text


def test_words_are_wiped_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    with Bar() as bar:
        bar.say("x" * 100)
        bar.say("next")
    assert terminal.text == "x" * 59 + "\r" + " " * 59 + "\r" + "next\r    \r"


def test_rows_with_and_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    with Bar() as bar:
        bar.rows(5000, None)
        bar.rows(5000, 20000)
    assert "5,000 rows\r" in terminal.text
    assert " 25%  5,000 rows  0:00 left" in terminal.text


def test_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setattr(Terminal, "isatty", lambda self: False)
    with Bar() as bar:
        bar.say("words")
        bar(moment(0.5))
        bar.part("reading", 0.5)
        bar.rows(1, None)
        bar.rows(1, 2)
    assert terminal.text == ""


def test_drawing_has_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setattr(_progress, "PAUSE", 1000.0)
    with Bar("R2") as bar:
        bar(moment(0.25))
        bar(moment(0.5))
    assert "25%" in terminal.text
    assert "50%" not in terminal.text
