"""What became of each column, for a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fanin.tabular.inputs.numbers import NumberBlock
from fanin.tabular.inputs.plans import Kind, Plan


@dataclass(frozen=True)
class Column:
    """What became of a column.

    numbers, flags: its columns in `Encoded.numbers` and `Encoded.flags`, by number.
    levels:         its column in `Encoded.levels`; None for one that is not embedded.
    note:           why it is left out, or what of it is.
    """

    name: str
    kind: Kind
    becomes: str
    numbers: tuple[int, ...] = ()
    flags: tuple[int, ...] = ()
    levels: int | None = None
    note: str = ""


def describe_columns(names: Sequence[str], plans: Sequence[Plan], block: NumberBlock) -> list[Column]:
    """Return one `Column` for each plan."""
    found = []
    part, flag, embedded = 0, len(block.two) + len(block.gaps), 0
    numbers, two, gaps, ranked = (_places(indices) for indices in (block.many, block.two, block.gaps, block.heavy))
    for name, plan in zip(names, plans, strict=True):
        parts = range(part, part + len(plan.parts))
        own = [numbers[index] for index in parts if index in numbers]
        ranks = [len(numbers) + ranked[index] for index in parts if index in ranked]
        told = [two[index] for index in parts if index in two]
        missing = [len(two) + gaps[index] for index in parts if index in gaps]
        levels = [*range(flag, flag + plan.flag_count)]
        becomes = _becomes(plan, len(own) + len(ranks), len(told) + len(levels), len(missing))
        flags = (*told, *missing, *levels)
        found.append(
            Column(name, plan.kind, becomes, (*own, *ranks), flags, embedded if plan.embedded else None, plan.note)
        )
        part, flag, embedded = parts.stop, flag + plan.flag_count, embedded + plan.embedded
    return found


def _places(indices: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[int, int]:
    return {index: place for place, index in enumerate(indices.tolist())}


def _becomes(plan: Plan, numbers: int, flags: int, missing: int) -> str:
    parts = [_count(numbers, "number")] if numbers else []
    parts += [_count(flags, "flag")] if flags else []
    parts += [f"a learned vector for each of {len(plan.levels):,} levels"] if plan.embedded else []
    parts += ["a flag for missing values"] if missing else []
    return ", ".join(parts) or "nothing"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number > 1)
