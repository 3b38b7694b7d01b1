"""Lanes of vectors that change their places."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fanin.compiler.native import ir
from fanin.compiler.native.vector import I32, Code

# Rows and columns of what is transposed.
SQUARE = 8


def mixed(code: Code, a: Any, c: Any, lanes: Iterable[int]) -> Any:
    """Return lanes of two vectors, which are counted through."""
    return code.b.shuffle_vector(a, c, code.lanes(I32, lanes))


def spread(code: Code, vector: Any, lane: int, width: int) -> Any:
    """Return one lane `width` times."""
    return code.b.extract_element(vector, I32(lane)) if width == 1 else mixed(code, vector, vector, (lane,) * width)


def gathered(code: Code, places: list[Any], kind: Any) -> Any:
    """Return what lies at these addresses, one in each lane."""
    vector: Any = ir.Constant(ir.VectorType(kind, len(places)), ir.Undefined)
    for k, place in enumerate(places):
        vector = code.b.insert_element(vector, code.load(place, kind), I32(k))
    return vector


def transposed(code: Code, rows: list[Any]) -> list[Any]:
    """Return the columns of eight rows of eight: pairs, then fours, then halves change their places."""
    low, high = (0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15)
    pairs = [mixed(code, rows[i], rows[i + 1], mask) for i in (0, 2, 4, 6) for mask in (low, high)]
    low, high = (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
    fours = [mixed(code, pairs[i], pairs[i + 2], mask) for i in (0, 1, 4, 5) for mask in (low, high)]
    low, high = (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)
    return [mixed(code, fours[i], fours[i + 4], mask) for mask in (low, high) for i in range(4)]


def all_set(code: Code, mask: Any) -> Any:
    """Say whether all lanes are set."""
    bits = ir.IntType(mask.type.count)
    return code.b.icmp_unsigned("==", code.b.bitcast(mask, bits), bits(2**mask.type.count - 1))
