"""What a column of a file holds, as its values show."""

from __future__ import annotations

from collections.abc import Sequence

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


def of_no_header(names: Sequence[str]) -> str:
    """Return what to do where the names of columns look like a title, or like the values of a row; else nothing.

    >>> of_no_header(["Sales of 2024", "", ""]), of_no_header(["a", "a"]), of_no_header(["0", "1"])
    ('if the first line, "Sales of 2024", is a title or a comment, remove what stands above the header', '', '')
    >>> of_no_header(["5.1", "setosa"])
    'if the first line is a row and no header, write the names of the columns above it'
    """
    told = [name for name in names if name.strip()]
    if len(told) == 1 < len(names):
        return f'if the first line, "{told[0][:40]}", is a title or a comment, remove what stands above the header'
    # pandas numbers columns that have no names.
    if any(NUMBER.fullmatch(name) and name != str(place) for place, name in enumerate(names)):
        return "if the first line is a row and no header, write the names of the columns above it"
    return ""
