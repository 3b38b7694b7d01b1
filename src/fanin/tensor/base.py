"""What a tensor is: an array, and its place on the tape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fanin._core.dtypes import Array

if TYPE_CHECKING:
    from fanin.tensor.tape import Node


class TensorBase:
    """The state of a tensor, without its methods.

    Nearly all tensors are short-lived results that need only their array. So every other field is a default of the
    class, and making a tensor costs one assignment.
    """

    _array: Array
    _node: Node | None = None  # the operation that made it; None for a leaf
    _requires_grad: bool = False
    _grad: Any = None
    _base: Any = None  # the tensor whose memory, and so whose version, this one shares
    _detached: bool = False  # shares memory with its base, but not its history
    _counter: list[int] | None = None  # the version, made when somebody first asks for it
    _rebased: int = 0  # how often the history of a base was rewritten by a change in place
    _seen: int = 0  # the base's _rebased when this view's own history was last right
    _hooks: Any = None
    _retains_grad: bool = False
    _is_inference: bool = False
    _used: bool = False  # a gradient that an optimiser's step has used
    _belongs_to_linear: bool = False  # the weight of an nn.Linear, whose rows are the layer's units
    _mixed: bool = False  # a gradient that was added to after it was used

    __hash__ = object.__hash__


class Changes:
    """How often something was changed that a compiled function may have taken for granted.

    Modules, flags, groups of parameters, and where a tensor's memory lies.
    """

    count = 0


def move(x: TensorBase, array: Any) -> None:
    """Let a tensor that exists have other memory; compiled functions then look where it lies."""
    moved = x.__dict__.get("_array") is not array  # not read as a field, which would be noted while capturing
    x._array = array
    Changes.count += moved


def known(array: Any) -> bool:
    """Say whether there are numbers to look at: in a captured step an array may stand for numbers that come later."""
    return array.__class__ is np.ndarray or isinstance(array, np.generic)


def version_counter(x: TensorBase) -> list[int]:
    """Return the one-element list that counts the changes in place of x's memory."""
    owner = x
    while owner._base is not None:  # a view of a detached tensor has that for its base
        owner = owner._base
    if owner._counter is None:
        owner._counter = [0]
    counter: list[int] = owner._counter
    return counter


def storage_offsets(array: Array) -> Array:
    """Return the address of every element, as an int64 array of the array's shape."""
    address = np.asarray(array.__array_interface__["data"][0], np.int64)
    for axis, (n, stride) in enumerate(zip(array.shape, array.strides, strict=True)):
        steps = np.arange(n, dtype=np.int64) * stride
        address = address + steps.reshape((-1,) + (1,) * (array.ndim - 1 - axis))
    return address
