"""How tensors are stored: always dense, with strides. The names are there for programs that pass them on."""

from __future__ import annotations


class layout:
    """A way of storing a tensor; there is one, `torch.strided`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"


class memory_format:
    """An order of the dimensions in memory, as `clone(memory_format=...)` takes it; fanin keeps to row-major order."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
