"""Dropout, where PyTorch keeps them."""

from fanin.nn.dropout import AlphaDropout, Dropout, Dropout1d, FeatureAlphaDropout, _DropoutNd

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "FeatureAlphaDropout", "_DropoutNd"]
