"""Parquet files, read by stretches of rows, of which polars decodes the pages that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from fanin._core.errors import TableError
from fanin.tabular.files.reading import Reading
from fanin.tabular.files.table_file import TableFile, Unusable, bytes_of, without_missing
from fanin.tabular.frames import polars


class ParquetFile(TableFile):
    """One Parquet file, or several with the same columns."""

    def __init__(self, paths: Sequence[Path], reading: Reading) -> None:
        self.paths, self.reading = tuple(paths), reading
        self.source = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        self.size = sum(path.stat().st_size for path in paths)
        self.schema = self._schema(paths[0])
        self.names = tuple(self.schema)
        for path in paths[1:]:
            self._check_same(path)
        if not self.rows:
            raise TableError(f"{self.source} has columns but no rows")

    def _schema(self, path: Path) -> dict[str, Any]:
        return dict(_careful(path, lambda: polars.scan_parquet(path, glob=False).collect_schema()))

    def _check_same(self, path: Path) -> None:
        names = tuple(self._schema(path))
        if set(names) != set(self.names):
            odd = sorted(set(names) ^ set(self.names))[0]
            where = "has" if odd in names else "lacks"
            raise TableError(f'{path} {where} the column "{odd}", unlike {self.paths[0]}: a table has the same in all')

    @cached_property
    def _heights(self) -> tuple[int, ...]:
        count = polars.len()
        return tuple(
            int(_careful(path, lambda path=path: polars.scan_parquet(path, glob=False).select(count).collect().item()))
            for path in self.paths
        )

    @property
    def rows(self) -> int | None:
        """How many rows there are."""
        return sum(self._heights)

    @property
    def bytes_in_memory(self) -> int:
        """Roughly how many bytes the table takes as a frame."""
        sample = self.read(1000)
        return int(bytes_of(sample) / max(1, sample.height) * (self.rows or 1))

    def _frames(
        self, rows: int, columns: Sequence[str] | None, lenient: bool
    ) -> Iterator[tuple[polars.DataFrame, list[Unusable]]]:
        names = list(self.names if columns is None else columns)
        types = {name: self.schema[name] for name in names}
        for path, height in zip(self.paths, self._heights, strict=True):
            lazy = polars.scan_parquet(path, glob=False).select(names)
            for start in range(0, height, rows):
                frame = _careful(path, lambda lazy=lazy, start=start: lazy.slice(start, rows).collect())
                # Parts may come from writers that chose other widths of numbers for the same column.
                frame = frame.cast(types) if dict(frame.schema) != types else frame
                yield without_missing(frame, self.reading.missing), []


def _careful(path: Path, read: Any) -> Any:
    try:
        return read()
    except Exception as error:  # the parser has error types of its own
        first = str(error).strip().split("\n", 1)[0]
        raise TableError(f"{path} is a damaged Parquet file ({first})") from None
