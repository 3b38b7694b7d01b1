"""Methods that change a tensor in place, and return it: those of the arithmetic, and those that write values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fanin._core.errors import InPlaceError, OperationError, ShapeError
from fanin.ops.index import overwrite
from fanin.ops.op import Op
from fanin.ops.rules import broadcast_shape, refuse_overflow
from fanin.tensor.base import TensorBase, move
from fanin.tensor.functions import arithmetic
from fanin.tensor.functions.operands import as_operand, number
from fanin.tensor.grad_mode import mode
from fanin.tensor.in_place import bump, check_fits, check_memory, check_writable, store
from fanin.tensor.tape import apply_in_place, label
from fanin.tensor.tape import wrap as _wrap


def unary_(op: Op) -> Callable[..., Any]:
    """Return the method that writes an operation's result over its input."""

    def method(self: Any) -> Any:
        return apply_in_place(op, (self,), {})

    return _named(method, op.name)


def binary_(op: Op) -> Callable[..., Any]:
    """Return the method that writes the result of an operation of two values over the first."""

    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, TensorBase):
            other = as_operand(op.name, other)
        return apply_in_place(op, (self, other), {})

    return _named(method, op.name)


def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method that writes a function's result over its first argument.

    The function works on a copy of the old values, so that what its derivatives read stays as it was.
    """

    def method(self: Any, *args: Any, **keywords: Any) -> Any:
        check_writable(self)
        result = function(_old_values(self), *args, **keywords)
        check_fits(self._array, result._array)
        node = result._node
        return copy_(self, result) if node is None else label(copy_(self, result), node.name())

    return _named(method, function.__name__)


def _old_values(self: Any) -> Any:
    return self.clone() if mode.enabled and self.requires_grad else _wrap(self._array)


def _named(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"Do what `{name}` does, in place."
    return method


# PyTorch's names of the nodes where the view takes the place of its tensor.
_IN_PLACE = {
    "SqueezeBackward0": "SqueezeBackward3",
    "UnsqueezeBackward0": "UnsqueezeBackward1",
    "TBackward0": "TBackward1",
}


def reshape_in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method by which a tensor becomes a view of itself of another shape."""

    def method(self: Any, *args: Any, **keywords: Any) -> Any:
        check_writable(self)
        result = function(self, *args, **keywords)
        self._array, self._node, self._requires_grad = result._array, result._node, result._requires_grad
        if self._node is not None:
            self._node.label = _IN_PLACE.get(self._node.name(), self._node.label)
        bump(self)
        return self

    return _named(method, function.__name__)


# Arithmetic with more than two values ---------------------------------------------------------------------------------


