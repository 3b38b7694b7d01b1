"""Reading tables: what is told apart by content, and what is refused with the place at fault."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars
import pytest

from fanin._core.errors import TableError
from fanin.tabular import Table, read_table


def write(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, content: str | bytes, **options: object) -> dict[str, list[object]]:
    table = read_table(write(folder, content), **options)
    return table.frame.to_dict(as_series=False)


def message(folder: Path, content: str | bytes) -> str:
    path = write(folder, content)
    with pytest.raises(TableError) as caught:
        read_table(path)
    assert isinstance(caught.value, ValueError)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(str(folder) + "/", "")


def test_an_empty_field_is_the_only_missing_value(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\nNA,\n"",None\nnan, \n') == {"a": ["NA", None, "nan"], "b": [None, "None", " "]}


def test_further_texts_can_mean_missing(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\nNA,1\n?,x\n", missing=["NA", "?"]) == {"a": [None, None], "b": ["1", "x"]}


def test_gzip_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"a,b\n1,2\n")) == {"a": ["1"], "b": ["2"]}


def test_parquet_keeps_its_types_and_its_nans_are_missing(tmp_path: Path) -> None:
    frame = polars.DataFrame({"n": [1.5, float("nan")], "t": ["x", ""], "b": [True, None]})
    path = tmp_path / "table.csv"
    frame.write_parquet(path)
    assert read_table(path).frame.to_dict(as_series=False) == {"n": [1.5, None], "t": ["x", None], "b": [True, None]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_told_by_the_header(tmp_path: Path, separator: str) -> None:
    lines = [separator.join(row) for row in (("a", '"b,;c"'), ("1", "2"))]
    assert read(tmp_path, "\n".join(lines)) == {"a": ["1"], "b,;c": ["2"]}


@pytest.mark.parametrize(
    "content",
    [
        "a,b\r\n1,2\r\n",  # as Windows ends lines
        "\ufeffa,b\n1,2\n",  # a byte order mark, as Excel writes it
        "a,b\n\n1,2\n\n\n",  # blank lines
        "a,b\n1,2",  # no end of the last line
        '"a","b"\n"1","2"\n',
    ],
)
def test_spellings_of_one_table(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == {"a": ["1"], "b": ["2"]}


def test_quoted_fields_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\n"x,y","say ""no""\nhere"\n') == {"a": ["x,y"], "b": ['say "no"\nhere']}


def test_one_column_keeps_its_missing_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "a\n1\n\n2\n") == {"a": ["1", None, "2"]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "table.csv is empty: a table needs a header line and rows"),
        (" \n\n", "table.csv is empty: a table needs a header line and rows"),
        ("a,b\n", "table.csv has a header but no rows"),
        ("a,b", "table.csv has a header but no rows"),
        (
            "a,b,a,b,c\n1,2,3,4,5\n",
            'table.csv has more than one column named "a", "b": every column needs a name of its own',
        ),
        ("a,b\n1,2\n1,2,3\n", "table.csv, line 3: 3 fields where the header has 2"),
        ("a,b\n1,2\n3\n1,2\n", "table.csv, line 3: 1 field where the header has 2"),
        (b"a,b\n1,2\n\xff\xfe,3\n", "table.csv, line 3: not UTF-8 text; save the table as UTF-8"),
        (b"a,b\n\x00\x01,3\n", "table.csv is not a table: it holds binary data (expected CSV, gzipped CSV or Parquet)"),
    ],
)
def test_refused(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert message(tmp_path, content) == expected


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    assert message(tmp_path, gzip.compress(b"a,b\n1,2\n" * 100)[:30]).startswith("table.csv is a damaged gzip file")
    assert message(tmp_path, b"PAR1 and then nothing of it").startswith("table.csv is a damaged Parquet file")
    assert message(tmp_path, 'a,b\n1,"2\n').startswith("table.csv")


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no such file: .*gone\.csv"):
        read_table(tmp_path / "gone.csv")
    with pytest.raises(TableError, match="is a folder, not a table"):
        read_table(tmp_path)


def test_rows_and_names() -> None:
    table = Table("memory", polars.DataFrame({"a": [1, 2], "b": [3, 4]}))
    assert (table.rows, table.names) == (2, ["a", "b"])
