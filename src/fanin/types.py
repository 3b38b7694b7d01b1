"""torch.types: the names of types that annotations use."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

from fanin._core.dtypes import dtype as _dtype_class
from fanin.random import Generator
from fanin.tensor import Size, Tensor
from fanin.tensor.device import device as _device_class

_dtype: TypeAlias = _dtype_class
_device: TypeAlias = _device_class
_bool: TypeAlias = bool
_int: TypeAlias = int
_float: TypeAlias = float
_size: TypeAlias = Size | list[int] | tuple[int, ...]

Number: TypeAlias = int | float | bool
Device: TypeAlias = _device_class | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | Any

__all__ = ["Device", "FileLike", "Generator", "Number", "Size", "Tensor"]
