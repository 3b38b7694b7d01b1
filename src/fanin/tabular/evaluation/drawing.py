"""The pictures of a report, by the section that they stand in."""

from __future__ import annotations

from collections.abc import Iterator

from fanin import plots
from fanin.tabular.evaluation.baselines import CONSTANT
from fanin.tabular.evaluation.records import Residuals
from fanin.tabular.evaluation.report import Evaluation
from fanin.tabular.evaluation.verdict import MEASURE
from fanin.tabular.evaluation.words import percent, shortened

MOST_BARS = 25


def drawn(report: Evaluation) -> Iterator[tuple[str, str]]:
    """Yield the key of a section and an SVG text that stands in it."""
    yield from _leads(report)
    for number, each in enumerate(report.residuals):
        yield from _residuals(each, number, len(report.residuals) > 1)
    yield from _importance(report)
    yield from _calibration(report)


def _leads(report: Evaluation) -> Iterator[tuple[str, str]]:
    name = MEASURE[report.task]
    for number, target in enumerate(report.targets):
        here = [e for e in report.leads if (e.name, e.target) == (name, target) and e.low == e.low]
        here = [
            each for each in here if each.method != CONSTANT
        ] or here  # which is so far off that it hides the others
        if here:
            axis = f"better by ({name}" + (f" of {shortened(target, 30)})" if len(report.targets) > 1 else ")")
            names = [f"than {each.method}" for each in here]
            values = [each.value for each in here], [each.low for each in here], [each.high for each in here]
            yield "leads", plots.leads(names, *values, f"leads{number}", axis)


def _residuals(each: Residuals, number: int, several: bool) -> Iterator[tuple[str, str]]:
    of = f" of {shortened(each.target, 30)}" if several else ""
    predicted, errors = [x for x, _ in each.points], [y for _, y in each.points]
    label = f"Errors{of} against predictions, {len(errors):,} rows"
    yield (
        "residuals",
        plots.scatter(predicted, errors, f"errors{number}", f"predicted{of}", "actual - predicted", label),
    )
    label = f"How often errors{of} of each size occur, {len(errors):,} rows"
    yield "residuals", plots.histogram(errors, f"sizes{number}", f"actual - predicted{of}", label)


def _importance(report: Evaluation) -> Iterator[tuple[str, str]]:
    if report.importance is None:
        return
    found = report.importance.columns[:MOST_BARS]
    names, values = [each.column for each in found], [each.value for each in found]
    axis = f"{report.importance.measure} rises by"
    yield "importance", plots.bars(names, values, [each.spread for each in found], "columns", axis)


def _calibration(report: Evaluation) -> Iterator[tuple[str, str]]:
    found = report.calibration
    if found is None or not found.bins:
        return
    said, so = [each.said for each in found.bins], [each.found for each in found.bins]
    ends = [each.low for each in found.bins], [each.high for each in found.bins]
    told = ", ".join(f"{percent(each.said)}: {percent(each.found)}" for each in found.bins)
    if report.task == "numbers":
        yield "calibration", plots.coverage(said, so, *ends, "coverage", f"Coverage of intervals, meant: found. {told}")
        return
    label = f"Share of rows for which it is so, by probability of {found.of}. {told}"
    rows = [each.rows for each in found.bins]
    yield "calibration", plots.reliability(said, so, *ends, rows, "calibration", label)
