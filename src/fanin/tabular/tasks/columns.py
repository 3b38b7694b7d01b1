"""The columns that are learned from: read as what all of their values are, and told before training.

Texts that are numbers in all rows become numbers; all else the encoder decides from the values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fanin.tabular.files.kinds import kind_of
from fanin.tabular.frames import polars
from fanin.tabular.inputs import Encoder
from fanin.tabular.tasks.target import as_numbers

ROW_NUMBER_NAMES = ("", "id", "index", "row", "rowid", "row_id", "rownames", "rownumber", "row_number")
INDEX_NAMES = ("unnamed: 0", "__index_level_0__")  # as pandas writes the index of a frame that has none of its own


@dataclass(frozen=True)
class ColumnTold:
    """What is known of a column before training.

    kind:     "number", "flag", "date", "category" or "left out".
    missing:  rows without a value; distinct: different values.
    becomes:  what networks are given, or why it is left out.
    """

    name: str
    kind: str
    missing: int
    distinct: int
    becomes: str


def typed(frame: polars.DataFrame, categories: Collection[str]) -> polars.DataFrame:
    """Return the frame with numbers for texts that are numbers in all rows, and categories where they are asked for.

    >>> frame = polars.DataFrame({"a": ["1", None, "2.5"], "b": ["1", "two", "3"], "c": ["7", "8", "7"]})
    >>> typed(frame, ["c"]).dtypes
    [Float64, String, Categorical]
    """
    return frame.with_columns(_typed(column, column.name in categories) for column in frame.get_columns())


def _typed(column: polars.Series, as_category: bool) -> polars.Series:
    if as_category:
        texts = column.cast(polars.String)
        return texts.cast(polars.Categorical)
    if column.dtype != polars.String or kind_of(column) != "number":
        return column
    numbers = as_numbers(column)
    return numbers if numbers.null_count() == column.null_count() else column


def row_numbers(frame: polars.DataFrame) -> list[str]:
    """Return the columns that only count the rows, by their names and values.

    >>> row_numbers(polars.DataFrame({"id": ["4", "5", "6"], "a": [1, 2, 3], "Unnamed: 0": [7, 3, 9]}))
    ['id', 'Unnamed: 0']
    """
    return [column.name for column in frame.get_columns() if _counts_rows(column)]


def _counts_rows(column: polars.Series) -> bool:
    name = column.name.strip().casefold()
    if name not in (*ROW_NUMBER_NAMES, *INDEX_NAMES) or column.null_count():
        return False
    numbers = as_numbers(column)
    if name in INDEX_NAMES and not numbers.null_count():  # with gaps, where rows have been chosen
        return bool((numbers == numbers.round()).all()) and numbers.n_unique() == len(numbers)
    steps = numbers.diff().drop_nulls()
    return len(steps) == len(column) - 1 and bool((steps == 1).all())


def told(frame: polars.DataFrame, learned: polars.DataFrame, left_out: Mapping[str, str]) -> tuple[ColumnTold, ...]:
    """Tell the columns of a frame.

    Args:
        frame: all rows.
        learned: the typed columns of the rows that are learned from.
        left_out: columns that are not learned from, and why.
    """
    found = {column.name: column for column in Encoder().fit(learned).describe()} if learned.width else {}
    columns = []
    for series in frame.get_columns():
        name = series.name
        if name in left_out:
            kind, becomes = "left out", left_out[name]
        else:
            kind, becomes = found[name].kind, found[name].becomes
            becomes = found[name].note if kind == "left out" else becomes
        columns.append(ColumnTold(name, kind, series.null_count(), series.drop_nulls().n_unique(), becomes))
    return tuple(columns)
