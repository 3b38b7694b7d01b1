"""`fanin run program.py [args]`: run a PyTorch program on fanin."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from fanin._core.errors import FaninError
from fanin._core.missing import explain
from fanin.cli import INTERRUPTED

DESCRIPTION = """\
Run an unmodified PyTorch program with every `import torch` answered by fanin, whether or not PyTorch is installed.

What the program prints is what it prints under PyTorch; warnings about mistakes go to the standard error and are turned
off with FANIN_ADVICE=off. A name that fanin does not have says so, with what to use in its place.
"""
EPILOG = """\
examples:
  fanin run train.py
  fanin run train.py --epochs 3
  fanin run -m package.train --epochs 3
  fanin run - < train.py
  FANIN_ADVICE=off fanin run train.py
"""
PACKAGE = Path(__file__).parent.parent


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run a PyTorch program on fanin",
        usage="fanin run [-h] (PROGRAM | - | -m MODULE) [ARGS ...]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # It takes all that follows, so that a module's options are not taken for those of this command.
    parser.add_argument(
        "-m", dest="module", metavar="MODULE", nargs=argparse.REMAINDER, help="module to run, and its ARGS"
    )
    parser.add_argument(
        "program", metavar="PROGRAM", nargs="?", help="Python file written for PyTorch; - reads it from stdin"
    )
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="arguments of the program")
    parser.set_defaults(handler=run, plain_errors=False)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    if not arguments.module and arguments.program is None:
        return _refuse("name a program (see fanin run --help)")
    if not arguments.module and arguments.program != "-" and not Path(arguments.program).is_file():
        return _refuse(f"no such program: {arguments.program}")
    try:
        _start(arguments)
    except KeyboardInterrupt:
        print("fanin: stopped by Ctrl-C", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        _show(error)
        return 1
    return 0


def _refuse(message: str) -> int:
    print(f"fanin run: {message}", file=sys.stderr)
    return 2


def _start(arguments: argparse.Namespace) -> None:
    from fanin.interop.torch_programs import run_file, run_module, run_source

    if arguments.module:
        run_module(arguments.module[0], arguments.module[1:])
    elif arguments.program == "-":
        run_source(sys.stdin.buffer.read(), arguments.arguments)
    else:
        run_file(Path(arguments.program), arguments.arguments)


def _show(error: Exception) -> None:
    """Print the traceback from the program's first line on, and the plain word on a name that fanin does not have."""
    missing = re.match(r"cannot import name '(\w+)' from 'fanin([\w.]*)'", str(error))
    if isinstance(error, ImportError) and missing and not _raised_inside(error):
        error.add_note(explain(f"torch{missing[2]}.{missing[1]}"))
    sys.stdout.flush()
    error.__traceback__ = _shown(error)
    sys.excepthook(type(error), error, error.__traceback__)


def _shown(error: Exception) -> TracebackType | None:
    """Return the part of a traceback that is the program's own.

    It begins at the program's first line. Where fanin refused something on purpose, it ends at the line that asked for
    it; a mistake in fanin itself is shown to the end.
    """
    start = error.__traceback__
    while start is not None and _is_ours(start):
        start = start.tb_next
    if isinstance(error, FaninError):
        last = start
        at = start
        while at is not None:
            last = last if _is_ours(at) else at
            at = at.tb_next
        if last is not None:
            last.tb_next = None
    return start


def _is_ours(frame: TracebackType) -> bool:
    name = frame.tb_frame.f_code.co_filename
    return name.startswith("<frozen ") or PACKAGE in Path(name).parents


def _raised_inside(error: Exception) -> bool:
    """Say whether an error was raised in fanin's own code, not at a line of the program."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and PACKAGE in Path(last.tb_frame.f_code.co_filename).parents
