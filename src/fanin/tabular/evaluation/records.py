"""What a report holds: plain numbers and texts, before they are written as text or as a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["classes", "numbers"]
MODEL = "this model"  # the method of the scores that are the model's own


@dataclass(frozen=True)
class Score:
    """A score and its 95% interval.

    method: `MODEL`, or the name of a baseline.
    target: the name of the target.
    name:   of the measure.
    better: which values are better: "higher", "lower"; empty for a width or a coverage.
    """

    method: str
    target: str
    name: str
    value: float
    low: float
    high: float
    better: str = ""


@dataclass(frozen=True)
class Lead:
    """By how much the model is better than a baseline on the same rows, with its 95% interval; below 0 it is worse."""

    method: str
    target: str
    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Baseline:
    """What the model is compared with.

    rows: that it learned from.
    what: what it is, in a sentence.
    """

    name: str
    rows: int
    what: str


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found; nan where no row allows to say.

    rows:      of this class.
    predicted: rows that are said to be of it.
    """

    label: str
    rows: int
    predicted: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Confusion:
    """Which classes are taken for which.

    matrix:   rows are what is true, columns what is predicted; empty where there are too many classes to show.
    mistakes: the most frequent ones: true class, predicted class, rows.
    """

    classes: tuple[ClassScore, ...]
    matrix: tuple[tuple[int, ...], ...]
    mistakes: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class WorstRow:
    """A row that is predicted badly.

    row: its number in the table that was given, counted from 0.
    """

    row: int
    predicted: float
    actual: float


@dataclass(frozen=True)
class Residuals:
    """Errors (actual - predicted) of one target.

    quantiles: pairs of level and error.
    points:    predictions and errors, of some rows where there are many.
    """

    target: str
    mean: float
    spread: float
    quantiles: tuple[tuple[float, float], ...]
    worst: tuple[WorstRow, ...]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ColumnImportance:
    """By how much a score gets worse when a column's values are shuffled: mean and standard deviation of the repeats.

    share: the mean as a share of all columns' (negative ones count as 0).
    """

    column: str
    value: float
    spread: float
    share: float


@dataclass(frozen=True)
class Importance:
    """The columns, the most important first.

    measure: which score gets worse.
    rows:    on which it was measured.
    repeats: how often each column was shuffled.
    others:  columns of a wide table that were shuffled in groups only, which mattered less.
    """

    measure: str
    rows: int
    repeats: int
    columns: tuple[ColumnImportance, ...]
    others: int = 0


@dataclass(frozen=True)
class Copy:
    """A column that alone tells the target of rows that it was not learned from.

    score: with which balanced accuracy, or R2.
    """

    column: str
    score: float


@dataclass(frozen=True)
class Bin:
    """Rows of similar probability, or of one nominal coverage.

    said:  the mean of what the model says.
    found: the share of rows for which it is so, with its 95% interval.
    """

    said: float
    found: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Calibration:
    """Whether probabilities mean what they say.

    of:    what the probability is of.
    error: the expected calibration error.
    usual: up to which error 95 of 100 perfectly calibrated models would come on as many rows; nan for intervals.
    """

    of: str
    bins: tuple[Bin, ...]
    error: float
    usual: float


@dataclass(frozen=True)
class Finding:
    """A sentence that says what the numbers mean.

    kind:   a short name of the finding.
    level:  "good", "note" or "warning".
    cause:  what most likely lies behind it.
    remedy: what to do about it.
    """

    kind: str
    level: Literal["good", "note", "warning"]
    text: str
    cause: str = ""
    remedy: str = ""
