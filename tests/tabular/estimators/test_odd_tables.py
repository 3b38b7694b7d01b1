"""Odd tables and targets, as strangers bring them: each is learned as what it says, or refused in a clear sentence."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from scipy import sparse

from fanin.tabular import TabularClassifier, TabularRegressor

QUICK: dict[str, Any] = {"preset": "fast", "epochs": 1, "hidden": (4,), "random_state": 0}
ROWS = 30
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 2))
COUNTS = RNG.permutation(ROWS).astype(float)  # whole numbers, all different
GAPS = np.where(COUNTS % 5 == 0, np.nan, COUNTS)
Y = X[:, 0]
LABELS = np.where(Y > 0, "up", "down")
DAY = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
DATES = np.datetime64("2020-01-01") + COUNTS.astype(int)
TEXTS = ["NA", "nan", ""] * (ROWS // 3)


def beside(column: Any) -> Any:
    """Return a frame with a plain column and another."""
    return pandas.DataFrame({"a": X[:, 0], "b": column})


def in_polars(column: Any) -> Any:
    return polars.DataFrame({"a": X[:, 0], "b": column})


def in_arrow(column: Any) -> Any:
    return pyarrow.table({"a": X[:, 0], "b": column})


def objects(column: list[Any]) -> Any:
    return beside(pandas.Series(column, dtype=object))


def read_only(array: Any) -> Any:
    array = array.copy()
    array.setflags(write=False)
    return array


def known(convert: Callable[[int], Any]) -> list[Any]:
    """Return the numbers with gaps, each known one converted."""
    return [None if np.isnan(value) else convert(int(value)) for value in GAPS]


# An odd table, and a plain one that says the same.
SAME: dict[str, tuple[Any, Any]] = {
    "nested lists": (X.tolist(), X),
    "tuples of several types": ([*zip(COUNTS.tolist(), LABELS.tolist(), strict=True)], beside(LABELS).assign(a=COUNTS)),
    "Decimal": (objects(known(Decimal)), beside(GAPS)),
    "signalling NaN": (objects([Decimal("sNaN") if v is None else v for v in known(Decimal)]), beside(GAPS)),
    "Fraction": (objects(known(lambda value: Fraction(value, 1))), beside(GAPS)),
    "durations": (objects(known(lambda value: datetime.timedelta(seconds=value))), beside(GAPS)),
    "durations of pandas": (beside(pandas.to_timedelta(GAPS, unit="s")), beside(GAPS)),
    "dates with a zone": (objects([DAY + datetime.timedelta(days=day) for day in COUNTS]), beside(DATES)),
    "floats among objects": (objects(COUNTS.tolist()), beside(COUNTS)),
    "whole numbers with gaps": (beside(pandas.array(known(int), dtype="Int64")), beside(GAPS)),
    "numbers as texts": (objects(known(str)), beside(GAPS)),
    "masked": (np.ma.masked_array(X, mask=X > 1), np.where(X > 1, np.nan, X)),
    "masked whole numbers": (
        np.ma.masked_array(COUNTS.astype(int)[:, None], mask=(COUNTS % 5 == 0)[:, None]),
        GAPS[:, None],
    ),
    "read-only": (read_only(X), X),
    "Fortran's order": (np.asfortranarray(X), X),
    "backwards": (X[::-1][::-1], X),
    "big-endian": (X.astype(">f8"), X),
    "float16": (X.astype(np.float16), X.astype(np.float16).astype(float)),
    "long doubles": (X.astype(np.longdouble), X),
    "tiny": (COUNTS[:, None] * 2.0**-900, COUNTS[:, None]),
    "minus zero": (np.where(X > 0, X, -0.0), np.where(X > 0, X, 0.0)),
    "sparse columns of pandas": (pandas.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X)), pandas.DataFrame(X)),
    "repeated index": (pandas.DataFrame(X, index=[0] * ROWS), X),
    "index of two levels": (pandas.DataFrame(X, pandas.MultiIndex.from_product([range(ROWS // 2), list("ab")])), X),
    "names of two levels": (pandas.DataFrame(X, columns=pandas.MultiIndex.from_tuples([("a", 1), ("a", 2)])), X),
    "names that are numbers": (pandas.DataFrame(X), X),
    "names that are pairs": (pandas.DataFrame({("a", 1): X[:, 0], ("b", 2): X[:, 1]}), X),
    "Enum": (in_polars(polars.Series(LABELS.tolist(), dtype=polars.Enum(["up", "down"]))), beside(LABELS)),
    "Decimal of polars": (in_polars(known(Decimal)), beside(GAPS)),
    "dictionary of Arrow": (in_arrow(pyarrow.array(LABELS.tolist()).dictionary_encode()), beside(LABELS)),
    "dictionary in pandas": (
        beside(
            pandas.Series(
                LABELS.tolist(), dtype=pandas.ArrowDtype(pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))
            )
        ),
        beside(LABELS),
    ),
    "half precision of Arrow": (in_arrow(pyarrow.array(COUNTS.astype(np.float16))), beside(COUNTS)),
    "categories that no row has": (beside(pandas.Categorical(LABELS, ["down", "x", "up"])), beside(LABELS)),
    "bytes": (objects([label.encode() for label in LABELS]), beside(LABELS)),
    "one category": (beside(pandas.Categorical(["z"] * ROWS)), X[:, :1]),
    "no value": (beside([None] * ROWS), X[:, :1]),
}


@pytest.mark.parametrize(("odd", "plain"), SAME.values(), ids=SAME)
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_an_odd_table_is_learned_as_a_plain_one(odd: Any, plain: Any) -> None:
    found = [TabularRegressor(**QUICK).fit(table, Y).predict(table) for table in (odd, plain)]
    np.testing.assert_array_equal(*found)
    assert np.ptp(found[0]) > 0


def test_texts_that_mean_missing_elsewhere_are_texts() -> None:
    (_, column) = TabularRegressor(**QUICK).fit(beside(TEXTS), Y).columns_
    assert (column.kind, column.becomes) == ("category", "3 flags")


def test_numbers_beyond_all_others() -> None:
    assert np.isfinite(TabularRegressor(**QUICK).fit(X * 5e-320, Y).predict(X * 5e-320)).all()
    for cells in ([str(10**400 + n) for n in range(ROWS)], [10**400 * (-1) ** n for n in range(ROWS)]):
        assert np.isfinite(TabularRegressor(**QUICK).fit(objects(cells), Y).predict(objects(cells))).all()


@pytest.mark.parametrize(
    "table", [np.ones((ROWS, 3)), np.full((ROWS, 2), np.nan), pandas.DataFrame({"a": ["x"] * ROWS})]
)
def test_rows_that_are_all_the_same_get_the_same(table: Any) -> None:
    with pytest.warns(UserWarning, match="X has no column to learn from"):
        numbers, labels = TabularRegressor(**QUICK).fit(table, Y), TabularClassifier(**QUICK).fit(table, LABELS)
    assert np.ptp(numbers.predict(table)) == 0
    assert len(set(labels.predict(table))) == 1


def test_two_rows() -> None:
    assert TabularRegressor(**QUICK).fit(X[:2], Y[:2]).predict(X[:2]).shape == (2,)
    assert set(TabularClassifier(**QUICK).fit(X[:2], ["b", "a"]).classes_) == {"a", "b"}


@pytest.mark.parametrize(
    "y",
    [
        pandas.Categorical(LABELS, ["up", "left", "down"], ordered=True),
        pandas.Series(LABELS, index=[0] * ROWS),
        polars.Series(LABELS.tolist(), dtype=polars.Enum(["up", "down"])),
        pyarrow.array(LABELS.tolist()).dictionary_encode(),
        LABELS.astype(object),
        LABELS.tolist(),
    ],
    ids=["ordered", "repeated index", "Enum", "Arrow", "objects", "list"],
)
def test_labels_of_any_kind(y: Any) -> None:
    model, plain = (TabularClassifier(**QUICK).fit(X, labels) for labels in (y, LABELS))
    assert model.classes_.tolist() == ["down", "up"]
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("y", [Y > 0, pandas.array(Y > 0, dtype="boolean"), (Y > 0).tolist(), polars.Series(Y > 0)])
def test_labels_that_are_flags_stay_flags(y: Any) -> None:
    assert TabularClassifier(**QUICK).fit(X, y).predict(X).dtype == bool


def test_a_target_in_a_frame() -> None:
    arrow = pyarrow.table({"t": Y})
    for y in (pandas.DataFrame({"t": Y}), polars.DataFrame({"t": Y}), arrow, arrow.to_batches()[0]):
        np.testing.assert_array_equal(
            TabularRegressor(**QUICK).fit(X, y).predict(X)[:, 0], TabularRegressor(**QUICK).fit(X, Y).predict(X)
        )


# What is refused ------------------------------------------------------------------------------------------------------


def nested(kind: Any) -> Any:
    return pandas.Series([[1]] * ROWS, dtype=pandas.ArrowDtype(kind))


TABLES: dict[str, tuple[Any, type[Exception], str]] = {
    "rows of two lengths": ([[1, 2], [3]] * 15, ValueError, "row 1 has 1 values where row 0 has 2"),
    "three dimensions": (X[:, :, None], ValueError, "dim 3"),
    "dictionaries": ([{"a": 1.0}] * ROWS, TypeError, "not a list of dictionaries; pass pandas.DataFrame"),
    "a dictionary": ({"a": [1.0]}, TypeError, "not a dict; pass pandas.DataFrame"),
    "nothing": (None, TypeError, "array of rows and columns, not None"),
    "a text": ("table.csv", TypeError, "array of rows and columns, not a str"),
    "a generator": ((row for row in X), TypeError, "not a generator; pass list"),
    "a column of dictionaries": (beside([{"k": 1}] * ROWS), ValueError, 'X, column "b", row 0: .* is of type dict'),
    "a column of lists": (beside([[1]] * ROWS), ValueError, 'X, column "b", row 0: .* is of type list'),
    "List of polars": (in_polars([[1]] * ROWS), ValueError, r'column "b" has the type List\(Int64\)'),
    "Struct of polars": (in_polars([{"k": 1}] * ROWS), ValueError, 'column "b" has the type Struct'),
    "list of Arrow": (in_arrow([[1]] * ROWS), ValueError, 'column "b" has the type list<item: int64>'),
    "list in pandas": (beside(nested(pyarrow.list_(pyarrow.int64()))), ValueError, 'X, column "b" has the type list'),
    "complex": (X + 1j, ValueError, "Complex data not supported"),
    "a complex column": (beside(X[:, 1] + 1j), ValueError, 'Complex data not supported: X, column "b"; give the real'),
    "sparse": (sparse.csr_matrix(X), TypeError, "dense data is required. Use '.toarray"),
    "one dimension": (X[:, 0], ValueError, r"X has shape \(30,\). Reshape your data"),
    "a series": (pandas.Series(Y), ValueError, "2-dimensional container"),
    "no columns": (X[:, :0], ValueError, r"0 feature\(s\)"),
    "no columns in a frame": (pandas.DataFrame(index=range(ROWS)), ValueError, r"0 feature\(s\)"),
    "no rows": (beside(Y)[:0], ValueError, r"0 sample\(s\)"),
    "one name twice": (pandas.DataFrame(X, columns=["a", "a"]), ValueError, 'named "a", number 0 and number 1'),
    "no names": (pandas.DataFrame(X, columns=[None, None]), ValueError, 'named "None", number 0 and number 1'),
    "names of two types": (pandas.DataFrame(X, columns=["a", 1]), TypeError, r"\['int', 'str'\] as feature name"),
    "fields": (np.zeros(ROWS, [("a", float), ("b", "U1")]), ValueError, "with the fields a, b; pass pandas.DataFrame"),
    "not yet read": (polars.LazyFrame({"a": Y}), TypeError, "no rows yet: pass X.collect"),
}


def told(refused: Any) -> str:
    """Return what an error says, and what to do, as the command line prints it."""
    return "; ".join([str(refused.value), *getattr(refused.value, "__notes__", ())])


def found_in(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


@pytest.mark.parametrize(("table", "kind", "message"), TABLES.values(), ids=TABLES)
def test_what_is_no_table_is_refused(table: Any, kind: type[Exception], message: str) -> None:
    rows = 0 if message.startswith("0 sample") else ROWS
    with pytest.raises(kind) as refused:
        TabularRegressor(**QUICK).fit(table, Y[: rows or None])
    assert found_in(message, told(refused)), told(refused)
    assert len(str(refused.value)) < 600, "the table is printed"


LACKING = [np.nan if row == 3 else label for row, label in enumerate(LABELS)]
TARGETS: dict[str, tuple[Any, Any, str]] = {
    "NaN among texts": (TabularClassifier, LACKING, "row 3 has no label; leave these rows out"),
    "None among texts": (TabularClassifier, [None, None, *LABELS[2:]], r"row 0 \(and 1 more rows\) has no label"),
    "NA of pandas": (TabularClassifier, pandas.array([None, *LABELS[1:]], dtype="string"), "row 0 has no label"),
    "flags with NA": (TabularClassifier, pandas.array([None, *(Y[1:] > 0)], dtype="boolean"), "row 0 has no label"),
    "NaN among numbers": (TabularClassifier, np.where(COUNTS[4] == COUNTS, np.nan, Y > 0), "row 4 has no label"),
    "masked labels": (TabularClassifier, np.ma.masked_array(Y > 0, mask=np.arange(ROWS) == 5), "row 5 has no label"),
    "one-hot": (TabularClassifier, np.eye(2)[(Y > 0).astype(int)], r"shape \(30, 2\) .* pass y.argmax\(axis=1\)"),
    "texts and numbers": (TabularClassifier, ["a", 1] * 15, "'a' in row 0, 1 in row 1; make them of one type"),
    "amounts": (TabularClassifier, Y, "Unknown label type: continuous"),
    "objects that are flags": (TabularClassifier, (Y > 0).astype(object), "dtype object, .*; .* as y.infer_objects"),
    "objects that are numbers": (TabularClassifier, COUNTS.astype(object), "but no texts: .* in row 0; give it"),
    "one class": (TabularClassifier, ["a"] * ROWS, "at least 2 classes .* there is 1 class"),
    "infinite": (TabularRegressor, np.where(Y[6] == Y, np.inf, Y), "infinity .* It is in row 6: inf; leave such rows"),
    "missing": (TabularRegressor, np.where(Y[6] == Y, np.nan, Y), "NaN. It is in row 6: nan; leave such rows"),
    "masked": (TabularRegressor, np.ma.masked_array(Y, mask=np.arange(ROWS) == 7), "NaN. It is in row 7"),
    "too large": (
        TabularRegressor,
        np.where(Y[8] == Y, -1e200, Y),
        r"row 8: 1e\+200 is too large: numbers up to 1e\+100",
    ),
    "labels": (TabularRegressor, LABELS, "row 0: '.*' where a number is expected; for labels, use TabularClassifier"),
    "dates": (TabularRegressor, DATES, "y holds dates, and numbers are learned; pass numbers of a unit"),
    "durations": (TabularRegressor, pandas.to_timedelta(COUNTS, unit="h"), "y holds durations, and numbers"),
    "complex": (TabularRegressor, Y + 1j, "Complex data not supported: y; pass y.real and y.imag"),
    "objects": (TabularRegressor, [*Y[:-1], [1.0]], "y|setting an array element"),
    "too short": (TabularRegressor, Y[:-1], r"inconsistent numbers of samples: \[30, 29\]"),
    "none": (TabularRegressor, None, "requires y to be passed"),
}


@pytest.mark.parametrize(("kind", "y", "message"), TARGETS.values(), ids=TARGETS)
def test_what_is_no_target_is_refused(kind: Any, y: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:
        kind(**QUICK).fit(X, y)
    assert found_in(message, told(refused)), told(refused)
    assert len(told(refused)) < 400, "the target is printed"


AB = pandas.DataFrame(X, columns=["a", "b"])
OTHERS: dict[str, tuple[Any, Any, str]] = {
    "another order": (AB, AB[["b", "a"]], r"same order .*; the columns of fit are all there: pass X\[list\(model"),
    "one more": (AB, AB.assign(c=1), "unseen at fit time:\n- c\n; the columns of fit are all there"),
    "one less": (AB, AB[["a"]], "yet now missing:\n- b"),
    "numbers in another order": (pandas.DataFrame(X), pandas.DataFrame(X)[[1, 0]], "must be in the same order"),
    "pairs in another order": (
        SAME["names that are pairs"][0],
        SAME["names that are pairs"][0].iloc[:, ::-1],
        "same order",
    ),
    "fewer of an array": (X, X[:, :1], "X has 1 features, but TabularRegressor is expecting 2"),
    "a text": (X, [["a", 1.0]], "X, column 0, row 0: 'a' where a number is expected"),
    "a row": (X, X[0], r"array.reshape\(1, -1\) one row"),
    "rows of dictionaries": (AB, [{"a": 1.0, "b": 2.0}], "not a list of dictionaries; pass pandas.DataFrame"),
    "no rows": (X, X[:0], r"0 sample\(s\)"),
}


@pytest.mark.parametrize(("learned", "new", "message"), OTHERS.values(), ids=OTHERS)
def test_other_tables_at_prediction_are_refused(learned: Any, new: Any, message: str) -> None:
    model = TabularRegressor(**QUICK).fit(learned, Y)
    with pytest.raises((ValueError, TypeError)) as refused:
        model.predict(new)
    assert found_in("(?s)" + message, told(refused)), told(refused)
