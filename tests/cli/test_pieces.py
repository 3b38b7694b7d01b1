"""When a table is read in pieces."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import r2_score

from fanin.cli._pieces import MOST_ROWS, is_larger, memory_for, set_aside, validation
from fanin.tabular import TabularClassifier, TabularRegressor, open_table
from fanin.tabular.streaming.budget import Budget
from fanin.tabular.tasks import tell_target


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


@pytest.mark.parametrize(
    ("share", "memory", "baselines", "judged", "learned"),
    [
        (0.2, "2 GB", True, 60, 240),
        (0.2, "2 GB", False, 60, 0),
        (0.0, "2 GB", True, 0, 0),
        (0.9, "2 GB", True, 100, 100),  # no more than MOST_ROWS
    ],
)
def test_how_many_rows_are_set_aside(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    memory: str,
    baselines: bool,
    judged: int,
    learned: int,
) -> None:
    monkeypatch.setattr("fanin.cli._pieces.MOST_ROWS", 100 if share > 0.5 else MOST_ROWS)
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{n},{n if n % 4 else ''}\n" for n in range(400)))
    table = open_table(tmp_path / "t.csv")
    target = tell_target(table.read(columns=["y"]).to_series(), "t.csv")
    arguments = argparse.Namespace(held_out=share, no_baselines=not baselines, seed=0)
    aside = set_aside(table, target, arguments, memory)
    assert (len(aside.judged), len(aside.learned)) == (judged, learned)
    assert not {*aside.judged, *aside.learned} & {n + 1 for n in range(400) if n % 4 == 0}, "a row without a target"


def test_wide_rows_are_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = Budget(whole=0, piece=0, sample=100_000, block=0)
    monkeypatch.setattr("fanin.tabular.streaming.budget.budget_of", lambda memory: share)
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{'x' * 1000},{n}\n" for n in range(300)))
    table = open_table(tmp_path / "t.csv")
    target = tell_target(table.read(columns=["y"]).to_series(), "t.csv")
    arguments = argparse.Namespace(held_out=0.9, no_baselines=False, seed=0)
    assert 40 < len(set_aside(table, target, arguments, "2 GB").judged) < 50  # of 1 kB each, in half of 100 kB


def test_a_score_without_a_report() -> None:
    X, quick = np.arange(60.0)[:, None], {"preset": "fast", "epochs": 3, "hidden": (4,), "random_state": 0}
    y = np.where(X[:, 0] == 20, 500.0, X[:, 0])  # one row unlike all others, which the criterion holds down
    weights = np.where(X[:, 0] < 30, 2.0, 1.0)
    model: Any = TabularRegressor(**quick, cv=2).fit(X, y, weights)
    judged = model._ensemble.judged
    expected = r2_score(y[judged], model.oof_predictions_[judged], sample_weight=weights[judged])
    assert validation(model).startswith(f"R2 {expected:.4f} on the rows that chose the best epoch")
    model = TabularClassifier(**quick).fit(X, X[:, 0] > 20)
    assert validation(model).startswith(f"log-loss {model.history_[0]['criterion']:.4f} on the rows")
