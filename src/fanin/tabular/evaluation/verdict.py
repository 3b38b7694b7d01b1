"""What the numbers of a report mean, in plain words, with cause and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from fanin.tabular.evaluation.baselines import CONSTANT, LINEAR, TREES
from fanin.tabular.evaluation.records import MODEL, Finding, Lead, Score
from fanin.tabular.evaluation.report import Evaluation
from fanin.tabular.evaluation.words import count, measured, number, percent, shortened, span

MEASURE = {"classes": "log-loss", "numbers": "RMSE"}
NEARLY_PERFECT = 0.995  # accuracy or R2
SURELY_PERFECT = {"accuracy": 0.98, "R2": 0.999}  # the lower end of the interval
FEW_ROWS = 100


def findings(report: Evaluation, known: int) -> tuple[Finding, ...]:
    """Return what is worth saying of a report; `known` is the number of labels that the model knows."""
    return tuple(
        chain(
            *(_against_baselines(report, target) for target in report.targets),
            _too_good(report),
            _repeated(report),
            _unknown_classes(report, known),
            _one_class(report),
            _never_predicted(report, known),
            _probabilities(report),
            _coverage(report),
            _bias(report),
            _no_column(report),
            _unfamiliar(report),
            _few_rows(report),
        )
    )


# Baselines ------------------------------------------------------------------------------------------------------------


def _against_baselines(report: Evaluation, target: str) -> Iterator[Finding]:
    measure = MEASURE[report.task]
    leads = {each.method: each for each in report.leads if (each.name, each.target) == (measure, target)}
    where = f"{shortened(target)}: " if len(report.targets) > 1 else ""
    if CONSTANT in leads and not leads[CONSTANT].low > 0:
        yield _like_a_constant(leads, where)
        return
    if TREES in leads:
        yield _against_trees(leads[TREES], where, report)
    if LINEAR in leads:
        yield _against_linear(leads[LINEAR], where, report)
    if CONSTANT in leads and len(leads) == 1:
        yield Finding("better than a constant", "good", f"{where}Better than a constant by {_lead(leads[CONSTANT])}.")


def _lead(lead: Lead) -> str:
    return f"{measured(lead.name, abs(lead.value))} {lead.name} (95%: {_span(lead)})"


def _span(lead: Lead) -> str:
    """Return the interval in the direction of the words: of how much better, or of how much worse."""
    low, high = (lead.low, lead.high) if lead.value >= 0 else (-lead.high, -lead.low)
    return span(lead.name, low, high)


def _like_a_constant(leads: dict[str, Lead], where: str) -> Finding:
    ours = leads[CONSTANT]
    clearly = ours.high < 0
    better = [each for name, each in leads.items() if name != CONSTANT and ours.low <= 0 and each.high < 0]
    cause = "The columns may hold nothing about the target, or the rows of X and y may be in different orders."
    remedy = "Check that X and y belong together, row by row; add columns that could tell, or more rows."
    if better:
        cause = f"Better than it: {better[0].method}. So the columns do hold something, and the training has failed."
        remedy = 'Train longer, or with preset="default" or "best" and without epochs and learning_rate of your own.'
    text = f"Worse than a constant by {_lead(ours)}." if clearly else f"No better than a constant: {_either(ours)}."
    return Finding("no better than a constant", "warning", where + text, cause, remedy)


def _either(lead: Lead) -> str:
    word = "better" if lead.value >= 0 else "worse"
    return f"{measured(lead.name, abs(lead.value))} {lead.name} {word} (95%: {_span(lead)})"


def _against_trees(lead: Lead, where: str, report: Evaluation) -> Finding:
    if lead.low > 0:
        return Finding("better than trees", "good", f"{where}Better than boosted trees by {_lead(lead)}.")
    if not lead.high < 0:
        rows = count(report.rows, "row")
        return Finding(
            "like trees", "note", f"{where}As good as boosted trees, as far as {rows} can tell: {_either(lead)}."
        )
    return Finding(
        "worse than trees",
        "warning",
        f"{where}Worse than boosted trees by {_lead(lead)}.",
        "Trees suit targets that jump at thresholds, and columns that say nothing; or the training was too short.",
        'Try preset="best", more epochs or a longer time_limit; leave out columns without importance.',
    )


def _against_linear(lead: Lead, where: str, report: Evaluation) -> Finding:
    if lead.low > 0:
        return Finding("better than linear", "good", f"{where}Better than a linear model by {_lead(lead)}.")
    text = (
        f"Worse than a linear model by {_lead(lead)}"
        if lead.high < 0
        else f"No better than a linear model: {_either(lead)}"
    )
    level = "warning" if lead.high < 0 else "note"
    return Finding(
        "no better than linear",
        level,  # type: ignore[arg-type]
        f"{where}{text}.",
        "The target may follow the columns in straight lines, or the rows may be too few to learn more from.",
        "Where that stays so with more rows, take the linear model: it is simpler and can be read.",
    )


# Too good to be true --------------------------------------------------------------------------------------------------


KNOWN = "Ask of each column whether it is known when predictions are made; leave out what is not; train anew."


def _too_good(report: Evaluation) -> Iterator[Finding]:
    name = "accuracy" if report.task == "classes" else "R2"
    if report.copies:
        yield _copied(report)
        return
    for method in (MODEL, *(each.name for each in report.baselines)) if _could_be_wrong(report) else ():
        perfect = [s for s in report.scores if (s.name, s.method) == (name, method) and _nearly_perfect(s)]
        if perfect:
            told = f"{name} {measured(name, perfect[0].value)}"
            who = "Nearly" if method == MODEL else f"With {method} nearly"
            text = f"{who} perfect ({told}): do some columns hold the target in other words?"
            yield Finding("nearly perfect", "note", text, _who_carries(report), KNOWN)
            return


def _copied(report: Evaluation) -> Finding:
    measure = "balanced accuracy" if report.task == "classes" else "R2"
    first = report.copies[0]
    more = len(report.copies) - 1
    also = f", and so {'does' if more == 1 else 'do'} {count(more, 'more column')}" if more else ""
    return Finding(
        "copy of the target",
        "warning",
        f'"{shortened(first.column)}" alone tells the target ({measure} {measured("", first.score)}){also}.',
        "It may be the target in other words, or be known only after it.",
        KNOWN,
    )


def _nearly_perfect(score: Score) -> bool:
    """Say whether a score is nearly perfect, and not so by chance."""
    return score.value >= NEARLY_PERFECT and score.low >= SURELY_PERFECT[score.name]


def _could_be_wrong(report: Evaluation) -> bool:
    """Say whether it is an achievement: where one class has nearly all rows, it is none."""
    if report.confusion is None:
        return True
    return max(each.rows for each in report.confusion.classes) / report.rows < 0.98


def _who_carries(report: Evaluation) -> str:
    if report.importance is None:
        return "No column tells it alone."
    columns = report.importance.columns[:3]
    named = ", ".join(f'"{shortened(each.column, 30)}" {percent(each.share)}' for each in columns)
    return f"No column tells it alone; the most important ones are {named}."


def _repeated(report: Evaluation) -> Iterator[Finding]:
    if report.repeated > 2 * report.repeated_usual + 0.01:
        yield Finding(
            "repeated rows",
            "warning",
            f"{percent(report.repeated)} of the held-out rows are among the training rows, too, with the same target.",
            f"Of the training rows only {percent(report.repeated_usual)} have a double, so that this is no chance.",
            "Split the table so that no row is on both sides; the scores flatter the model as it is.",
        )


# Classes --------------------------------------------------------------------------------------------------------------


def _unknown_classes(report: Evaluation, known: int) -> Iterator[Finding]:
    if report.confusion is None or len(report.labels) == known:
        return
    unknown = report.confusion.classes[known:]
    rows = sum(each.rows for each in unknown)
    named = ", ".join(f'"{shortened(each.label, 30)}"' for each in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    yield Finding(
        "unknown classes",
        "warning",
        f"{count(rows, 'row')} of classes that the model does not know: {named}.",
        "No training row had them, so that every such row counts as wrong, and its log-loss as large as can be.",
        "Have rows of every class in training, or leave these rows out.",
    )


def _one_class(report: Evaluation) -> Iterator[Finding]:
    if report.confusion is None:
        return
    there = [each for each in report.confusion.classes if each.rows]
    if len(there) == 1:
        yield Finding(
            "one class",
            "warning",
            f'All held-out rows are of the class "{shortened(there[0].label)}": they tell nothing of the others.',
            "The table may be sorted by the target, so that its end has one class only.",
            "Hold out rows drawn at random, or as many of each class as it has in the table.",
        )


def _never_predicted(report: Evaluation, known: int) -> Iterator[Finding]:
    if report.confusion is None:
        return
    never = [each for each in report.confusion.classes[:known] if each.rows and not each.predicted]
    if never:
        named = ", ".join(f'"{shortened(each.label, 30)}" ({count(each.rows, "row")})' for each in never[:5])
        more = f" and {len(never) - 5:,} more" if len(never) > 5 else ""
        yield Finding(
            "never predicted",
            "warning",
            f"Never predicted: {named}{more}.",
            "Classes with few rows are rarely the likeliest one.",
            'Train with class_weight="balanced" if they matter as much as the others, or use predict_proba.',
        )


def _probabilities(report: Evaluation) -> Iterator[Finding]:
    found = report.calibration
    if report.task != "classes" or found is None or not found.bins:
        return
    usual = f"a perfectly calibrated model would mostly stay below {measured('', found.usual)} on so many rows"
    if found.error <= max(found.usual, 0.02):
        text = f"Probabilities mean what they say: calibration error {measured('', found.error)}; {usual}."
        yield Finding("calibrated", "good", text)
        return
    weights = np.array([each.rows for each in found.bins])
    gaps = np.array([each.said - each.found for each in found.bins])
    sides = np.array([1.0 if len(report.labels) > 2 or each.said >= 0.5 else -1.0 for each in found.bins])
    too = "extreme" if (weights * gaps * sides).sum() > 0 else "timid"
    yield Finding(
        "not calibrated",
        "warning" if found.error > 0.05 else "note",
        f"Probabilities are too {too}: calibration error {measured('', found.error)}; {usual}.",
        "The held-out rows may be of another kind than the training rows, or too few rows have calibrated the model.",
        'Hold out rows drawn at random; train with a larger validation_fraction, or with preset="best".',
    )


# Numbers --------------------------------------------------------------------------------------------------------------


def _coverage(report: Evaluation) -> Iterator[Finding]:
    if report.task != "numbers" or report.calibration is None:
        return
    at = next(each for each in report.calibration.bins if each.said == 0.9)
    covered = f"{percent(at.found)} of the rows (95%: {percent(at.low)}..{percent(at.high)})"
    if at.low <= 0.9 <= at.high or abs(at.found - 0.9) < 0.02:
        yield Finding("coverage", "good", f"The 90% interval covers {covered}.")
    elif at.found < 0.9:
        yield Finding(
            "too narrow",
            "warning",
            f"The 90% interval covers {covered} where 90% was meant.",
            "The held-out rows differ from the training rows (later, from other places or sources), or these were few.",
            "Hold out rows drawn at random, or train on rows as new as those to predict; or ask for a higher coverage.",
        )
    else:
        yield Finding(
            "too wide",
            "note",
            f"The 90% interval covers {covered}: it is wider than it needs to be.",
            "Errors are smaller on these rows than on those that the intervals were made from.",
            "Train with quantiles=(0.05, 0.5, 0.95), so that widths follow the rows.",
        )


def _bias(report: Evaluation) -> Iterator[Finding]:
    for each in report.residuals if report.rows >= 10 else ():
        if abs(each.mean) > max(0.1, 1.96 / np.sqrt(report.effective_rows or report.rows)) * each.spread:
            way = "low" if each.mean > 0 else "high"
            where = f"{shortened(each.target)}: " if len(report.residuals) > 1 else ""
            yield Finding(
                "biased",
                "warning" if abs(each.mean) > 0.25 * each.spread else "note",
                f"{where}Predictions are too {way} by {number(abs(each.mean))} on average.",
                "The target may have another level on these rows than on the training rows, as prices that rise have.",
                "Train on rows as new as those to predict, or add the columns that tell the difference.",
            )


# Columns and rows -----------------------------------------------------------------------------------------------------


def _no_column(report: Evaluation) -> Iterator[Finding]:
    found = report.importance
    if (
        found is None
        or found.others
        or any(each.value > 2 * each.spread and each.value > 1e-9 for each in found.columns)
    ):
        return
    yield Finding(
        "no column matters",
        "warning",
        f"No column matters clearly: shuffling any of them changes {found.measure} by no more than chance does.",
        "The columns say nothing about the target, or several say the same, so that each can be done without.",
    )


def _unfamiliar(report: Evaluation) -> Iterator[Finding]:
    """Tell of columns with values unlike those of training, unless these are single rows."""
    found = [each for each in report.unfamiliar if each.rows > max(1, 0.01 * report.rows)]
    if found:
        more = f"; and so {count(len(found) - 1, 'more column')}" if len(found) > 1 else ""
        yield Finding(
            "unfamiliar values",
            "note",
            f"Unlike the training rows: {found[0]}{more}.",
            "The held-out rows may be of another time or source than the training rows.",
            "Train on rows such as these, or see why the column is another; such rows may be predicted badly.",
        )


def _few_rows(report: Evaluation) -> Iterator[Finding]:
    if report.rows < FEW_ROWS:
        yield Finding(
            "few rows",
            "note",
            f"Only {count(report.rows, 'held-out row')}: intervals are wide, and a few rows can turn any comparison.",
            remedy="Hold out more rows, or judge by cross-validation.",
        )
