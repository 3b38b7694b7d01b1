"""torch.nn.utils.fusion: a Linear layer and the batch norm after it as one Linear layer, for prediction."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fanin._core.missing import refuse
from fanin.nn.parameter import Parameter
from fanin.tensor.functions.creation import zeros_like
from fanin.tensor.functions.pointwise import rsqrt

__all__ = ["fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """Return a Linear layer that computes bn(linear(x)), of two layers that predict (`eval`).

    Raises AssertionError when a layer is being trained, or their sizes differ.

    >>> import fanin as torch
    >>> linear, bn = torch.nn.Linear(3, 2).eval(), torch.nn.BatchNorm1d(2).eval()
    >>> fused, x = torch.nn.utils.fusion.fuse_linear_bn_eval(linear, bn), torch.ones(1, 3)
    >>> torch.allclose(fused(x), bn(linear(x)))
    True
    """
    if linear.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    fused = deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Any, linear_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any
) -> tuple[Any, Any]:
    """Return weight and bias with s = bn_w / sqrt(bn_rv + eps): s W, and (b - bn_rm) s + bn_b.

    >>> import fanin as torch
    >>> weight, bias, mean, variance = torch.ones(1, 2), torch.zeros(1), torch.tensor([1.0]), torch.tensor([3.0])
    >>> w, b = torch.nn.utils.fuse_linear_bn_weights(weight, bias, mean, variance, 1.0, torch.ones(1), torch.zeros(1))
    >>> w.tolist(), b.tolist()
    ([[0.5, 0.5]], [-0.5])
    """
    bias = zeros_like(bn_rm) if linear_b is None else linear_b
    scale = bn_w * rsqrt(bn_rv + bn_eps)
    weight = linear_w * scale.unsqueeze(-1).to(linear_w.dtype)
    shifted = ((bias - bn_rm) * scale + bn_b).to(bias.dtype)
    return Parameter(weight.detach(), linear_w.requires_grad), Parameter(shifted.detach(), bias.requires_grad)


__getattr__ = refuse("torch.nn.utils.fusion")
