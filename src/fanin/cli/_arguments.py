"""Types of arguments, and those that several commands have."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from fanin.tabular.files.reading import Reading

T = TypeVar("T")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def positive(text: str) -> int:
    """Return a whole number of 1 or more."""
    return _one_or_more(_read(int, text, "a whole number"))


def rate(text: str) -> float:
    """Return a number above 0."""
    value = _read(float, text, "a number")
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def seed(text: str) -> int:
    """Return a whole number that generators can begin with: from 0 to 2^32 - 1."""
    value = _read(int, text, "a whole number")
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {2**32 - 1}")
    return value


def share(text: str) -> float:
    """Return a share in [0, 1)."""
    value = _read(float, text, "a share as 0.2")
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more and below 1")
    return value


def seconds(text: str) -> float:
    """Return a time in seconds.

    >>> seconds("90"), seconds("1.5m"), seconds("2h")
    (90.0, 90.0, 7200.0)
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        value = float(number) * UNITS[unit]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 90, 90s, 5m or 1.5h") from None
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 seconds")
    return value


def mark(text: str) -> str:
    r"""Return a character, of which a tab is written as a shell can write it.

    >>> mark(";"), mark(r"\t")
    (';', '\t')
    """
    return "\t" if text == r"\t" else text


def add_marks(group: Any) -> None:
    """Add the options that say how a file is written; those that are not given are None."""
    group.add_argument("--separator", type=mark, metavar="MARK", help="between fields (default: what the header tells)")
    group.add_argument("--decimal", type=mark, metavar="MARK", help="before decimals, as a comma (default: a point)")
    group.add_argument("--thousands", type=mark, metavar="MARK", help="between thousands (default: none)")


def reading(arguments: argparse.Namespace, about: Mapping[str, Any] | None = None) -> Reading:
    """Return how a table is written: as the options say, and else as the one that a model has learned from."""
    from fanin.tabular.files.reading import Reading

    names = ("missing", "separator", "decimal", "thousands")
    return Reading.of(about or {}, *(getattr(arguments, name, None) for name in names))


def widths(text: str) -> tuple[int, ...]:
    """Return widths of layers.

    >>> widths("128,64")
    (128, 64)
    """
    found = _read(lambda listed: [int(width) for width in listed.split(",")], text, "a list of widths like 128,128,128")
    return tuple(_one_or_more(width) for width in found)


def _read(kind: Callable[[str], T], text: str, what: str) -> T:
    """Return a text as a kind of value; argparse itself would name the function that failed."""
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from None


def _one_or_more(value: int) -> int:
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value
