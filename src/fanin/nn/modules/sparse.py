"""Embeddings, where PyTorch keeps them."""

from fanin.nn.embedding import Embedding, EmbeddingBag

__all__ = ["Embedding", "EmbeddingBag"]
