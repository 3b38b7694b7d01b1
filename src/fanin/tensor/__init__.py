"""The tensor room: Tensor, the tape, and torch's functions of tensors."""

from fanin.tensor.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from fanin.tensor.size import Size
from fanin.tensor.tensor import Tensor

__all__ = ["Size", "Tensor", "enable_grad", "inference_mode", "no_grad", "set_grad_enabled"]
