"""Split rows: those held out for the score, those that choose the best epoch, and those to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import fanin
from fanin._core.errors import ArgumentError
from fanin.tabular.columns import Rows


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of row numbers, each in the table's order."""

    train: Rows
    validation: Rows
    held_out: Rows


def split_rows(
    count: int, labels: Sequence[str] = (), held_out: float = 0.2, validation: float = 0.15, seed: int = 0
) -> Split:
    """Split `count` rows at random, `held_out` of all and then `validation` of the rest.

    With labels, every class is split by itself (stratified): one of two rows or more is in both the training and the
    held-out rows. The same seed gives the same split everywhere.

    >>> split = split_rows(10, held_out=0.2, validation=0.25)
    >>> len(split.train), len(split.validation), len(split.held_out)
    (6, 2, 2)
    """
    if not 0 < held_out < 1:
        raise ArgumentError(f"the share of held-out rows must lie between 0 and 1, not {held_out}")
    order: Rows = fanin.randperm(count, generator=fanin.Generator().manual_seed(seed)).numpy()
    classes = np.array(labels, dtype=object)[order] if labels else np.zeros(count, dtype=object)
    groups = [order[classes == label] for label in sorted(set(classes))]
    parts = [_cut(group, held_out, validation) for group in groups]
    return Split(*(np.sort(np.concatenate(part)) for part in zip(*parts, strict=True)))


def _cut(group: Rows, held_out: float, validation: float) -> tuple[Rows, Rows, Rows]:
    last = min(max(1, round(held_out * len(group))), len(group) - 1)
    rest = len(group) - last
    middle = max(1, round(validation * rest)) if rest > 1 else 0
    return group[: rest - middle], group[rest - middle : rest], group[rest:]
