"""torch.cuda on a library that computes on the CPU: nothing is available; what scripts set is accepted."""

from __future__ import annotations

from typing import Any

from fanin import amp as amp
from fanin._core.errors import OperationError
from fanin._core.missing import refuse


def is_available() -> bool:
    """Return False: there is no GPU for fanin."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def is_initialized() -> bool:
    """Return False."""
    return False


def current_device() -> int:
    """Raise: there is no device to name."""
    raise OperationError("fanin computes on the CPU: there is no CUDA device; test torch.cuda.is_available() first")


def get_device_name(device: Any = None) -> str:
    """Raise: there is no device to name."""
    raise OperationError("fanin computes on the CPU: there is no CUDA device; test torch.cuda.is_available() first")


def manual_seed(seed: int) -> None:
    """Do nothing: the CPU's stream is seeded by torch.manual_seed."""


def manual_seed_all(seed: int) -> None:
    """Do nothing: the CPU's stream is seeded by torch.manual_seed."""


def seed() -> None:
    """Do nothing: the CPU's stream is seeded by torch.seed."""


def seed_all() -> None:
    """Do nothing: the CPU's stream is seeded by torch.seed."""


def get_rng_state_all() -> list[Any]:
    """Return no states: there are no devices."""
    return []


def set_rng_state_all(new_states: list[Any]) -> None:
    """Do nothing: there are no devices."""


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return False: there is no GPU for fanin."""
    return False


def memory_allocated(device: Any = None) -> int:
    """Return 0: nothing lies on a GPU."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """Return 0: nothing lies on a GPU."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Return 0: nothing lies on a GPU."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """Return 0: nothing lies on a GPU."""
    return 0


def empty_cache() -> None:
    """Do nothing."""


def synchronize(device: Any = None) -> None:
    """Do nothing: every operation is finished when it returns."""


__getattr__ = refuse("torch.cuda")
