"""torch.utils: data loading."""

from fanin._core.missing import refuse
from fanin.utils import checkpoint, data, dlpack

__all__ = ["checkpoint", "data", "dlpack"]
__getattr__ = refuse("torch.utils")
