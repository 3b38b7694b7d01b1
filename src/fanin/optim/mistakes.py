"""Two mistakes that show at a step: gradients that were never zeroed, and hidden units that start equal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fanin._core import advice


def note_step(parameters: Iterable[Any]) -> None:
    """Warn when a gradient about to be used contains one that an earlier step has used, and mark all as used."""
    for p in parameters:
        grad = p._grad
        if grad is None:
            continue
        if grad._mixed:
            grad._mixed = False
            advice.give(
                advice.GradientsNotZeroed,
                "this step uses gradients of which an earlier step has used a part: backward() adds to .grad. Call "
                "optimizer.zero_grad() before each backward(). (To add up gradients on purpose, zero them after each step.)",
            )
        grad._used = True


def check_symmetry(parameters: Sequence[Any]) -> None:
    """Warn when all units of a hidden layer start with the same weights.

    A layer counts as hidden when a later matrix takes as many inputs as this one has units: `(units, inputs)` as
    `nn.Linear` keeps it, or `(inputs, units)` as `x @ W` does.
    """
    if not advice.wanted(advice.SymmetricStart):
        return
    matrices = [p for p in parameters if p._array.ndim == 2]
    for position, weight in enumerate(matrices):
        later = matrices[position + 1 :]
        units = _equal_units(weight._array, later)
        if units:
            advice.give(
                advice.SymmetricStart,
                f"the {units} units of a hidden layer (weight of shape {tuple(weight._array.shape)}) all start with the same "
                "weights: they compute the same, get the same gradients and stay equal, so the layer works like one unit. "
                "Start from random weights, e.g. torch.nn.init.kaiming_uniform_(weight) or xavier_normal_(weight).",
            )
            return


def _equal_units(weight: Any, later: Sequence[Any]) -> int:
    rows, columns = weight.shape
    if rows > 1 and any(w._array.shape[1] == rows for w in later) and (weight == weight[:1]).all():
        return int(rows)
    follows = any(w._array.shape[0] == columns for w in later)
    if columns > 1 and follows and not any(w._array.shape[1] == rows for w in later) and (weight == weight[:, :1]).all():
        return int(columns)
    return 0
