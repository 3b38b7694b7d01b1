"""What the report of a command says beside that of `evaluate`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fanin.cli._judged import with_sample
from fanin.cli._reports import write_whole
from fanin.tabular.evaluation import evaluate
from tests.tabular.evaluation.fakes import Regressor

X = np.random.default_rng(0).normal(size=(40, 1))
MODEL = Regressor(lambda X: X[:, 0])


def test_baselines_of_fewer_rows_are_told_unless_the_constant_is_the_only_one() -> None:
    alone = evaluate(MODEL, X, X[:, 0], importance=False)
    assert with_sample(alone, 1000) is alone
    beside = evaluate(MODEL, X, X[:, 0], train=(X, X[:, 0]), importance=False)
    assert with_sample(beside, 40) is beside
    more = with_sample(beside, 1000).findings[-1]
    assert more.text == "The linear model and boosted trees learned from 40 rows, the model from up to 1,000."


def test_a_report_may_be_read_by_whom_any_file_may_be_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "report.txt", "good")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert (tmp_path / "report.txt").stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["report.txt"]
