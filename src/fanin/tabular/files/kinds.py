"""What a column of a file holds, as its values show."""

from __future__ import annotations

from fanin.tabular.frames import polars
from fanin.tabular.inputs.cells import NUMBER
from fanin.tabular.inputs.dates import DATE, OTHER_DATE

NUMBER_TEXT, DATE_TEXT = f"^(?:{NUMBER.pattern})$", f"^(?:{DATE.pattern}|{OTHER_DATE.pattern})$"


def kind_of(series: polars.Series) -> str:
    """Return "number", "flag", "date", "text", or "empty".

    >>> kind_of(polars.Series(["1", None, "2.5"])), kind_of(polars.Series(["1", "007"]))
    ('number', 'text')
    """
    known = series.drop_nulls()
    if not len(known):
        return "empty"
    if series.dtype == polars.Boolean:
        return "flag"
    if series.dtype.is_numeric():
        return "number"
    if series.dtype.is_temporal():
        return "date"
    if series.dtype == polars.String:
        for kind, pattern in (("number", NUMBER_TEXT), ("date", DATE_TEXT)):
            if known.str.contains(pattern).all():
                return kind
    return "text"
