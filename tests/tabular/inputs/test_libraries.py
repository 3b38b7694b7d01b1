"""One table in every library: the same encoding, and no library is loaded that the table does not come from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fanin._core.errors import ArgumentTypeError, TableError
from fanin.tabular.inputs import Encoded, Encoder

ROWS = 120


def columns() -> dict[str, list[Any]]:
    """Return one column of each kind, and one of each with gaps."""
    rng = np.random.default_rng(0)
    hours = rng.integers(0, 900 * 24, ROWS) * np.timedelta64(3_600_000_000, "us")
    full: dict[str, list[Any]] = {
        "number": rng.normal(size=ROWS).tolist(),
        "whole": rng.integers(-5, 100, ROWS).tolist(),
        "large": (2**50 + rng.integers(0, 9, ROWS)).tolist(),
        "flag": (rng.random(ROWS) < 0.3).tolist(),
        "text": rng.choice(["a", "b", "ü"], ROWS).tolist(),
        "many": [f"level {number}" for number in rng.integers(0, 30, ROWS)],
        "rare": [f"id {number}" for number in rng.integers(0, 90, ROWS)],
        "written": [str(number) for number in rng.integers(0, 500, ROWS)],
        "time": (np.datetime64("2020-01-01T00", "us") + hours).tolist(),
        "span": (rng.integers(0, 10**6, ROWS) * np.timedelta64(1, "us")).tolist(),
    }
    gaps = rng.random(ROWS) < 0.2
    holed = {f"{name} with gaps": [None if gap else value for gap, value in zip(gaps, values, strict=True)]
             for name, values in full.items()}  # fmt: skip
    return full | holed | {"nothing": [None] * ROWS, "constant": [1.5] * ROWS}


def as_lists() -> Any:
    return [list(row) for row in zip(*columns().values(), strict=True)]


def as_objects() -> Any:
    return np.array(as_lists(), object)


def as_polars() -> Any:
    return pytest.importorskip("polars").DataFrame(columns())


def as_arrow() -> Any:
    return pytest.importorskip("pyarrow").table(columns())


def as_arrow_chunks() -> Any:
    table = as_arrow()
    return pytest.importorskip("pyarrow").concat_tables([table.slice(0, 50), table.slice(50)])


def as_arrow_batch() -> Any:
    return as_arrow().to_batches()[0]


def as_pandas() -> Any:
    return pytest.importorskip("pandas").DataFrame(columns())


def as_pandas_of_objects() -> Any:
    return pytest.importorskip("pandas").DataFrame(columns(), dtype=object)


def as_pandas_nullable() -> Any:
    return as_pandas().convert_dtypes()


def as_pandas_of_arrow() -> Any:
    return as_arrow().to_pandas(types_mapper=pytest.importorskip("pandas").ArrowDtype)


class Stream:
    """A frame of some other library, which offers its columns as Arrow's."""

    def __init__(self) -> None:
        self.table = as_arrow()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


KINDS: list[Callable[[], Any]] = [
    as_lists, as_objects, as_polars, as_arrow, as_arrow_chunks, as_arrow_batch, as_pandas, as_pandas_of_objects,
    as_pandas_nullable, as_pandas_of_arrow, Stream,
]  # fmt: skip


def same(one: Encoded, other: Encoded) -> bool:
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("numbers", "flags", "levels"))
    return arrays and one.sizes == other.sizes


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_every_library_gives_the_same_encoding(make: Callable[[], Any]) -> None:
    first, table = Encoder().fit(as_lists()), make()
    expected = first.transform(as_lists())
    assert same(Encoder().fit(table).transform(table), expected)
    assert same(first.transform(table), expected)  # fitted on another library's


def test_encodings_that_differ_are_found_out() -> None:
    table = as_lists()
    encoder = Encoder().fit(table)
    one = encoder.transform(table)
    assert not same(one, encoder.transform(table[::-1]))
    assert not same(one, Encoded(one.numbers, one.flags, one.levels, (*one.sizes, 1)))


def test_categories_by_their_dtype_are_categories_even_of_numbers() -> None:
    polars, pandas, arrow = (pytest.importorskip(name) for name in ("polars", "pandas", "pyarrow"))
    values = [str(number) for number in range(20)] * 3
    plain = Encoder().fit(np.array(values, object)[:, None])
    assert plain.plans[0].kind == "number"
    series = polars.Series("c", values)
    frames = [
        series.cast(polars.Categorical).to_frame(),
        series.cast(polars.Enum([str(number) for number in range(25)])).to_frame(),
        pandas.DataFrame({"c": pandas.Categorical(values)}),
        pandas.DataFrame({"c": pandas.Categorical([int(value) for value in values], categories=range(25))}),
        arrow.table({"c": arrow.array(values).dictionary_encode()}),
        arrow.table({"c": arrow.chunked_array([arrow.array(values[:7]).dictionary_encode(), values[7:]][:1])}),
    ]
    for frame in frames[:5]:
        encoder = Encoder().fit(frame)
        assert encoder.plans[0].levels == tuple(str(number) for number in range(20))
        assert encoder.transform(frame).levels.ravel().tolist() == [*range(1, 21)] * 3
    chunks = arrow.chunked_array([arrow.array(part).dictionary_encode() for part in (values[:7], values[7:])])
    assert Encoder().fit(arrow.table({"c": chunks})).transform(frames[4]).levels.ravel().tolist() == [*range(1, 21)] * 3


