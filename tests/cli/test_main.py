"""The command line as a whole: help, version, mistakes in the arguments, and what errors look like."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import fanin as library
from fanin import cli
from fanin._core.errors import ShapeError
from tests.cli.conftest import Answer, python

Run = Callable[..., Answer]


def test_version(fanin: Run) -> None:
    assert fanin("--version") == Answer(0, f"fanin {library.__version__}\n", "")


def test_help_names_the_commands(fanin: Run) -> None:
    answer = fanin("--help")
    assert answer.status == 0
    for command in ("train", "evaluate", "predict"):
        assert f"    {command} " in answer.out


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_every_command_has_help_with_examples(fanin: Run, command: str) -> None:
    answer = fanin(command, "--help")
    assert answer.status == 0
    assert f"examples:\n  fanin {command} " in answer.out
    assert max(len(line) for line in answer.out.splitlines()) <= 120


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "fanin: the following arguments are required: COMMAND (see fanin --help)\n"),
        (("trian",), "fanin: argument COMMAND: invalid choice: 'trian'"),
        (("train",), "fanin train: the following arguments are required: TABLE, --target (see fanin train --help)\n"),
        (("train", "t", "--target", "y", "--epochs", "0"), "fanin train: argument --epochs: 0 is not 1 or more"),
        (
            ("train", "t", "--target", "y", "--epochs", "x"),
            "fanin train: argument --epochs: 'x' is not a whole number (see",
        ),
        (
            ("train", "t", "--target", "y", "--seed", "1.5"),
            "fanin train: argument --seed: '1.5' is not a whole number (see",
        ),
        (
            ("train", "t", "--target", "y", "--held-out", "x"),
            "fanin train: argument --held-out: 'x' is not a share as 0.2",
        ),
        (
            ("train", "t", "--target", "y", "--learning-rate", "-1"),
            "fanin train: argument --learning-rate: -1 is not above 0",
        ),
        (
            ("train", "t", "--target", "y", "--learning-rate", "nan"),
            "fanin train: argument --learning-rate: nan is not above 0",
        ),
        (
            ("train", "t", "--target", "y", "--held-out", "20"),
            "fanin train: argument --held-out: 20 is not 0 or more and below 1",
        ),
        (
            ("train", "t", "--target", "y", "--hidden", "a,b"),
            "fanin train: argument --hidden: 'a,b' is not a list of widths",
        ),
        (("train", "t", "--target", "y", "--hidden", "8,0"), "fanin train: argument --hidden: 0 is not 1 or more"),
        (
            ("train", "t", "--target", "y", "--time-limit", "soon"),
            "fanin train: argument --time-limit: 'soon' is not a time",
        ),
        (
            ("train", "t", "--target", "y", "--time-limit", "0s"),
            "fanin train: argument --time-limit: 0s is not above 0",
        ),
        (("predict", "d"), "fanin predict: the following arguments are required: TABLE"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(fanin: Run, arguments: tuple[str, ...], expected: str) -> None:
    answer = fanin(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(expected)
    assert answer.err.count("\n") == 1


def test_errors_become_one_line_and_a_status(fanin: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def register(commands: object, error: BaseException) -> None:
        def handler(_: object) -> int:
            raise error

        commands.add_parser("fail").set_defaults(handler=handler)

    def fail_with(error: BaseException) -> Answer:
        parser = cli.Parser(prog="fanin")
        register(parser.add_subparsers(), error)
        monkeypatch.setattr(cli, "build_parser", lambda: parser)
        return fanin("fail")

    assert fail_with(ShapeError("first\n  second")) == Answer(1, "", "fanin: first second\n")
    assert fail_with(ShapeError("what", remedy="what to do")) == Answer(1, "", "fanin: what; what to do\n")
    assert fail_with(KeyboardInterrupt()) == Answer(130, "", "fanin: stopped by Ctrl-C\n")
    assert fail_with(PermissionError(13, "Permission denied", "x")) == Answer(
        1, "", "fanin: [Errno 13] Permission denied: 'x'\n"
    )
    assert fail_with(MemoryError()) == Answer(1, "", "fanin: not enough memory\n")
    with pytest.raises(ZeroDivisionError):
        fail_with(ZeroDivisionError())  # a mistake in fanin itself keeps its traceback


def test_the_module_can_be_run() -> None:
    done = python("-m", "fanin", "--version")
    assert done.stdout == f"fanin {library.__version__}\n"


def test_help_is_quick_because_nothing_heavy_is_loaded() -> None:
    program = (
        "import sys, fanin.cli\n"
        "try: fanin.cli.main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'polars', 'rich', 'fanin.tabular'} & set(sys.modules)))"
    )
    done = python("-c", program)
    assert done.stdout.splitlines()[-1] == "[]"