def add_(self: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Add alpha * other in place."""
    other = other if alpha == 1 else arithmetic.scaled(other, alpha, self)
    return apply_in_place(arithmetic.ops.add, (self, as_operand("add_", other)), {})


def sub_(self: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Subtract alpha * other in place."""
    other = other if alpha == 1 else arithmetic.scaled(other, alpha, self)
    return apply_in_place(arithmetic.ops.subtract, (self, as_operand("sub_", other)), {})


def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Divide in place; rounding_mode "floor" rounds down, "trunc" towards zero."""
    if rounding_mode is not None:
        return in_place(arithmetic.div)(self, other, rounding_mode=rounding_mode)
    return apply_in_place(arithmetic.ops.divide, (self, as_operand("div_", other)), {})


def addcmul_(self: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """Add value * tensor1 * tensor2 in place."""
    return add_(self, tensor1 * tensor2 if value == 1 else tensor1 * value * tensor2)


def addcdiv_(self: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """Add value * tensor1 / tensor2 in place."""
    return add_(self, (tensor1 if value == 1 else tensor1 * value) / tensor2)


def lerp_(self: Any, end: Any, weight: Any) -> Any:
    """Move towards end by a share of the way, in place."""
    return apply_in_place(arithmetic.ops.lerp, (self, end, weight), {})


# Writing values -------------------------------------------------------------------------------------------------------


def copy_(self: Any, other: Any, non_blocking: bool = False) -> Any:
    """Write the values of another tensor, broadcast and cast to this one's dtype.

    >>> import fanin as torch
    >>> torch.zeros(2).copy_(torch.tensor([1, 2]))
    tensor([1., 2.])
    """
    if not isinstance(other, TensorBase):
        other = as_operand("copy_", other)
    if mode.enabled and (self.requires_grad or getattr(other, "requires_grad", False)):
        return apply_in_place(overwrite, (self, other), {})
    check_writable(self)
    values = other._array if isinstance(other, TensorBase) else other
    if np.ndim(values) > self._array.ndim:
        raise ShapeError(
            f"output with shape {list(self._array.shape)} doesn't match the broadcast shape {list(np.shape(values))}"
        )
    try:
        return store(self, values)
    except ValueError:
        broadcast_shape(self._array.shape, np.shape(values))
        raise


def fill_(self: Any, value: Any) -> Any:
    """Set every element to a number, or to the one element of a tensor."""
    if isinstance(value, TensorBase) and value._array.ndim:
        raise OperationError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value._array.ndim} dimensions."
        )
    if not mode.enabled or not (self.requires_grad or getattr(value, "requires_grad", False)):
        check_writable(self)
        if mode.capture is not None and isinstance(value, TensorBase):
            return store(self, value._array)
        if not isinstance(value, TensorBase):
            refuse_overflow([number(value)], self._array.dtype)
        return _set_all(self, value._array.item() if isinstance(value, TensorBase) else value)
    name = "FillBackward0" if isinstance(value, TensorBase) else "FillBackward2"
    return label(apply_in_place(overwrite, (self, value), {}), name)


def _set_all(self: Any, value: Any) -> Any:
    """Set every element to a number; where several share a memory location, they agree."""
    if mode.capture is not None:
        return mode.capture.store(self, np.asarray(number(value)))
    array = self._array
    if not array.flags.writeable:
        check_memory(array)
    if value.__class__ is int and not value:
        array.fill(0)
    else:
        with np.errstate(all="ignore"):
            array.fill(np.asarray(number(value)).astype(array.dtype, copy=False))
    bump(self)
    return self


def zero_(self: Any) -> Any:
    """Set every element to 0."""
    if mode.enabled and self.requires_grad:
        return label(apply_in_place(overwrite, (self, 0), {}), "ZeroBackward0")
    return _set_all(self, 0)


def fill_diagonal_(self: Any, fill_value: Any, wrap: bool = False) -> Any:
    """Set the main diagonal to a number; with wrap it starts anew below a tall matrix."""
    array = self._array
    if array.ndim < 2:
        raise OperationError("dimensions must larger than 1")
    if array.ndim > 2 and len(set(array.shape)) > 1:
        raise OperationError("all dimensions of input must be of equal length")
    mask = np.zeros(array.shape, np.bool_)
    if wrap and array.ndim == 2:
        mask.reshape(-1)[:: array.shape[1] + 1] = True
    else:
        mask[(np.arange(min(array.shape)),) * array.ndim] = True
    return self.masked_fill_(_wrap(mask), fill_value)


def set_(self: Any, source: Any = None) -> Any:
    """Let the tensor share the memory of another one, or hold no elements."""
    move(self, np.empty(0, self._array.dtype) if source is None else source._array)
    bump(self)
    return self


def resize_(self: Any, *size: Any, **unused: Any) -> Any:
    """Give the tensor another size; elements that fit stay, new ones are 0."""
    from fanin.tensor.functions.shaping import sizes

    if self.requires_grad:
        raise InPlaceError("cannot resize variables that require grad")
    shape = sizes(size)
    kept = self._array.reshape(-1)[: int(np.prod(shape, dtype=np.int64))]
    made = np.zeros(int(np.prod(shape, dtype=np.int64)), self._array.dtype)
    made[: kept.size] = kept
    move(self, made.reshape(shape))
    return self
