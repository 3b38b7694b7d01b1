"""The sizes and strides of one product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProductShape:
    """C[m, n] (+)= sum over k of A[m, k] B[k, n], all sizes known, strides in elements.

    dtype:   float32 or float64.
    rows:    M.
    columns: N.
    inner:   K.
    a_row, a_inner:    A[m, k] lies at a + m * a_row + k * a_inner.
    b_inner, b_column: B[k, n] lies at b + k * b_inner + n * b_column.
    c_row:             C[m, n] lies at c + m * c_row + n.
    """

    dtype: np.dtype
    rows: int
    columns: int
    inner: int
    a_row: int
    a_inner: int
    b_inner: int
    b_column: int
    c_row: int
