"""`fanin train`: what it prints, writes and refuses."""

from __future__ import annotations

import gzip
import json
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
from tests.cli.conftest import PENGUINS, QUICK, Answer, python

Run = Callable[..., Answer]


def plane(rows: int = 300) -> str:
    lines = [f"{x % 17},{x % 5},{2 * (x % 17) - 3 * (x % 5) + 0.5}" for x in range(rows)]
    return "\n".join(["a,b,y", *lines]) + "\n"


def line_of(text: str, start: str) -> str:
    """Return the first line that starts so."""
    return next(line for line in text.splitlines() if line.strip().startswith(start))


# What is printed and written ------------------------------------------------------------------------------------------


def test_penguins(fanin: Run) -> None:
    quick = ("--preset", "fast", "--hidden", 16, "--epochs", 20, "--batch-size", 32)
    answer = fanin("train", PENGUINS, "--target", "species", *quick)
    assert (answer.status, answer.err) == (0, "")  # no progress where there is no terminal
    for line in (
        "  island             category        0          3  3 flags",
        "  bill_length_mm     number          2        164  1 number, a flag for missing values",
        "  year               number          0          3  1 number",
        f"  table   {PENGUINS}: 344 rows, 7 columns to learn from",
        "  task    3 classes to tell apart (the target holds texts)",
        "  rows    275 to train on, 69 held out for the report",
        "TabularClassifier on 69 held-out rows",
        "Importance of columns",
        "  report    penguins.fanin/report.txt, penguins.fanin/report.html",
        "  use it    fanin predict penguins.fanin TABLE --out predictions.csv",
    ):
        assert line in answer.out.splitlines(), line
    ours, _, constant, linear, _ = line_of(answer.out, "accuracy ").split()[1:]
    assert float(constant) == 0.4348  # 30 of 69 are of the most frequent species
    assert min(float(ours), float(linear)) > 0.9
    assert os.listdir() == ["penguins.fanin"]
    files = ["model.json", "report.html", "report.txt", "weights.safetensors"]
    assert sorted(os.listdir("penguins.fanin")) == files
    assert Path("penguins.fanin/report.txt").read_text() in answer.out
    assert Path("penguins.fanin/report.html").read_text().lower().startswith("<!doctype html>")


def test_numbers(fanin: Run) -> None:
    Path("plane.csv").write_text(plane(200))
    asked = ("--preset", "fast", "--hidden", 16, "--epochs", 20, "--batch-size", 16, "--no-importance", "--seed", 5)
    answer = fanin("train", "plane.csv", "--target", "y", *asked)
    assert answer.status == 0
    different = len({line.split(",")[2] for line in plane(200).split()[1:]})
    assert f"  task    numbers to predict (the target holds {different} different numbers)" in answer.out.splitlines()
    ours, _, constant, linear, _ = line_of(answer.out, "R2 ").split()[1:]
    assert float(constant) < 0.01
    assert float(linear) == 1.0  # the target is a plane
    assert float(ours) > 0.8


