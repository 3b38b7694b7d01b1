"""Tables in files: what is told apart by content, what is refused with the place at fault, and pieces."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
from pathlib import Path
from typing import Any

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin._core.errors import TableError
from fanin.tabular.files import csv_file, open_table
from fanin.tabular.files.csv_blocks import blocks_of

BLOCKS = (4 << 20, 3)  # bytes: a file in one block, and cut wherever it can be


def write(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture(params=BLOCKS, autouse=True)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(csv_file, "BLOCK", request.param)
    return int(request.param)


def read(folder: Path, content: str | bytes, **options: Any) -> dict[str, list[object]]:
    return open_table(write(folder, content), **options).read().to_dict(as_series=False)


def message(folder: Path, content: str | bytes) -> str:
    path = write(folder, content)
    with pytest.raises(TableError) as caught:
        open_table(path).read()
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(str(folder) + "/", "")


def test_an_empty_field_is_the_only_missing_value(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\nNA,\n"",None\nnan, \n') == {"a": ["NA", None, "nan"], "b": [None, "None", " "]}


@pytest.mark.parametrize("last", ["2", '"2"'])
def test_an_empty_line_of_a_single_column_is_a_missing_value(tmp_path: Path, last: str) -> None:
    """Be there quotation marks or not."""
    assert read(tmp_path, f"a\n1\n\n{last}\n") == {"a": ["1", None, "2"]}


def test_further_texts_can_mean_missing(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\nNA,1\n?,x\n", missing=["NA", "?"]) == {"a": [None, None], "b": ["1", "x"]}


def test_gzip_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"a,b\n1,2\n")) == {"a": ["1"], "b": ["2"]}


def test_parquet_keeps_its_types_and_its_nans_are_missing(tmp_path: Path) -> None:
    frame = polars.DataFrame({"n": [1.5, float("nan")], "t": ["x", ""], "b": [True, None]})
    path = tmp_path / "table.csv"
    frame.write_parquet(path)
    table = open_table(path)
    assert table.rows == 2
    assert [column.kind for column in table.columns] == ["number", "text", "flag"]
    assert table.read().to_dict(as_series=False) == {"n": [1.5, None], "t": ["x", None], "b": [True, None]}


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
        "\n\na,b\n1,2\n",
        "a,b\n1,2",  # no end of the last line
        '"a","b"\n"1","2"\n',
    ],
)
def test_spellings_of_one_table(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == {"a": ["1"], "b": ["2"]}


def test_quoted_fields_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    text = 'a,"b\nb"\n"x,y","say ""no""\nhere"\n'
    assert read(tmp_path, text) == {"a": ["x,y"], "b\nb": ['say "no"\nhere']}


def test_a_quotation_mark_inside_of_a_field_is_one(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\n5" pipe,2\n') == {"a": ['5" pipe'], "b": ["2"]}


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
        ('a,b\n1,2\n"\n\n",1\n3\n1,2\n', "table.csv, line 6: 1 field where the header has 2"),
        ("a,b,c\n1,2,3\n\n4,5\n", "table.csv, line 4: 2 fields where the header has 3"),
        (b"a,b\n1,2\n\xff\xfe,3\n", "table.csv, line 3: not UTF-8 text; save the table as UTF-8"),
        (b"\xff\xfea\0,\0b\0", "table.csv is UTF-16 text; save the table as UTF-8"),
        (b"a,b\n\x00\x01,3\n", "table.csv is not a table: it holds binary data (expected CSV, gzipped CSV or Parquet)"),
    ],
)
def test_refused(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert message(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04\x14\0", "a ZIP archive or an Excel workbook"),
        (bz2.compress(b"a,b\n1,2\n"), "compressed with bzip2"),
        (lzma.compress(b"a,b\n1,2\n"), "compressed with xz"),
        (b"\x28\xb5\x2f\xfd\x04\0", "compressed with Zstandard"),
        (b"ARROW1\0\0", "an Arrow file"),
        (b"SQLite format 3\0", "an SQLite database"),
    ],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    wanted = f"table.csv is {kind}: a table is CSV (plain or gzipped) or Parquet; unpack or convert it"
    assert message(tmp_path, content) == wanted


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('[{"a": 1}]\n', "JSON"),
        ('{"a":[1,2]}', "JSON"),
        ("\n<!DOCTYPE html>\n<html>", "a page of HTML or XML"),
        ('<?xml version="1.0"?>\n', "a page of HTML or XML"),
        ("@relation iris\n@attribute a numeric\n", "an ARFF file"),
    ],
)
def test_other_texts_are_named(tmp_path: Path, content: str, kind: str) -> None:
    wanted = f"table.csv is {kind}: a table is CSV (plain or gzipped) or Parquet; convert it"
    assert message(tmp_path, content) == wanted


def test_lines_that_end_as_on_old_computers_are_named(tmp_path: Path) -> None:
    assert message(tmp_path, "a,b\r1,2\r3,4\r").startswith("table.csv ends its lines with a carriage return alone")
    assert read(tmp_path, "a,b\r\n1,2") == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize("title", ["Sales, in thousands\n", "# made by hand\n\n"])
def test_a_title_above_the_header_is_told(tmp_path: Path, title: str) -> None:
    path = write(tmp_path, title.replace(",", "") + "a,b\n1,2\n")
    with pytest.raises(TableError, match=r"2 fields where the header has 1") as caught:
        open_table(path).read()
    first = title.replace(",", "").strip()
    assert caught.value.__notes__ == [
        f'if the first line, "{first}", is a title or a comment, remove what stands above the header'
    ]


@pytest.mark.parametrize(
    ("content", "column", "note"),
    [
        ("Sales of 2024,,\n\na,b,c\n1,2,3\n", "a", 'if the first line, "Sales of 2024", is a title or a comment, '),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "species", "if the first line is a row and no header, write the names"),
        ("5,5,setosa\n4,3,setosa\n", "species", "if the first line is a row and no header, write the names"),
        ("0,1,2\n5,5,a\n", "species", ""),
        ("a,a\n1,2\n", "a", ""),
    ],
)
def test_a_first_line_that_is_no_header_is_told(tmp_path: Path, content: str, column: str, note: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(TableError) as caught:
        open_table(path).need([column])
    notes = getattr(caught.value, "__notes__", [])
    assert len(notes) == bool(note)
    assert "".join(notes).startswith(note)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_pipe_is_refused_before_it_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "table.csv")
    with pytest.raises(TableError, match=r"table\.csv is a pipe, which can be read once only"):
        open_table(tmp_path / "table.csv")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    assert message(tmp_path, gzip.compress(b"a,b\n1,2\n" * 100)[:30]).startswith("table.csv is a damaged gzip file")
    assert message(tmp_path, b"PAR1 and then nothing of it").startswith("table.csv is a damaged Parquet file")
    assert message(tmp_path, 'a,b\n1,"2\n') == "table.csv, line 2: cannot be read as fields (unexpected end of data)"


def test_a_quotation_mark_that_nobody_closes_is_found_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanin.tabular.files.csv_blocks.LONGEST", 20)
    with pytest.raises(TableError, match=r"t\.csv: a quotation mark on line 3 or after it"):
        list(blocks_of(io.BytesIO(b'1,2\n"' + 50 * b"3,4\n"), 8, 2, "t.csv"))


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no such file: .*gone\.csv"):
        open_table(tmp_path / "gone.csv")
    with pytest.raises(TableError, match="is a folder without Parquet files, not a table"):
        open_table(tmp_path)


def test_a_column_that_is_not_there_is_told_with_the_nearest_names(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "price,depth\n1,2\n"))
    with pytest.raises(TableError, match=r'has no column "prise"; did you mean "price"\?'):
        table.read(columns=["prise"])
    with pytest.raises(TableError, match=r'has no column "x"; it has "price", "depth"'):
        table.numbered_pieces(5, ["x"])


def test_a_name_in_other_letters_is_found(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Y,x\n1,2\n")
    with pytest.raises(TableError, match=r'has no column "y "; did you mean "Y"\?'):
        open_table(tmp_path / "t.csv").need(["y "])


def test_kinds_are_told_from_values(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "n,code,day,t,e\n1.5,007,2020-01-02,x,\n-2e3,12,2021-01-02 10:00,1,\n"))
    assert [column.kind for column in table.columns] == ["number", "text", "date", "text", "empty"]


def test_several_files_are_one_table(tmp_path: Path) -> None:
    paths = [write(tmp_path, "a,b\n1,2\n", "1.csv"), write(tmp_path, gzip.compress(b"a,b\n3,4"), "2.csv")]
    assert open_table(paths).read().rows() == [("1", "2"), ("3", "4")]
    paths.append(write(tmp_path, "b,a\n1,2\n", "3.csv"))
    with pytest.raises(TableError, match=r"3\.csv has another header than .*1\.csv"):
        open_table(paths)


def test_a_folder_of_parquet_parts_is_one_table(tmp_path: Path) -> None:
    polars.DataFrame({"a": [1, 2], "b": ["x", "y"]}).write_parquet(tmp_path / "part-0.parquet")
    polars.DataFrame({"b": ["z"], "a": [3]}).write_parquet(tmp_path / "part-1.parquet")
    table = open_table(tmp_path)
    assert (table.rows, table.read().rows()) == (3, [(1, "x"), (2, "y"), (3, "z")])
    polars.DataFrame({"a": [3]}).write_parquet(tmp_path / "part-2.parquet")
    with pytest.raises(TableError, match=r'part-2\.parquet lacks the column "b", unlike .*part-0\.parquet'):
        open_table(tmp_path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("rows", [1, 3, 10, 11])
def test_pieces_know_their_first_row_and_are_the_table(tmp_path: Path, kind: str, rows: int) -> None:
    frame = polars.DataFrame({"a": [str(i) for i in range(10)], "b": ["x\ny"] * 10})
    path = tmp_path / "table"
    frame.write_csv(path) if kind == "csv" else frame.write_parquet(path, row_group_size=4)
    table = open_table(path)
    pieces = list(table.numbered_pieces(rows))
    assert [piece.first_row for piece in pieces] == list(range(1, 11, rows))
    assert [piece.frame.height for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    assert polars.concat([piece.frame for piece in pieces]).equals(frame)
    assert polars.concat(table.pieces(rows, ["b"])).columns == ["b"]
    assert table.read(most_rows=4).equals(frame.head(4))


def test_pieces_may_go_on_at_lines_that_cannot_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"a,b\n1,2\n\n3\n4,5\n\xff,6\n7,8,9\n0,1\n")
    pieces = list(open_table(path).numbered_pieces(2, lenient=True))
    assert [piece.frame.rows() for piece in pieces] == [
        [("1", "2"), (None, None)],
        [("4", "5"), (None, None)],
        [(None, None), ("0", "1")],
    ]
    found = [(each.row, each.line, each.value) for piece in pieces for each in piece.unusable]
    assert found == [(2, 4, "3"), (4, 6, "\\udcff,6"), (5, 7, "7,8,9")]
    assert str(pieces[0].unusable[0]) == "row 2 (line 4): 1 field where the header has 2"
    assert [len(piece.unusable) for piece in pieces] == [1, 1, 1]


TEXTS = st.text(alphabet='ab1,;" \n\té', max_size=5)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=8), size=st.integers(1, 40))
def test_any_text_that_csv_writes_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], size: int
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([("a", "b", "c"), *rows])
    path = tmp_path_factory.mktemp("any") / "table.csv"
    path.write_bytes(text.getvalue().encode())
    expected = [tuple(field or None for field in row) for row in rows if any(row)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK", size)
        if not expected:
            return
        assert open_table(path).read().rows() == expected
