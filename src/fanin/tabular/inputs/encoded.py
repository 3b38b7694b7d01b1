"""A table as arrays: what an `Encoder` makes, and what networks for tables take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Encoded:
    """Rows of a table, encoded.

    numbers: (rows, P) float32, finite: scaled numbers, a date's parts and the frequencies of levels; 0 where missing.
    flags:   (rows, Q) float32, finite: a column for each level of small categories, one for each column of two
             values, and one for each column whose missing values are told; scaled as the numbers are.
    levels:  (rows, E) int64: for each embedded category the index of the level, 0 where missing or unknown.
    sizes:   (E,) how many indices each of them has, 0 included.

    >>> rows = Encoded(np.zeros((3, 2), np.float32), np.ones((3, 1), np.float32), np.zeros((3, 0), np.int64), ())
    >>> len(rows), rows[np.array([0, 2])].numbers.shape
    (3, (2, 2))
    """

    numbers: NDArray[np.float32]
    flags: NDArray[np.float32]
    levels: NDArray[np.int64]
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Encoded:
        """Return some of the rows."""
        return Encoded(self.numbers[rows], self.flags[rows], self.levels[rows], self.sizes)
