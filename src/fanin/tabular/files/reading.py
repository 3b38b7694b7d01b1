"""How a table is written where its file does not tell: what is missing, what separates, how numbers look."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanin._core.errors import ArgumentError
from fanin.tabular.frames import polars

SPACES = " \u00a0\u202f"  # between thousands, as people and programs of France and elsewhere write them
_TAKEN = re.compile(r"[0-9A-Za-z+\-\"\r\n]")


@dataclass(frozen=True)
class Reading:
    """How a table is written.

    missing:   texts that stand for a missing value, beside the empty field.
    separator: of a CSV file's fields; None for what its header has most of.
    decimal:   the mark before the decimals of a number.
    thousands: the mark between its groups of three digits; nothing for none; a space stands for those that do not
               break, too.

    >>> texts = polars.Series(["1.234,5", "-0,5", "12", "1.2.2024", "1,5 kg"])
    >>> Reading(decimal=",", thousands=".").plain(texts).to_list()
    ['1234.5', '-0.5', '12', '1.2.2024', '1,5 kg']
    """

    missing: tuple[str, ...] = ("",)
    separator: str | None = None
    decimal: str = "."
    thousands: str = ""

    def __post_init__(self) -> None:
        for name in ("separator", "decimal", "thousands"):
            mark = getattr(self, name)
            may_lack = {"separator": mark is None, "decimal": False, "thousands": mark == ""}[name]
            if not may_lack and (not isinstance(mark, str) or len(mark) != 1 or _TAKEN.match(mark)):
                raise ArgumentError(f'{name} is one character, as ",", and no letter, digit or sign, not {mark!r}')
        if self.decimal == self.thousands:
            raise ArgumentError(f"decimal and thousands are both {self.decimal!r}: numbers could not be read")
        if self.separator is not None and not self.separator.isascii():
            raise ArgumentError(f"separator is a character of ASCII, not {self.separator!r}")

    @classmethod
    def of(
        cls,
        about: Mapping[str, Any],
        missing: Sequence[str] | None = None,
        separator: str | None = None,
        decimal: str | None = None,
        thousands: str | None = None,
    ) -> Reading:
        """Return what is given, and for what is None what was kept of the table that a model has learned from.

        >>> Reading.of({"missing": ["NA"], "decimal": ","}, decimal=".")
        Reading(missing=('NA',), separator=None, decimal='.', thousands='')
        """
        given = {"missing": missing, "separator": separator, "decimal": decimal, "thousands": thousands}
        known = {name: about[name] for name in given if name in about}
        known |= {name: value for name, value in given.items() if value is not None}
        if thousands is None and known.get("thousands") == decimal:
            known.pop("thousands", None)  # what is given goes before what was kept
        texts = known.pop("missing", ("",))
        return cls(missing=(texts,) if isinstance(texts, str) else tuple(texts), **known)

    def about(self) -> dict[str, Any]:
        """Return what a saved model keeps: lists and texts, as JSON takes them.

        >>> Reading(missing=("NA",), decimal=",").about()
        {'missing': ['NA'], 'decimal': ','}
        """
        given = {name: getattr(self, name) for name in ("separator", "decimal", "thousands")}
        usual = Reading()
        return {"missing": list(self.missing)} | {k: v for k, v in given.items() if v != getattr(usual, k)}

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as 1234.5."""
        return self.decimal == "." and not self.thousands

    def plain(self, texts: polars.Series) -> polars.Series:
        """Return texts with their numbers written as 1234.5; what is no number stays as it is."""
        between, mark = f"[{re.escape(self._between)}]", re.escape(self.decimal)
        groups = rf"|[1-9][0-9]{{0,2}}(?:{between}[0-9]{{3}})+" if self.thousands else ""
        number = rf"^[ \t]*[+-]?(?:(?:0|[1-9][0-9]*{groups})(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*$"
        column = polars.lit(texts)
        read = column.str.replace_all(f"([0-9]){between}([0-9])", "${1}${2}") if self.thousands else column
        read = read.str.replace(self.decimal, ".", literal=True)
        return polars.select(polars.when(column.str.contains(number)).then(read).otherwise(column)).to_series()

    def doubtful(self, texts: polars.Series, plain: polars.Series) -> polars.Series:
        """Say which texts have a point that is neither of the marks, in a column where others were rewritten.

        >>> texts = polars.Series(["3,14", "1.234", "2"])
        >>> comma = Reading(decimal=",")
        >>> comma.doubtful(texts, comma.plain(texts)).to_list()
        [False, True, False]
        """
        same = (texts == plain).fill_null(True)
        if self.decimal == "." or same.all():
            return polars.repeat(False, len(texts), eager=True)
        return same & texts.str.contains(r"^[ \t]*[+-]?[0-9]*\.[0-9]+[ \t]*$").fill_null(False)

    @property
    def _between(self) -> str:
        return SPACES if self.thousands == " " else self.thousands
