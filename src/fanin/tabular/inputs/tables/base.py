"""What an encoder asks of a table, whatever library it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fanin.tabular.inputs.summary import Floats

Storage = Literal["numbers", "flags", "dates", "values", "categories", "missing"]


@dataclass(frozen=True)
class Levels:
    """A column as indices (rows,) into its different values; -1 where missing by the library's own reckoning.

    Values may be missing ones or spell the same level twice (1, "1"): `cells` sorts that out for the few of them.
    """

    codes: NDArray[np.int64]
    values: list[Any]


class InputTable(ABC):
    """A table that is read by columns, by number.

    names:    one per column, or None for a table without names.
    storages: one per column:
      numbers     real numbers and durations (in seconds);
      flags       true and false;
      dates       dates and times;
      values      texts, or Python objects of whatever types;
      categories  levels, because the column's dtype says so;
      missing     nothing at all, by its dtype.
    """

    names: tuple[Hashable, ...] | None
    rows: int
    storages: tuple[Storage, ...]

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self.storages)

    @abstractmethod
    def numbers(self, columns: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return columns of numbers and flags as (rows, columns) of a real dtype, nan where missing."""

    @abstractmethod
    def days(self, column: int) -> Floats:
        """Return a column of dates as days since 1970 in UTC (a time of day as a part of one), nan where missing."""

    @abstractmethod
    def levels(self, column: int) -> Levels:
        """Return a column of values, categories, numbers or flags as indices into its different values."""

    def label(self, column: int) -> str:
        """Return how messages name a column.

        With duplicate names the number tells which it is.
        """
        if self.names is None:
            return f"column {column}"
        name = self.names[column]
        text = f'"{name}"' if isinstance(name, str) else repr(name)
        return f"column {text}" + (f" (number {column})" if name in self._repeated else "")

    @cached_property
    def _repeated(self) -> set[Hashable]:
        """The names that several columns have."""
        return {name for name, count in Counter(self.names).items() if count > 1}
