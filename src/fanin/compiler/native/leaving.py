"""Where a step can be left with nothing changed: right before its first change of the state, in most of them.

By then it is known whether an index or a class number does not exist, and for a step of training whether the loss is a
number. All threads look, and all see the same: what they look at was finished before a barrier, and threads that are
ahead note what they find in another place, EARLY and LATE.
"""

from __future__ import annotations

from dataclasses import dataclass

from fanin.compiler.graph import Value, in_order
from fanin.compiler.native.abi import FINE, NOT_FINITE
from fanin.compiler.native.frame import Frame
from fanin.compiler.native.vector import I1, I64, element_type
from fanin.compiler.passes.plan import WHOLE, Group, Plan
from fanin.compiler.positions import may_be_out_of_range


@dataclass(frozen=True)
class Exit:
    """A step's way out.

    before: the number of the group before which the threads look.
    waits:  whether they have to wait for each other first: what they look at was computed in the same level.
    faults: whether they look for an index that was out of range.
    loss:   the value that has to be finite, if it is known by then.
    """

    before: int
    waits: bool
    faults: bool
    loss: Value | None


def exit_of(plan: Plan, watched: int | None) -> Exit | None:
    """Return where a step can be left; None where there is nothing to change, or nothing to look at in time.

    Running statistics may be changed before a class is looked at, as they are in eager code. Then a step can still be
    left before the first change that comes of what is looked at, though not for a loss that is not finite.

    watched: the number of the output that has to be finite.
    """
    changes = [[v for v in group.stored if plan.homes.get(v, ("", 0))[0] == "state"] for group in plan.groups]
    first = next((i for i, changed in enumerate(changes) if changed), None)
    if first is None:
        return None
    at, waits = _before(plan, first, watched)
    faults, loss = any(map(_looks, plan.groups[:at])), _loss(plan, watched, at)
    if faults or loss is not None:
        return Exit(plan.groups[at].number, waits, faults, loss)
    behind = _behind_looks(plan)
    first = next((i for i, changed in enumerate(changes) if any(id(v) in behind for v in changed)), None)
    if first is None:
        return None
    at, waits = _before(plan, first, None)
    return Exit(plan.groups[at].number, waits, True, None) if any(map(_looks, plan.groups[:at])) else None


def _before(plan: Plan, first: int, watched: int | None) -> tuple[int, bool]:
    """Return the position of the group before which the threads look, and whether they have to wait there.

    first: the position of the group that must not have begun.
    """
    groups = plan.groups
    begin = last = next(i for i, group in enumerate(groups) if group.level == groups[first].level)
    if groups[first].on == WHOLE and first > begin:  # work on rows goes through all groups of a level, block by block
        # An optimiser's rule may follow the product before it part by part.
        last = max(begin, first - (groups[first - 1].kind == "product"))
    looks = any(map(_looks, groups[begin:last]))
    tells = _loss(plan, watched, begin) is None and _loss(plan, watched, last) is not None
    # The later, the more is known; but several threads have to wait for each other inside of a level.
    at = last if looks or tells or len(plan.tiling.lanes) == 1 else begin
    return at, at > begin


def _behind_looks(plan: Plan) -> set[int]:
    """Return the identities of the values that come of what looks for an index that does not exist."""
    behind: set[int] = set()
    for value in in_order(v for group in plan.groups for v in group.members):
        if may_be_out_of_range(value) or any(id(x) in behind for x in value.inputs):
            behind.add(id(value))
    return behind


def late_groups(plan: Plan, way: Exit | None) -> set[int]:
    """Return the identities of the groups that come after the way out."""
    if way is None:
        return set()
    at = next(i for i, group in enumerate(plan.groups) if group.number == way.before)
    return {id(group) for group in plan.groups[at:]}


def _loss(plan: Plan, watched: int | None, end: int) -> Value | None:
    """Return the watched output if one of the groups before a position computes it."""
    return next((v for g in plan.groups[:end] for v in g.stored if plan.homes.get(v) == ("output", watched)), None)


def _looks(group: Group) -> bool:
    """Say whether a group may note an index that does not exist."""
    return any(map(may_be_out_of_range, group.members))


def emit_exit(frame: Frame, way: Exit) -> None:
    """Return true from the step, which was not completed then, if there is something wrong; note what."""
    code = frame.code
    b, note = code.b, frame.source(len(frame.layout.sources))
    noted = code.load(note, I64)
    wrong = b.icmp_signed("!=", noted, I64(FINE))
    if way.loss is not None:
        loss = code.load(frame.pointer(way.loss), element_type(way.loss.dtype))
        difference = b.fsub(loss, loss)
        is_finite = code.compare("==", difference, code.like(0, difference))
        wrong = b.or_(wrong, b.not_(is_finite)) if way.faults else b.not_(is_finite)
    with b.if_then(wrong, likely=False):
        code.store(b.select(b.icmp_signed("==", noted, I64(FINE)), I64(NOT_FINITE), noted), note)
        b.ret(I1(1))
