"""Encoded rows, dealt out to blocks at random: in memory where one block takes all, else in a temporary file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fanin._core.errors import TableError

Arrays = Sequence[NDArray[Any]]


class Store:
    """Rows of several arrays side by side, in `blocks` blocks of `height` rows.

    Rows are dealt out as cards are, each stretch of them shuffled before: every block is a random sample of the whole
    table, whatever its order. The last rows % blocks rows of a table have no place in a block and are dropped.

    A file is read and written by plain calls: pages of a memory map would count as the process's own memory.

    rows:   how many there will be.
    like:   an empty array for each part, of its width and dtype.
    room:   bytes of a block.
    """

    def __init__(self, rows: int, like: Arrays, room: int, rng: np.random.Generator) -> None:
        width = sum(row_bytes(each) for each in like)
        self.blocks = max(1, -(-rows * width // max(1, room)))
        self.height = rows // self.blocks
        self.size = self.blocks * self.height * width
        self._rng, self._dealt = rng, 0
        self.arrays = [np.empty((self.height, *each.shape[1:]), each.dtype) for each in like]
        self._file: IO[bytes] | None = None
        heights = [each.nbytes for each in self.arrays]
        self._starts = np.cumsum([0, *heights]).tolist()

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """Have a temporary file where one is needed; it has no name, and is gone however this ends.

        Raises TableError where the disk has no room for it.
        """
        if self.blocks == 1:
            yield self
            return
        check_room(self.size)
        with tempfile.TemporaryFile(prefix="fanin-", buffering=0) as file:
            self._file = file
            try:
                yield self
            finally:
                self._file = None

    def add(self, parts: Arrays) -> None:
        """Deal out the next rows."""
        count = len(parts[0])
        order = self._rng.permutation(count)
        for block in range(min(self.blocks, count)):
            chosen = order[block :: self.blocks]
            place, at = divmod(self._dealt + block, self.blocks)
            chosen = chosen[: max(0, self.height - place)]
            if len(chosen):
                self._put(at, place, [part[chosen] for part in parts])
        self._dealt += count

    def _put(self, block: int, place: int, parts: Arrays) -> None:
        if self._file is None:
            for whole, part in zip(self.arrays, parts, strict=True):
                whole[place : place + len(part)] = part
            return
        for start, whole, part in zip(self._starts, self.arrays, parts, strict=False):
            offset = block * self._starts[-1] + start + place * row_bytes(whole)
            self._file.seek(offset)
            _write(self._file, np.ascontiguousarray(part))

    def load(self, block: int) -> None:
        """Bring a block into `arrays`."""
        if self._file is None:
            return
        self._file.seek(block * self._starts[-1])
        for whole in self.arrays:
            _read(self._file, whole)


def row_bytes(array: NDArray[Any]) -> int:
    """Return the bytes of one row."""
    return int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize


def check_room(size: int) -> None:
    """Raise TableError unless the folder of temporary files has room."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < 1.05 * size:
        raise TableError(
            f"training needs a temporary file of {size / 1e9:.1f} GB, but {folder} has {free / 1e9:.1f} GB left",
            remedy="make room there, name another folder in the environment variable TMPDIR, or give more memory",
        )


def _write(file: IO[bytes], array: NDArray[Any]) -> None:
    left = array.reshape(-1).view(np.uint8).data
    while len(left):
        left = left[file.write(left) :]


def _read(file: Any, array: NDArray[Any]) -> None:
    left = array.reshape(-1).view(np.uint8).data
    while len(left):
        done = file.readinto(left)
        if not done:
            raise TableError("the temporary file with encoded rows is shorter than it was written")
        left = left[done:]
