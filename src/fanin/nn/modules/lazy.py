"""Lazy modules, where PyTorch keeps them."""

from fanin.nn.lazy import LazyModuleMixin

__all__ = ["LazyModuleMixin"]
