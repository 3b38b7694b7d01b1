"""Distances, where PyTorch keeps them."""

from fanin.nn.distance import CosineSimilarity, PairwiseDistance

__all__ = ["CosineSimilarity", "PairwiseDistance"]
