"""`fanin run program.py [args]`: run a PyTorch program on fanin."""

from __future__ import annotations

import argparse
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from fanin._core.missing import explain

DESCRIPTION = """\
Run an unmodified PyTorch program with every `import torch` answered by fanin, whether or not PyTorch is installed.

What the program prints is what it prints under PyTorch; warnings about mistakes go to the standard error and are turned
off with FANIN_ADVICE=off. A name that fanin does not have says so, with what to use in its place.
"""
EPILOG = """\
examples:
  fanin run train.py
  fanin run train.py --epochs 3
  FANIN_ADVICE=off fanin run train.py
"""


def register(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run a PyTorch program on fanin",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("program", metavar="PROGRAM", type=Path, help="Python file written for PyTorch")
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="arguments of the program")
    parser.set_defaults(handler=run, plain_errors=False)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    path: Path = arguments.program
    if not path.is_file():
        print(f"fanin run: no such program: {path}", file=sys.stderr)
        return 2
    from fanin.interop.torch_programs import run_program

    try:
        run_program(path, arguments.arguments)
    except KeyboardInterrupt:
        print("fanin: stopped by Ctrl-C", file=sys.stderr)
        return 130
    except Exception as error:
        _show(error, path)
        return 1
    return 0


def _show(error: Exception, program: Path) -> None:
    """Print the traceback from the program's first line on, and the plain word on a name that fanin does not have."""
    start = error.__traceback__
    while start is not None and start.tb_frame.f_code.co_filename != str(program):
        start = start.tb_next
    sys.stdout.flush()
    traceback.print_exception(type(error), error, start or error.__traceback__)
    missing = re.match(r"cannot import name '(\w+)' from 'fanin([\w.]*)'", str(error))
    if isinstance(error, ImportError) and missing and not _inside_fanin(error):
        print(f"fanin: {explain(f'torch{missing[2]}.{missing[1]}')}", file=sys.stderr)


def _inside_fanin(error: Exception) -> bool:
    """Say whether an error was raised in fanin's own code, not at a line of the program."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    package = Path(__file__).parent.parent
    return last is not None and package in Path(last.tb_frame.f_code.co_filename).parents
