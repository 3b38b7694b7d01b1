"""Plain blocks of text: named lines, and tables with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


def facts(title: str, lines: Sequence[tuple[str, str]]) -> str:
    """Return a few named lines under a title.

    >>> print(facts("Task", [("rows", "10"), ("target", "price")]))
    Task
      rows    10
      target  price
    <BLANKLINE>
    """
    width = max(len(name) for name, _ in lines)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in lines), ""])


def grid(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return a table; `right` are the columns that are flush right.

    >>> print(grid("Columns", ("name", "missing"), [("a", "5"), ("price", "12")], right=(1,)))
    Columns
      name   missing
      a            5
      price       12
    <BLANKLINE>
    """
    every = [headings, *rows]
    widths = [max(len(row[place]) for row in every) for place in range(len(headings))]
    pads = [str.rjust if place in right else str.ljust for place in range(len(headings))]
    lines = [
        "  ".join(pad(*cell) for pad, cell in zip(pads, zip(row, widths, strict=True), strict=True)) for row in every
    ]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines), ""])


def show(*blocks: str) -> None:
    """Print blocks at once, so that they are read while a command goes on."""
    print("\n".join(blocks), flush=True)


def one_line(text: str) -> str:
    r"""Return a column's name as it may stand in a line: without what would break it.

    >>> one_line("two\nlines"), one_line("")
    ('two lines', '(no name)')
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "(no name)"


def count(number: int, what: str) -> str:
    """Return a number and what is counted.

    >>> count(1, "row"), count(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {what}" + "s" * (number != 1)
