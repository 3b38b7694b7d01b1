"""When each operation runs: levels, which alternate between work on rows (even) and on whole values (odd).

Work on rows goes through the batch in blocks. All that a level reads of another was finished before it.
"""

from __future__ import annotations

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.plan import ROWS, SUM, SUMMED, WHOLE, inputs_of
from fanin.compiler.passes.rows import REDUCTIONS
from fanin.compiler.passes.tiling import Tiling
from fanin.compiler.passes.views import Ref, is_number


def works_on(value: Value, factors: dict[Value, int], cut: Tiling) -> str:
    """Say whether an operation works on rows, sums over them block by block, or works on whole values."""
    if value in factors:
        return ROWS
    assert value.op is not None
    if cut.streamed and value.op.name in SUMMED:
        with_rows = [x for x in value.inputs if isinstance(x, Value) and _shows_rows(x, factors)]
        if with_rows and _sums_over_rows(value, factors):
            return SUM
    return WHOLE


def _shows_rows(value: Value, factors: dict[Value, int]) -> bool:
    """Say whether a value has rows, or is the transposed of one that has."""
    return value in factors or _is_turned(value, factors)


def _sums_over_rows(value: Value, factors: dict[Value, int]) -> bool:
    assert value.op is not None
    if value.op.name in REDUCTIONS:
        return value.inputs[0] in factors and 0 in value.attrs["dim"]
    if value.op.name == "matmul":
        a, b = value.inputs[:2]
        return _is_turned(a, factors) and b in factors and value.ndim == 2
    return all(isinstance(x, Value) and x in factors for x in value.inputs[:2]) and value.attrs.get("dim", 0) == 0


def _is_turned(a: Value, factors: dict[Value, int]) -> bool:
    """Say whether a value is a matrix that has rows, turned; one of a single column is turned by a reshape."""
    if a.op is None or not a.inputs or a.inputs[0] not in factors or a.ndim != 2:
        return False
    if a.op.name == "reshape":
        return bool(a.inputs[0].shape == a.shape[::-1] and a.shape[0] == 1)
    return bool(a.op.name == "permute" and a.attrs["dims"] == (1, 0))


def levels_of(
    graph: Graph, refs: dict[Value, Ref], on: dict[Value, str], factors: dict[Value, int]
) -> dict[Value, int]:
    """Return the level of each operation."""
    levels: dict[Value, int] = {}
    for value in graph.values():
        if value not in on:
            continue
        earliest = -1 if on[value] == WHOLE else 0
        for x in value.inputs:
            base = refs[x].base if isinstance(x, Value) and not is_number(x) else None
            if base in levels:
                if on[value] == WHOLE:
                    together = on[base] == WHOLE
                else:  # a view of rows may show other rows, of other blocks; only a sum over all goes along with that
                    shows = x in factors or (on[value] == SUM and _is_turned(x, factors))
                    together = on[base] == ROWS and shows
                earliest = max(earliest, levels[base] + (0 if together else 1))
        parity = 1 if on[value] == WHOLE else 0
        levels[value] = earliest + ((earliest % 2) ^ parity)
    _delay(graph, refs, on, levels)
    return levels


def _delay(graph: Graph, refs: dict[Value, Ref], on: dict[Value, str], levels: dict[Value, int]) -> None:
    """Move work on whole values to the level that needs it first, where it can be fused."""
    latest: dict[Value, int] = {}
    for value in reversed(graph.values()):
        if value not in on:
            continue
        if on[value] == WHOLE:
            levels[value] = max(levels[value], latest.get(value, levels[value]))
        for x in inputs_of(value, refs):
            late = levels[value] if on[value] == WHOLE else levels[value] - 1
            latest[x] = min(late, latest.get(x, late))


def move_beside_readers(graph: Graph, copies: frozenset[Value], on: dict[Value, str], levels: dict[Value, int]) -> None:
    """Move maps that are computed again for one reader to its level."""
    for value in reversed(graph.values()):
        for x in value.inputs:
            if isinstance(x, Value) and x in copies and on.get(x) == on.get(value) == ROWS:
                levels[x] = levels[value]
