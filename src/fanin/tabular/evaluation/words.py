"""Numbers and labels as a reader sees them."""

from __future__ import annotations

import math
from typing import Any

MOST = 60
IN_UNITS = ("RMSE", "MAE", "width")  # measures in the units of the target


def label_text(value: Any) -> str:
    r"""Return a label or a column's name as one line of text that prints as it is.

    What would steer a terminal, break a line, turn the direction of writing or be no character at all is written as
    its code.

    >>> print(label_text("a" + chr(10) + "b"), label_text(1.0), label_text(""))
    a\nb 1.0 (empty)
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value)) or "(empty)"


def shortened(text: str, most: int = MOST) -> str:
    """Return a text of at most so many characters.

    >>> shortened("abcdefgh", 6)
    'abc...'
    """
    return text if len(text) <= most else text[: most - 3] + "..."


def number(value: float) -> str:
    """Write a number with about four digits that say something.

    >>> number(553.1901), number(12345.6), number(0.0123456), number(float("nan"))
    ('553.2', '12,346', '0.01235', '-')
    """
    if math.isnan(value):
        return "-"
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if not 1e-4 <= abs(value) < 1e9:
        return f"{value:.3e}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def measured(name: str, value: float) -> str:
    """Write a measure: one in the target's units with four digits, another with four places.

    >>> measured("RMSE", 0.00123456), measured("log-loss", 0.00123456), measured("R2", -1e-6)
    ('0.001235', '0.0012', '0.0000')
    """
    if name.startswith(IN_UNITS) or not math.isfinite(value):
        return number(value)
    return f"{round(value, 4) + 0.0:.4f}"  # + 0.0: no -0.0000


def span(name: str, low: float, high: float) -> str:
    """Write an interval of a measure.

    >>> span("accuracy", 0.25, 0.5), span("RMSE", 1200.0, 1500.0)
    ('0.2500..0.5000', '1,200..1,500')
    """
    if math.isnan(low) or math.isnan(high):
        return "-"
    return "..".join(measured(name, each) for each in (low, high))


def percent(share: float) -> str:
    """Write a share of something.

    >>> percent(0.7134), percent(0.9996), percent(float("nan"))
    ('71.3%', '99.96%', '-')
    """
    if math.isnan(share):
        return "-"
    return f"{share:.2%}" if 0.9995 <= share < 0.99995 else f"{share:.1%}"


def count(rows: int, what: str) -> str:
    """Write how many there are.

    >>> count(1, "row"), count(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{rows:,} {what}" if rows == 1 else f"{rows:,} {what}s"
