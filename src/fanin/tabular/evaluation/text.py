"""A report as plain text, aligned, at most 120 columns wide."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence

from fanin.tabular.evaluation.grids import Grid, grids
from fanin.tabular.evaluation.records import MODEL
from fanin.tabular.evaluation.report import Evaluation
from fanin.tabular.evaluation.words import count, measured, span

WIDTH = 120
FIRST = ("accuracy", "log-loss", "ROC AUC", "RMSE", "MAE", "R2")


def written(report: Evaluation) -> str:
    """Return the report as text."""
    return "\n\n".join(["\n".join(_summary(report)), *(_grid(each) for each in grids(report)), _notes(report)]) + "\n"


def _summary(report: Evaluation) -> Iterator[str]:
    yield heading(report)
    yield from _wrapped(_main_scores(report), "  ", "  ")
    for each in report.findings:
        yield from _wrapped(each.text, "! " if each.level == "warning" else "  ", "  ")
        for more in (each.cause, each.remedy):
            yield from _wrapped(more, "      ", "      ")


def heading(report: Evaluation) -> str:
    """Return what the report is about, in a line."""
    weighted = report.effective_rows is not None
    rows = count(report.rows, "weighted held-out row" if weighted else "held-out row")
    lacking = "target or a weight" if weighted else "target"
    left = f" ({report.left_out:,} without a {lacking} left out)" if report.left_out else ""
    return f"{report.model} on {rows}{left}"


def _main_scores(report: Evaluation) -> str:
    """Return the scores to look at first, of the first target."""
    own = [each for each in report.scores if (each.method, each.target) == (MODEL, report.targets[0])]
    told = [f"{e.name} {measured(e.name, e.value)} ({span(e.name, e.low, e.high)})" for e in own if e.name in FIRST]
    return ", ".join(told) + ", each with its 95% interval"


def _wrapped(text: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def notes(report: Evaluation) -> list[str]:
    """Return how the numbers were made, and what the baselines are."""
    told = [f"{each.name.capitalize()}: {each.what} ({count(each.rows, 'row')})." for each in report.baselines]
    return [*report.notes, *told]


def _notes(report: Evaluation) -> str:
    lines = [line for each in notes(report) for line in _wrapped(each, "  ", "    ")]
    return "\n".join(["How these numbers were made", *lines])


def _grid(grid: Grid) -> str:
    rows = [grid.headings, *grid.rows]
    widths = _widths(rows, grid)
    lines = ["  ".join(_cell(row[i], widths[i], i in grid.right) for i in range(len(widths))).rstrip() for row in rows]
    note = _wrapped(grid.note, "  ", "  ") if grid.note else []
    return "\n".join([grid.title, *(f"  {line}" for line in lines), *note])


def _widths(rows: Sequence[Sequence[str]], grid: Grid) -> list[int]:
    """Return how wide each column is; the widest columns of text give way where the line would be too long."""
    widths = [max(_length(row[i]) for row in rows) for i in range(len(grid.headings))]
    while sum(widths) + 2 * len(widths) > WIDTH and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    return widths


def _cell(text: str, width: int, right: bool) -> str:
    while _length(text) > width:
        text = text.removesuffix("...")[:-1] + "..."
    gap = " " * (width - _length(text))
    return gap + text if right else text + gap


def _length(text: str) -> int:
    """Return how many columns a text takes: characters of Chinese, Japanese and Korean take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
