"""What a search has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fanin._core.errors import OperationError


class Trials(list[dict[str, Any]]):
    """A record for each setting that was tried, the best first; prints as a table.

    A record has the `rank`, the number of the `trial`, the settings that were searched, the `rung` that it reached, the
    `epochs` there, the score (`log_loss`, `rmse`), the `seconds` of all rungs, and how it `ended`.

    >>> print(Trials([{"rank": 1, "hidden": (64, 64), "rmse": 0.25}, {"rank": 2, "hidden": (8,), "rmse": 1.5}]))
    rank  hidden  rmse
       1   64x64  0.25
       2       8   1.5
    """

    def __getitem__(self, place: Any) -> Any:
        """Return a record, or the table of some."""
        found = super().__getitem__(place)
        return Trials(found) if isinstance(place, slice) else found

    def __str__(self) -> str:
        """Return the table as text."""
        if not self:
            return "no settings were tried"
        names = list(self[0])
        cells = [names, *([_text(record.get(name)) for name in names] for record in self)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in cells)

    __repr__ = __str__

    def to_pandas(self) -> Any:
        """Return the table as a frame of pandas."""
        return import_module("pandas").DataFrame(list(self))

    def to_polars(self) -> Any:
        """Return the table as a frame of polars, in which widths are lists."""
        import polars

        rows = [{k: list(v) if isinstance(v, tuple) else v for k, v in record.items()} for record in self]
        return polars.DataFrame(rows, infer_schema_length=None)


@dataclass
class Search:
    """What a search has found.

    table:         a record for each setting that was tried, the best first.
    best_settings: those of the best, as `settings=` of the estimators takes them.
    stopped:       why the search ended: "finished", "time", "interrupted" or "callback".
    """

    table: Trials
    best_settings: Mapping[str, Any]
    stopped: str
    _fitted: Any = None

    @property
    def best_estimator_(self) -> Any:
        """The estimator with the best settings, trained on all rows.

        Raises RuntimeError where there is none: without `refit`, or after Ctrl-C.
        """
        if self._fitted is None:
            raise OperationError(
                f"the search was not followed by a fit (refit=False, or Ctrl-C: it ended as {self.stopped!r})",
                remedy="fit an estimator with settings=search.best_settings",
            )
        return self._fitted

    def __repr__(self) -> str:
        """Return the first rows of the table."""
        shown = self.table[:10]
        more = f"\n... and {len(self.table) - 10} more" if len(self.table) > 10 else ""
        return f"Search of {len(self.table)} settings, {self.stopped}:\n{shown}{more}"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return str(value)
