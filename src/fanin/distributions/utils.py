"""What distributions share: parameters of one shape, probabilities from logits and back."""

from __future__ import annotations

from typing import Any

from fanin._core import dtypes
from fanin._core.errors import ArgumentError
from fanin._core.missing import refuse
from fanin.tensor.base import TensorBase
from fanin.tensor.functions.data import tensor
from fanin.tensor.functions.norms import logsumexp, softmax
from fanin.tensor.functions.pointwise import clamp, log, log1p, sigmoid
from fanin.tensor.functions.shaping import broadcast_tensors


def broadcast_all(*values: Any) -> tuple[Any, ...]:
    """Return numbers and tensors as tensors of one shape; numbers take the dtype of the first tensor.

    Raises ValueError for what is neither.
    """
    if not all(isinstance(v, (TensorBase, int, float)) for v in values):
        raise ArgumentError("Input arguments must all be instances of Number, torch.Tensor or objects implementing")
    kinds = [v.dtype for v in values if isinstance(v, TensorBase)]  # type: ignore[attr-defined]
    kind = kinds[0] if kinds else dtypes.get_default_dtype()
    return tuple(broadcast_tensors(*(v if isinstance(v, TensorBase) else tensor(v, dtype=kind) for v in values)))


def clamp_probs(probs: Any) -> Any:
    """Return probabilities no closer to 0 and 1 than the dtype's epsilon, so that their logarithms are finite."""
    eps = dtypes.finfo(probs.dtype).eps
    return clamp(probs, min=eps, max=1 - eps)


def logits_to_probs(logits: Any, is_binary: bool = False) -> Any:
    """Return probabilities: the sigmoid of log odds, or the softmax of the last dimension."""
    return sigmoid(logits) if is_binary else softmax(logits, dim=-1)


def probs_to_logits(probs: Any, is_binary: bool = False) -> Any:
    """Return the log odds log(p / (1 - p)) of each probability, or the logarithms log(p)."""
    clamped = clamp_probs(probs)
    return log(clamped) - log1p(-clamped) if is_binary else log(clamped)


def normalized(logits: Any) -> Any:
    """Return logits whose exponentials sum to 1 over the last dimension."""
    return logits - logsumexp(logits, dim=-1, keepdim=True)


def sum_rightmost(value: Any, dim: int) -> Any:
    """Return a tensor summed over its last `dim` dimensions."""
    return value if dim == 0 else value.reshape((*value.shape[: value.dim() - dim], -1)).sum(-1)


__getattr__ = refuse("torch.distributions.utils")