def test_texts_that_may_mean_missing_are_noted(fanin: Run) -> None:
    lines = [f"{'NA' if x % 9 == 0 else x % 17},{'?' if x % 7 == 0 else 'xyz'[x % 3]},{x % 5}.5" for x in range(200)]
    Path("t.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    answer = fanin("train", "t.csv", "--target", "y", *QUICK)
    told = "is a text like any other; if it means that a value is missing: --missing"
    assert answer.err.splitlines() == [
        f'fanin: note: t.csv, column "a": "NA" {told} NA',
        f"""fanin: note: t.csv, column "b": "?" {told} '?'""",
    ]
    again = fanin("train", "t.csv", "--target", "y", "--missing", "NA", "--ignore", "b", *QUICK)
    assert (again.status, again.err) == (0, "")
    assert "23" in line_of(again.out, "a  ").split()


def test_numbers_that_are_read_as_texts_are_noted(fanin: Run) -> None:
    lines = [f"{x % 17},{x % 3};{x % 19}%;{x % 13}.5;{'no' if x % 2 else 'yes'}" for x in range(200)]
    Path("t.csv").write_text("\n".join(["size;share;plain;y", *lines]) + "\n")
    note = 'fanin: note: t.csv, column "size" and 1 more: "0,0" is a category, not a number; for numbers, write digits'
    arguments = ("train", "t.csv", "--target", "y", "--held-out", "0", *QUICK)
    assert fanin(*arguments).err.splitlines() == [
        f"{note} and a point alone, as 1234.5, or say which marks they have: --decimal , --thousands ."
    ]
    answer = fanin(*arguments, "--force", "--category", "size", "--ignore", "share")
    assert (answer.status, answer.err) == (0, "")


def test_a_target_of_numbers_that_are_read_as_texts_is_noted_or_refused(fanin: Run) -> None:
    few = [f"{x};{x % 15},50" for x in range(200)]
    Path("t.csv").write_text("\n".join(["x;y", *few]) + "\n")
    answer = fanin("train", "t.csv", "--target", "y", "--held-out", "0", *QUICK)
    assert (answer.status, answer.err.count("\n")) == (0, 1)
    assert answer.err.startswith('fanin: note: t.csv, column "y": "0,50" is a category, not a number; for numbers')
    expected = 'fanin: t.csv: column "y" holds texts, as "0,50": numbers are written with digits and a point alone'
    assert fanin("train", "t.csv", "--target", "y", "--task", "numbers", *QUICK).err.startswith(expected)
    Path("t.csv").write_text("\n".join(["x;y", *(f"{x};{x},50" for x in range(200))]) + "\n")
    answer = fanin("train", "t.csv", "--target", "y", *QUICK)
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert answer.err.startswith(expected)
    assert fanin("train", "t.csv", "--target", "y", "--decimal", ",", "--force", *QUICK).status == 0


def test_decimal_commas_are_read_alike_by_all_commands(fanin: Run) -> None:
    lines = [f"{x % 17},{x % 3};1.{x % 200 + 100},{x % 7};{x % 13},25" for x in range(100)]
    Path("t.csv").write_text("\n".join(["size;price;y", *lines]) + "\n")
    marks = ("--decimal", ",", "--thousands", ".", "--separator", ";")
    answer = fanin("train", "t.csv", "--target", "y", *marks, *QUICK)
    assert (answer.status, answer.err) == (0, "")
    assert "13 different numbers" in answer.out
    assert line_of(answer.out, "price").split()[1] == "number"
    kept = {"missing": [], "separator": ";", "decimal": ",", "thousands": "."}
    assert load_model("t.fanin").about_ == {"table": "t.csv", "target": "y", **kept}
    answer = fanin("evaluate", "t.fanin", "t.csv", "--no-importance")
    assert (answer.status, answer.err) == (0, "")
    answer = fanin("predict", "t.fanin", "t.csv", "--out", "p.csv")
    assert (answer.status, answer.err) == (0, "")

    plain = Path("t.csv").read_text().replace(".", "").replace(",", ".").replace(";", "\t")
    Path("plain.csv").write_text(plain)
    usual = ("--decimal", ".", "--thousands", "", "--separator", r"\t")
    assert fanin("predict", "t.fanin", "plain.csv", "--out", "q.csv", *usual).status == 0
    assert Path("p.csv").read_bytes() == Path("q.csv").read_bytes()
    refused = fanin("predict", "t.fanin", "plain.csv", "--separator", "ab")
    assert (refused.status, refused.err.startswith("fanin: separator is one character")) == (1, True)


def test_numbers_to_learn_beside_a_text_that_means_missing(fanin: Run) -> None:
    lines = [f"{x % 17},{'NA' if x % 9 == 0 else x / 7}" for x in range(200)]
    Path("t.csv").write_text("\n".join(["a,y", *lines]) + "\n")
    answer = fanin("train", "t.csv", "--target", "y", *QUICK)
    assert answer.status == 1
    told = 'the target "y" has numbers in most rows, but a text in 23: "NA"; if it means that the number is missing'
    assert told in answer.err
    answer = fanin("train", "t.csv", "--target", "y", "--missing", "NA", *QUICK)
    assert (answer.status, answer.err) == (0, "")
    assert "left out  23 rows without a target" in answer.out


def test_a_seed_gives_the_same_files(fanin: Run) -> None:
    Path("t.csv").write_text(plane(60))
    for out in ("one", "two"):
        assert fanin("train", "t.csv", "--target", "y", *QUICK, "--seed", 3, "--out", out).status == 0
    for name in ("weights.safetensors", "report.txt"):
        assert Path(f"one/{name}").read_bytes() == Path(f"two/{name}").read_bytes()


def test_what_is_asked_for_is_done(fanin: Run) -> None:
    rows = "".join(
        f"{n},{n % 13},{n % 4},{n % 3},{'?' if n % 9 == 0 else n % 7},{(n % 4) + n / 100}\n" for n in range(120)
    )
    Path("t.csv.gz").write_bytes(gzip.compress(("id,a,code,w,gaps,y\n" + rows).encode()))
    answer = fanin(
        *("train", "t.csv.gz", "--target", "y", "--out", "deep/model", "--ignore", "a", "--category", "code"),
        *("--missing", "?", "--weight", "w", "--held-out", "0.5", "--seed", "3", "--report", "r.json"),
        *("--preset", "fast", "--epochs", "2", "--batch-size", "10", "--hidden", "4,5", "--learning-rate", "0.01"),
        *("--time-limit", "1m", "--no-importance", "--no-baselines"),
    )
    assert (answer.status, answer.err) == (0, "")
    model = load_model("deep/model")
    assert model.feature_names_in_.tolist() == ["code", "gaps"]
    expected = {"preset": "fast", "epochs": 2, "batch_size": 10, "hidden": (4, 5), "learning_rate": 0.01}
    assert (expected | {"time_limit": 60.0, "random_state": 3}).items() <= model.get_params().items()
    assert model.about_ == {"table": "t.csv.gz", "target": "y", "missing": ["?"], "weight": "w"}
    kinds = {line.split()[0]: line.split()[1:] for line in answer.out.split("\n\n")[0].splitlines()[2:]}
    assert kinds["id"][:2] == ["left", "out"]
    assert " ".join(kinds["id"][4:]) == "a row number"
    assert " ".join(kinds["w"][4:]) == "the weight of the row"
    assert " ".join(kinds["a"][4:]) == "ignored, as asked for"
    assert kinds["code"] == ["category", "0", "4", "4", "flags"]
    assert kinds["gaps"][:3] == ["number", "14", "7"]
    report = json.loads(Path("r.json").read_text())
    assert (report["rows"] + report["left_out"], report["importance"]) == (60, None)
    assert report["left_out"] > 10  # of weight 0
    assert report["effective_rows"] < report["rows"]
    assert {score["method"] for score in report["scores"]} == {"this model"}


def test_without_the_libraries_of_the_page_there_is_its_text(fanin: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "fanin.tabular.evaluation.page", raising=False)
    Path("t.csv").write_text(plane(60))
    answer = fanin("train", "t.csv", "--target", "y", *QUICK)
    assert answer.status == 0
    assert answer.err.startswith("fanin: warning: no report.html: ")
    assert answer.err.count("\n") == 1
    assert line_of(answer.out, "report ") == "  report    t.fanin/report.txt"


def test_without_held_out_rows_there_is_no_report(fanin: Run) -> None:
    Path("t.csv").write_text(plane(60))
    answer = fanin("train", "t.csv", "--target", "y", "--held-out", "0", *QUICK)
    assert answer.status == 0
    assert "  rows    60 to train on, 0 held out for the report" in answer.out.splitlines()
    assert sorted(os.listdir("t.fanin")) == ["model.json", "weights.safetensors"]
    assert "report " not in answer.out.split("Done")[1]


def test_parquet_gives_the_same_model_as_csv(fanin: Run) -> None:
    Path("t.csv").write_text(plane(60))
    polars.read_csv("t.csv").write_parquet("t.parquet")
    for table, out in (("t.csv", "one"), ("t.parquet", "two")):
        assert fanin("train", table, "--target", "y", "--out", out, *QUICK).status == 0
    assert Path("one/weights.safetensors").read_bytes() == Path("two/weights.safetensors").read_bytes()


def test_rows_without_a_target_are_told(fanin: Run) -> None:
    Path("t.csv").write_text(plane() + "1,2,\n3,4,\n")
    answer = fanin("train", "t.csv", "--target", "y", *QUICK)
    assert answer.status == 0
    assert "  left out  2 rows without a target" in answer.out.splitlines()


def test_a_table_larger_than_its_memory_is_read_in_pieces(fanin: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from fanin.cli import _pieces

    monkeypatch.setattr(_pieces, "is_larger", lambda table, memory: True)
    monkeypatch.setattr(_pieces, "MOST_ROWS", 150)
    Path("t.csv").write_text(
        "id,a,b,y\n" + "".join(f"{n},{x}\n" for n, x in enumerate(plane().splitlines()[1:])) + "300,,,\n"
    )
    asked = ("--target", "y", "--preset", "fast", "--hidden", 4, "--epochs", 2)
    answer = fanin("train", "t.csv", *asked)
    assert answer.status == 0
    assert "  table   t.csv: 301 rows, read in pieces" in answer.out.splitlines()
    assert "  rows    60 held out for the report; baselines learn from 150 of the others" in answer.out.splitlines()
    assert "TabularRegressor on 60 held-out rows" in answer.out
    assert answer.out.count("Linear model: ridge regression") == 1
    said = " ".join(answer.out.split())
    assert "boosted trees learned from 150 rows, the model from up to 240. The table is larger than memory" in said
    assert line_of(answer.out, "report ").split() == ["report", "t.fanin/report.txt,", "t.fanin/report.html"]
    assert answer.err == 'fanin: warning: t.csv: 1 row has no "y"; left out\n'
    assert load_model("t.fanin").feature_names_in_.tolist() == ["a", "b"]
    refused(fanin("train", "t.csv", *asked, "--category", "a"), "--category is for tables that fit into memory")
    asked = (*asked, "--weight", "b", "--no-baselines", "--no-importance", "--out", "weighted")
    answer = fanin("train", "t.csv", *asked)
    heading = line_of(answer.out, "TabularRegressor on")
    used, left = map(int, re.findall(r"(\d+) w", heading))
    assert heading.endswith(f"{used} weighted held-out rows ({left} without a target or a weight left out)")
    assert used + left == 60
    assert 5 < left < 20  # of weight 0, as a fifth of all


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


# Bad input ------------------------------------------------------------------------------------------------------------


def refused(answer: Answer, expected: str) -> None:
    assert answer.err.startswith("fanin: " + expected), answer.err
    assert answer.err.count("\n") == 1
    assert answer.status == 1


HEADER = "a,b,y\n"
ROWS = "".join(f"{n % 7},{n % 3},{'pq'[n % 2]}\n" for n in range(60))


@pytest.mark.parametrize(
    ("content", "arguments", "expected"),
    [
        (None, (), "no such file: t.csv"),
        ("", (), "t.csv is empty"),
        (HEADER, (), "t.csv has a header but no rows"),
        (HEADER + ROWS, ("--target", "Y"), 't.csv has no column "Y"; '),
        (HEADER + ROWS, ("--ignore", "c"), 't.csv has no column "c"'),
        (HEADER + ROWS, ("--weight", "c"), 't.csv has no column "c"'),
        (HEADER + ROWS, ("--weight", "y"), '"y" is the target, and cannot be the weight, too'),
        ("a,a,y\n" + ROWS, (), 't.csv has more than one column named "a"'),
        (HEADER + ROWS + "1,2\n", (), "t.csv, line 62: 2 fields where the header has 3"),
        (HEADER + "1,2,p\n3,4,p\n" * 20, (), 't.csv: the target "y" is constant ("p" in all rows): nothing to learn'),
        (HEADER + "1,2,\n3,4,\n" * 20, (), 't.csv: the target "y" is missing in all 40 rows'),
        (HEADER + "1,2,p\n3,4,q\n" * 5, (), "t.csv has 10 rows with a target: too few to train and to judge"),
        (HEADER + "1,2,p\n1,2,q\n" * 20, (), 't.csv has no column to learn "y" from: all other columns are constant'),
        ("y\n" + "p\nq\n" * 20, (), 't.csv has no column to learn "y" from: it has no other column'),
        (HEADER + ROWS, ("--task", "numbers"), 't.csv, column "y", row 1: text where a number is expected: "p"'),
        (HEADER + ROWS, ("--out", "."), ". holds something that is no fanin model; choose another place"),
        (HEADER + ROWS, ("--out", "t.csv"), "t.csv is not a folder"),
        (HEADER + ROWS, ("--report", "r.pdf"), "r.pdf: a report ends in .html, .txt, .json"),
        (HEADER + ROWS, ("--report", "no/r.html"), "no such folder: no"),
        (HEADER + ROWS, ("--memory", "much"), 'memory must be bytes above 0 or a text such as "1 GB"'),
    ],
)
def test_bad_input_is_answered_in_one_line(
    fanin: Run, content: str | None, arguments: tuple[str, ...], expected: str
) -> None:
    if content is not None:
        Path("t.csv").write_text(content)
    target = () if "--target" in arguments else ("--target", "y")
    before = sorted(os.listdir())
    refused(fanin("train", "t.csv", *target, *arguments), expected)
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("missing", "library"), [("polars", "polars"), ("sklearn", "scikit-learn"), ("safetensors", "safetensors")]
)
def test_a_missing_library_is_named(missing: str, library: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from fanin.cli import main; main(sys.argv[1:])"
    done = python("-c", program, "train", "t.csv", "--target", "y")
    assert done.stderr.startswith("fanin: ")
    assert done.stderr.endswith(f'{library}, which is not installed: pip install "fanin[tabular]"\n')
    assert done.stderr.count("\n") == 1


# Ctrl-C ---------------------------------------------------------------------------------------------------------------

INTERRUPT = """
import os, signal, sys
from fanin.cli import main, _progress

pressed = []

def interrupt(*_, **__):
    if not pressed:
        pressed.append(True)
        os.kill(os.getpid(), signal.SIGINT)

{when}
raise SystemExit(main(sys.argv[1:]))
"""


def interrupted(folder: Path, when: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Train in a process of its own, which sends itself the signal of Ctrl-C at a moment of the test's choice."""
    (folder / "t.csv").write_text(plane())
    program = INTERRUPT.format(when=when)
    quick = ("--preset", "fast", "--hidden", "8", "--epochs", "40")
    return python("-c", program, "train", "t.csv", "--target", "y", *quick, *arguments, folder=folder)


def test_ctrl_c_keeps_the_best_epoch(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "_progress.Bar.__call__ = lambda self, moment: moment.epoch == 3 and interrupt()")
    assert (done.returncode, done.stderr) == (130, "")
    assert line_of(done.stdout, "networks").endswith(" of 3)")
    assert "TabularRegressor on 60 held-out rows" in done.stdout
    assert "boosted" not in done.stdout  # whoever is in a hurry is not kept waiting for baselines
    assert "Stopped by Ctrl-C; what was trained by then is saved" in done.stdout
    assert load_model(tmp_path / "t.fanin").history_[0]["stopped"] == "interrupted"


def test_ctrl_c_before_training_saves_nothing(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "_progress.Bar.say = interrupt")
    assert (done.returncode, done.stderr) == (130, "fanin: stopped by Ctrl-C\n")
    assert os.listdir(tmp_path) == ["t.csv"]


def test_ctrl_c_during_the_report_keeps_the_model(tmp_path: Path) -> None:
    when = "import fanin.tabular.evaluation as room; room.evaluate = interrupt"
    done = interrupted(tmp_path, when, "--epochs", "1")
    assert (done.returncode, done.stderr) == (130, "")
    assert "Stopped by Ctrl-C; what was trained by then is saved" in done.stdout
    assert load_model(tmp_path / "t.fanin").history_[0]["stopped"] == "finished"


# On a terminal --------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("rich", [True, False])
def test_on_a_terminal_there_is_a_progress_bar(fanin: Run, monkeypatch: pytest.MonkeyPatch, rich: bool) -> None:
    terminal = Terminal()
    monkeypatch.setattr(_progress, "PAUSE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.progress", None)
    Path("t.csv").write_text(plane(60))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        assert fanin("train", "t.csv", "--target", "y", *QUICK).status == 0
    for words in ("network 1 of 1 (tabm)", "epoch 1 of 2", "best R2 ", " left", "predictions"):
        assert words in terminal.text, words


def test_a_names_line_breaks_do_not_break_lines(fanin: Run) -> None:
    Path("t.csv").write_text(plane(60).replace("a,b,y", '"two\nlines",[red]b,y'))
    answer = fanin("train", "t.csv", "--target", "y", *QUICK)
    assert answer.status == 0
    assert line_of(answer.out, "two lines").split()[2] == "number"
