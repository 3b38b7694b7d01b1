"""Where results go: right into the state or output that they become, where nothing needs the old value any more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fanin.compiler.graph import STATE, Value
from fanin.compiler.passes.plan import COPY, GATHERS, ROWS, SUM, WHOLE, Group, Machine, Plan, is_reduction, passes_of
from fanin.compiler.passes.rows import MAPS
from fanin.compiler.passes.views import is_number, own


def find_homes(plan: Plan) -> None:
    """Let new state and outputs be computed where they belong, if nobody reads the old state later."""
    group_of = {v: g for g in plan.groups for v in g.members}
    readers = _readers(plan, group_of)
    for i, new in plan.graph.updates:
        old = plan.graph.state[i]
        if new is old:
            continue
        if (
            new in group_of
            and new not in plan.homes
            and new.dtype == old.dtype
            and _old_is_done(plan, old, new, group_of[new], readers.get(old, ()))
        ):
            plan.homes[new] = ("state", i)
        else:
            plan.copies.append((new, ("state", i)))
    for k, value in enumerate(plan.graph.outputs):
        if value in group_of and value not in plan.homes and group_of[value].kind != "pack":
            plan.homes[value] = ("output", k)
        else:
            plan.copies.append((value, ("output", k)))


def _readers(plan: Plan, group_of: dict[Value, Group]) -> dict[Value, list[tuple[Value, Value, Group]]]:
    """Return for every value with memory who reads it: the operation, its input there, and the group."""
    found: dict[Value, list[tuple[Value, Value, Group]]] = {}
    for value, reader in group_of.items():
        for x in value.inputs:
            if isinstance(x, Value) and not is_number(x):
                found.setdefault(plan.refs[x].base, []).append((value, x, reader))
    return found


def _old_is_done(
    plan: Plan, old: Value, new: Value, group: Group, readers: Iterable[tuple[Value, Value, Group]]
) -> bool:
    """Say whether the old state can be overwritten when the new one is computed."""
    if group.on == SUM and plan.tiling.streamed:
        return False
    if any(plan.refs[root].base is old for root in plan.graph.roots):
        return False
    for value, x, reader in readers:
        if reader.number > group.number or (reader is group and not _reads_in_step(plan, value, x, group)):
            return False
        if reader.level == group.level and reader is not group and group.on == ROWS:
            return False
    return group.kind in ("loops", "product") and new.shape == group.extent


def _reads_in_step(plan: Plan, value: Value, x: Value, group: Group) -> bool:
    assert value.op is not None
    if value.op.name in ("matmul", *GATHERS):
        return False
    return plan.refs[x].contiguous and x.shape == group.extent and value.op.name in (*MAPS, "copy")


def add_copies(plan: Plan, machine: Machine) -> None:
    """Copy to their places, at the end, what could not be computed there."""
    level = max((g.level for g in plan.groups), default=-1) + 2
    level += 1 - level % 2
    for value, home in plan.copies:
        if plan.refs[value].base.role == STATE:  # which may be overwritten by another of these copies
            value = _copied(plan, machine, value, value.dtype, level)
        leaf = plan.graph.state[home[1]] if home[0] == "state" else value
        plan.homes[_copied(plan, machine, value, leaf.dtype, level + 2)] = home


def _copied(plan: Plan, machine: Machine, value: Value, dtype: Any, level: int) -> Value:
    copy = Value(value.shape, dtype, op=COPY, inputs=(value,))
    plan.refs[copy], plan.on[copy] = own(copy), WHOLE
    kind = "loops" if machine.has_code(copy) else "host"
    group = Group(kind, level, copy.shape, WHOLE, [copy], len(plan.groups))
    plan.groups.append(group)
    plan.groups.sort(key=lambda g: g.level)
    return copy


def note_stored(plan: Plan, machine: Machine) -> None:
    """Note which results leave their group: others read them, through a view, or they are new state or output."""
    group_of = {v: g for g in plan.groups for v in g.members}
    needed = set(plan.homes)
    for group in plan.groups:
        passes = passes_of(group, plan.refs)
        for value in group.members:
            needed.update(_read_from_memory(plan, value, group, group_of, passes))
    for value, group in group_of.items():
        assert value.op is not None
        partial = value.op.name == "matmul" and machine.needs_partial_sums(value)
        if value in needed or partial or group.kind not in ("loops", "product"):
            group.stored[value] = None


def _read_from_memory(
    plan: Plan, value: Value, group: Group, group_of: dict[Value, Group], passes: dict[Value, int]
) -> list[Value]:
    """Return the values that an operation cannot read from registers."""
    found = []
    for x in value.inputs:
        if not isinstance(x, Value) or is_number(x):
            continue
        base = plan.refs[x].base
        if (
            group_of.get(base) is not group
            or group.kind not in ("loops", "product")
            or (not is_reduction(base) and (base is not x or passes[base] < passes[value]))
        ):
            found.append(base)
    return found
