"""Adding elements at the ends of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.errors import NotInFaninError, OperationError, UnsupportedDtypeError
from fanin.nn.functional.checks import named, require_tensor
from fanin.ops.index import getitem
from fanin.ops.shape import cat
from fanin.tensor.tape import apply, wrap

_OTHER_MODES = ("reflect", "replicate", "circular")


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Add a constant before and after the elements of the last dimensions.

    Args:
        input: any shape.
        pad: for the last dimension how many before and after, then for the one before it, ...; negative ones cut off.
        mode: "constant".
        value: the constant, 0 when None.

    Raises RuntimeError when there are too many numbers, or an odd number of them.

    >>> import fanin as torch
    >>> torch.nn.functional.pad(torch.tensor([1.0, 2.0]), (1, 2), value=7.0)
    tensor([7., 1., 2., 7., 7.])
    """
    require_tensor("pad", input)
    if mode in _OTHER_MODES:
        raise NotInFaninError(f"pad mode {mode!r} is not part of fanin, which trains fully connected networks")
    if mode != "constant":
        raise UnsupportedDtypeError(f"Unrecognised padding mode {mode}")
    ndim = input._array.ndim
    if len(pad) % 2:
        raise OperationError("Padding length must be divisible by 2")
    if len(pad) > 2 * ndim:
        raise OperationError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {ndim}"
        )
    padded = input
    for i in range(len(pad) // 2):
        padded = _padded(padded, ndim - 1 - i, int(pad[2 * i]), int(pad[2 * i + 1]), 0 if value is None else value)
    return padded if padded is input else named(padded, "ConstantPadNdBackward0")


def _padded(input: Any, axis: int, before: int, after: int, value: float) -> Any:
    shape, dtype = input._array.shape, input._array.dtype
    if shape[axis] + before + after < 0:
        raise OperationError(
            "narrow(): length must be non-negative.",
            remedy=f"A pad of {before} and {after} is more than dimension {axis} with size {shape[axis]} has.",
        )
    if before < 0 or after < 0:
        kept = slice(max(-before, 0), shape[axis] - max(-after, 0))
        input = apply(getitem, (input,), {"index": (slice(None),) * axis + (kept,)})
    pieces = [wrap(np.full((*shape[:axis], n, *shape[axis + 1 :]), value, dtype)) for n in (before, after) if n > 0]
    if not pieces:
        return input
    parts = [*pieces[:1], input, *pieces[1:]] if before > 0 else [input, *pieces]
    return apply(cat, tuple(parts), {"dim": axis})
