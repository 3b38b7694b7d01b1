"""The container: an uncompressed zip of named records, one of them a pickle, the others the tensors' bytes."""

from __future__ import annotations

import io
import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np

from fanin._core.errors import CheckpointError, EmptyCheckpointError

# Fixed, like the date below, so that equal states give equal files.
ROOT = "archive"
_DATE = (1980, 1, 1, 0, 0, 0)
_ALIGNMENT = 64
# Read in pieces: zipfile makes a bytes object of each before it reaches the array.
_CHUNK = 1 << 24
_MOST_DEFLATION = 1032
_LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Records = Iterable[tuple[str, "bytes | memoryview"]]


def write_archive(file: BinaryIO, records: Records) -> None:
    """Write records into a seekable file that is empty, each beginning at a multiple of 64 bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records:
            info = zipfile.ZipInfo(f"{ROOT}/{name}", _DATE)
            info.extra = _padding(info, file.tell(), len(data))
            archive.writestr(info, data)


def _padding(info: zipfile.ZipInfo, position: int, size: int) -> bytes:
    """Return a zip extra field that moves the record's first byte to the alignment, for memory maps."""
    info.file_size = info.compress_size = size
    info.CRC = 0
    # zipfile's own rule for the larger header; it leaves room for data that compression makes longer.
    header = len(info.FileHeader(zip64=size * 1.05 > zipfile.ZIP64_LIMIT)) + 4
    missing = -(position + header) % _ALIGNMENT
    return b"FB" + struct.pack("<H", missing) + b"Z" * missing


class ArchiveReader:
    """Read the records of one archive.

    Args:
        file: a binary file that can seek.
        where: what messages call the file.
        mapped: read tensors through a private memory map, page by page as they are touched.
    """

    def __init__(self, file: BinaryIO, where: str, mapped: bool = False) -> None:
        self.where, self._file = where, file
        self._zip = _open_zip(file, where)
        self._length = file.seek(0, os.SEEK_END)
        self._members = {info.filename: info for info in self._zip.infolist()}
        self._root = self._find_root()
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped else None

    def _find_root(self) -> str:
        for name in self._members:
            root, _, record = name.partition("/")
            if record == "data.pkl":
                if f"{root}/constants.pkl" in self._members:
                    raise CheckpointError(
                        f"load: {self.where} is a TorchScript program, not a saved state; "
                        "load it with PyTorch and save its state_dict() instead"
                    )
                return root
        raise CheckpointError(f"load: {self.where} is a zip file, but not one that save wrote: it has no data.pkl")

    def has(self, record: str) -> bool:
        """Say whether the archive holds a record."""
        return f"{self._root}/{record}" in self._members

    def read(self, record: str) -> bytes:
        """Return a whole record."""
        return self.storage(record).tobytes()

    def storage(self, record: str) -> Bytes:
        """Return a record's bytes as an array that can be written to."""
        info = self._members.get(f"{self._root}/{record}")
        if info is None:
            raise CheckpointError(f"load: {self.where} is damaged: the record {record} is missing")
        try:
            if self._map is not None and info.compress_type == zipfile.ZIP_STORED:
                return np.frombuffer(self._map, np.uint8, info.file_size, self._offset(info))
            return self._copy(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error, RuntimeError) as problem:
            # RuntimeError is zipfile's word for an encrypted record, and for a compression that it does not know.
            raise CheckpointError(f"load: {self.where} is damaged in the record {record}: {problem}") from problem

    def _copy(self, info: zipfile.ZipInfo) -> Bytes:
        self._check_size(info)
        data = np.empty(info.file_size, np.uint8)
        with self._zip.open(info) as stream:
            done = 0
            while piece := stream.read(_CHUNK):
                data[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
                done += len(piece)
        if done != info.file_size:
            raise ValueError(f"{info.file_size} bytes expected, {done} found")
        return data

    def _check_size(self, info: zipfile.ZipInfo) -> None:
        """Refuse sizes that the file cannot hold, before memory is set aside for them."""
        ratio = 1 if info.compress_type == zipfile.ZIP_STORED else _MOST_DEFLATION
        if info.compress_size > self._length or info.file_size > ratio * info.compress_size:
            raise ValueError(f"it claims {info.file_size} bytes")

    def _offset(self, info: zipfile.ZipInfo) -> int:
        self._file.seek(info.header_offset)
        name_length, extra_length = struct.unpack("<HH", self._file.read(30)[26:])
        return int(info.header_offset + 30 + name_length + extra_length)


def _open_zip(file: BinaryIO, where: str) -> zipfile.ZipFile:
    position = file.tell()
    start = file.read(len(_LEGACY_START))
    file.seek(position)
    if not start:
        raise EmptyCheckpointError(
            f"load: Ran out of input: nothing left to read in {where}"
            + (f"; it stands at byte {position}, call seek(0) first" if position else "")
        )
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, NotImplementedError) as problem:
        raise CheckpointError(_describe(start, where)) from problem


def _describe(start: bytes, where: str) -> str:
    """Say what a file is that is no readable zip."""
    if start.startswith(b"PK"):
        return (
            f"load: PytorchStreamReader failed reading zip archive: {where} begins like a saved file, but its end "
            "is missing or damaged; the copy or the download was cut off"
        )
    if start.startswith(_LEGACY_START[:8]):
        return (
            f"load: {where} is in PyTorch's format from before version 1.6, which fanin does not read; "
            "load it with PyTorch and save it again"
        )
    return f"load: {where} is not a file that save wrote: it begins with {start[:8]!r}, not with a zip header"


def seekable(file: Any) -> BinaryIO:
    """Return the file itself, or its rest in memory when it cannot seek."""
    if callable(getattr(file, "seekable", None)) and not file.seekable():
        return io.BytesIO(file.read())
    result: BinaryIO = file
    return result
