r"""Numbers that are written so that they are read as texts: 1.234,5, "1,234.50", 12 %, $3.20."""

from __future__ import annotations

from fanin.tabular.frames import polars

FEW = 9  # of so many different texts all become categories, be they numbers or not
_DIGITS = r"(?:\d{1,3}(?:[.,'\x{A0}\x{202F} ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|[.,]\d+)"
_UNIT = r"(?:[%$\x{20AC}\x{A3}\x{A5}]|USD|EUR|GBP|CHF|JPY|CNY|INR)"
_FIGURE = rf"^\s*[-+]?\s*(?:{_UNIT}\s*)?[-+]?{_DIGITS}\s*{_UNIT}?\s*$"
_SIGN = r"[,'%$\x{20AC}\x{A3}\x{A5}\x{A0}\x{202F}A-Z]|\d \d"  # what no number has that is read as one


def figures(frame: polars.DataFrame) -> dict[str, str]:
    """Return the columns of texts that look like numbers to people only, each with one of its texts.

    >>> prices = [f"{n},50" for n in range(10)]
    >>> figures(polars.DataFrame({"price": prices, "zip": [f"0{n}" for n in range(10)]}))
    {'price': '0,50'}
    """
    found: dict[str, str] = {}
    for series in frame.get_columns():
        if series.dtype != polars.String:
            continue
        known = series.drop_nulls()
        if known.n_unique() <= FEW or not known.str.contains(_FIGURE).all():
            continue
        telling = known.filter(known.str.contains(_SIGN))
        if len(telling):
            found[series.name] = telling[0]
    return found
