"""Flattening, where PyTorch keeps them."""

from fanin.nn.shaping import Flatten, Unflatten

__all__ = ["Flatten", "Unflatten"]
