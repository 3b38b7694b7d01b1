"""The tables of a report, which text and page share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fanin.tabular.evaluation.records import MODEL, Residuals, Score
from fanin.tabular.evaluation.report import Evaluation
from fanin.tabular.evaluation.verdict import MEASURE
from fanin.tabular.evaluation.words import measured, number, percent, shortened, span

MOST_COLUMNS = 40
MOST_CLASSES = 40


@dataclass(frozen=True)
class Grid:
    """A table: rows of texts; those columns in `right` are flush right, being numbers. The first column names a row.

    key: a short name, which the page puts a picture beside.
    """

    key: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    note: str = ""


def grids(report: Evaluation) -> list[Grid]:
    """Return the tables in the order in which they are read."""
    return [
        *_scores(report),
        *_leads(report),
        *_confusion(report),
        *_residuals(report),
        *_importance(report),
        *_calibration(report),
    ]


def _title(report: Evaluation, title: str, target: str) -> str:
    return f"{title}: {shortened(target)}" if len(report.targets) > 1 else title


def _scores(report: Evaluation) -> Iterator[Grid]:
    methods = [MODEL, *(each.name for each in report.baselines)]
    for target in report.targets:
        here = [each for each in report.scores if each.target == target]
        by = {(each.method, each.name): each for each in here}
        names = [each.name for each in here if each.method == MODEL]
        others = methods[1:]
        rows = tuple(_score_row(by[MODEL, name], [by.get((other, name)) for other in others]) for name in names)
        headings = ("", MODEL, "95% interval", *others)
        note = "Lower is better for " + ", ".join(n for n in names if by[MODEL, n].better == "lower") + "."
        right = frozenset(range(1, len(headings)))
        yield Grid("scores", _title(report, "Scores", target), headings, rows, right, note)


def _score_row(own: Score, others: list[Score | None]) -> tuple[str, ...]:
    rest = ["" if each is None else measured(each.name, each.value) for each in others]
    return (own.name, measured(own.name, own.value), span(own.name, own.low, own.high), *rest)


def _leads(report: Evaluation) -> Iterator[Grid]:
    for target in report.targets:
        here = [each for each in report.leads if each.target == target]
        names = [MEASURE[report.task], *(["accuracy"] if report.task == "classes" else ["MAE"])]
        rows = [
            (
                each.method,
                each.name,
                measured(each.name, each.value),
                span(each.name, each.low, each.high),
                _sure(each.low, each.high),
            )
            for name in names
            for each in here
            if each.name == name
        ]
        if rows:
            headings = ("than", "in", "better by", "95% interval", "")
            title = _title(report, "How much better than the baselines, on the same rows", target)
            yield Grid("leads", title, headings, tuple(rows), frozenset({2, 3}))


def _sure(low: float, high: float) -> str:
    return "better" if low > 0 else "worse" if high < 0 else "no clear difference"


def _confusion(report: Evaluation) -> Iterator[Grid]:
    found = report.confusion
    if found is None:
        return
    rows = [
        (
            each.label,
            f"{each.rows:,}",
            f"{each.predicted:,}",
            *(measured("", e) for e in (each.precision, each.recall, each.f1)),
        )
        for each in sorted(found.classes, key=lambda each: -each.rows)[:MOST_CLASSES]
    ]
    more = len(found.classes) - len(rows)
    note = f"and {more:,} classes with fewer rows" if more else ""
    headings = ("class", "rows", "predicted", "precision", "recall", "F1")
    yield Grid("classes", "Class by class", headings, tuple(rows), frozenset(range(1, 6)), note)
    if found.matrix:
        labels = [each.label for each in found.classes]
        counts = tuple((label, *map("{:,}".format, row)) for label, row in zip(labels, found.matrix, strict=True))
        title = "Confusion: rows are what is true, columns what is predicted"
        yield Grid("confusion", title, ("true", *labels), counts, frozenset(range(1, len(labels) + 1)))
    elif found.mistakes:
        mistakes = tuple((true, said, f"{rows:,}") for true, said, rows in found.mistakes)
        yield Grid("mistakes", "Most frequent confusions", ("true", "predicted", "rows"), mistakes, frozenset({2}))


def _residuals(report: Evaluation) -> Iterator[Grid]:
    for each in report.residuals:
        yield _quantiles(report, each)
        worst = tuple(
            (f"{w.row:,}", number(w.predicted), number(w.actual), number(w.actual - w.predicted)) for w in each.worst
        )
        title = _title(report, "Rows that are predicted worst", each.target)
        headings = ("row", "predicted", "actual", "error")
        yield Grid("worst", title, headings, worst, frozenset(range(4)), "Rows are counted from 0 in the table given.")


def _quantiles(report: Evaluation, each: Residuals) -> Grid:
    headings = ("", "mean", "std", *(f"{level:.0%}" for level, _ in each.quantiles))
    row = ("error", number(each.mean), number(each.spread), *(number(value) for _, value in each.quantiles))
    title = _title(report, "Errors: actual - predicted", each.target)
    return Grid("residuals", title, headings, (row,), frozenset(range(1, len(headings))))


def _importance(report: Evaluation) -> Iterator[Grid]:
    found = report.importance
    if found is None:
        return
    shown = found.columns[:MOST_COLUMNS]
    rows = tuple(
        (e.column, measured(found.measure, e.value), measured(found.measure, e.spread), percent(e.share)) for e in shown
    )
    more = len(found.columns) - len(shown) + found.others
    note = f"and {more:,} columns of less importance" if more else ""
    headings = ("column", f"{found.measure} rises by", "+-", "share")
    yield Grid("importance", "Importance of columns", headings, rows, frozenset({1, 2, 3}), note)


def _calibration(report: Evaluation) -> Iterator[Grid]:
    found = report.calibration
    if found is None:
        return
    classes = report.task == "classes"
    rows = tuple(
        (percent(e.said), percent(e.found), f"{percent(e.low)}..{percent(e.high)}", f"{e.rows:,}") for e in found.bins
    )
    headings = ("mean probability" if classes else "meant", "share that is so" if classes else "covered", "95%", "rows")
    title = f"Calibration: the probability of {found.of}" if classes else "Coverage of intervals"
    yield Grid("calibration", title, headings, rows, frozenset(range(4)))
