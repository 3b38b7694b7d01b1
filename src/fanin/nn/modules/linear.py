"""Affine layers, where PyTorch keeps them."""

from fanin.nn.linear import Bilinear, Identity, LazyLinear, Linear

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear"]
