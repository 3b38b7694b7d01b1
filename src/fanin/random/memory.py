"""Drawing into arrays that are not in C order: PyTorch fills memory from its first element to its last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Draw = Callable[[tuple[int, ...]], Array]


def fill(target: Array, draw: Draw) -> None:
    """Write draws into an array, in the order in which its elements lie in memory.

    Args:
        target: an array of any strides.
        draw: gives an array in C order for a shape.

    >>> import numpy as np
    >>> from fanin.random import fill
    >>> target = np.zeros((2, 3)).T
    >>> fill(target, lambda shape: np.arange(6.0).reshape(shape))
    >>> target
    array([[0., 3.],
           [1., 4.],
           [2., 5.]])
    """
    axes = axes_in_memory(target)
    target.transpose(axes)[...] = draw(tuple(target.shape[axis] for axis in axes))


def axes_in_memory(array: Array) -> tuple[int, ...]:
    """Return the axes of an array, from the one with the largest stride to the one with the smallest."""
    if array.flags.c_contiguous:
        return tuple(range(array.ndim))
    return tuple(sorted(range(array.ndim), key=lambda axis: -array.strides[axis]))


def like(template: Array, draw: Draw, dtype: npt.DTypeLike | None = None) -> Array:
    """Return new draws with a template's shape and order of axes in memory (`rand_like`, the mask of dropout).

    Args:
        template: an array of any strides.
        draw: gives an array in C order for a shape.
        dtype: of the result, that of the template when left out.
    """
    if template.flags.c_contiguous:
        return draw(template.shape)
    out = np.empty_like(template, dtype=dtype, order="K")
    fill(out, draw)
    return out
