"""Pages with programs and their output, run from top to bottom.

A block of ```python is run; the block after it, if it is of another language, is what it prints. In expected output
"..." stands for any text, and runs of blanks are alike. A program that ends with an exception prints its name, message
and notes, and must have such a block. `<!-- only avx2 -->` before a block of output says where it holds: for an
instruction set that this machine has, and with a major version of LLVM (`<!-- only avx2, llvm 22 -->`).

python -m tests.pages docs/engine.md writes the output of now into a page, except where there is a "..." in it.
"""

from __future__ import annotations

import difflib
import doctest
import io
import linecache
import os
import re
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import llvmlite.binding as llvm

from fanin.compiler.native.target import named, runs_here

_FENCE = re.compile(r"^(?:<!-- only (?P<only>[^>]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FILE = "step.py"  # as which a program is known to the messages of its errors


@dataclass(frozen=True)
class Example:
    """A program and what it prints. line: of the page. holds: whether the output is that of this machine."""

    line: int
    source: str
    expected: str = ""
    span: tuple[int, int] | None = None
    holds: bool = True


def examples(page: str) -> Iterator[Example]:
    """Yield the programs of a page, in their order."""
    fences = [*_FENCE.finditer(page), None]
    for fence, after in pairwise(fences):
        assert fence is not None
        if fence["language"] != "python":
            continue
        line = page.count("\n", 0, fence.start()) + 1
        if after is None or after["language"] == "python" or "\n#" in page[fence.end() : after.start()]:
            yield Example(line, fence["text"])
        else:
            span = after.span("text")
            yield Example(line, fence["text"], after["text"], span, holds_here(after["only"] or ""))


def holds_here(only: str) -> bool:
    """Say whether output that holds under a condition only can be expected here."""
    return all(_holds(*condition.split()) for condition in only.split(",") if condition)


def _holds(what: str, version: str = "") -> bool:
    return llvm.llvm_version_info[0] == int(version) if what == "llvm" else runs_here(named(what))


def printed(source: str, names: dict[str, Any]) -> tuple[str, bool]:
    """Run a program; return what it prints, and whether it ends with an exception."""
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    out, failed = io.StringIO(), False
    with redirect_stdout(out):
        try:
            exec(compile(source, FILE, "exec"), names)
        except Exception as error:
            failed = True
            print("\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]))
    return out.getvalue(), failed


def mistakes(page: str) -> list[str]:
    """Run a page, and return what is wrong with it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    found = []
    for example in examples(page):
        got, failed = printed(example.source, names)
        agrees = doctest.OutputChecker().check_output(example.expected, got, _FLAGS)
        if (example.holds and not agrees) or (failed and not example.expected):
            lines = difflib.unified_diff(
                example.expected.splitlines(), got.splitlines(), "page", "printed", lineterm=""
            )
            found.append(f"line {example.line}:\n" + "\n".join(lines))
    return found


def rewritten(page: str) -> str:
    """Return a page with the output of now, except where something is left out."""
    names: dict[str, Any] = {"__name__": "__main__"}
    parts, at = [], 0
    for example in examples(page):
        got, _ = printed(example.source, names)
        if example.span is not None and example.holds and "..." not in example.expected:
            parts += [page[at : example.span[0]], got]
            at = example.span[1]
    return "".join([*parts, page[at:]])


def write(paths: list[Path]) -> None:
    """Write the output of now into pages; what their programs leave behind is removed."""
    if runs_here(named("avx2")):
        os.environ["FANIN_ISA"] = "avx2"
    for path in [path.resolve() for path in paths]:
        with TemporaryDirectory() as folder, chdir(folder):
            path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write([Path(name) for name in sys.argv[1:]])
