"""The command line, one file per command.

A command is a module here with a function `register(commands)`, which adds its parser and sets the parser's `handler`:
a function of the parsed arguments that returns the exit status. A new file is a new command.

Errors that fanin raises on purpose are printed as one line, without a traceback, and end with status 1. A command
whose errors are not fanin's to explain (it runs somebody's program) sets `plain_errors=False` and sees them through.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from fanin import __version__
from fanin._core.errors import FaninError

INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and not the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the error and where the help is, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = Parser(
        prog="fanin",
        description="Train fully connected networks, in PyTorch's words.",
        epilog="fanin COMMAND --help tells more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"fanin {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for found in pkgutil.iter_modules(__path__):
        if not found.name.startswith("_"):
            importlib.import_module(f"{__name__}.{found.name}").register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = build_parser().parse_args(argv)
    if not getattr(arguments, "plain_errors", True):
        return int(arguments.handler(arguments))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of columns and files may hold what the output's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return int(arguments.handler(arguments))
    except KeyboardInterrupt:
        return _fail("stopped by Ctrl-C", INTERRUPTED)
    except BrokenPipeError:
        # The reader of the output is gone (`| head`): what is still buffered must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (FaninError, OSError) as error:
        # What to do about an error stands in notes below it.
        return _fail("; ".join([str(error), *getattr(error, "__notes__", ())]))
    except MemoryError:
        return _fail("not enough memory")


def _fail(message: str, status: int = 1) -> int:
    print("fanin:", " ".join(message.split()), file=sys.stderr)
    return status
