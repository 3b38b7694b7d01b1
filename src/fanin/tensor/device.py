"""Devices: fanin computes on the CPU, and says so when asked for another."""

from __future__ import annotations

from typing import Any

from fanin._core.errors import OperationError


class device:
    """A place for tensors. There is one, "cpu".

    >>> import fanin as torch
    >>> torch.device("cpu")
    device(type='cpu')
    """

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, device):
            index = None
        name, _, number = str(type).partition(":")
        self.type: str = name
        self.index: int | None = int(number) if number else index
        if name != "cpu":
            raise OperationError(
                f"fanin computes on the CPU: there is no device {str(type)!r}. Test torch.cuda.is_available() (it is False) "
                "before you choose one, or use 'cpu'."
            )

    def __repr__(self) -> str:
        return f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        return self

    def __exit__(self, *_: object) -> None:
        return None


CPU = device("cpu")


def check_device(wanted: Any) -> None:
    """Raise when a device other than the CPU is asked for; None means the CPU."""
    if wanted is not None and wanted is not CPU:
        device(wanted)
