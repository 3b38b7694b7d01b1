"""torch.utils.dlpack: tensors that share memory with arrays of other libraries, without a copy."""

from __future__ import annotations

from typing import Any

from fanin._core.missing import refuse
from fanin.tensor.functions.data import from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Any) -> Any:
    """Return the capsule by which another library takes over a tensor's memory; to be used once.

    >>> import fanin as torch
    >>> from fanin.utils.dlpack import from_dlpack, to_dlpack
    >>> x = torch.ones(2)
    >>> from_dlpack(to_dlpack(x)).data_ptr() == x.data_ptr()
    True
    """
    return tensor.__dlpack__()


__getattr__ = refuse("torch.utils.dlpack")
