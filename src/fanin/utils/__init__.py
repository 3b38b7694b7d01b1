"""torch.utils: data loading."""

from fanin._core.missing import refuse
from fanin.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
__getattr__ = refuse("torch.utils")
