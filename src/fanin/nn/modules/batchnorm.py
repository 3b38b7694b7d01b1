"""Batch norm, where PyTorch keeps them."""

from fanin.nn.batch_normalisation import BatchNorm1d, LazyBatchNorm1d, _BatchNorm, _NormBase

__all__ = ["BatchNorm1d", "LazyBatchNorm1d", "_BatchNorm", "_NormBase"]
