"""`fanin train`: what it prints, writes and refuses."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars
import pytest

from fanin.cli import _progress
from fanin.cli.train import default_folder
from fanin.tabular import load_model
from tests.cli.conftest import PENGUINS, Answer, python

Run = Callable[..., Answer]


def plane(rows: int = 300) -> str:
    lines = [f"{x % 17},{x % 5},{2 * (x % 17) - 3 * (x % 5) + 0.5}" for x in range(rows)]
    return "\n".join(["a,b,y", *lines]) + "\n"


def test_penguins(fanin: Run) -> None:
    answer = fanin("train", PENGUINS, "--target", "species", "--epochs", 30)
    assert (answer.status, answer.err) == (0, "")  # no progress bar where there is no terminal
    for line in (
        "  island             category        0          3  3 inputs, one a level",
        "  bill_length_mm     number          2        164  one input, and one that tells missing",
        "  sex                category       11          2  one input, +1 or -1",
        "  task    3 classes (the target holds texts)",
        "Score on 69 held-out rows",
        "  use it  fanin predict penguins.fanin TABLE --out predictions.csv",
    ):
        assert line in answer.out.splitlines(), line
    scores = {line[2:14].strip(): float(line.split()[-3]) for line in grid(answer.out, "Score on")[1:]}
    assert scores["constant"] == 0.4348  # 30 of 69 are of the most frequent species
    assert scores["network"] >= 0.9
    assert [line.split()[0] for line in grid(answer.out, "Network, class")[1:]] == ["Adelie", "Chinstrap", "Gentoo"]
    assert sorted(os.listdir()) == ["penguins.fanin"]


def grid(text: str, title: str) -> list[str]:
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(title))
    return lines[start + 1 : lines.index("", start)]


def test_regression(fanin: Run) -> None:
    Path("plane.csv").write_text(plane())
    answer = fanin("train", "plane.csv", "--target", "y", "--epochs", 40, "--hidden", "32,32", "--rate", "0.01")
    assert answer.status == 0
    table = {
        line[2:14].strip(): [float(each) for each in line.split()[-3:]] for line in grid(answer.out, "Score on")[1:]
    }
    assert table["constant"][0] < 0.01
    assert table["linear model"][0] == 1.0  # the target is a plane
    assert table["network"][0] > 0.97


def test_what_is_asked_for_is_done(fanin: Run) -> None:
    Path("plane.csv.gz").write_bytes(gzip.compress(plane().encode()))
    answer = fanin(
        *("train", "plane.csv.gz", "--target", "a", "--out", "deep/model", "--task", "regression", "--ignore", "y"),
        *(
            "--category",
            "b",
            "--held-out",
            "0.5",
            "--seed",
            "3",
            "--epochs",
            "2",
            "--batch-size",
            "10",
            "--hidden",
            "4",
        ),
        *("--activation", "tanh", "--dropout", "0.5", "--weight-decay", "0", "--missing", "?"),
    )
    assert answer.status == 0
    model = load_model("deep/model")
    settings = model.training["settings"]
    expected = {"epochs": 2, "batch_size": 10, "hidden": [4], "activation": "tanh", "dropout": 0.5, "weight_decay": 0.0}
    assert expected.items() <= settings.items()
    assert model.training["rows"]["held out"] == 150
    assert [(plan.name, plan.kind) for plan in model.plans] == [("b", "category")]
    assert model.missing == ("?",)


def test_parquet_gives_the_same_model_as_csv(fanin: Run) -> None:
    Path("t.csv").write_text(plane())
    polars.read_csv("t.csv").write_parquet("t.parquet")
    for table, out in (("t.csv", "one"), ("t.parquet", "two")):
        assert fanin("train", table, "--target", "y", "--out", out, "--epochs", 2).status == 0
    assert Path("one/weights.npz").read_bytes() == Path("two/weights.npz").read_bytes()


def test_rows_without_a_target_are_told(fanin: Run) -> None:
    Path("t.csv").write_text(plane() + "1,2,\n3,4,\n")
    answer = fanin("train", "t.csv", "--target", "y", "--epochs", 1)
    assert answer.status == 0
    assert "  left out  2 rows without a target" in answer.out.splitlines()


@pytest.mark.parametrize(
    ("table", "folder"),
    [
        ("a/diamonds.csv.gz", "diamonds.fanin"),
        ("t.parquet", "t.fanin"),
        ("x.y.csv", "x.y.fanin"),
        ("plain", "plain.fanin"),
        (".csv", "table.fanin"),
    ],
)
def test_default_folder(table: str, folder: str) -> None:
    assert default_folder(table) == folder


HEADER = "a,b,y\n"
ROWS = "".join(f"{n % 7},{n % 3},{'pq'[n % 2]}\n" for n in range(60))


@pytest.mark.parametrize(
    ("content", "arguments", "expected"),
    [
        (None, (), "no such file: t.csv"),
        ("", (), "t.csv is empty: a table needs a header line and rows"),
        (HEADER, (), "t.csv has a header but no rows"),
        (HEADER + ROWS, ("--target", "Z"), 't.csv has no column "Z"; its columns are "a", "b", "y"'),
        (HEADER + ROWS, ("--target", "Y"), 't.csv has no column "Y"; did you mean "y"?'),
        (HEADER + ROWS, ("--ignore", "c"), 't.csv has no column "c"'),
        ("a,a,y\n" + ROWS, (), 't.csv has more than one column named "a": every column needs a name of its own'),
        (HEADER + ROWS + "1,2\n", (), "t.csv, line 62: 2 fields where the header has 3"),
        (HEADER + ROWS + "1,2,p,4\n", (), "t.csv, line 62: 4 fields where the header has 3"),
        (
            HEADER + "".join(f"{n},1,{'pq'[n % 2]}\n" for n in range(40)) + "NA,1,p\n",
            (),
            't.csv, column "a", row 41: text where a number is expected: "NA"; 40 of its 41 values are numbers; leave',
        ),
        (HEADER + ROWS + "inf,1,p\n", (), 't.csv, column "a", row 61: a number that is infinite or too large: "inf"'),
        (HEADER + "1,2,p\n3,4,p\n" * 20, (), 't.csv: the target "y" is constant ("p" in all rows): nothing to learn'),
        (HEADER + "1,2,\n3,4,\n" * 20, (), 't.csv: the target "y" is missing in all 40 rows'),
        (HEADER + "1,2,p\n3,4,q\n" * 5, (), "t.csv has 10 rows with a target: too few to train and to judge"),
        (HEADER + ROWS + "1,2,rare\n", (), 't.csv: a single row of the target "y" has the class "rare"'),
        (HEADER + "1,2,p\n1,2,q\n" * 20, (), 't.csv has no column to learn "y" from: all other columns are constant'),
        ("y\n" + "p\nq\n" * 20, (), 't.csv has no column to learn "y" from: it has no other column'),
        (HEADER + ROWS, ("--task", "regression"), 't.csv, column "y", row 1: text where a number is expected: "p"'),
        (HEADER + ROWS, ("--out", "."), ". holds something that is no fanin model; choose another place with --out"),
        (HEADER + ROWS, ("--out", "t.csv"), "t.csv is not a folder"),
        (HEADER + ROWS, ("--dropout", "1"), "dropout must lie in [0, 1), not 1.0"),
        (HEADER + ROWS, ("--rate", "-1"), "the learning rate must be positive, not -1.0"),
        (HEADER + ROWS, ("--rate", "1e30", "--epochs", "3"), "training diverged in epoch"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    fanin: Run, content: str | None, arguments: tuple[str, ...], expected: str
) -> None:
    if content is not None:
        Path("t.csv").write_text(content)
    target = () if "--target" in arguments else ("--target", "y")
    before = sorted(os.listdir())
    answer = fanin("train", "t.csv", *target, *arguments)
    assert answer.err.startswith("fanin: " + expected)
    assert answer.err.count("\n") == 1
    assert answer.status == 1
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("arguments", [("train", "t.csv", "--target", "y"), ("predict", "m", "t.csv")])
def test_a_missing_library_is_named(arguments: tuple[str, ...]) -> None:
    program = (
        "import sys; sys.modules['polars'] = None; from fanin.cli import main; raise SystemExit(main(sys.argv[1:]))"
    )
    done = python("-c", program, *arguments)
    assert done.returncode == 1
    assert done.stderr == 'fanin: reading a table needs polars, which is not installed: pip install "fanin[table]"\n'


INTERRUPT = """
import os, signal, sys
from fanin.cli import main, _progress

