"""What the plan of a product must hold, whatever it chooses: everything covered once, within registers and buffers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.compiler.native.product import ProductShape
from fanin.compiler.native.product.plan import (
    COPY_BYTES,
    INNER_BLOCK,
    L1_PANEL_BYTES,
    MOST_APART,
    Panels,
    Rows,
    best_rows,
    chains_of,
    inner_blocks,
    pieces_of,
    plan,
    registers_of,
    row_chunk,
    side_by_side,
    split_columns,
    split_rows,
)
from fanin.compiler.native.target import NAMES, Isa, named

SIZES = st.integers(1, 2000)


def covered(parts: Sequence[Rows]) -> list[int]:
    return [part.first + i for part in parts for i in range(part.height * part.count)]


def covered_columns(groups: Sequence[Panels]) -> list[int]:
    return [group.first + i for group in groups for i in range(group.width * group.count)]


@given(SIZES, st.integers(1, 12))
def test_rows_are_split_evenly(rows: int, most: int) -> None:
    parts = split_rows(rows, most)
    assert covered(parts) == list(range(rows))
    heights = [part.height for part in parts]
    assert max(heights) <= most
    assert max(heights) - min(heights) <= 1


def test_rows_as_worked_by_hand() -> None:
    assert split_rows(32, 6) == [Rows(0, 6, 2), Rows(12, 5, 4)]
    assert split_rows(12, 6) == [Rows(0, 6, 2)]
    assert split_rows(1, 6) == [Rows(0, 1, 1)]


def test_a_missing_row_is_found() -> None:
    assert covered([Rows(0, 6, 2), Rows(12, 5, 3)]) != list(range(32))


@given(SIZES, st.sampled_from([2, 4, 8, 16]))
def test_pieces_are_full_registers_and_a_tail_of_powers_of_two(columns: int, lanes: int) -> None:
    pieces = pieces_of(columns, lanes)
    assert sum(pieces) == columns
    tail = pieces[columns // lanes :]
    assert all(width & (width - 1) == 0 for width in pieces)
    assert tail == sorted(set(tail), reverse=True)


@given(SIZES, st.sampled_from([2, 4, 8, 16]))
def test_registers_are_full_but_for_the_last(columns: int, lanes: int) -> None:
    *full, last = registers_of(columns, lanes)
    assert sum(full) + last == columns
    assert set(full) <= {lanes}
    assert 0 < last <= lanes


@pytest.mark.parametrize(
    ("pieces", "inner", "expected"),
    [
        ((4,), 64, 4),
        ((4,), 3, 2),
        ((4,), 1, 1),
        ((5,), 64, 2),
        ((2,), 64, 8),
        ((9,), 64, 1),
        ((1,), 64, 1),
        ((4, 4), 64, 1),
    ],
)
def test_as_many_steps_side_by_side_as_fit_a_register(pieces: tuple[int, ...], inner: int, expected: int) -> None:
    assert side_by_side(named("avx512"), np.dtype(np.float32), pieces, inner) == expected


@given(SIZES, st.sampled_from([2, 4, 8, 16]), st.integers(1, 10))
def test_panels_cover_the_columns(columns: int, lanes: int, most: int) -> None:
    groups = split_columns(columns, lanes, most)
    assert covered_columns(groups) == list(range(columns))
    assert max(len(group.pieces) for group in groups) <= most


@given(st.sampled_from(NAMES), SIZES, SIZES, SIZES, st.sampled_from([np.float32, np.float64]))
def test_tiles_fit_the_registers(name: str, rows: int, columns: int, inner: int, dtype: type) -> None:
    isa = named(name)
    shape = ProductShape(np.dtype(dtype), rows, columns, inner, inner, 1, columns, 1, columns)
    found = plan(isa, shape)
    assert found.dot or covered_columns(found.panels) == list(range(columns))
    for group in found.panels:
        _, parts = best_rows(isa, shape, len(group.pieces))
        assert covered(parts) == list(range(rows))
        for part in parts:
            assert _registers(isa, part.height, len(group.pieces), inner) <= isa.registers
            assert part.height <= MOST_APART or shape.a_row == 1
            block = inner_blocks(isa, inner)[1]
            assert part.height * block * shape.dtype.itemsize <= COPY_BYTES
            assert (
                part.height * block * shape.dtype.itemsize * row_chunk(part.height, block, 8, COPY_BYTES) <= COPY_BYTES
            )


def _registers(isa: Isa, rows: int, pieces: int, inner: int) -> int:
    held = min(rows, pieces)
    return rows * pieces * chains_of(isa, rows * pieces, inner) + held + 1


@given(st.sampled_from(NAMES), st.integers(1, 5000))
def test_blocks_cover_the_inner_size(name: str, inner: int) -> None:
    isa = named(name)
    count, size = inner_blocks(isa, inner)
    assert size <= INNER_BLOCK
    assert size * 2 * isa.vector_bytes <= L1_PANEL_BYTES
    assert (count - 1) * size < inner <= count * size


@pytest.mark.parametrize(
    ("accumulators", "steps", "expected"), [(1, 1, 1), (1, 250, 4), (2, 250, 4), (4, 64, 2), (12, 64, 1)]
)
def test_few_accumulators_are_doubled_while_the_inner_size_is_long(
    accumulators: int, steps: int, expected: int
) -> None:
    assert chains_of(named("avx2"), accumulators, steps) == expected
