"""Activations."""

from __future__ import annotations

from typing import Any

from fanin.ops import activation as ops
from fanin.nn.functional.checks import require_tensor
from fanin.ops.op import Op
from fanin.tensor.base import TensorBase
from fanin.tensor.tape import apply, apply_in_place


def pointwise(op: Op, input: Any, inplace: bool, attrs: dict[str, Any]) -> Any:
    """Apply an operation of one tensor, into a new one or in place."""
    if not isinstance(input, TensorBase):
        require_tensor(op.name, input)
    return apply_in_place(op, (input,), attrs) if inplace else apply(op, (input,), attrs)


def relu(input: Any, inplace: bool = False) -> Any:
    """Return max(0, x). The derivative at 0 is 0.

    >>> import fanin as torch
    >>> torch.nn.functional.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return pointwise(ops.relu, input, inplace, {})


def sigmoid(input: Any) -> Any:
    """Return 1 / (1 + e^-x).

    >>> import fanin as torch
    >>> torch.nn.functional.sigmoid(torch.tensor([0.0]))
    tensor([0.5000])
    """
    return pointwise(ops.sigmoid, input, False, {})


def tanh(input: Any) -> Any:
    """Return (e^x - e^-x) / (e^x + e^-x).

    >>> import fanin as torch
    >>> torch.nn.functional.tanh(torch.tensor([0.0]))
    tensor([0.])
    """
    return pointwise(ops.tanh, input, False, {})
