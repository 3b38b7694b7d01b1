"""torch.accelerator on a library that computes on the CPU: there is none, as PyTorch says where it has only the CPU."""

from __future__ import annotations

from typing import Any, NoReturn

from fanin._core.errors import OperationError
from fanin._core.missing import refuse


def is_available() -> bool:
    """Return False: there is no accelerator for fanin.

    >>> import fanin as torch
    >>> torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
    'cpu'
    """
    return False


def current_accelerator(check_available: bool = False) -> None:
    """Return None: there is no accelerator for fanin."""


def device_count() -> int:
    """Return 0."""
    return 0


def synchronize(device: Any = None, /) -> NoReturn:
    """Raise RuntimeError: there is nothing to wait for."""
    raise _no_accelerator()


def current_device_index() -> NoReturn:
    """Raise RuntimeError: there is no device to name."""
    raise _no_accelerator()


def set_device_index(device: Any, /) -> NoReturn:
    """Raise RuntimeError: there is no device to choose."""
    raise _no_accelerator()


def _no_accelerator() -> OperationError:
    return OperationError(
        "Cannot access accelerator device when none is available.",
        remedy="fanin computes on the CPU. Test torch.accelerator.is_available() (it is False) first.",
    )


__getattr__ = refuse("torch.accelerator")
