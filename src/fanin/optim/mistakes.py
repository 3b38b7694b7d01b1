"""Two mistakes that show at a step: gradients that were never zeroed, and hidden units that start equal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fanin._core import advice


def note_step(parameters: Iterable[Any]) -> None:
    """Warn when a gradient about to be used contains one that an earlier step has used, and mark all as used."""
    mixed = False
    for p in parameters:
        grad = p._grad
        if grad is not None:
            mixed = mixed or grad._mixed
            grad._mixed, grad._used = False, True
    if mixed:
        advice.give(
            advice.GradientsNotZeroed,
            "this step uses gradients of which an earlier step has used a part: backward() adds to .grad. Call "
            "optimizer.zero_grad() before each backward(). (To add up gradients on purpose, zero them after each "
            "step.)",
        )


def check_symmetry(parameters: Sequence[Any]) -> None:
    """Warn when all units of a hidden layer start with the same weights.

    A layer counts as hidden when a later matrix takes as many inputs as this one has units: `(units, inputs)` as
    `nn.Linear` keeps it, or `(inputs, units)` as `x @ W` does. Equal weights alone are no mistake (a residual branch
    that starts at zero, the spread of a random weight): units stay equal only when their gradients are equal, too.
    But an `nn.Linear` that is hidden and starts at one constant other than zero is never meant, even where unequal
    biases would part its units in time.
    """
    if not advice.wanted(advice.SymmetricStart):
        return
    matrices = [p for p in parameters if p._array.ndim == 2]
    for position, weight in enumerate(matrices):
        later = matrices[position + 1 :]
        units = _equal_units(weight, later)
        if units:
            advice.give(
                advice.SymmetricStart,
                f"the {units} units of a hidden layer (weight of shape {tuple(weight._array.shape)}) all start with "
                "the same weights: they compute the same, get the same gradients and stay equal, so the layer works "
                "like one unit. Start from random weights, e.g. torch.nn.init.kaiming_uniform_(weight) or "
                "xavier_normal_(weight).",
            )
            return


def _equal_units(weight: Any, later: Sequence[Any]) -> int:
    """Return how many units start equal and get equal gradients; 0 when they do not, or the layer is not hidden."""
    rows, columns = weight._array.shape
    if any(w._array.shape[1] == rows for w in later):
        return int(rows) if rows > 1 and _stays_equal(weight, 0) else 0
    follows = any(w._array.shape[0] == columns for w in later)
    return int(columns) if follows and columns > 1 and _stays_equal(weight, 1) else 0


def _stays_equal(weight: Any, axis: int) -> bool:
    """Say whether the slices along an axis are the same in the weight and, but for rounding, in its gradient."""
    values, grad = weight._array, weight._grad
    if grad is None or not (values == values.take([0], axis)).all():
        return False
    if axis == 0 and weight._belongs_to_linear and values.any():
        return True
    if values.any() and not grad._array.any():  # as of factors of ones before inputs that are all zero in a batch
        return False
    return bool(np.allclose(grad._array, grad._array.take([0], axis), rtol=1e-4, atol=1e-8))