def test_dates_of_all_units_and_zones() -> None:
    polars, pandas, arrow = (pytest.importorskip(name) for name in ("polars", "pandas", "pyarrow"))
    days = np.datetime64("2024-01-01", "D") + np.arange(40)
    expected = Encoder().fit(days[:, None]).transform(days[:, None]).numbers
    stamps = pandas.Series(days.astype("datetime64[us]"))
    frames = [
        *(days.astype(f"datetime64[{unit}]")[:, None] for unit in ("h", "s", "ms", "us", "ns")),
        *(pandas.DataFrame({"d": days.astype(f"datetime64[{unit}]")}) for unit in ("s", "ms", "us", "ns")),
        pandas.DataFrame({"d": stamps.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")}),
        pandas.DataFrame({"d": stamps.dt.to_period("D")}),
        pandas.DataFrame({"d": list(days.astype(object))}),
        *(polars.DataFrame({"d": polars.Series(days).cast(polars.Datetime(unit))}) for unit in ("ms", "us", "ns")),
        polars.DataFrame({"d": polars.Series(days).cast(polars.Datetime("us", "UTC"))}),
        polars.DataFrame({"d": polars.Series(days)}),
        *(arrow.table({"d": arrow.array(days).cast(kind)}) for kind in ("date32", "date64")),
        *(arrow.table({"d": arrow.array(days.astype("datetime64[s]")).cast(arrow.timestamp(unit, tz="UTC"))})
          for unit in ("s", "ms", "us", "ns")),
    ]  # fmt: skip
    for frame in frames:
        np.testing.assert_array_equal(Encoder().fit(frame).transform(frame).numbers, expected)


def test_numbers_of_all_types() -> None:
    polars, pandas, arrow = (pytest.importorskip(name) for name in ("polars", "pandas", "pyarrow"))
    values = [*range(30)]
    expected = Encoder().fit(np.array(values)[:, None]).transform(np.array(values)[:, None]).numbers
    kinds = (polars.Int8, polars.UInt64, polars.Float32, polars.Int128, polars.Decimal(10, 2))
    frames = [
        *(polars.DataFrame({"x": polars.Series(values).cast(kind)}) for kind in kinds),
        *(
            pandas.DataFrame({"x": pandas.Series(values, dtype=kind)})
            for kind in ("int8", "UInt16", "float32[pyarrow]")
        ),
        pandas.DataFrame({"x": pandas.arrays.SparseArray(values)}),
        *(arrow.table({"x": arrow.array(values, kind)}) for kind in ("uint8", "int64", "float32")),
        arrow.table({"x": arrow.array(values, arrow.decimal128(10, 2))}),
    ]
    for frame in frames:
        np.testing.assert_array_equal(Encoder().fit(frame).transform(frame).numbers, expected)


def test_columns_of_nested_types_are_refused_by_name() -> None:
    polars, arrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    for frame in (polars.DataFrame({"deep": [[1], [2, 3]]}), arrow.table({"deep": [[1], [2, 3]]})):
        with pytest.raises(TableError, match=r'column "deep" has the type .*, which holds no numbers, dates or texts'):
            Encoder().fit(frame)


def test_series_and_lazy_frames_say_what_to_do() -> None:
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    for series in (polars.Series([1, 2]), pandas.Series([1, 2])):
        with pytest.raises(
            TableError, match=r"Expected 2D array, got 1D array instead: X is a Series of .* Reshape your"
        ):
            Encoder().fit(series)
    with pytest.raises(ArgumentTypeError, match=r"LazyFrame of polars, which has no rows yet: pass X.collect\(\)"):
        Encoder().fit(polars.LazyFrame({"a": [1, 2]}))


def test_inherited_frames_are_frames() -> None:
    pandas = pytest.importorskip("pandas")

    class Mine(pandas.DataFrame):  # type: ignore[misc, name-defined]
        pass

    frame = Mine({"a": [1.0, 2.0, 4.0]})
    assert Encoder().fit(frame).feature_names == ("a",)


@pytest.mark.parametrize(
    ("make", "others"),
    [
        ("import numpy; X = numpy.eye(3)", ["pandas", "polars", "pyarrow", "sklearn"]),
        ("X = [[1.5, 'a'], [2.5, None]]", ["pandas", "polars", "pyarrow", "sklearn"]),
        ("import pandas; X = pandas.DataFrame({'a': [1.0, 2.0], 'b': ['x', None]})", ["polars", "sklearn"]),
        ("import polars; X = polars.DataFrame({'a': [1.0, 2.0], 'b': ['x', None]})", ["pandas", "pyarrow", "sklearn"]),
        ("import pyarrow; X = pyarrow.table({'a': [1.0, 2.0], 'b': ['x', None]})", ["polars", "sklearn"]),
    ],
)
def test_no_other_library_is_needed(make: str, others: list[str]) -> None:
    library = make.split(";")[0].removeprefix("import ") if make.startswith("import") else "numpy"
    pytest.importorskip(library)
    # What is None among the modules cannot be imported.
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({others}))\n"
    program = f"{blocked}{make}\nfrom fanin.tabular.inputs import Encoder\nprint(len(Encoder().fit(X).transform(X)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip().isdigit()) == (0, True), done.stdout + done.stderr
