"""The plan of a graph: its rows cut into lanes and blocks, its operations into levels and groups."""

from __future__ import annotations

from fanin.compiler.graph import Graph, Value
from fanin.compiler.passes.fuse import groups_of
from fanin.compiler.passes.homes import add_copies, find_homes, note_stored
from fanin.compiler.passes.levels import levels_of, move_beside_readers, works_on
from fanin.compiler.passes.plan import SUM, TOTAL, WHOLE, Machine, Plan, extent_of
from fanin.compiler.passes.products import with_packs
from fanin.compiler.passes.recompute import recomputed
from fanin.compiler.passes.rewriting import rewritten_beside
from fanin.compiler.passes.rows import batch_rows, row_factors
from fanin.compiler.passes.tiling import Tiling, tiling
from fanin.compiler.passes.views import VIEWS, Ref, is_number, views


def schedule(graph: Graph, machine: Machine) -> Plan:
    """Plan a lowered graph."""
    rows = batch_rows(graph)
    factors = row_factors(graph, rows)
    cut = tiling(graph, rows, _row_bytes(factors, rows), _summed(graph, factors))
    graph = _with_totals(with_packs(graph, factors, cut, machine.packed_size), rows, cut)
    graph, copies = recomputed(graph)
    refs = views(graph)
    factors = {
        v: f for v, f in row_factors(graph, rows).items() if _kind(v, machine) != "host" or not _is_unit(v, refs)
    }
    on = {v: works_on(v, factors, cut) for v in graph.values() if _is_unit(v, refs)}
    on.update((v, WHOLE) for v in on if _kind(v, machine) == "host")
    levels = levels_of(graph, refs, on, factors)
    move_beside_readers(graph, copies, on, levels)
    plan = Plan(graph, refs, factors, cut, on, groups_of(graph, refs, on, levels, machine, copies), {}, [])
    find_homes(plan)
    add_copies(plan, machine)
    note_stored(plan, machine)
    return plan


def _with_totals(graph: Graph, rows: int, cut: Tiling) -> Graph:
    """Let what is read of a sum over the batch be the total over the lanes."""
    if not cut.streamed or len(cut.lanes) == 1:
        return graph
    factors = row_factors(graph, rows)

    def rewrite(value: Value, old: Value) -> Value:
        if old.op is None or is_number(old) or works_on(old, factors, cut) != SUM:
            return value
        return Value(value.shape, value.dtype, op=TOTAL, inputs=(value,))

    return rewritten_beside(graph, rewrite)


def _kind(value: Value, machine: Machine) -> str:
    return "" if value.op is None else extent_of(value, machine)[0]


def _row_bytes(factors: dict[Value, int], rows: int) -> int:
    return sum(v.nbytes for v in factors if v.op is None or v.op.name not in VIEWS) // max(rows, 1)


def _summed(graph: Graph, factors: dict[Value, int]) -> int:
    return sum(
        v.size
        for v in graph.values()
        if v not in factors
        and v.op is not None
        and v.op.name not in VIEWS
        and any(isinstance(x, Value) and x in factors for x in v.inputs)
    )


def _is_unit(value: Value, refs: dict[Value, Ref]) -> bool:
    return value.op is not None and not is_number(value) and refs[value].base is value
