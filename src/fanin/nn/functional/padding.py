"""Adding elements at the ends of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin._core.errors import OperationError, UnsupportedDtypeError
from fanin.nn.functional.checks import require_tensor
from fanin.ops.index import getitem
from fanin.ops.rules import refuse_overflow
from fanin.ops.shape import cat
from fanin.tensor.tape import apply, label, wrap

# By PyTorch's name and NumPy's: mirrored at the last element, the last element again, from the other end.
_OTHER_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Add elements before and after those of the last dimensions: a constant, or copies of what is there.

    Args:
        input: any shape.
        pad: for the last dimension how many before and after, then for the one before it, ...; negative ones cut off.
        mode: "constant"; "reflect" (mirrored at the ends), "replicate" (the end again) or "circular" (from the other
            end), which leave at least one dimension as it is.
        value: the constant, 0 when None.

    Raises RuntimeError when there are too many numbers, or an odd number of them.

    >>> import fanin as torch
    >>> torch.nn.functional.pad(torch.tensor([1.0, 2.0]), (1, 2), value=7.0)
    tensor([7., 1., 2., 7., 7.])
    """
    require_tensor("pad", input)
    if mode in _OTHER_MODES:
        return _copied(input, [int(n) for n in pad], mode)
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
    value = 0 if value is None else value
    refuse_overflow([value], input._array.dtype, wraps=False)
    padded = input
    for i in range(len(pad) // 2):
        padded = _padded(padded, ndim - 1 - i, int(pad[2 * i]), int(pad[2 * i + 1]), value)
    return padded if padded is input else label(padded, "ConstantPadNdBackward0")


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


def _copied(input: Any, pad: list[int], mode: str) -> Any:
    """Return the input with copies of its own elements at both ends of the last dimensions."""
    ndim, count = input._array.ndim, len(pad) // 2
    if len(pad) % 2:
        raise OperationError("Padding length must be divisible by 2")
    if ndim not in (count + 1, count + 2) or not 0 < count <= 3:
        raise UnsupportedDtypeError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now",
            remedy=f"Got {len(pad)} numbers for {ndim} dimensions: two for each dimension but the first one or two.",
        )
    for i in range(count):
        axis, before, after = ndim - 1 - i, pad[2 * i], pad[2 * i + 1]
        size = input._array.shape[axis]
        most = {"reflect": size - 1, "circular": size}.get(mode, max(before, after))
        if max(before, after) > most or not size:
            raise OperationError(
                f"Padding size should be at most {most} for mode {mode!r}, but got: padding ({before}, {after}) at "
                f"dimension {axis} of input {list(input._array.shape)}"
            )
        places = np.pad(np.arange(size), (max(before, 0), max(after, 0)), mode=_OTHER_MODES[mode])  # type: ignore[call-overload]
        places = places[max(-before, 0) : len(places) - max(-after, 0)]
        input = apply(getitem, (input,), {"index": (slice(None),) * axis + (places,)})
    return input
