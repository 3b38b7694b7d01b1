"""Instance norm, where PyTorch keeps them."""

from fanin.nn.batch_normalisation import InstanceNorm1d, LazyInstanceNorm1d, _InstanceNorm

__all__ = ["InstanceNorm1d", "LazyInstanceNorm1d", "_InstanceNorm"]
