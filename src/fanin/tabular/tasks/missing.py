"""Texts that mostly stand for a missing value, in files that do not leave the field empty."""

from __future__ import annotations

from fanin.tabular.frames import polars

# As R, pandas, spreadsheets and databases write them, and what the UCI repository has; without spaces around them.
STAND_INS = ("", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")


def stand_ins(frame: polars.DataFrame) -> dict[str, list[str]]:
    """Return the texts of a frame that may stand for a missing value, with the names of the columns that have them.

    >>> stand_ins(polars.DataFrame({"a": ["1", "NA", None], "b": ["x", "NA", " ?"], "c": ["x", "y", "z"]}))
    {'NA': ['a', 'b'], ' ?': ['b']}
    """
    found: dict[str, list[str]] = {}
    for series in frame.get_columns():
        if series.dtype != polars.String:
            continue
        alike = series.filter(series.str.strip_chars().is_in(STAND_INS).fill_null(False))
        for text in alike.unique(maintain_order=True).to_list():
            found.setdefault(text, []).append(series.name)
    return found