def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)

{when}
raise SystemExit(main(sys.argv[1:]))
"""


def interrupted(folder: Path, when: str) -> subprocess.CompletedProcess[str]:
    """Train in a process of its own, which sends itself the signal of Ctrl-C at a moment of the test's choice."""
    (folder / "t.csv").write_text(plane())
    program = INTERRUPT.format(when=when)
    return python("-c", program, "train", "t.csv", "--target", "y", "--hidden", "8", folder=folder)


def test_ctrl_c_keeps_the_best_epoch(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "_progress.Bar.epoch = lambda self, epoch, best: epoch.number == 3 and interrupt()")
    assert (done.returncode, done.stderr) == (130, "")
    assert "of 100, stopped by Ctrl-C after 3 (validation loss" in done.stdout
    assert "Score on 60 held-out rows" in done.stdout
    assert "Stopped by Ctrl-C; the best epoch so far is saved" in done.stdout
    model = load_model(tmp_path / "t.fanin")
    assert model.training["interrupted"] is True
    assert (model.training["best epoch"]["number"], model.training["epochs"]) == (3, 3)


def test_ctrl_c_before_the_end_of_the_first_epoch_saves_nothing(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "_progress.Bar.step = lambda self, done, *_: done == 2 and interrupt()")
    assert (done.returncode, done.stderr) == (130, "fanin: stopped by Ctrl-C\n")
    assert os.listdir(tmp_path) == ["t.csv"]


def test_ctrl_c_while_scoring_still_saves(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "import fanin.tabular.job as job; job.fit_linear = interrupt")
    assert (done.returncode, done.stderr) == (130, "")
    assert "Score on" not in done.stdout
    assert load_model(tmp_path / "t.fanin").training["interrupted"] is True


class Terminal:
    """A standard error that says it is a terminal, and remembers what was written."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        """Claim to be a terminal."""
        return True

    def write(self, text: str) -> int:
        """Remember the text."""
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def test_on_a_terminal_there_is_a_progress_bar(fanin: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(_progress, "PAUSE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    Path("t.csv").write_text(plane(60))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        assert fanin("train", "t.csv", "--target", "y", "--epochs", 40).status == 0
    assert "epoch " in terminal.text
    assert "loss " in terminal.text
    assert "rate " in terminal.text


def test_on_a_terminal_the_report_is_drawn_with_the_same_words(fanin: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    Path("t.csv").write_text(plane(60).replace("a,b,y", "a,[red]b,y"))
    plain = fanin("train", "t.csv", "--target", "y", "--epochs", 2)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        assert fanin("train", "t.csv", "--target", "y", "--epochs", 2).status == 0
    assert "\x1b[1m" in terminal.text  # bold titles
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[─━]", "", terminal.text).split()
    words = [word for line in plain.out.splitlines() if not line.startswith("  time") for word in line.split()]
    assert [word for word in words if word not in drawn] == []
    assert "[red]b" in drawn  # a column's name is no markup
