"""`Variable`, the name that tensors with gradients had long ago; old tutorials still write it."""

from __future__ import annotations

from typing import Any

from fanin.tensor import Tensor


class _Meta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_Meta):
    """`Variable(x, requires_grad=True)` returns x as a tensor that requires a gradient."""

    def __new__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Any:
        """Return the tensor off the tape, with requires_grad as asked."""
        return data.detach().requires_grad_(requires_grad)
