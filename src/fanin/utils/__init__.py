"""torch.utils: data loading."""

from fanin.utils import data

__all__ = ["data"]
