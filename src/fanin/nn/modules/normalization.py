"""Normalisation of single samples, where PyTorch keeps them."""

from fanin.nn.normalisation import GroupNorm, LayerNorm, RMSNorm

__all__ = ["GroupNorm", "LayerNorm", "RMSNorm"]
