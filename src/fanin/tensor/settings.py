"""Settings that programs make for PyTorch. fanin is deterministic and on the CPU, so most have nothing to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fanin._core.errors import OperationError
from fanin.tensor.device import CPU, check_device, device


@dataclass
class _Settings:
    """What was asked for, so that the question is answered as in PyTorch."""

    deterministic: bool = False
    warn_only: bool = False
    matmul_precision: str = "highest"


_settings = _Settings()


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for algorithms that give the same numbers each time; fanin has no others."""
    _settings.deterministic, _settings.warn_only = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Say whether `use_deterministic_algorithms(True)` was called."""
    return _settings.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Say whether `use_deterministic_algorithms` was called with warn_only."""
    return _settings.warn_only


def set_float32_matmul_precision(precision: str) -> None:
    """Choose "highest", "high" or "medium"; fanin multiplies in full float32 always.

    Raises RuntimeError for another word.
    """
    if precision not in ("highest", "high", "medium"):
        raise OperationError(f"precision must be one of 'highest', 'high' or 'medium', got {precision!r}")
    _settings.matmul_precision = precision


def get_float32_matmul_precision() -> str:
    """Return what `set_float32_matmul_precision` was given."""
    return _settings.matmul_precision


def set_default_device(device: Any) -> None:
    """Accept the CPU as the place of new tensors.

    Raises RuntimeError for any other device.
    """
    check_device(device)


def get_default_device() -> device:
    """Return the place of new tensors: the CPU."""
    return CPU


def set_flush_denormal(mode: bool) -> bool:
    """Return False: the processor's treatment of tiny numbers is left as it is."""
    return False


def set_num_interop_threads(n: int) -> None:
    """Accept a number of threads for independent operations; fanin does one after the other."""


def get_num_interop_threads() -> int:
    """Return 1: operations are done one after the other."""
    return 1


def set_warn_always(mode: bool) -> None:
    """Accept the setting; Python's own filters decide how often a warning shows."""
