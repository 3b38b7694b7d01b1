"""The line on the terminal: only there, only on long runs, and gone at the end."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

import fanin as torch
from fanin import nn
from fanin.training import progress
from fanin.training.progress import PlainLine, Progress
from tests.training.by_hand import Setting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: Any, monkeypatch: pytest.MonkeyPatch, rich: bool, wanted: bool = True) -> str:
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setattr(sys, "stderr", stream)
    model, x, y = Setting().prepare()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    torch.fit(model, (x, y), nn.MSELoss(), optimizer, epochs=3, batch_size=10, progress=wanted, engine="eager")
    return str(stream.getvalue())


@pytest.mark.parametrize("rich", [False, True])
def test_a_terminal_is_told_epoch_loss_rate_and_time_left(rich: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(Terminal(), monkeypatch, rich)
    for part in ("epoch 1/3", "epoch 3/3", "loss ", "rate 0.05", "best ", "left", "100%"):
        assert part in text


def test_the_plain_line_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(Terminal(), monkeypatch, rich=False)
    assert text.endswith("\r")
    assert not text.rstrip("\r").rpartition("\r")[2].strip()


def test_others_are_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(io.StringIO(), monkeypatch, rich=True) == ""
    assert shown(Terminal(), monkeypatch, rich=True, wanted=False) == ""


def test_a_short_run_is_quiet() -> None:
    stream = Terminal()
    bar = Progress(True, lambda: "text", stream)
    bar.update(1, 2)
    bar.close()
    assert stream.getvalue() == ""


def test_a_shorter_text_covers_a_longer_one() -> None:
    stream = Terminal()
    line = PlainLine(stream)
    line.show(0.5, "a long text", 3.0)
    line.show(0.6, "text", None)
    first, second = stream.getvalue().split("\r")[1:]
    assert first == " 50%  a long text  0:03 left"
    assert second.rstrip() == " 60%  text"
    assert len(second) == len(first)
