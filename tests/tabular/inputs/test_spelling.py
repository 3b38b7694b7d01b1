"""Categories that are numbers or flags, in files and frames that write them otherwise than the rows of fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

from fanin.tabular.inputs import Encoder
from fanin.tabular.inputs.unfamiliar import Unfamiliar

ROWS = 30
TRUTHS = [row % 3 == 0 for row in range(ROWS)]
CODES = [1 + row % 3 for row in range(ROWS)]


def fitted(column: Any) -> Encoder:
    return Encoder().fit(pandas.DataFrame({"a": np.arange(float(ROWS)), "x": column}))


def flags(encoder: Encoder, column: Any) -> tuple[Any, list[Unfamiliar]]:
    found: list[Unfamiliar] = []
    table = column if hasattr(column, "schema") else pandas.DataFrame({"a": np.arange(float(ROWS)), "x": column})
    return encoder.transform(table, found).flags, found


def written(yes: str, no: str) -> list[str]:
    return [yes if truth else no for truth in TRUTHS]


@pytest.mark.parametrize("learned", [("True", "False"), ("TRUE", "FALSE"), (" true", "false")])
@pytest.mark.parametrize(
    "new",
    [
        written("true", "false"),
        written("TRUE", "FALSE"),
        written("1", "0"),
        written("1.0", "0.0"),
        TRUTHS,
        pandas.Series(TRUTHS, dtype="boolean"),
        polars.DataFrame({"a": np.arange(float(ROWS)), "x": TRUTHS}),
        pyarrow.table({"a": np.arange(float(ROWS)), "x": TRUTHS}),
    ],
    ids=["lower", "upper", "digits", "floats", "flags", "boolean", "polars", "arrow"],
)
def test_true_and_false_are_known_however_they_are_written(learned: tuple[str, str], new: Any) -> None:
    encoder = fitted(written(*learned))
    expected, _ = flags(encoder, written(*learned))
    found, told = flags(encoder, new)
    assert np.array_equal(found, expected)
    assert told == []


@pytest.mark.parametrize(("learned", "new"), [("{}", "{}.0"), ("{}.0", "{}"), ("{}.0", "{}.00"), ("{}", " {}")])
def test_codes_with_and_without_decimals_are_the_same(learned: str, new: str) -> None:
    encoder = fitted([learned.format(code) for code in CODES])
    expected, _ = flags(encoder, [learned.format(code) for code in CODES])
    found, told = flags(encoder, [new.format(code) for code in CODES])
    assert np.array_equal(found, expected)
    assert np.unique(expected, axis=0).shape == (3, 3)
    assert told == []


def test_what_is_another_value_stays_unknown() -> None:
    for learned, new in (
        (written("True", "False"), written("yes", "no")),
        (written("yes", "no"), TRUTHS),
        ([str(code) for code in CODES], [str(code + 3) for code in CODES]),
        (["1.1", "1.10", "x"] * 10, ["1.100"] * ROWS),  # versions: of two levels it means none
        (["1", "2", "maybe"] * 10, ["true"] * ROWS),
        (["red", "blue", "green"] * 10, ["Red"] * ROWS),
    ):
        encoder = fitted(learned)
        missing, _ = flags(encoder, [None] * ROWS)
        found, told = flags(encoder, new)
        assert np.array_equal(found, missing)
        assert [(each.kind, each.rows) for each in told if each.kind == "category"] == [("category", ROWS)]


def test_flags_of_another_type_are_told_with_their_rows() -> None:
    frame = polars.DataFrame({"a": np.arange(float(ROWS)), "x": TRUTHS})
    (_, other) = flags(fitted(written("yes", "no")), frame)[1]
    assert (other.kind, other.rows) == ("type", ROWS)
    assert other.what == "flags where training rows have texts; each is the category that is written so"


def test_texts_are_the_flags_that_they_name() -> None:
    """As a file of text has those of a frame, or of Parquet."""
    encoder = fitted(TRUTHS)
    expected, _ = flags(encoder, TRUTHS)
    for new in (written("True", "False"), written("TRUE", "false "), written("1", "0.0")):
        found, (told,) = flags(encoder, new)
        assert np.array_equal(found, expected)
        assert told.what == "texts where training rows have flags; read as true and false"
    with pytest.raises(ValueError, match="'no' where true or false is expected"):
        flags(encoder, written("True", "no"))
