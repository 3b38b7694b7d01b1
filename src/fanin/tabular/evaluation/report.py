"""`Evaluation`: everything that was found about a model, as data, as text, and as a page."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from fanin._core.errors import MissingKeyError
from fanin.tabular.evaluation.records import (
    Baseline,
    Calibration,
    Confusion,
    Copy,
    Finding,
    Importance,
    Lead,
    Residuals,
    Score,
    Task,
)
from fanin.tabular.inputs.unfamiliar import Unfamiliar


@dataclass(frozen=True)
class Evaluation:
    """A report on a model, on rows that it was not trained on.

    task:        "classes" or "numbers".
    model:       the model's class.
    rows:        that the model is judged by; `left_out` have no target.
    trained_on:  rows for the baselines; None if there were none.
    targets:     their names.
    labels:      of the classes.
    findings:    what the numbers mean, the most important first.
    scores:      with 95% intervals, of the model and of each baseline.
    leads:       by how much the model is better than each baseline, with 95% intervals.
    confusion, residuals, calibration, importance: None or empty where they do not apply.
    copies:      columns that tell the target alone.
    repeated:    the share of the held-out rows that are training rows, too, with the same target; `repeated_usual` that
                 of the training rows that are there twice. 0 without training rows.
    notes:       how the numbers were made.
    effective_rows: as many rows of equal weight tell as much; None where all weigh the same.
    unfamiliar:  values that are unlike those that the model has learned from, column by column.
    """

    task: Task
    model: str
    rows: int
    left_out: int
    trained_on: int | None
    targets: tuple[str, ...]
    labels: tuple[str, ...]
    seed: int
    findings: tuple[Finding, ...]
    scores: tuple[Score, ...]
    leads: tuple[Lead, ...]
    baselines: tuple[Baseline, ...]
    confusion: Confusion | None
    residuals: tuple[Residuals, ...]
    calibration: Calibration | None
    importance: Importance | None
    copies: tuple[Copy, ...]
    repeated: float
    repeated_usual: float
    notes: tuple[str, ...]
    effective_rows: float | None = None
    unfamiliar: tuple[Unfamiliar, ...] = ()

    def text(self) -> str:
        """Return the report as plain text of at most 120 columns, for a terminal, a file or a pipe."""
        from fanin.tabular.evaluation.text import written

        return written(self)

    def html(self) -> str:
        """Return the report as one page that needs nothing else: styles and pictures are inside.

        Raises MissingExtraError (an ImportError) where jinja2 or matplotlib is not installed.
        """
        from fanin.tabular.evaluation.page import page

        return page(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dictionaries, lists, texts and numbers, as JSON has them; nan and infinity are None."""
        found: dict[str, Any] = _plain(asdict(self))
        return found

    def score(self, name: str, method: str = "this model", target: str | None = None) -> Score:
        """Return the score of this name; of several targets that of the first, unless one is asked for.

        Raises MissingKeyError (a KeyError) for a name that there is not.
        """
        for each in self.scores:
            if each.name == name and each.method == method and target in (None, each.target):
                return each
        there = ", ".join(dict.fromkeys(each.name for each in self.scores))
        raise MissingKeyError(f"no score {name!r} of {method!r}", remedy=f"Ask for one of these: {there}.")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
