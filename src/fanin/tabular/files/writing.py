"""Predictions into a file, piece by piece, and whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol, cast

from fanin._core.errors import TableError
from fanin.tabular.frames import polars

FORMATS = {".csv": "CSV", ".gz": "gzip", ".parquet": "Parquet", ".pq": "Parquet"}


class Writer(Protocol):
    """Takes frames of the same columns, one after the other."""

    def write(self, frame: polars.DataFrame) -> None:
        """Write the next rows."""

    def finish(self) -> None:
        """Write what is left."""


class CsvWriter:
    """CSV text with a header; floats in their shortest form, None as an empty field."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._has_header = file, False

    def write(self, frame: polars.DataFrame) -> None:
        """Write the next rows."""
        frame.write_csv(self._file, include_header=not self._has_header, null_value=_missing(frame))
        self._has_header = True

    def finish(self) -> None:
        """Write what is left: nothing."""


def _missing(frame: polars.DataFrame) -> str:
    """Return what stands for None: nothing, but for a single column, as many readers pass over an empty line.

    >>> _missing(polars.DataFrame({"prediction": [1.5, None]})), _missing(polars.DataFrame({"prediction": ["a", None]}))
    ('NaN', '""')
    """
    if frame.width > 1:
        return ""
    return "NaN" if frame.to_series().dtype.is_numeric() else '""'


class ParquetWriter:
    """Parquet in parts, which are joined in the end without holding them: polars streams them."""

    def __init__(self, path: Path) -> None:
        self._path, self._parts = path, tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent)
        self._count = 0

    def write(self, frame: polars.DataFrame) -> None:
        """Write the next rows."""
        frame.write_parquet(Path(self._parts.name) / f"{self._count:08}.parquet")
        self._count += 1

    def finish(self) -> None:
        """Join the parts."""
        parts = sorted(Path(self._parts.name).iterdir())
        polars.scan_parquet(parts, glob=False).sink_parquet(self._path, maintain_order=True)

    def close(self) -> None:
        """Remove the parts."""
        self._parts.cleanup()


def format_of(destination: Path) -> str:
    """Return "CSV", "gzip" or "Parquet", as the name ends.

    >>> format_of(Path("a.csv.gz")), format_of(Path("a.parquet"))
    ('gzip', 'Parquet')
    """
    ending = destination.suffix.lower()
    if ending not in FORMATS:
        other = f"not as {ending}" if ending else "by the ending of the file's name"
        raise TableError(f"{destination}: predictions are written as .csv, .csv.gz or .parquet, {other}")
    return FORMATS[ending]


@contextmanager
def written(destination: Path) -> Iterator[Writer]:
    """Give a writer; its file takes the destination's place when all went well, and is removed when not.

    Raises TableError where the destination's folder is not there or cannot be written to.
    """
    kind = format_of(destination)
    if not destination.parent.is_dir():
        raise TableError(f"{destination.parent} is no folder: make it first")
    if destination.is_dir():
        raise TableError(f"{destination} is a folder; name a file")
    try:
        descriptor, name = tempfile.mkstemp(suffix=".part", prefix=f".{destination.name}-", dir=destination.parent)
    except OSError as error:
        raise TableError(f"{destination} cannot be written ({error.strerror or error})") from None
    beside = Path(name)
    try:
        with open(descriptor, "wb") as file:
            yield from _filled(kind, file, beside)
        os.chmod(beside, 0o666 & ~_umask())  # as `open` makes files; mkstemp's are for the owner alone
        os.replace(beside, destination)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _filled(kind: str, file: IO[bytes], path: Path) -> Iterator[Any]:
    if kind == "Parquet":
        parts = ParquetWriter(path)
        try:
            yield parts
            parts.finish()
        finally:
            parts.close()
        return
    if kind == "gzip":
        import gzip

        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield CsvWriter(cast(IO[bytes], packed))
        return
    yield CsvWriter(file)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
